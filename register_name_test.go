package guise_test

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// TestEveryListedRegisterHasAName: each system register that any kernel lists, but
// for the encodings of the feature ID space that are not allocated, is called by the
// architecture's name, and no two by one.
func TestEveryListedRegisterHasAName(t *testing.T) {
	called := map[string]arm64.ID{}
	n := 0
	for _, l := range kernel.Listings() {
		for id := range l.IDs {
			e, system := id.Encoding()
			if !system {
				continue
			}
			n++
			name := guise.NameOf(id)
			switch other, taken := called[name]; {
			case e.InFeatureSpace() && name == e.String():
			case strings.HasPrefix(name, "S3_"), strings.HasPrefix(name, "S2_"), strings.ContainsAny(name, " ,<"):
				t.Errorf("%v, of %q: is called %q", id, l.Name, name)
			case taken && other != id:
				t.Errorf("%v and %v are both called %s", id, other, name)
			}
			called[name] = id
		}
	}
	if n < 300 {
		t.Errorf("only %d registers", n)
	}
	for text, want := range map[string]string{
		"S3_0_C2_C0_3": "TCR2_EL1", "S3_0_C10_C2_2": "PIRE0_EL1", "S3_0_C10_C2_3": "PIR_EL1", "S3_0_C2_C1_2": "APIBKeyLo_EL1", "S3_0_C2_C3_1": "APGAKeyHi_EL1",
		"S3_3_C14_C12_0": "PMEVTYPER0_EL0", "S3_3_C14_C15_6": "PMEVTYPER30_EL0", "S3_3_C14_C15_7": "PMCCFILTR_EL0", "S3_0_C0_C4_0": "ID_AA64PFR0_EL1",
		"S3_0_C0_C7_7": "S3_0_C0_C7_7", "S3_0_C2_C3_2": "S3_0_C2_C3_2",
		"S3_0_C14_C12_0": "S3_0_C14_C12_0", "S3_3_C15_C12_0": "S3_3_C15_C12_0", "S3_3_C14_C11_7": "S3_3_C14_C11_7", "S3_0_C2_C4_0": "S3_0_C2_C4_0", "S3_1_C2_C1_0": "S3_1_C2_C1_0",
	} {
		e, err := arm64.ParseEncoding(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := guise.NameOf(e.ID()); got != want {
			t.Errorf("%s is called %s, want %s", text, got, want)
		}
	}
}
