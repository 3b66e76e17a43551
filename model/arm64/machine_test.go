package arm64

import (
	"slices"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

var newest, oldest = profile(kernel.Newest), profile(kernel.Known[0])

func profile(v kernel.Version) *kernel.Profile {
	p, err := kernel.At(v)
	if err != nil {
		panic(err)
	}
	return p
}

// with makes a machine of two CPUs of a model that differ in one field.
func with(t *testing.T, place int, field string, first, second uint64) *Machine {
	t.Helper()
	m, err := NewMachine("neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	m.CPUs = append(m.CPUs, m.CPUs[0])
	f := arm64.Registers[place].Field(field)
	for i, v := range []uint64{first, second} {
		m.CPUs[i].Registers[place] = f.Put(m.CPUs[i].Registers[place], v)
	}
	return m
}

// TestUnlikeCores: one row for each rule of cpufeature, with both orders of the
// CPUs. No lab host has unlike cores; these rows are from facts read in
// arch/arm64/kernel/cpufeature.c of Linux 7.2.13.
func TestUnlikeCores(t *testing.T) {
	for _, c := range []struct {
		place   int
		field   string
		a, b    uint64
		want    uint64
		tainted bool
	}{
		{arm64.IDAA64ISAR0EL1, "ATOMIC", 2, 0, 0, true},      // lower, strict
		{arm64.IDAA64PFR0EL1, "CSV2", 1, 0, 0, false},        // lower, not strict
		{arm64.IDAA64PFR0EL1, "FP", 1, 15, 15, true},         // signed: 0xf is -1
		{arm64.IDAA64MMFR0EL1, "TGRAN64", 0, 15, 15, false},  // signed
		{arm64.IDAA64MMFR0EL1, "TGRAN16", 2, 0, 0, false},    // unsigned
		{arm64.IDAA64MMFR1EL1, "SpecSEI", 0, 1, 1, true},     // higher is safer
		{arm64.IDAA64MMFR0EL1, "TGRAN4_2", 2, 3, 1, false},   // exact: safe value 1
		{arm64.IDAA64DFR0EL1, "PMUVer", 4, 5, 0, false},      // exact: safe value 0
		{arm64.IDAA64DFR0EL1, "DebugVer", 8, 9, 6, true},     // exact: safe value 6
		{arm64.CTREL0, "CWG", 4, 0, 0, true},                 // higher, or 0
		{arm64.CTREL0, "CWG", 4, 5, 5, true},                 // higher
		{arm64.CTREL0, "L1Ip", 3, 2, 2, false},               // exact: VIPT
		{arm64.IDAA64PFR0EL1, "EL0", 2, 1, 1, false},         // AArch32 on some cores only
		{arm64.IDAA64ISAR1EL1, "APA", 1, 2, 0, true},         // exact: none
		{arm64.IDAA64MMFR2EL1, "FWB", 1, 1, 1, false},        // equal
		{arm64.IDAA64PFR0EL1, "SVE", 1, 0, 0, true},          // lengths go with it
		{arm64.IDAA64DFR0EL1, "DoubleLock", 0, 15, 15, true}, // signed
	} {
		for _, order := range [][2]uint64{{c.a, c.b}, {c.b, c.a}} {
			m := with(t, c.place, c.field, order[0], order[1])
			s := m.Sanitise(newest)
			f := arm64.Registers[c.place].Field(c.field)
			name := arm64.Registers[c.place].Name + "." + c.field
			if got := f.Get(s.Values[c.place]); got != c.want {
				t.Errorf("%s of %d and %d: %d, want %d", name, order[0], order[1], got, c.want)
			}
			if slices.Contains(s.Tainted, name) != c.tainted {
				t.Errorf("%s of %d and %d: tainted by %v", name, order[0], order[1], s.Tainted)
			}
		}
	}
}

// TestVectorLengthsAreShared: guests get the lengths that every core has.
func TestVectorLengthsAreShared(t *testing.T) {
	m := with(t, arm64.IDAA64PFR0EL1, "SVE", 1, 1)
	m.CPUs[0].VectorLengths, m.CPUs[1].VectorLengths = 0xb, 0x3
	if got := m.Sanitise(newest).VectorLengths; got != 3 {
		t.Errorf("lengths %#x, want 0x3", got)
	}
	m.Overrides, _, _ = ParseOverrides("arm64.nosve")
	if got := m.Sanitise(newest).VectorLengths; got != 0 {
		t.Errorf("lengths %#x with arm64.nosve", got)
	}
}

func TestOverrides(t *testing.T) {
	for _, c := range []struct {
		parameter, register, field string
		want                       uint64
	}{
		{"arm64.nosve", "ID_AA64PFR0_EL1", "SVE", 0},
		{"id_aa64pfr0.sve=0", "ID_AA64PFR0_EL1", "SVE", 0},
		{"id_aa64pfr0.sve=2", "ID_AA64PFR0_EL1", "SVE", 1}, // not safe: more than there is
		{"arm64.nopauth", "ID_AA64ISAR1_EL1", "API", 0},
		{"quiet arm64.nobti panic=-1", "ID_AA64PFR1_EL1", "BT", 0},
	} {
		m, err := NewMachine("neoverse-v1")
		if err != nil {
			t.Fatal(err)
		}
		if m.Overrides, _, err = ParseOverrides(c.parameter); err != nil {
			t.Fatal(err)
		}
		place, _ := arm64.Place(c.register)
		if got := arm64.Registers[place].Field(c.field).Get(m.Sanitise(newest).Values[place]); got != c.want {
			t.Errorf("%s: %s.%s is %d, want %d", c.parameter, c.register, c.field, got, c.want)
		}
		if got := m.Sanitise(oldest).Values[place]; got != m.CPUs[0].Registers[place] && c.register != "ID_AA64PFR0_EL1" {
			t.Errorf("%s: changes %s on %v, which takes no overrides", c.parameter, c.register, kernel.Known[0])
		}
	}
	for _, bad := range []string{"id_aa64pfr0.nonsense=0", "id_aa64pfr0.sve=16", "id_aa64pfr0.sve=x"} {
		if o, _, err := ParseOverrides(bad); err == nil {
			t.Errorf("%s reads as %v", bad, o)
		}
	}
}

func TestCPUTable(t *testing.T) {
	for _, name := range CPUModels() {
		m, err := NewMachine(name)
		if err != nil {
			t.Fatal(err)
		}
		if m.CPUs[0].Registers[arm64.MIDREL1] == 0 || m.CPUs[0].Registers[arm64.CTREL0] == 0 {
			t.Errorf("%s: no MIDR_EL1 or CTR_EL0", name)
		}
		if sve := m.CPUs[0].field(arm64.IDAA64PFR0EL1, "SVE") != 0; sve != (m.CPUs[0].VectorLengths != 0) {
			t.Errorf("%s: SVE %v, vector lengths %#x", name, sve, m.CPUs[0].VectorLengths)
		}
	}
	for _, bad := range []string{"MIDR_EL1 0x1", "cpu a\ncpu a", "cpu a\nNONSENSE 1", "cpu a\nMIDR_EL1 x", "cpu a b", "cpu a\nlike b"} {
		if _, err := parseCPUs(bad); err == nil {
			t.Errorf("%q parses", bad)
		}
	}
	if _, err := Open("6.12/nonsense"); err == nil {
		t.Error("a CPU model nobody knows opens")
	}
}
