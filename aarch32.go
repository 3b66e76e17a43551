package guise

import (
	"slices"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
)

// aarch32Register reports whether the register at place describes AArch32. Where
// no exception level runs AArch32 its value is UNKNOWN to a guest (Arm ARM,
// DDI 0487, D24.2), and kernels differ in what they show: it may vary.
func aarch32Register(place int) bool {
	e, ok := arm64.ID(arm64.Registers[place].ID).Encoding()
	return ok && e.Op0 == 3 && e.Op1 == 0 && e.CRn == 0 && 1 <= e.CRm && e.CRm <= 3
}

// elAArch32 are the fields that give a guest AArch32.
var elAArch32 = sync.OnceValue(func() [2]int {
	var slots [2]int
	for i, name := range []string{"ID_AA64PFR0_EL1.EL0", "ID_AA64PFR0_EL1.EL1"} {
		slots[i], _, _ = slotNamed(name)
	}
	return slots
})

// withoutAArch32 reports whether a guest of the contract runs AArch32 at no
// exception level: some host does not, and the contract shows no more than the
// least of them, or the policy forbids it.
func (m *meeting) withoutAArch32() bool {
	el0, el1 := elAArch32()[0], elAArch32()[1]
	_, field := arm64.Slots[el0].Describe()
	const both = 2 // AArch64 and AArch32
	switch {
	case m.stances[0].setup.Has(FeatureAArch32), m.vary[arm64.IDAA64PFR0EL1]&field.Mask() != 0:
		return false
	case !m.limits.allowed[el0].Has(both) && !m.limits.allowed[el1].Has(both):
		return true
	}
	return slices.ContainsFunc(m.stances, func(t *stance) bool { return !runsAArch32(&t.setup.View) })
}

// runsAArch32 reports whether a guest of the view may run AArch32 at EL0.
func runsAArch32(v *arm64.View) bool {
	field := arm64.Registers[arm64.IDAA64PFR0EL1].Field("EL0")
	return !v.Present.Has(arm64.IDAA64PFR0EL1) || field.Get(v.Values[arm64.IDAA64PFR0EL1]) == 2
}
