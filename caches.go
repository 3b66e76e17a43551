package guise

import (
	"slices"
	"sync"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// settleCaches chooses the value of CLIDR_EL1 or a CCSIDR_EL1, which many
// kernels let a VMM choose: a host then takes nearly any value, not every one.
func (m *meeting) settleCaches(place int) uint64 {
	certain := func(t *stance) *arm64.Offers { return t.certain }
	value, refuses := m.commonCache(place, &m.certain, certain)
	if refuses == nil {
		return value
	}
	m.add(func() Finding { return m.cacheFinding(place, value, refuses) })
	return value
}

// cacheFinding says that a host refuses the value, the least that any shows.
func (m *meeting) cacheFinding(place int, value uint64, refuses *stance) Finding {
	shows := slices.IndexFunc(m.stances, func(t *stance) bool { return t.setup.View.Values[place] == value })
	finding := Finding{
		Verdict: No, Kind: KindFixed, Register: arm64.Registers[place].Name, Who: "nobody",
		Hosts: []HostValue{m.shown(m.stances[shows], place), m.shown(refuses, place)},
		Means: "a kernel refuses caches that need less maintenance than its CPUs' do",
	}
	possible, _ := m.possibly()
	if _, refuses := m.commonCache(place, possible, (*stance).mayTake); refuses == nil {
		finding.Verdict, finding.Kind, finding.Who = Unknown, KindUntried, "not known"
		finding.Remedy = Remedy{Code: RemedyCaptureOrAssume}
	}
	return finding
}

// commonCache returns the least value that a host shows and all that have the
// register take, or, where there is none, the least with a host that refuses it.
func (m *meeting) commonCache(place int, all *arm64.Offers, offers func(*stance) *arm64.Offers) (value uint64, refuses *stance) {
	fixed, free := all.Rest(place)
	candidates := []uint64{fixed}
	if free {
		candidates = nil
		for _, t := range m.stances {
			value := t.setup.View.Values[place]
			if t.setup.View.Present.Has(place) && !slices.Contains(candidates, value) {
				candidates = append(candidates, value)
			}
		}
		slices.Sort(candidates)
	}
	var first *stance
	for _, candidate := range candidates {
		refuses := slices.IndexFunc(m.stances, func(t *stance) bool {
			_, free := offers(t).Rest(place)
			written := candidate&^m.vary[place] | t.setup.View.Values[place]&m.vary[place]
			return free && !arm64.TakesWhole(place, written, &t.setup.View)
		})
		if refuses < 0 {
			return candidate, nil
		}
		if first == nil {
			first = m.stances[refuses]
		}
	}
	return candidates[0], first
}

// shown is what a host shows of a register, for a finding.
func (m *meeting) shown(t *stance, place int) HostValue {
	return HostValue{Host: t.capture.Name, Value: registerText(place, t.setup.View.Values[place])}
}

// tminLine is CTR_EL0.TminLine, the granule of tags. KVM has it for no VM: a guest sees
// it where it reads the CPU's own CTR_EL0, as it does with FEAT_EVT for as long as the
// VM's is the host's (Linux, arch/arm64/include/asm/kvm_emulate.h, HCR_EL2.TID4).
var tminLine = sync.OnceValue(func() *isa.Field { return arm64.Registers[arm64.CTREL0].Field("TminLine") })

// hidesTminLine reports whether a guest that is given a CTR_EL0, but for the bits that
// vary, no longer sees the TminLine that a host shows.
func hidesTminLine(value, vary, host uint64) bool {
	mask := tminLine().Mask()
	return (host|value)&mask != 0 && (value^host)&^(vary|mask) != 0
}
