package vmtest

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// TestHost puts a host to what package vm promises of every backend. It makes
// VMs of the plainest setup, and of those features that the host has.
func TestHost(t *testing.T, host vm.Host) {
	t.Run("refusals", func(t *testing.T) { testRefusals(t, host) })
	t.Run("registers", func(t *testing.T) { testRegisters(t, host) })
	t.Run("scope", func(t *testing.T) { testScope(t, host) })
	t.Run("list", func(t *testing.T) { testList(t, host) })
	t.Run("guest", func(t *testing.T) { testGuest(t, host) })
	t.Run("frozen", func(t *testing.T) { testFrozen(t, host) })
	t.Run("features", func(t *testing.T) { testFeatures(t, host) })
}

// newVM makes a VM that is closed with the test.
func newVM(t *testing.T, host vm.Host, setup guise.Setup, vcpus int) vm.VM {
	t.Helper()
	machine, err := host.NewVM(t.Context(), setup, vcpus)
	if err != nil {
		t.Fatalf("%s: a VM of setup %s with %d vCPUs: %v", host, setup.Name(), vcpus, err)
	}
	t.Cleanup(func() {
		if err := machine.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return machine
}

var (
	pfr0       = arm64.Encoding{Op0: 3, CRm: 4}.ID()
	nonsenseID = arm64.Encoding{Op0: 3, CRm: 0, Op2: 1}.ID()
)

func testRefusals(t *testing.T, host vm.Host) {
	if host.String() == "" {
		t.Error("the host has no name")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if machine, err := host.NewVM(ctx, guise.Setup{}, 1); machine != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gave %v, %v", machine, err)
	}
	if _, err := host.NewVM(t.Context(), guise.Setup{Features: []guise.Feature{"nonsense"}}, 1); !errors.Is(err, vm.ErrNotSupported) {
		t.Errorf("a feature nobody has gave %v", err)
	}
	if _, err := host.NewVM(t.Context(), guise.Setup{}, 0); err == nil {
		t.Error("a VM without vCPUs was made")
	}
	machine := newVM(t, host, guise.Setup{}, 1)
	if _, err := machine.Get(1, pfr0); err == nil {
		t.Error("a register of vCPU 1 of 1 was read")
	}
	_, err := machine.Get(0, nonsenseID)
	var refused *vm.RegisterError
	if !errors.As(err, &refused) || !errors.Is(err, syscall.ENOENT) || refused.Op != "get" || refused.Name == "" {
		t.Errorf("reading S3_0_C0_C0_1 gave %v, want a RegisterError with ENOENT", err)
	}
	if err := machine.Set(0, nonsenseID, 1); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("writing S3_0_C0_C0_1 gave %v, want ENOENT", err)
	}
}

func testRegisters(t *testing.T, host vm.Host) {
	machine := newVM(t, host, guise.Setup{}, 1)
	limit, err := machine.Get(0, pfr0)
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Set(0, pfr0, limit); err != nil {
		t.Errorf("writing back what was read: %v", err)
	}
	// EL0 of 15 is no value of any architecture.
	err = machine.Set(0, pfr0, limit|15)
	var refused *vm.RegisterError
	if !errors.As(err, &refused) || refused.Errno != syscall.EINVAL || refused.Op != "set" || refused.Value != limit|15 {
		t.Errorf("ID_AA64PFR0_EL1 = %#x gave %v, want EINVAL", limit|15, err)
	}
	if now, err := machine.Get(0, pfr0); err != nil || now != limit {
		t.Errorf("after a refusal the register holds %#x, %v; want %#x", now, err, limit)
	}
}

// lowered finds a feature register with a field that can be lowered by one, and
// lowers it. It returns false on a host where nothing can be written.
func lowered(t *testing.T, machine vm.VM) (id arm64.ID, value uint64, ok bool) {
	t.Helper()
	for _, e := range arm64.FeatureSpace() {
		before, err := machine.Get(0, e.ID())
		if err != nil || e.CRm == 0 {
			continue
		}
		for shift := 60; shift >= 0; shift -= 4 {
			field := before >> shift & 15
			if field == 0 || field > 7 {
				continue
			}
			wanted := before - 1<<shift
			if machine.Set(0, e.ID(), wanted) != nil {
				continue
			}
			// Registers that ignore writes, or store another value, prove nothing.
			if now, err := machine.Get(0, e.ID()); err == nil && now == wanted {
				return e.ID(), wanted, true
			}
		}
	}
	return 0, 0, false
}

func testScope(t *testing.T, host vm.Host) {
	machine := newVM(t, host, guise.Setup{}, 2)
	first, err0 := machine.Get(0, mpidr)
	second, err1 := machine.Get(1, mpidr)
	if err0 != nil || err1 != nil || first == second {
		t.Errorf("MPIDR_EL1 of two vCPUs: %#x, %v and %#x, %v", first, err0, second, err1)
	}
	id, value, ok := lowered(t, machine)
	if !ok {
		t.Logf("%s lets no field be lowered", host)
		return
	}
	if seen, err := machine.Get(1, id); err != nil || seen != value {
		t.Errorf("%v written through vCPU 0 as %#x reads %#x, %v through vCPU 1", id, value, seen, err)
	}
	other := newVM(t, host, guise.Setup{}, 1)
	if seen, err := other.Get(0, id); err != nil || seen == value {
		t.Errorf("%v written in one VM reads %#x, %v in another", id, seen, err)
	}
}

func testList(t *testing.T, host vm.Host) {
	machine := newVM(t, host, guise.Setup{}, 1)
	lister, ok := machine.(vm.Lister)
	if !ok {
		t.Logf("%s lists no registers", host)
		return
	}
	ids, err := lister.List(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) == 0 || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("%d ids, which are not in ascending order or not each once", len(ids))
	}
	for _, id := range ids {
		if id.Size() > 8 {
			continue
		}
		if _, err := machine.Get(0, id); err != nil {
			t.Errorf("%v is listed, but: %v", id, err)
		}
	}
	if !slices.Contains(ids, pfr0) {
		t.Error("ID_AA64PFR0_EL1 is not listed")
	}
}

func testGuest(t *testing.T, host vm.Host) {
	machine := newVM(t, host, guise.Setup{}, 1)
	changed, value, wrote := lowered(t, machine)
	program := probe.FeatureSpace()
	trace, err := machine.Run(t.Context(), 0, program)
	if err != nil {
		t.Fatal(err)
	}
	if len(trace.Records) != len(program.Ops) || trace.Program != program.Name {
		t.Fatalf("a trace of %q with %d records; the program %q has %d operations",
			trace.Program, len(trace.Records), program.Name, len(program.Ops))
	}
	for i, op := range program.Ops {
		// The registers that KVM holds and an ordinary VM's guest reads from it.
		if op.Kind != probe.MRS || op.Register.Op1 != 0 || op.Register.CRm == 0 {
			continue
		}
		stored, err := machine.Get(0, op.Register.ID())
		if err != nil {
			continue
		}
		record := &trace.Records[i]
		if record.Outcome != probe.Completed || record.Values[0] != stored {
			t.Errorf("%s: the guest saw %v %#x, userspace reads %#x", op.Name, record.Outcome, record.Values[0], stored)
		}
		if wrote && op.Register.ID() == changed && stored != value {
			t.Errorf("%s: written as %#x, reads %#x after the run", op.Name, value, stored)
		}
	}
	again, err := machine.Run(t.Context(), 0, program)
	if err != nil {
		t.Fatalf("a second run: %v", err)
	}
	if !slices.Equal(again.Records, trace.Records) {
		t.Error("two runs of one program differ")
	}
}

func testFrozen(t *testing.T, host vm.Host) {
	machine := newVM(t, host, guise.Setup{}, 1)
	interrupter, ok := machine.(vm.Interrupter)
	if !ok {
		t.Logf("%s cannot enter and leave a vCPU at once", host)
		return
	}
	if err := interrupter.RunNothing(0); !errors.Is(err, syscall.EINTR) {
		t.Fatalf("KVM_RUN with immediate_exit gave %v, want EINTR", err)
	}
	now, err := machine.Get(0, pfr0)
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Set(0, pfr0, now); err != nil {
		t.Errorf("an equal value after the first run: %v", err)
	}
	err = machine.Set(0, pfr0, now|15)
	if !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EINVAL) {
		t.Errorf("another value after the first run gave %v", err)
	}
}

func testFeatures(t *testing.T, host vm.Host) {
	for _, feature := range guise.Features {
		machine, err := host.NewVM(t.Context(), guise.Setup{Features: []guise.Feature{feature}}, 1)
		if err != nil {
			if !errors.Is(err, vm.ErrNotSupported) {
				t.Errorf("a VM with %s: %v, which is neither done nor ErrNotSupported", feature, err)
			}
			continue
		}
		if _, err := machine.Get(0, pfr0); err != nil {
			t.Errorf("a VM with %s: %v", feature, err)
		}
		if err := machine.Close(); err != nil {
			t.Errorf("closing a VM with %s: %v", feature, err)
		}
	}
}
