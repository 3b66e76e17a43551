package main

import (
	"slices"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/move"
)

// TestCompareWithCheck holds what happened against what was foreseen.
func TestCompareWithCheck(t *testing.T) {
	capture := &guise.Capture{Name: "host", Setups: []guise.CapturedSetup{{}}}
	setup := &capture.Setups[0]
	setup.View.Put(arm64.IDAA64PFR0EL1, 0x11)
	offers := arm64.Offers{}
	offers.FromView(&setup.View)
	setup.Offers = &offers
	contract := &guise.Contract{}
	contract.View.Put(arm64.IDAA64PFR0EL1, 0x12)
	contract.Complete(func(arm64.ID) bool { return false })
	refusal := vm.Refusal{Register: "ID_AA64PFR0_EL1", Field: "EL0", Wanted: 2, There: 1, Errno: syscall.EINVAL}
	for _, row := range []struct {
		name                 string
		arrival              move.Arrival
		foreseen, unforeseen []string
	}{
		{"as foreseen", move.Arrival{Contract: []vm.Refusal{refusal}}, []string{"ID_AA64PFR0_EL1.EL0 is refused (invalid argument)"}, nil},
		{"shown otherwise", move.Arrival{Looked: 1, Differences: []move.Difference{{What: "mrs ID_AA64PFR0_EL1"}}},
			[]string{"ID_AA64PFR0_EL1.EL0 is taken, and a guest sees another value"}, nil},
		{"taken after all", move.Arrival{Looked: 1}, nil, []string{"ID_AA64PFR0_EL1.EL0 was taken"}},
		{"something else", move.Arrival{Contract: []vm.Refusal{refusal, {Register: "CTR_EL0", Field: "IDC", Errno: syscall.EINVAL}}},
			[]string{"ID_AA64PFR0_EL1.EL0 is refused (invalid argument)"}, []string{"CTR_EL0.IDC was refused (invalid argument)"}},
	} {
		foreseen, unforeseen := compareWithCheck(contract, capture, &row.arrival)
		if !slices.Equal(foreseen, row.foreseen) || !slices.Equal(unforeseen, row.unforeseen) {
			t.Errorf("%s: foreseen %q, not foreseen %q", row.name, foreseen, unforeseen)
		}
	}
}
