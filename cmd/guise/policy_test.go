package main

import (
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
)

// FuzzPolicyFile: whatever a file says, it is refused or it is a policy that
// Baseline takes or refuses; nothing panics.
func FuzzPolicyFile(f *testing.F) {
	f.Add([]byte("hide: [FEAT_RNG]\nrequire:\n  FEAT_LSE: true\n  ID_AA64MMFR0_EL1.PARANGE: 4\n"))
	f.Add([]byte("restrict: {ID_AA64ISAR0_EL1.SHA2: 1}\nforce: {STD_BMAP.TRNG_V1_0: 0}\nvary: [identity]\n"))
	f.Add([]byte("allow: {ID_AA64ISAR1_EL1: [DPB, JSCVT]}\n"))
	f.Add([]byte("require: {a: -1}\nrequire: {a: 1}\n"))
	capture, err := catalog.Load("graviton2@6.18")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		policy := guise.Policy{AtLeast: map[string]uint64{}}
		if addPolicyFile(&policy, data) != nil {
			return
		}
		result, err := guise.Baseline([]*guise.Capture{capture}, &policy)
		if (result == nil) == (err == nil) {
			t.Errorf("%v and %v", result, err)
		}
	})
}
