package kernel

import (
	"slices"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// TestProtectedEntries: each names a field of a register that EL2 has a view of,
// by a rule that it knows, and no field has two.
func TestProtectedEntries(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range ProtectedChanges() {
		place, ok := arm64.Place(c.Register)
		if !ok {
			t.Errorf("%s: not in the register table", c.Register)
			continue
		}
		if e, _ := arm64.ID(arm64.Registers[place].ID).Encoding(); e.Op0 != 3 || e.Op1 != 0 || e.CRn != 0 || e.CRm < 4 || e.CRm > 7 {
			t.Errorf("%s: EL2 has no view of it", c.Register)
		}
		if !slices.Contains([]Kind{Shows, Caps, Forces}, c.Kind) {
			t.Errorf("%s: kind %d is none of this table", c.Register, c.Kind)
		}
		for _, name := range c.Fields {
			field := arm64.Registers[place].Field(name)
			if field == nil {
				t.Errorf("%s.%s: not in the register table", c.Register, name)
				continue
			}
			if c.Value >= 1<<field.Width {
				t.Errorf("%s.%s: %d does not fit", c.Register, name, c.Value)
			}
			if seen[c.Register+"."+name] {
				t.Errorf("%s.%s: has two entries", c.Register, name)
			}
			seen[c.Register+"."+name] = true
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d fields", len(seen))
	}
}

// TestWithheldCapabilitiesAreInTheLog, where others answer for them.
func TestWithheldCapabilitiesAreInTheLog(t *testing.T) {
	for _, w := range WithheldCapabilities() {
		for _, name := range w.Capabilities {
			if !slices.ContainsFunc(Capabilities(), func(c CapabilityChange) bool { return c.Name == name }) {
				t.Errorf("%s: no entry in the log", name)
			}
		}
	}
}

// TestProtectedValues: what EL2 makes of a host's fields, by their signs and the
// VM's features.
func TestProtectedValues(t *testing.T) {
	profile, err := At(must("7.2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		place       int
		field       string
		hosts, want uint64
		vm          VM
		hw          Hardware
	}{
		{arm64.IDAA64PFR0EL1, "EL0", 2, 1, VM{}, Hardware{}},
		{arm64.IDAA64PFR0EL1, "EL3", 0, 0, VM{}, Hardware{}},
		{arm64.IDAA64PFR0EL1, "FP", 15, 15, VM{}, Hardware{}}, // none, which is below 1
		{arm64.IDAA64PFR0EL1, "SVE", 1, 0, VM{SVE: true}, Hardware{}},
		{arm64.IDAA64PFR0EL1, "CSV2", 3, 0, VM{}, Hardware{SpectreV2: Mitigated}},
		{arm64.IDAA64PFR0EL1, "CSV2", 0, 1, VM{}, Hardware{SpectreV2: Unaffected}},
		{arm64.IDAA64PFR0EL1, "CSV3", 0, 1, VM{}, Hardware{MeltdownSafe: true}},
		{arm64.IDAA64DFR0EL1, "PMUVer", 6, 0, VM{PMU: true}, Hardware{}},
		{arm64.IDAA64DFR0EL1, "DoubleLock", 0, 15, VM{}, Hardware{}},
		{arm64.IDAA64ISAR0EL1, "TLB", 2, 2, VM{}, Hardware{}},
		{arm64.IDAA64ISAR1EL1, "APA", 5, 0, VM{}, Hardware{}},
		{arm64.IDAA64ISAR1EL1, "APA", 5, 1, VM{PAuth: true}, Hardware{}},
		{arm64.IDAA64ISAR1EL1, "GPA", 1, 1, VM{}, Hardware{}},
		{arm64.IDAA64MMFR0EL1, "PARANGE", 6, 2, VM{}, Hardware{}},
		{arm64.IDAA64MMFR0EL1, "TGRAN4", 15, 0, VM{}, Hardware{}},
	} {
		c.hw.Values[c.place] = arm64.Registers[c.place].Field(c.field).Put(0, c.hosts)
		got := arm64.Registers[c.place].Field(c.field).Get(profile.Protected(c.place, &c.hw, c.vm))
		if got != c.want {
			t.Errorf("%s.%s: host %d gives %d, want %d", arm64.Registers[c.place].Name, c.field, c.hosts, got, c.want)
		}
	}
	if before, _ := At(must("7.0")); before.Protected(arm64.IDAA64MMFR4EL1, &Hardware{}, VM{}) != 0 || before.Withholds("KVM_CAP_ARM_SVE") {
		t.Error("7.0 has entries about protected VMs")
	}
}
