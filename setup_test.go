package guise_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// TestSetupIsLoweredToWhatAllHave: what is chosen when a VM is made is that of
// no single host.
func TestSetupIsLoweredToWhatAllHave(t *testing.T) {
	host := func(name string, ipa int, lengths uint16, capabilities ...string) *guise.Capture {
		c := *load(t, "graviton2@6.18")
		c.Name = name
		c.Setups = slices.Clone(c.Setups)
		s := &c.Setups[0]
		s.Features, s.IPABits, s.VectorLengths, s.Capabilities = []guise.Feature{guise.FeatureSVE}, ipa, lengths, capabilities
		return &c
	}
	hosts := []*guise.Capture{
		host("a", 48, 0b1111, "KVM_CAP_ARM_MTE", "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE"),
		host("b", 44, 0b1011, "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE"),
		host("c", 52, 0b0011, "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE", "KVM_CAP_ARM_SEA_TO_USER"),
	}
	var first []byte
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		result := baseline(t, nil, hosts[order[0]], hosts[order[1]], hosts[order[2]])
		if result.Verdict != guise.Yes {
			t.Fatalf("%v: %+v", result.Verdict, result.Findings)
		}
		s := &result.Contract.Setup
		if s.IPABits != 44 || s.VectorLengths != 0b11 || !slices.Equal(s.Capabilities, []string{"KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE"}) {
			t.Errorf("order %v: %+v", order, *s)
		}
		if first == nil {
			first = result.Contract.Marshal()
		}
		if !bytes.Equal(first, result.Contract.Marshal()) {
			t.Errorf("order %v: another contract", order)
		}
	}
}

// TestUnknownRegistersAnswerTheSame: maps have no order; answers do.
func TestUnknownRegistersAnswerTheSame(t *testing.T) {
	host := func(name string, value uint64) *guise.Capture {
		c := *load(t, "graviton2@6.18")
		c.Name = name
		c.Setups = slices.Clone(c.Setups)
		c.Setups[0].Extra = map[arm64.ID]uint64{}
		for op2 := range uint8(6) {
			c.Setups[0].Extra[arm64.Encoding{Op0: 3, Op1: 1, CRm: 5, Op2: op2}.ID()] = value
		}
		return &c
	}
	same := baseline(t, nil, host("a", 7), host("b", 7))
	if same.Verdict != guise.Yes || len(same.Contract.Extra) != 6 {
		t.Fatalf("%v: %+v", same.Verdict, same.Findings)
	}
	first := baseline(t, nil, host("a", 1), host("b", 2))
	if first.Verdict != guise.No || len(first.Findings) != 6 {
		t.Errorf("%v with %d findings; six registers differ", first.Verdict, len(first.Findings))
	}
	for range 20 {
		if again := baseline(t, nil, host("b", 2), host("a", 1)); !slices.Equal(names(first.Findings), names(again.Findings)) {
			t.Fatalf("%v, then %v", names(first.Findings), names(again.Findings))
		}
		checked := guise.Check(same.Contract, host("c", 1), guise.VMMNone)
		if again := guise.Check(same.Contract, host("c", 1), guise.VMMNone); checked.Findings[0].Register != again.Findings[0].Register {
			t.Fatalf("%s comes first, then %s", checked.Findings[0].Register, again.Findings[0].Register)
		}
	}
}
