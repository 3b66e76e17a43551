package vm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/vmtest"
)

// contractOf is a contract with the given values.
func contractOf(t *testing.T, values map[arm64.ID]uint64) *guise.Contract {
	t.Helper()
	c := &guise.Contract{Name: "c.json"}
	for id, value := range values {
		place, ok := arm64.PlaceOf(id)
		if !ok {
			t.Fatalf("%v is not in the table", id)
		}
		c.View.Put(place, value)
	}
	c.Complete(func(arm64.ID) bool { return false })
	return c
}

// watched counts what is asked of a fake, and whether its VMs are dropped.
type watched struct {
	*vmtest.Fake
	open, sets int
}

type watchedVM struct {
	vm.VM
	host *watched
}

func (w *watched) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	machine, err := w.Fake.NewVM(ctx, setup, vcpus)
	if err == nil {
		w.open++
		machine = &watchedVM{machine, w}
	}
	return machine, err
}

func (m *watchedVM) Set(vcpu int, id arm64.ID, value uint64) error {
	m.host.sets++
	return m.VM.Set(vcpu, id, value)
}

func (m *watchedVM) Close() error {
	m.host.open--
	return m.VM.Close()
}

func TestApplyWritesOnlyWhatDiffers(t *testing.T) {
	host := &watched{Fake: fake()}
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1021_1120})
	machine, applied, err := vm.Apply(t.Context(), host, contract, 2)
	if err != nil {
		t.Fatal(err)
	}
	if host.sets != 1 || applied.Writes != 1 {
		t.Errorf("%d writes were made and %d reported; one register of the VM differs", host.sets, applied.Writes)
	}
	if got, err := machine.Get(1, isar0); err != nil || got != 0x0000_1111_1021_1120 {
		t.Errorf("ID_AA64ISAR0_EL1 reads %#x, %v", got, err)
	}
	if err := machine.Close(); err != nil || host.open != 0 {
		t.Errorf("%d VMs are open after Close: %v", host.open, err)
	}
}

func TestApplyDropsTheVMAndBlamesFields(t *testing.T) {
	host := &watched{Fake: fake()}
	// RNDR is above the limit, AES is not; EL1 of PFR0 is above, too.
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0122, isar0: 0x1000_1111_1021_2110})
	machine, _, err := vm.Apply(t.Context(), host, contract, 1)
	if machine != nil || host.open != 0 {
		t.Errorf("a VM was left: %v, %d open", machine, host.open)
	}
	var refused *vm.ApplyError
	if !errors.As(err, &refused) || !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("%v, want an ApplyError with EINVAL", err)
	}
	var names []string
	for _, r := range refused.Refusals {
		names = append(names, r.Name())
	}
	if got := strings.Join(names, " "); got != "ID_AA64PFR0_EL1.EL1 ID_AA64ISAR0_EL1.RNDR" {
		t.Errorf("blamed %s", got)
	}
	if r := refused.Refusals[0]; r.Wanted != 2 || r.There != 1 || r.Errno != syscall.EINVAL {
		t.Errorf("EL1: %+v", r)
	}
}

// ignoring accepts every write of a register and stores none.
type ignoring struct{ vm.VM }

func (m ignoring) Set(vcpu int, id arm64.ID, value uint64) error {
	if id == isar0 {
		return nil
	}
	return m.VM.Set(vcpu, id, value)
}

type ignoringHost struct{ *vmtest.Fake }

func (h ignoringHost) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	machine, err := h.Fake.NewVM(ctx, setup, vcpus)
	return ignoring{machine}, err
}

func TestApplyFindsWhatIsAcceptedAndNotStored(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{isar0: 0x0000_1111_1021_2110})
	_, _, err := vm.Apply(t.Context(), ignoringHost{fake()}, contract, 1)
	var refused *vm.ApplyError
	if !errors.As(err, &refused) || len(refused.Refusals) != 1 {
		t.Fatalf("%v, want an ApplyError about one field", err)
	}
	if r := refused.Refusals[0]; r.Name() != "ID_AA64ISAR0_EL1.AES" || r.Errno != 0 || r.Wanted != 1 || r.There != 2 {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(err.Error(), "accepted and stored as 2") {
		t.Errorf("the message does not say so: %v", err)
	}
}

// TestApplyRestOfTheWorld gives 0 to what nobody knew.
func TestApplyRestOfTheWorld(t *testing.T) {
	unknownBitmap := arm64.FirmwareFeatureID(9)
	host := fake()
	host.Limits[unknownBitmap] = 7
	host.Limits[arm64.FirmwareFeatureID(3)] = 3 // known, and not in the contract
	machine, _, err := vm.Apply(t.Context(), host, contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1021_2120}), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	for _, id := range []arm64.ID{unknownBitmap, arm64.FirmwareFeatureID(3)} {
		if got, err := machine.Get(0, id); err != nil || got != 0 {
			t.Errorf("%v reads %#x, %v; want 0", id, got, err)
		}
	}
}

// TestApplyVaries writes the host's own bits where the contract lets them vary.
func TestApplyVaries(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1021_1100})
	place, _ := arm64.PlaceOf(isar0)
	contract.Vary[place] = 0xf0 // AES
	machine, _, err := vm.Apply(t.Context(), fake(), contract, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	if got, err := machine.Get(0, isar0); err != nil || got != 0x0000_1111_1021_1120 {
		t.Errorf("ID_AA64ISAR0_EL1 reads %#x, %v", got, err)
	}
}

func TestApplySetupIsMissing(t *testing.T) {
	contract := contractOf(t, nil)
	contract.Setup.Features = []guise.Feature{guise.FeatureSVE}
	if _, _, err := vm.Apply(t.Context(), fake(), contract, 1); !errors.Is(err, vm.ErrNotSupported) || !strings.Contains(err.Error(), "sve") {
		t.Errorf("a setup the host lacks gave %v", err)
	}
}

// TestApplyRefusesIncompleteContracts, and names what they say nothing of.
func TestApplyRefusesIncompleteContracts(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112})
	for _, id := range guise.Space() {
		cut := *contract
		cut.Uncontrolled = slices.DeleteFunc(slices.Clone(contract.Uncontrolled), func(other arm64.ID) bool { return other == id })
		if id == pfr0 {
			cut.View = arm64.View{}
		}
		machine, _, err := vm.Apply(t.Context(), fake(), &cut, 1)
		if machine != nil || err == nil || !strings.Contains(err.Error(), id.String()+": want a value") {
			t.Errorf("without %s: %v", id, err)
		}
	}
}

// TestRefusalsHaveOneNotation: values stand in a refusal as in every other answer.
func TestRefusalsHaveOneNotation(t *testing.T) {
	for want, r := range map[string]vm.Refusal{
		"ID_AA64ISAR0_EL1.AES: want 1, the host gives 2: invalid argument":       {Register: "ID_AA64ISAR0_EL1", Field: "AES", Wanted: 1, There: 2, Errno: syscall.EINVAL},
		"ID_AA64PFR0_EL1.FP: 15 was accepted and stored as 0":                    {Register: "ID_AA64PFR0_EL1", Field: "FP", Wanted: 15},
		"PSCI_VERSION: want 1.3, the host gives 1.1: invalid argument":           {Register: "PSCI_VERSION", Wanted: 0x10003, There: 0x10001, Errno: syscall.EINVAL},
		"MIDR_EL1: want 0x413fd0c1, the host gives 0x411fd401: invalid argument": {Register: "MIDR_EL1", Wanted: 0x413fd0c1, There: 0x411fd401, Errno: syscall.EINVAL},
		"S3_0_C0_C7_7: want 0x1, the host gives 0x0: no such file or directory":  {Register: "S3_0_C0_C7_7", Wanted: 1, Errno: syscall.ENOENT},
	} {
		if got := r.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for want, err := range map[string]error{
		"PSCI_VERSION: writing 1.3: invalid argument":          &vm.RegisterError{Op: "set", Name: "PSCI_VERSION", Value: 0x10003, Errno: syscall.EINVAL},
		"MIDR_EL1: writing 0x413fd0c1: invalid argument":       &vm.RegisterError{Op: "set", Name: "MIDR_EL1", Value: 0x413fd0c1, Errno: syscall.EINVAL},
		"S3_0_C0_C7_7: writing 0x1: no such file or directory": &vm.RegisterError{Op: "set", Name: "S3_0_C0_C7_7", Value: 1, Errno: syscall.ENOENT},
		"PSCI_VERSION: reading: operation not permitted":       &vm.RegisterError{Op: "get", Name: "PSCI_VERSION", Value: 0x10003, Errno: syscall.EPERM},
	} {
		if err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
