package guise_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// triples returns hosts any two of which agree in every field, and of which
// three often do not: in each field a host takes two of three values.
func triples(t testing.TB, n, fields int) []*guise.Capture {
	t.Helper()
	random := rand.New(rand.NewPCG(15, 16))
	base := load(t, "graviton2@6.18")
	sets := []isa.Set{isa.Range(0, 1), isa.Range(1, 2), isa.Only(0) | isa.Only(2)}
	captures := make([]*guise.Capture, n)
	for i := range captures {
		c := *base
		setup := base.Setups[0]
		offers := *setup.Offers
		for _, slot := range plainSlots(fields) {
			register, field := int(arm64.Slots[slot].Register), &arm64.Registers[arm64.Slots[slot].Register].Fields[arm64.Slots[slot].Field]
			set := sets[random.IntN(len(sets))]
			setup.View.Put(register, field.Put(setup.View.Values[register], set.Values()[1]))
			offers.PutSet(slot, set)
		}
		setup.Offers, setup.Accepts, setup.AssumedKernel = &offers, guise.Tried, ""
		c.Name, c.Setups = fmt.Sprintf("h%03d", i), []guise.CapturedSetup{setup}
		captures[i] = &c
	}
	return captures
}

// plainSlots returns slots of fields that hold 0 to 2 and mean nothing to the
// rules for other registers.
func plainSlots(n int) []int {
	var slots []int
	for slot := range arm64.Slots {
		register, field := arm64.Slots[slot].Describe()
		if register.Name == "ID_AA64ISAR0_EL1" || register.Name == "ID_AA64ISAR2_EL1" || register.Name == "ID_AA64MMFR1_EL1" ||
			register.Name == "ID_AA64DFR1_EL1" || register.Name == "ID_AA64DFR2_EL1" || register.Name == "ID_AA64MMFR3_EL1" {
			if field.Width == 4 && field.Order == isa.Lower && !field.Signed && len(slots) < n {
				slots = append(slots, slot)
			}
		}
	}
	return slots
}

// TestPoolsEnd: hosts that agree in twos and not in threes have too many
// divisions to try; the answer then says what it does not know.
func TestPoolsEnd(t *testing.T) {
	captures := triples(t, 32, 48)
	for _, effort := range []int{guise.HintEffort, guise.PoolsEffort} {
		result, err := guise.PoolsWithin(captures, nil, 1, effort)
		if err != nil {
			t.Fatal(err)
		}
		if pools := len(result.Rungs[0].Pools); result.Exact || result.Bound != 1 || pools < 2 {
			t.Errorf("effort %d: %d pools, bound %d, exact %v; want the bound 1, which is not reached, and no claim", effort, pools, result.Bound, result.Exact)
		}
	}
}
