package guise

import (
	"slices"
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// settleSetup lowers IPA size and SVE vector lengths to what all hosts have.
func (m *meeting) settleSetup() {
	known := true
	for i, t := range m.stances {
		s := &t.setup.Setup
		known = known && s.IPABits != 0
		if i == 0 || s.IPABits < m.ipaBits {
			m.ipaBits = s.IPABits
		}
	}
	if !known {
		m.ipaBits = 0
	}
	m.noteMissing(known)
	if !m.stances[0].setup.Has(FeatureSVE) {
		return
	}
	sets := make([]uint16, len(m.stances))
	for i, t := range m.stances {
		sets[i] = t.setup.VectorLengths
	}
	finding := Finding{Verdict: No, Kind: KindVectors, Register: "SVE vector lengths", Who: "nobody: lengths can only be cut from the top"}
	lengths, ok := commonVectorLengths(sets...)
	switch {
	case slices.Contains(sets, 0):
		finding.Verdict, finding.Who, finding.Remedy = Unknown, "not known", Remedy{Code: RemedyCapture}
	case ok:
		m.vectorLengths = lengths
		return
	}
	other := slices.IndexFunc(sets, func(set uint16) bool { return set != sets[0] })
	for _, t := range []*stance{m.stances[0], m.stances[max(other, 0)]} {
		finding.Hosts = append(finding.Hosts, HostValue{Host: t.capture.Name, Value: lengthsText(t.setup.VectorLengths)})
	}
	m.add(func() Finding { return finding })
}

// noteMissing says what a guest sees of the hosts that no host's capture has.
func (m *meeting) noteMissing(ipaBits bool) {
	var missing []string
	if !ipaBits {
		missing = append(missing, "IPA size")
	}
	for _, place := range []int{arm64.DCZIDEL0, arm64.CNTFRQEL0} {
		if !m.somewhere.Has(place) {
			missing = append(missing, arm64.Registers[place].Name)
		}
	}
	if missing != nil {
		m.notKnown = append(m.notKnown, strings.Join(missing, ", ")+" (not captured)")
	}
}

// commonVectorLengths returns the largest set that every host gives when its
// lengths are cut from the top, the only way a VMM can choose them
// (Documentation/virt/kvm/api.rst, KVM_REG_ARM64_SVE_VLS).
func commonVectorLengths(sets ...uint16) (uint16, bool) {
	for longest := 16; longest > 0; longest-- {
		cut := uint16(1<<longest - 1)
		common := sets[0] & cut
		if common == 0 {
			return 0, false
		}
		if !slices.ContainsFunc(sets, func(set uint16) bool { return set&cut != common }) {
			return common, true
		}
	}
	return 0, false
}

// setup returns the setup that the contract is for.
func (m *meeting) setup() Setup {
	s := m.stances[0].setup.Setup
	s.IPABits, s.VectorLengths = m.ipaBits, m.vectorLengths
	s.Capabilities = slices.Clone(s.Capabilities)
	for _, t := range m.stances {
		s.Capabilities = slices.DeleteFunc(s.Capabilities, func(name string) bool { return !slices.Contains(t.setup.Capabilities, name) })
	}
	if m.identityCapabilityNeeds && !slices.Contains(s.Capabilities, identityCapability) {
		s.Capabilities = append(s.Capabilities, identityCapability)
	}
	return s
}
