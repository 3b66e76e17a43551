package move

import (
	"slices"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/vm"
)

// TestForeseen holds what happened against what was foreseen.
func TestForeseen(t *testing.T) {
	el0 := guise.MovePoint{Outcome: guise.MoveRefused, Register: "ID_AA64PFR0_EL1", Field: "EL0", Errno: "EINVAL"}
	open := guise.MovePoint{Outcome: guise.MoveUnknown, Register: "CTR_EL0", Field: "IDC"}
	seen := guise.MovePoint{Outcome: guise.MoveSeen, Register: "CNTFRQ_EL0"}
	listed := guise.MovePoint{Outcome: guise.MoveRefused, Register: "TCR2_EL1"}
	refusal := vm.Refusal{Register: "ID_AA64PFR0_EL1", Field: "EL0", Wanted: 2, There: 1, Errno: syscall.EINVAL}
	none := []string(nil)
	for _, row := range []struct {
		name                 string
		points               []guise.MovePoint
		arrival              Arrival
		foreseen, unforeseen []string
	}{
		{"nothing", nil, Arrival{Looked: 1}, none, none},
		{"as foreseen", []guise.MovePoint{el0}, Arrival{Contract: []vm.Refusal{refusal}}, []string{"ID_AA64PFR0_EL1.EL0 is refused (invalid argument)"}, none},
		{"by another errno", []guise.MovePoint{el0}, Arrival{Contract: []vm.Refusal{{Register: "ID_AA64PFR0_EL1", Errno: syscall.ENOENT}}}, none,
			[]string{"ID_AA64PFR0_EL1 was refused with no such file or directory, not EINVAL"}},
		{"shown otherwise", []guise.MovePoint{el0}, Arrival{Looked: 1, Differences: []Difference{{What: "mrs ID_AA64PFR0_EL1"}}},
			[]string{"ID_AA64PFR0_EL1.EL0 is taken, and a guest sees another value"}, none},
		{"taken after all", []guise.MovePoint{el0}, Arrival{Looked: 1}, none, []string{"ID_AA64PFR0_EL1.EL0 was taken"}},
		{"something else", []guise.MovePoint{el0}, Arrival{Contract: []vm.Refusal{refusal, {Register: "CTR_EL0", Field: "IDC", Errno: syscall.EINVAL}}},
			[]string{"ID_AA64PFR0_EL1.EL0 is refused (invalid argument)"}, []string{"CTR_EL0 was refused (invalid argument)"}},
		{"one field refused and one stored otherwise", []guise.MovePoint{{Outcome: guise.MoveRefused, Register: "ID_AA64PFR0_EL1", Field: "FP"}, el0}, Arrival{Contract: []vm.Refusal{refusal}},
			[]string{"ID_AA64PFR0_EL1.EL0 is refused (invalid argument)"}, none},
		{"left open and refused", []guise.MovePoint{open}, Arrival{Contract: []vm.Refusal{{Register: "CTR_EL0", Errno: syscall.EINVAL}}}, []string{"CTR_EL0 was left open"}, none},
		{"left open and taken", []guise.MovePoint{open}, Arrival{Looked: 1}, []string{"CTR_EL0.IDC was left open"}, none},
		{"seen", []guise.MovePoint{seen}, Arrival{Looked: 2, Differences: []Difference{{What: "mrs CNTFRQ_EL0"}}}, []string{"CNTFRQ_EL0 is taken, and a guest sees another value"}, none},
		{"seen by nobody's foresight", nil, Arrival{Looked: 2, Differences: []Difference{{What: "mrs CNTFRQ_EL0"}, {VCPU: 1, What: "mrs CNTFRQ_EL0"}}}, none, []string{"a guest sees another CNTFRQ_EL0"}},
		{"not listed, so that nothing was written", []guise.MovePoint{listed, el0}, Arrival{Refused: []Refusal{{Name: "TCR2_EL1"}}}, []string{"TCR2_EL1 is refused (not by the kernel)"}, none},
		{"listed after all", []guise.MovePoint{listed}, Arrival{Looked: 1}, none, []string{"TCR2_EL1 was taken"}},
	} {
		foreseen, unforeseen := Foreseen(&guise.Move{Points: row.points}, &row.arrival)
		if !slices.Equal(foreseen, row.foreseen) || !slices.Equal(unforeseen, row.unforeseen) {
			t.Errorf("%s: foreseen %q, not foreseen %q", row.name, foreseen, unforeseen)
		}
	}
}
