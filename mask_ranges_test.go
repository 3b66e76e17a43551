package guise_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
)

// TestUnknownMaskRangesAreSaid: a KVM that tells of registers that nobody knows says so in
// what a baseline does not know, and in what a check rests on.
func TestUnknownMaskRangesAreSaid(t *testing.T) {
	const said = "odd: KVM reports masks of range 1, 5 (KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES), which is not known: this says nothing of the registers there"
	known, odd := load(t, "qemu10-neoverse-n1@7.2"), load(t, "qemu10-neoverse-n1@7.2")
	odd.Name = "odd"
	odd.Setups[1].MaskRanges = 1 | 1<<1 | 1<<5
	if got := known.UnknownMaskRanges(); got != 0 {
		t.Errorf("a kernel that is known: %#x", got)
	}
	contract := baseline(t, nil, known)
	if slices.ContainsFunc(contract.NotKnown, func(line string) bool { return strings.Contains(line, "masks of range") }) {
		t.Errorf("said of a kernel that is known: %q", contract.NotKnown)
	}
	if both := baseline(t, nil, known, odd); !slices.Contains(both.NotKnown, said) {
		t.Errorf("a baseline does not say it: %q", both.NotKnown)
	}
	if v := guise.Check(contract.Contract, odd, guise.VMMNone); v.Verdict != guise.Yes || !slices.Contains(v.RestsOn, said) {
		t.Errorf("a check does not say it: %v %q", v.Verdict, v.RestsOn)
	}
}
