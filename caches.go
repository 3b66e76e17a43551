package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// settleCaches chooses the value of CLIDR_EL1 or a CCSIDR_EL1 where hosts let
// it be chosen: fixed is what a host shows that does not, free is true where
// all let it be chosen. A host takes nearly any value, not every one.
func (m *meeting) settleCaches(place int, fixed uint64, free bool) uint64 {
	candidates := []uint64{fixed}
	if free {
		candidates = nil
		for _, t := range m.stances {
			if value := t.setup.View.Values[place]; !slices.Contains(candidates, value) {
				candidates = append(candidates, value)
			}
		}
		slices.Sort(candidates)
	}
	for _, value := range candidates {
		if m.refusesCache(place, value) == nil {
			return value
		}
	}
	value := candidates[0]
	shows := slices.IndexFunc(m.stances, func(t *stance) bool { return t.setup.View.Values[place] == value })
	m.add(Finding{
		Verdict: No, Kind: KindFixed, Register: arm64.Registers[place].Name,
		Hosts: []HostValue{m.shown(m.stances[shows], place), m.shown(m.refusesCache(place, value), place)},
		Who:   "nobody", Means: "a kernel refuses caches that need less maintenance than its CPUs' do",
	})
	return value
}

// refusesCache returns a host that lets the register be chosen and refuses the
// value, or nil.
func (m *meeting) refusesCache(place int, value uint64) *stance {
	for _, t := range m.stances {
		if _, free := t.certain.Rest(place); free && !arm64.TakesCache(place, value, &t.setup.View) {
			return t
		}
	}
	return nil
}

// shown is what a host shows of a register, for a finding.
func (m *meeting) shown(t *stance, place int) HostValue {
	return HostValue{Host: t.capture.Name, Value: registerText(place, t.setup.View.Values[place])}
}
