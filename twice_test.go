package guise_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/guise-project/guise"
)

// TestOneRegisterStandsOnce: of a register that stands in a contract twice, by two
// names or in two maps, nobody knows which is meant.
func TestOneRegisterStandsOnce(t *testing.T) {
	document := contractOf(t, "graviton2@6.18")
	for what, change := range map[string]struct{ member, more, want string }{
		"a value in two maps":  {`"registers": {`, `"hardware": {"ID_AA64PFR0_EL1": "0x0000000000000011"}, "registers": {`, "ID_AA64PFR0_EL1 stands here twice"},
		"a value by two names": {`"registers": {`, `"registers": {"S3_0_C0_C4_0": "0x0000000000000011", `, "ID_AA64PFR0_EL1 stands here twice"},
		"a mask by two names":  {`"registers": {`, `"vary": {"ID_AA64PFR0_EL1": "0x000000000000000f", "S3_0_C0_C4_0": "0x0000000000000001"}, "registers": {`, "ID_AA64PFR0_EL1"},
	} {
		if !bytes.Contains(document, []byte(change.member)) {
			t.Fatalf("%s: the contract has no %s", what, change.member)
		}
		changed := bytes.Replace(document, []byte(change.member), []byte(change.more), 1)
		if _, err := guise.ReadContract("c.json", changed); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("%s: %v, want %q", what, err, change.want)
		}
	}
}

func contractOf(t *testing.T, name string) []byte {
	t.Helper()
	r, err := guise.Baseline([]*guise.Capture{load(t, name)}, nil)
	if err != nil || r.Contract == nil {
		t.Fatal(err)
	}
	return r.Contract.Marshal()
}
