package guise_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// without returns the contract without its rule for one register.
func without(c *guise.Contract, id arm64.ID) *guise.Contract {
	cut := *c
	if place, known := arm64.PlaceOf(id); known {
		cut.View.Present.Remove(place)
		cut.View.Values[place], cut.Vary[place] = 0, 0
	}
	gone := func(other arm64.ID) bool { return other == id }
	cut.Absent = slices.DeleteFunc(slices.Clone(c.Absent), gone)
	cut.Uncontrolled = slices.DeleteFunc(slices.Clone(c.Uncontrolled), gone)
	return &cut
}

// TestContractsAreComplete: each register of the space stands in exactly one
// place of what baseline writes; without any one of them the contract is refused
// by its reader and never taken by check, and both name it.
func TestContractsAreComplete(t *testing.T) {
	for _, name := range []string{"graviton2@6.18", "qemu10-neoverse-n1@5.10", "qemu10-a64fx@7.2"} {
		capture := load(t, name)
		contract := baseline(t, nil, capture).Contract
		if err := contract.Incomplete(); err != nil {
			t.Fatal(err)
		}
		if len(guise.Space()) != 192+8 {
			t.Fatalf("the space has %d registers, want 192 encodings and 8 of firmware", len(guise.Space()))
		}
		vendor2 := arm64.ID(arm64.Registers[arm64.VENDORHYPBMAP2].ID)
		for _, id := range guise.Space() {
			cut := without(contract, id)
			want := id.String() + ": want a value"
			read, err := guise.ReadContract("c.json", cut.Marshal())
			if id == vendor2 && !slices.Contains(contract.Listed, id) {
				// The list says as much.
				if err != nil || !slices.Contains(read.Absent, id) {
					t.Errorf("%s: without %s, which is not listed: %v", name, id, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: without %s the reader says %v", name, id, err)
			}
			v := guise.Check(cut, capture, guise.VMMNone)
			if v.Verdict != guise.Unknown || len(v.Findings) != 1 || !strings.Contains(v.Findings[0].Means, want) {
				t.Errorf("%s: without %s check says %v: %+v", name, id, v.Verdict, v.Findings)
			}
			if id == arm64.ID(arm64.Registers[arm64.MIDREL1].ID) {
				twice := *contract
				twice.Absent = append(slices.Clone(contract.Absent), id)
				if err := twice.Incomplete(); err == nil || !strings.Contains(err.Error(), "MIDR_EL1: has a value") {
					t.Errorf("with two rules: %v", err)
				}
			}
		}
	}
}

// TestUnknownStaysUnknown: what a capture lacks is not known through a contract
// either, and what a contract says must not exist, must not.
func TestUnknownStaysUnknown(t *testing.T) {
	whole := load(t, "graviton2@6.18")
	lacking := load(t, "graviton2@6.18")
	lacking.Name = "lacking"
	setup := &lacking.Setups[0]
	setup.View.Present.Remove(arm64.IDAA64MMFR2EL1)
	setup.View.Values[arm64.IDAA64MMFR2EL1] = 0
	setup.Listed = nil
	const register = "ID_AA64MMFR2_EL1"
	named := func(v guise.HostVerdict, want guise.Verdict) {
		t.Helper()
		found := slices.ContainsFunc(v.Findings, func(f guise.Finding) bool { return f.Register == register && f.Verdict == want })
		if v.Verdict != want || !found {
			t.Errorf("%s: %v, want %v for %s: %+v", v.Host, v.Verdict, want, register, v.Findings)
		}
	}
	if both := baseline(t, nil, lacking, whole); both.Verdict != guise.Unknown {
		t.Errorf("both hosts: %v", both.Verdict)
	}
	contract := baseline(t, nil, lacking).Contract
	if id := arm64.ID(arm64.Registers[arm64.IDAA64MMFR2EL1].ID); !contract.Leaves(id) || slices.Contains(contract.Absent, id) {
		t.Errorf("%s: is not said to be unknown", register)
	}
	named(guise.Check(contract, whole, guise.VMMNone), guise.Unknown)
	if v := guise.Check(contract, lacking, guise.VMMNone); v.Verdict != guise.Yes {
		t.Errorf("the host that it was made from: %v: %+v", v.Verdict, v.Findings)
	}
	absent := without(baseline(t, nil, whole).Contract, arm64.ID(arm64.Registers[arm64.IDAA64MMFR2EL1].ID))
	absent.Absent = append(absent.Absent, arm64.ID(arm64.Registers[arm64.IDAA64MMFR2EL1].ID))
	named(guise.Check(absent, whole, guise.VMMNone), guise.No)
	named(guise.Check(absent, lacking, guise.VMMNone), guise.Unknown)
}

// TestCheckOfWholeRegisters: bits 63 to 32 of MIDR_EL1 are RES0, and kernels that
// let it be chosen refuse them.
func TestCheckOfWholeRegisters(t *testing.T) {
	capture := load(t, "qemu10-neoverse-v1@6.18")
	contract := baseline(t, nil, capture).Contract
	for value, want := range map[uint64]guise.Verdict{0x410fd0c0: guise.Yes, 0x1_410fd0c0: guise.No} {
		contract.View.Values[arm64.MIDREL1] = value
		if v := guise.Check(contract, capture, guise.VMMNone); v.Verdict != want {
			t.Errorf("MIDR_EL1 %#x: %v, want %v: %+v", value, v.Verdict, want, v.Findings)
		}
	}
}

// TestCheckOfVectorLengths: lengths that nobody captured are not known.
func TestCheckOfVectorLengths(t *testing.T) {
	capture := load(t, "qemu10-neoverse-v1@6.18")
	contract := baseline(t, &guise.Policy{With: []guise.Feature{guise.FeatureSVE}}, capture).Contract
	for _, forget := range []func(){
		func() { capture.Setup(contract.Setup.Key()).VectorLengths = 0 },
		func() { contract.Setup.VectorLengths = 0 },
	} {
		forget()
		v := guise.Check(contract, capture, guise.VMMNone)
		if v.Verdict != guise.Unknown || v.Findings[0].Kind != guise.KindVectors {
			t.Errorf("%v: %+v", v.Verdict, v.Findings)
		}
	}
}

// TestAArch32Pinned: a value of an AArch32 register that a contract fixes is
// judged on hosts without AArch32 as any other; a contract of both lets it vary.
func TestAArch32Pinned(t *testing.T) {
	old, later := load(t, "qemu10-a64fx@6.1"), load(t, "qemu10-a64fx@6.18")
	policy := &guise.Policy{Without: []guise.Feature{guise.FeaturePMU}}
	v := guise.Check(baseline(t, policy, old).Contract, later, guise.VMMNone)
	if v.Verdict != guise.No || v.Findings[0].Name() != "ID_PFR1_EL1.GIC" {
		t.Errorf("%v: %+v", v.Verdict, v.Findings)
	}
	both := baseline(t, policy, old, later)
	if both.Verdict != guise.Yes || guise.Check(both.Contract, old, "").Verdict != guise.Yes || guise.Check(both.Contract, later, "").Verdict != guise.Yes {
		t.Errorf("a contract of both: %v", both.Findings)
	}
}

// TestUnknownHardwareStaysUnknown: what the CPUs of a contract's hosts show there
// was not captured, so that no host is known to show the same.
func TestUnknownHardwareStaysUnknown(t *testing.T) {
	whole, lacking := load(t, "qemu10-neoverse-n1@6.12"), load(t, "qemu10-neoverse-n1@6.12")
	for i := range lacking.Setups {
		view := &lacking.Setups[i].View
		view.Present.Remove(arm64.DCZIDEL0)
		view.Values[arm64.DCZIDEL0] = 0
	}
	v := guise.Check(baseline(t, nil, lacking).Contract, whole, guise.VMMNone)
	if v.Verdict != guise.Unknown || len(v.Findings) != 1 || v.Findings[0].Register != "DCZID_EL0" {
		t.Errorf("%v: %+v", v.Verdict, v.Findings)
	}
}
