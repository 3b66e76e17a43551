package guise_test

import (
	"reflect"
	"testing"

	"github.com/guise-project/guise"
)

// TestPoliciesReadAgain: what is written of a policy means the same.
func TestPoliciesReadAgain(t *testing.T) {
	for name, p := range map[string]*guise.Policy{
		"every rule": {
			Hide: []string{"FEAT_SVE2", "FEAT_RNG"}, Require: []string{"FEAT_LSE"}, Vary: []string{"ID_AA64MMFR2_EL1.EVT", "identity"},
			Allow:    map[string][]string{"ID_AA64ISAR1_EL1": {"DPB", "JSCVT"}, "ID_AA64ZFR0_EL1": {}},
			Restrict: map[string]uint64{"ID_AA64ISAR0_EL1.SHA2": 1, "PSCI_VERSION.Version": 0x1_0002},
			Force:    map[string]uint64{"STD_BMAP.TRNG_V1_0": 0, "ID_AA64PFR0_EL1.AdvSIMD": 15}, AtLeast: map[string]uint64{"ID_AA64MMFR0_EL1.PARANGE": 4},
		},
		"no rule": {},
	} {
		again, err := guise.ReadPolicy(name, p.Marshal())
		if err != nil {
			t.Errorf("%v\n%s", err, p.Marshal())
			continue
		}
		if !reflect.DeepEqual(again, p) {
			t.Errorf("%s: read again it is %+v, want %+v\n%s", name, again, p, p.Marshal())
		}
	}
}
