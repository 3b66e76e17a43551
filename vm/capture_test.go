package vm_test

import (
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/vmtest"
)

var (
	pfr0  = arm64.Encoding{Op0: 3, CRm: 4}.ID()
	isar0 = arm64.Encoding{Op0: 3, CRm: 6}.ID()
)

// slotNamed returns the slot of a field by its full name.
func slotNamed(t *testing.T, name string) int {
	t.Helper()
	for slot := range arm64.Slots {
		if arm64.Slots[slot].Name() == name {
			return slot
		}
	}
	t.Fatalf("%s is no slot", name)
	return 0
}

func fake() *vmtest.Fake {
	return &vmtest.Fake{
		Limits:   map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1021_2120},
		Features: []guise.Feature{guise.FeaturePMU},
	}
}

func TestCapture(t *testing.T) {
	var seen [][2]int64
	capture, err := vm.Capture(t.Context(), fake(), vm.CaptureOptions{Progress: func(done, of int64) { seen = append(seen, [2]int64{done, of}) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(capture.Setups) != 2 || !slices.Equal(seen, [][2]int64{{0, 2}, {1, 2}}) || capture.Setup("pmu/vgic0") == nil {
		t.Fatalf("%d setups, progress %v; the fake accepts base and pmu", len(capture.Setups), seen)
	}
	if !capture.Complete {
		t.Error("every setup was tried, and the capture does not say so")
	}
	base := capture.Setup("base/vgic0")
	if base.Registers != guise.Read || base.Accepts != guise.Tried || base.Offers == nil || len(base.Listed) != 2 {
		t.Errorf("captured %+v", base)
	}
	place, _ := arm64.PlaceOf(pfr0)
	if base.View.Values[place] != 0x1101_0000_1111_0112 {
		t.Errorf("ID_AA64PFR0_EL1 captured as %#x", base.View.Values[place])
	}
	for name, want := range map[string]isa.Set{
		"ID_AA64PFR0_EL1.EL0":     isa.Range(0, 2),
		"ID_AA64PFR0_EL1.SVE":     isa.Only(0),
		"ID_AA64ISAR0_EL1.SHA2":   isa.Range(0, 2),
		"ID_AA64ISAR0_EL1.ATOMIC": isa.Range(0, 2),
	} {
		if got := base.Offers.Set(slotNamed(t, name)); got != want {
			t.Errorf("%s: offered %v, want %v", name, got, want)
		}
	}
}

// TestShownIsNotAccepted captures a host that takes a value and shows another.
func TestShownIsNotAccepted(t *testing.T) {
	gic := slotNamed(t, "ID_AA64PFR0_EL1.GIC")
	host := fake()
	// GIC always ends as 0, as it does in a VM without an interrupt controller.
	host.AfterRun = func(id arm64.ID, value uint64) uint64 {
		if id == pfr0 {
			return value &^ (15 << 24)
		}
		return value
	}
	capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := capture.Setups[0].Offers.Set(gic); got != isa.Only(0) {
		t.Errorf("GIC, which a run clears, is offered as %v", got)
	}
	// A field that a run forces to 2 whatever was written.
	el0 := slotNamed(t, "ID_AA64PFR0_EL1.EL0")
	host.AfterRun = func(id arm64.ID, value uint64) uint64 {
		if id == pfr0 {
			return value&^15 | 2
		}
		return value
	}
	if capture, err = vm.Capture(t.Context(), host, vm.CaptureOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := capture.Setups[0].Offers.Set(el0); got != isa.Only(2) {
		t.Errorf("EL0, which a run forces to 2, is offered as %v", got)
	}
	// And one whose top value only is changed: 2 becomes 1.
	host.AfterRun = func(id arm64.ID, value uint64) uint64 {
		if id == pfr0 && value&15 == 2 {
			return value&^15 | 1
		}
		return value
	}
	if capture, err = vm.Capture(t.Context(), host, vm.CaptureOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := capture.Setups[0].Offers.Set(el0); got != isa.Range(0, 1) {
		t.Errorf("EL0, where a run makes 2 into 1, is offered as %v", got)
	}
}

// TestGuestsOwn captures a host whose guests read a register from somewhere
// else than userspace does.
func TestGuestsOwn(t *testing.T) {
	host := fake()
	host.Shows = func(id arm64.ID, value uint64) uint64 {
		if id == isar0 {
			return value &^ 0xf0 // AES
		}
		return value
	}
	capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	setup := &capture.Setups[0]
	place, _ := arm64.PlaceOf(isar0)
	if got := setup.View.Values[place]; got != 0x0000_1111_1021_2100 {
		t.Errorf("captured as %#x; a guest sees no AES", got)
	}
	if got := setup.Offers.Set(slotNamed(t, "ID_AA64ISAR0_EL1.AES")); got != isa.Only(0) {
		t.Errorf("AES is offered as %v; a guest sees 0 whatever is written", got)
	}
	if got := setup.Offers.Set(slotNamed(t, "ID_AA64PFR0_EL1.EL0")); got != isa.Range(0, 2) {
		t.Errorf("EL0, which is not concerned, is offered as %v", got)
	}
}
