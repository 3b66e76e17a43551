package arm64

import (
	"errors"
	"maps"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// protectedGuest is what guests of one setup saw on one host.
type protectedGuest struct {
	host, setup string
	registers   map[string]uint64 // those of the 56 that read other than 0
	raised      map[string]uint64 // syndromes, by the operation's name
}

// protectedGuests reads testdata/protected.txt.
func protectedGuests(t *testing.T) []protectedGuest {
	t.Helper()
	var guests []protectedGuest
	var host string
	first := 0 // the host's first setup
	lines(t, "testdata/protected.txt", func(words []string) {
		if words[0] == "host" {
			host, first = words[1], len(guests)
			return
		}
		if words[0] == "setup" {
			g := protectedGuest{host, words[1], map[string]uint64{}, map[string]uint64{}}
			if first < len(guests) {
				g.registers, g.raised = maps.Clone(guests[first].registers), maps.Clone(guests[first].raised)
			}
			guests = append(guests, g)
			return
		}
		g := &guests[len(guests)-1]
		switch words[0] {
		case "raised":
			for _, name := range words[2:] {
				g.raised[name] = hex(t, words[1])
			}
		case "ran":
			for _, name := range words[1:] {
				delete(g.raised, name)
			}
		default:
			g.registers[words[0]] = hex(t, words[1])
		}
	})
	return guests
}

func (g *protectedGuest) run(t *testing.T, program *probe.Program) *probe.Trace {
	t.Helper()
	name, vgic, _ := strings.Cut(g.setup, "/vgic")
	setup := setupNamed(name)
	setup.Protected = true
	if vgic == "3" {
		setup.VGIC = 3
	}
	machine, err := openHost(t, g.host).NewVM(t.Context(), setup, 1)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := machine.Run(t.Context(), 0, program)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// TestProtectedGuests: what guests of protected VMs read and ran on kernels in
// the lab.
func TestProtectedGuests(t *testing.T) {
	guests := protectedGuests(t)
	if len(guests) < 60 {
		t.Fatalf("%d setups", len(guests))
	}
	compared, notModelled := 0, 0
	for i := range guests {
		g := &guests[i]
		trace := g.run(t, probe.FeatureSpace())
		for i := range trace.Records {
			r := &trace.Records[i]
			e, err := arm64.ParseEncoding(r.Name)
			if place, ok := arm64.Place(r.Name); ok {
				e, _ = arm64.ID(arm64.Registers[place].ID).Encoding()
			} else if err != nil {
				t.Fatal(err)
			}
			if r.Kind != probe.MRS || e.Op1 != 0 || e.CRm == 0 {
				continue
			}
			compared++
			if want := g.registers[r.Name]; r.Outcome != probe.Completed || r.Values[0] != want {
				t.Errorf("%s, %s: guests read %s as %#x, the model's %#x (%v)", g.host, g.setup, r.Name, want, r.Values[0], r.Outcome)
			}
		}
		for _, program := range []*probe.Program{probe.Hardware(), probe.Instructions()} {
			trace := g.run(t, program)
			for i := range trace.Records {
				r := &trace.Records[i]
				if r.Outcome == probe.NotRun {
					notModelled++
					continue
				}
				compared++
				syndrome, raised := g.raised[r.Name]
				if raised != (r.Outcome == probe.Exception) || syndrome != r.Syndrome {
					t.Errorf("%s, %s: %s raised %v (%#x), in the model %v (%#x)", g.host, g.setup, r.Name, raised, syndrome, r.Outcome, r.Syndrome)
				}
			}
		}
	}
	t.Logf("%d results compared, %d not modelled", compared, notModelled)
}

func openHost(t *testing.T, name string) *Host {
	t.Helper()
	host, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// TestProtectedVMs: which are made, and what KVM refuses them that it gives
// others.
func TestProtectedVMs(t *testing.T) {
	for _, name := range []string{"7.2/max", "7.2/max,kvm-arm.mode=nested", "7.0/max,kvm-arm.mode=protected"} {
		_, err := openHost(t, name).NewVM(t.Context(), guise.Setup{Protected: true}, 1)
		if !errors.Is(err, vm.ErrNotSupported) || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s makes a protected VM: %v", name, err)
		}
	}
	host := openHost(t, "7.2/max,kvm-arm.mode=protected")
	for _, setup := range []guise.Setup{
		{Protected: true, Features: []guise.Feature{guise.FeatureMTE}},
		{Protected: true, Features: []guise.Feature{guise.FeatureEL2}},
		{Protected: true, Capabilities: []string{"KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"}},
		{Protected: true, VGIC: 2},
	} {
		if _, err := host.NewVM(t.Context(), setup, 1); !errors.Is(err, vm.ErrNotSupported) {
			t.Errorf("%s %v vGICv%d is made: %v", setup.Name(), setup.Capabilities, setup.VGIC, err)
		}
	}
	setup := guise.Setup{Protected: true, Features: []guise.Feature{guise.FeaturePMU, guise.FeatureSVE}, IPABits: 99}
	made, err := host.NewVM(t.Context(), setup, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := made.(*VM)
	if err := m.Filter(0x8600_0000, 1, filterDeny); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a filter: %v", err)
	}
	if _, err := m.WritableMasks(0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("writable masks: %v", err)
	}
	for capability, want := range map[kvmabi.Capability]int{
		kvmabi.CapSVE: 0, kvmabi.CapPMUv3: 0, kvmabi.CapPtrAuthAddress: 1, kvmabi.CapVMIPASize: 52, kvmabi.CapSupportedMaskRanges: 0,
	} {
		if got, err := m.CheckCapability(uint32(capability)); got != want || err != nil {
			t.Errorf("%v: %d, %v; want %d", capability, got, err, want)
		}
	}
}

// TestProtectedGuestsSeeNoWrites: what userspace writes to ID registers it reads
// back, and the guest does not see it, but of caches.
func TestProtectedGuestsSeeNoWrites(t *testing.T) {
	machine, err := openHost(t, "7.2/neoverse-v1,kvm-arm.mode=protected").NewVM(t.Context(), guise.Setup{Protected: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := machine.(*VM)
	isar0, ctr := arm64.ID(arm64.Registers[arm64.IDAA64ISAR0EL1].ID), arm64.ID(arm64.Registers[arm64.CTREL0].ID)
	if err := errors.Join(m.Set(0, isar0, 0), m.Set(0, ctr, 0xb443_c004)); err != nil {
		t.Fatal(err)
	}
	e, _ := isar0.Encoding()
	now, err := m.Get(0, isar0)
	if seen, _ := m.Read(0, e); err != nil || now != 0 || seen == 0 {
		t.Errorf("userspace reads ID_AA64ISAR0_EL1 as %#x, %v; the guest as %#x", now, err, seen)
	}
	if seen, _ := m.Read(0, regCTR); seen != 0xb443_c004 {
		t.Errorf("the guest reads CTR_EL0 as %#x", seen)
	}
}

// TestMemoryCallsOfProtectedVMs: what EL2 answers, and what only it does.
func TestMemoryCallsOfProtectedVMs(t *testing.T) {
	for _, c := range []struct {
		kind      probe.Kind
		protected bool
		args      [8]uint64
		want      uint64
		outcome   probe.Outcome
	}{
		{probe.HVC, true, [8]uint64{callVendorFeatures, 1, 2, 3}, 0x1d, probe.Completed},
		{probe.SMC, true, [8]uint64{callVendorFeatures}, 3, probe.Completed},
		{probe.HVC, false, [8]uint64{callVendorFeatures}, 3, probe.Completed},
		{probe.HVC, true, [8]uint64{callMemoryInfo}, 4096, probe.Completed},
		{probe.HVC, true, [8]uint64{callMemoryInfo, 0, 0, 0, 1}, 4096, probe.Completed},
		{probe.HVC, true, [8]uint64{callMemoryInfo, 0, 0, 1}, invalidParameter, probe.Completed},
		{probe.SMC, true, [8]uint64{callMemoryInfo}, notSupported, probe.Completed},
		{probe.HVC, true, [8]uint64{callMemoryShare, 1}, invalidParameter, probe.Completed},
		{probe.HVC, true, [8]uint64{callMemoryUnshare, 0, 1}, invalidParameter, probe.Completed},
		{probe.HVC, true, [8]uint64{callMemoryShare, 4096}, 0, probe.NotRun},
	} {
		machine, err := openHost(t, "7.2/max,kvm-arm.mode=protected").NewVM(t.Context(), guise.Setup{Protected: c.protected}, 1)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := machine.Run(t.Context(), 0, &probe.Program{Ops: []probe.Op{{Kind: c.kind, Args: c.args}}})
		if err != nil {
			t.Fatal(err)
		}
		if r := trace.Records[0]; r.Outcome != c.outcome || r.Values[0] != c.want {
			t.Errorf("%v %#x, protected %v: %v, %#x; want %v, %#x", c.kind, c.args, c.protected, r.Outcome, r.Values[0], c.outcome, c.want)
		}
	}
}

// TestForecastOfProtectedVMs: their guests' view is what EL2 makes of the host,
// not what KVM limits others to.
func TestForecastOfProtectedVMs(t *testing.T) {
	setup := guise.Setup{Protected: true, Features: []guise.Feature{guise.FeaturePAuth}}
	capture, err := vm.Capture(t.Context(), openHost(t, "7.2/max,kvm-arm.mode=protected"), vm.CaptureOptions{Setups: []guise.Setup{setup}})
	if err != nil {
		t.Fatal(err)
	}
	if masks := capture.Setups[0].MaskRanges; masks != 0 {
		t.Errorf("a protected VM has mask ranges %#x", masks)
	}
	for version, made := range map[string]guise.Verdict{"7.0": guise.No, "7.1": guise.Yes, "7.2": guise.Yes} {
		to, err := kernel.ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Predict(capture, to)
		if err != nil {
			t.Fatal(err)
		}
		s := &f.Setups[0]
		if s.Made != made {
			t.Errorf("%s makes protected VMs: %v", version, s.Made)
		}
		for i := range s.Fields {
			if field := &s.Fields[i]; !field.Then.Has(field.Now) || !field.Known() {
				t.Errorf("%s: %s is %#x, then %v", version, arm64.Slots[field.Slot].Name(), field.Now, field.Then)
			}
		}
	}
}
