package kvm

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/vmtest"
)

// openHost opens the machine's KVM. Where there is none, the test is skipped,
// and fails under CI.
func openHost(t *testing.T) *Host {
	t.Helper()
	host, err := Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host.(*Host)
}

func TestConformance(t *testing.T) { vmtest.TestHost(t, openHost(t)) }

// descriptors counts this process's open files but those of the Go runtime's
// poller, which opens them when it likes.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && target != "anon_inode:[eventpoll]" && target != "anon_inode:[eventfd]" {
			count++
		}
	}
	return count
}

// TestDescriptorsAreClosed makes VMs in every way that can fail half-way.
func TestDescriptorsAreClosed(t *testing.T) {
	host := openHost(t)
	setups := []guise.Setup{{}, {VGIC: 2}, {VGIC: 3}, {VGIC: 9}, {Protected: true}, {IPABits: 63},
		{Capabilities: []string{"KVM_CAP_NONSENSE"}}, {Capabilities: []string{"KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"}},
		{Features: []guise.Feature{"nonsense"}}}
	for _, feature := range guise.Features {
		setups = append(setups, guise.Setup{Features: []guise.Feature{feature}})
	}
	before := descriptors(t)
	for round := range 3 {
		for _, setup := range setups {
			machine, err := host.NewVM(t.Context(), setup, 2)
			if err != nil {
				if round == 0 {
					t.Logf("%s, vGIC %d: %v; %s", setup.Name(), setup.VGIC, err, vm.HintOf(err))
				}
				continue
			}
			if _, err := machine.Run(t.Context(), 1, probe.FeatureSpace()); err != nil && !errors.Is(err, vm.ErrNotSupported) {
				t.Errorf("setup %s, vGIC %d: %v", setup.Name(), setup.VGIC, err)
			}
			if err := machine.Close(); err != nil {
				t.Error(err)
			}
			if err := machine.Close(); err == nil {
				t.Error("a second Close was taken for a first")
			}
		}
		if after := descriptors(t); after != before {
			t.Fatalf("%d descriptors open, %d before", after, before)
		}
	}
}

// TestOpenRefusals opens what is no KVM.
func TestOpenRefusals(t *testing.T) {
	openHost(t)
	before := descriptors(t)
	if _, err := Open("/dev/null"); !errors.Is(err, syscall.ENOTTY) || !errors.Is(err, vm.ErrNotSupported) {
		t.Errorf("/dev/null gave %v", err)
	}
	if _, err := Open("/dev/nothing"); !errors.Is(err, syscall.ENOENT) || !strings.Contains(vm.HintOf(err), "guise lab") {
		t.Errorf("/dev/nothing gave %v with hint %q", err, vm.HintOf(err))
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

// TestCancel stops a guest that never ends.
func TestCancel(t *testing.T) {
	host := openHost(t)
	machine, err := host.NewVM(t.Context(), guise.Setup{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	const branchToSelf = 0x1400_0000
	program := &probe.Program{Name: "endless", Ops: []probe.Op{
		{Kind: probe.MRS, Name: "MIDR_EL1", Register: arm64.Encoding{Op0: 3}},
		{Kind: probe.Execute, Name: "endless", Words: []uint32{branchToSelf}},
	}}
	// The guest has been entered once KVM freezes ID registers or not; waiting
	// for that is not needed: cancelling is right at any time.
	why := errors.New("enough")
	go cancel(why)
	_, err = machine.Run(ctx, 0, program)
	if !errors.Is(err, why) {
		t.Errorf("a cancelled run gave %v", err)
	}
	// And the vCPU can be used again.
	program.Ops = program.Ops[:1]
	trace, err := machine.Run(t.Context(), 0, program)
	if err != nil || trace.Records[0].Outcome != probe.Completed {
		t.Errorf("after a cancelled run: %+v, %v", trace, err)
	}
}

func TestWide(t *testing.T) {
	host := openHost(t)
	machine, err := host.NewVM(t.Context(), guise.Setup{Features: []guise.Feature{guise.FeatureSVE}}, 1)
	if errors.Is(err, vm.ErrNotSupported) {
		t.Log("this host has no SVE; that SVE is refused is what there is to see")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	wide := machine.(vm.WideRegisters)
	lengths := make([]byte, 64)
	if err := wide.GetWide(0, arm64.IDSVEVectorLengths, lengths); err != nil || lengths[0]&1 == 0 {
		t.Fatalf("vector lengths % x, %v; 128 bits are always there", lengths[:2], err)
	}
	if _, err := machine.(vm.Lister).List(0); !errors.Is(err, syscall.EPERM) || vm.HintOf(err) == "" {
		t.Errorf("the list before finalisation gave %v", err)
	}
	if err := machine.(vm.Finalizer).Finalize(0); err != nil {
		t.Fatal(err)
	}
	if err := wide.SetWide(0, arm64.IDSVEVectorLengths, lengths); !errors.Is(err, syscall.EPERM) {
		t.Errorf("vector lengths after finalisation: %v", err)
	}
	if _, err := machine.(vm.Lister).List(0); err != nil {
		t.Error(err)
	}
	if _, err := machine.Get(0, arm64.IDSVEVectorLengths); err == nil {
		t.Error("512 bits fitted into 64")
	}
	if err := wide.GetWide(0, arm64.IDSVEVectorLengths, lengths[:8]); err == nil {
		t.Error("512 bits fitted into 64")
	}
}

// TestPrograms has a guest run every probe program there is, in AArch32 where the
// host has it.
func TestPrograms(t *testing.T) {
	host := openHost(t)
	for _, test := range []struct {
		setup    guise.Setup
		programs []*probe.Program
	}{
		{guise.Setup{}, []*probe.Program{probe.FeatureSpace(), probe.Hardware(), probe.ServiceCalls(), probe.Writes(), probe.Instructions()}},
		{guise.Setup{Features: []guise.Feature{guise.FeatureAArch32}},
			[]*probe.Program{probe.FeatureSpace32(), probe.Hardware32(), probe.ServiceCalls32(), probe.Writes32(), probe.Instructions32()}},
	} {
		machine, err := host.NewVM(t.Context(), test.setup, 1)
		if errors.Is(err, vm.ErrNotSupported) && test.setup.State() == probe.AArch32 {
			t.Log("this host has no AArch32 at EL1; that it is refused is what there is to see")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer machine.Close()
		for _, program := range test.programs {
			trace, err := machine.Run(t.Context(), 0, program)
			if err != nil {
				t.Errorf("%s: %v", program.Name, err)
				continue
			}
			completed := 0
			for i := range trace.Records {
				switch record := &trace.Records[i]; record.Outcome {
				case probe.Completed:
					completed++
				case probe.Exception:
				default:
					t.Errorf("%s: %v %s: %v", program.Name, record.Kind, record.Name, record.Outcome)
				}
			}
			t.Logf("%s: %d of %d operations completed", program.Name, completed, len(trace.Records))
			if writes := program.Name == "writes" || program.Name == "aarch32-writes"; (completed == 0) != writes {
				t.Errorf("%s: %d of %d operations completed", program.Name, completed, len(trace.Records))
			}
		}
	}
}

// TestReservedRegisters has a guest in AArch32 read a reserved ID register, past
// which no guest comes from Linux 6.1 on (docs/findings.md). Where one does, this
// has been mended, and a version should be named there.
func TestReservedRegisters(t *testing.T) {
	host := openHost(t)
	machine, err := host.NewVM(t.Context(), guise.Setup{Features: []guise.Feature{guise.FeatureAArch32}}, 1)
	if errors.Is(err, vm.ErrNotSupported) {
		return // TestPrograms says so
	}
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	midr := probe.Op{Kind: probe.MRC, Name: "MIDR", Coprocessor: arm64.CoprocessorID(0, 0, 0)}
	program := probe.Join("reserved", &probe.Program{Ops: []probe.Op{midr}}, probe.Reserved32())
	// The guest takes less than a millisecond, where it comes to its end.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	trace, err := machine.Run(ctx, 0, program)
	facts, describeErr := host.Describe()
	if describeErr != nil {
		t.Fatal(describeErr)
	}
	if version, _ := kernel.ParseVersion(facts.Kernel); version.Compare(kernel.Version{Major: 6, Minor: 1}) < 0 {
		if err != nil || trace.Records[1].Outcome != probe.Completed {
			t.Errorf("Linux %s: %v", facts.Kernel, err)
		}
		return
	}
	if !errors.Is(err, context.DeadlineExceeded) || trace.Records[0].Outcome != probe.Completed || trace.Records[1].Outcome != probe.NotRun {
		t.Errorf("Linux %s: the guest came past %s: %v, %+v", facts.Kernel, program.Ops[1].Name, err, trace.Records[:2])
	}
}

// TestStates puts programs to VMs of the other execution state.
func TestStates(t *testing.T) {
	host := openHost(t)
	for _, test := range []struct {
		setup   guise.Setup
		program *probe.Program
	}{
		{guise.Setup{}, probe.FeatureSpace32()},
		{guise.Setup{Features: []guise.Feature{guise.FeatureAArch32}}, probe.FeatureSpace()},
	} {
		machine, err := host.NewVM(t.Context(), test.setup, 1)
		if errors.Is(err, vm.ErrNotSupported) {
			continue // TestPrograms says so
		}
		if err != nil {
			t.Fatal(err)
		}
		defer machine.Close()
		if _, err := machine.Run(t.Context(), 0, test.program); !errors.Is(err, vm.ErrNotSupported) {
			t.Errorf("%s in a VM of %v: %v", test.program.Name, test.setup.State(), err)
		}
	}
}

// TestRunning reads a VM's registers from debugfs and from its vCPU.
func TestRunning(t *testing.T) {
	host := openHost(t)
	machine, err := host.NewVM(t.Context(), guise.Setup{VGIC: 3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	running, err := RunningVMs(os.Getpid())
	if errors.Is(err, vm.ErrNotSupported) {
		t.Log(err) // before Linux 6.9
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(running) != 1 || running[0].Contract.Setup.VGIC != 3 {
		t.Fatalf("%d VMs: %+v", len(running), running)
	}
	seen := 0
	for place := range arm64.Registers {
		if !running[0].Contract.View.Present.Has(place) {
			continue
		}
		value, err := machine.Get(0, arm64.ID(arm64.Registers[place].ID))
		if err != nil || value != running[0].Contract.View.Values[place] {
			t.Errorf("%s: debugfs shows %#x, the vCPU %#x, %v", arm64.Registers[place].Name, running[0].Contract.View.Values[place], value, err)
		}
		seen++
	}
	// Linux 6.12 leaves out the 15 encodings that nobody has allocated.
	if seen < 56-15 {
		t.Errorf("debugfs shows %d registers; there are 41 at least", seen)
	}
}

// BenchmarkProve reports how many ioctls a proof takes and how long it takes
// against its ioctls alone: what a loop of nothing else would take.
func BenchmarkProve(b *testing.B) {
	host, err := Open("")
	if err != nil {
		testenv.Missing(b, "%v", err)
	}
	defer host.Close()
	live := host.(*Host)
	live.timed = true
	setup := guise.Setup{VGIC: 3}
	capture, err := vm.Capture(b.Context(), host, vm.CaptureOptions{Setups: []guise.Setup{setup}})
	if err != nil {
		b.Fatal(err)
	}
	shown := &capture.Setups[0]
	contract := &guise.Contract{Name: "as shown", Setup: shown.Setup, View: shown.View, Listed: shown.Listed}
	contract.Complete(func(arm64.ID) bool { return false })
	before, spent := live.ioctls.Load(), live.spent.Load()
	for b.Loop() {
		if _, err := vm.Prove(b.Context(), host, contract, vm.ProveOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(live.ioctls.Load()-before)/float64(b.N), "ioctls/op")
	b.ReportMetric(float64(b.Elapsed())/float64(live.spent.Load()-spent), "times-its-ioctls")
}
