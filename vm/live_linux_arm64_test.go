package vm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/kvm"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// openKVM opens the machine's KVM.
func openKVM(t *testing.T) vm.Host {
	t.Helper()
	host, err := kvm.Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host
}

// protectedMode reports whether the kernel runs protected VMs, each of which
// takes a second and more to drop in the lab.
func protectedMode(t *testing.T, host vm.Host) bool {
	t.Helper()
	facts, err := host.(vm.Describer).Describe()
	if err != nil {
		t.Fatal(err)
	}
	return facts.Mode == "protected"
}

// setups are those the tests look at; nil stands for all the host accepts.
func setups(t *testing.T, host vm.Host) []guise.Setup {
	t.Helper()
	if !protectedMode(t, host) {
		return nil
	}
	return []guise.Setup{{}, {VGIC: 3, Features: []guise.Feature{guise.FeaturePMU}}, {Protected: true}}
}

// TestLive captures the host in every setup, holds what was tried against what
// the kernel's profile says, and proves in each setup that a guest sees what
// the capture says.
func TestLive(t *testing.T) {
	host := openKVM(t)
	capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: setups(t, host)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guise.ReadCapture("capture.json", capture.Marshal()); err != nil {
		t.Fatalf("the capture cannot be read back: %v", err)
	}
	version, err := kernel.ParseVersion(capture.Host.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := kernel.At(version)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Linux %s, %s: %d setups", capture.Host.Kernel, capture.Host.Mode, len(capture.Setups))
	for i := range capture.Setups {
		setup := &capture.Setups[i]
		if !setup.Protected {
			testDerived(t, profile, setup)
		}
		if !setup.Has(guise.FeatureAArch32) && (!setup.Has(guise.FeatureEL2) || setup.VGIC == 3) {
			testProven(t, host, setup)
		}
		if setup.State() == probe.AArch32 {
			testAArch32(t, host, setup)
		}
	}
	changes := 8
	if protectedMode(t, host) {
		changes = 1
	}
	testAgreement(t, host, capture, changes)
	if !protectedMode(t, host) {
		testMoves(t, host, capture)
	}
}

// testAArch32 has a guest in AArch32 look at a VM as it is. It sees what userspace
// reads of all but the caches (docs/findings.md).
func testAArch32(t *testing.T, host vm.Host, setup *guise.CapturedSetup) {
	t.Helper()
	proof, err := vm.Prove(t.Context(), host, nil, vm.ProveOptions{Setup: setup.Setup, VCPUs: 2})
	if err != nil {
		t.Fatalf("%s: %v", setup.Key(), err)
	}
	for i := range proof.Findings {
		f := &proof.Findings[i]
		if f.Verdict != guise.Yes && f.Register != "CLIDR_EL1" && !strings.HasPrefix(f.Register, "CCSIDR_EL1[") {
			t.Errorf("%s: %s: want %s, there %v", setup.Key(), f.Name(), f.Wanted, f.Hosts)
		}
	}
	if record := proof.Trace.Find(probe.MRC, "ID_ISAR5"); record == nil || record.Outcome != probe.Completed {
		t.Errorf("%s: ID_ISAR5: %+v", setup.Key(), record)
	}
}

// testDerived compares the sets that were tried with those that are derived.
func testDerived(t *testing.T, profile *kernel.Profile, setup *guise.CapturedSetup) {
	t.Helper()
	derived := profile.Offers(&setup.View, kernel.VM{VGIC: setup.VGIC})
	for slot := range arm64.Slots {
		if tried, want := setup.Offers.Set(slot), derived.Set(slot); tried != want && setup.View.Present.Has(int(arm64.Slots[slot].Register)) {
			t.Errorf("%s: %s takes %v, the profile says %v", setup.Key(), arm64.Slots[slot].Name(), tried, want)
		}
	}
	for place := range arm64.Registers {
		if !vm.ContractRegister(place) || slices.Contains(identity, place) && len(setup.Capabilities) == 0 {
			continue
		}
		_, tried := setup.Offers.Rest(place)
		if _, want := derived.Rest(place); tried != want && setup.View.Present.Has(place) {
			t.Errorf("%s: %s takes other values: %v, the profile says %v", setup.Key(), arm64.Registers[place].Name, tried, want)
		}
	}
}

var identity = []int{arm64.MIDREL1, arm64.REVIDREL1, arm64.AIDREL1}

// testProven gives a VM what the capture says a guest sees, and has a guest
// look.
func testProven(t *testing.T, host vm.Host, setup *guise.CapturedSetup) {
	t.Helper()
	contract := &guise.Contract{Name: "as captured", Setup: setup.Setup, View: setup.View, Extra: setup.Extra, Listed: setup.Listed}
	contract.Complete(func(arm64.ID) bool { return false })
	for slot := range arm64.Slots {
		// The guest's GIC field is that of the interrupt controller, whatever
		// the limit says.
		register, field := arm64.Slots[slot].Describe()
		place := int(arm64.Slots[slot].Register)
		if set := setup.Offers.Set(slot); contract.View.Present.Has(place) && set.Len() == 1 && !arm64.Slots[slot].Coded && register.Scope == 0 {
			contract.View.Values[place] = field.Put(contract.View.Values[place], set.Values()[0])
		}
	}
	proof, err := vm.Prove(t.Context(), host, contract, vm.ProveOptions{})
	if errors.Is(err, vm.ErrNotSupported) {
		t.Logf("%s: %v", setup.Key(), err)
		return
	}
	if err != nil {
		t.Errorf("%s: %v", setup.Key(), err)
		return
	}
	for i := range proof.Findings {
		f := &proof.Findings[i]
		if f.Verdict == guise.Yes {
			continue
		}
		t.Errorf("%s: %v %s %s: want %s, there is %v", setup.Key(), f.Verdict, f.Kind, f.Name(), f.Wanted, f.Hosts)
	}
}
