package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// identityRegisters are chosen together, or left to each host together.
var identityRegisters = []int{arm64.MIDREL1, arm64.REVIDREL1, arm64.AIDREL1}

// identityCapability is what a VM is made with for these to be chosen.
const identityCapability = "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"

// settleIdentity judges one of MIDR_EL1, REVIDR_EL1 and AIDR_EL1.
func (m *meeting) settleIdentity(place int) uint64 {
	vary := m.vary[place]
	wanted, named := m.stances[0].capture, m.policy.identity != nil
	if named {
		wanted = m.policy.identity
	}
	value := wanted.Setups[0].View.Values[place]
	other := slices.IndexFunc(m.stances, func(t *stance) bool { return (t.setup.View.Values[place]^value)&^vary != 0 })
	if other < 0 {
		return value
	}
	verdict, blocked := m.identitySettable(place, value, vary)
	if named && verdict == Yes {
		m.identityCapabilityNeeds = true
		return value
	}
	m.add(func() Finding { return m.identityFinding(place, wanted, m.stances[other].capture, verdict, blocked) })
	return value
}

// identityFinding says that a host shows another identity than the one wanted,
// and whether it can be given that: verdict, of the host that is blocked. Without an
// identity that the policy names the answer is no, whatever that verdict is: a VM has
// its host's own, both were measured, and they differ.
func (m *meeting) identityFinding(place int, wanted, other *Capture, verdict Verdict, blocked string) Finding {
	finding := Finding{
		Verdict: No, Kind: KindIdentity, Register: arm64.Registers[place].Name, Means: meaning(arm64.Registers[place].Name, ""),
		Who:    "settable with " + identityCapability,
		Remedy: Remedy{RemedyIdentityOf, []string{wanted.Name}},
	}
	for _, c := range []*Capture{wanted, other} {
		finding.Hosts = append(finding.Hosts, HostValue{Host: c.Name, Value: registerText(place, c.Setups[0].View.Values[place])})
	}
	switch {
	case verdict == No:
		finding.Who = "nobody on " + blocked
		finding.Remedy = Remedy{}
	case verdict == Unknown:
		finding.Who = "whether it can be set is not known on " + blocked
	}
	if m.policy.identity != nil {
		finding.Verdict = verdict
		finding.Remedy = identityKernel()
	}
	return finding
}

// identitySettable says whether every host with another value can be given
// this one, but for the bits that vary, and names one that cannot or is not known to.
func (m *meeting) identitySettable(place int, value, vary uint64) (verdict Verdict, blocked string) {
	for _, t := range m.stances {
		if (t.setup.View.Values[place]^value)&^vary == 0 {
			continue
		}
		_, certain := t.certain.Rest(place)
		_, possible := t.mayTake().Rest(place)
		here := Yes
		switch {
		case !possible:
			here = No
		case !certain:
			here = Unknown
		}
		if here > verdict {
			verdict, blocked = here, t.capture.Name
		}
	}
	return verdict, blocked
}
