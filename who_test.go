package guise_test

import (
	"testing"

	"github.com/guise-project/guise"
)

// TestWhoCanChange tells the causes apart: no kernel gives a CPU what it lacks, a
// VM shows what it is made with, and a newer kernel lets a field be lowered.
func TestWhoCanChange(t *testing.T) {
	for _, test := range []struct{ contract, host, field, want string }{
		{"graviton3@6.18", "graviton2@6.18", "ID_AA64ISAR0_EL1.RNDR", "nobody: this CPU and kernel show no more"},
		{"graviton3@6.1", "graviton2@6.1", "ID_AA64ISAR0_EL1.RNDR", "nobody: this CPU and kernel show no more"},
		{"qemu10-cortex-a72@6.1", "qemu10-neoverse-n1@6.1", "ID_AA64ISAR0_EL1.ATOMIC", "Linux 6.7 and later"},
		{"graviton2@6.18", "graviton3@6.18", "ID_AA64MMFR2_EL1.FWB", "nobody"},
	} {
		from := load(t, test.contract)
		made, err := guise.Baseline([]*guise.Capture{from}, nil)
		if err != nil || made.Contract == nil {
			t.Fatal(err)
		}
		verdict := guise.Check(made.Contract, load(t, test.host), guise.VMMNone)
		found := false
		for i := range verdict.Findings {
			f := &verdict.Findings[i]
			if f.Name() != test.field {
				continue
			}
			if found = true; f.Who != test.want {
				t.Errorf("%s of %s on %s: %q, want %q", test.field, test.contract, test.host, f.Who, test.want)
			}
		}
		if !found {
			t.Errorf("%s of %s on %s: no finding", test.field, test.contract, test.host)
		}
	}
	// A VM with SVE, on a host with it, in a contract for VMs without.
	sve := load(t, "qemu10-neoverse-v1@7.2")
	made, err := guise.Baseline([]*guise.Capture{sve}, nil)
	if err != nil || made.Contract == nil {
		t.Fatal(err)
	}
	if !made.Contract.Setup.Has(guise.FeatureSVE) {
		t.Fatal("the contract is for VMs without SVE")
	}
	r, err := guise.Baseline([]*guise.Capture{sve}, &guise.Policy{Without: []guise.Feature{guise.FeatureSVE}, AtLeast: map[string]uint64{"ID_AA64PFR0_EL1.SVE": 1}})
	if err != nil || r.Verdict != guise.No {
		t.Errorf("SVE in a VM without it: %v, %v", r, err)
	}
}
