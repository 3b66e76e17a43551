package guise

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// meeting is the offers of all hosts in one setup, on their way to a contract.
type meeting struct {
	stances []*stance
	policy  *Policy
	limits  *restriction

	certain, possible       arm64.Offers
	restCertain, restMaybe  [arm64.NumRegisters]uint64 // differing bits outside slots
	everywhere, somewhere   arm64.Places               // registers that all, that any host has
	view                    arm64.View                 // what was chosen
	extra                   map[arm64.ID]uint64
	findings                []Finding
	settled                 []Settlement
	notKnown, notes         []string
	vectorLengths           uint16
	ipaBits                 int
	identityCapabilityNeeds bool
}

// newMeeting gathers the hosts' offers in the setup with that key.
func newMeeting(captures []*Capture, key string, policy *Policy, limits *restriction) *meeting {
	m := &meeting{policy: policy, limits: limits}
	for i, c := range captures {
		t := newStance(c, c.Setup(key))
		m.stances = append(m.stances, t)
		if i == 0 {
			m.certain, m.possible = t.certain, *t.mayTake()
			m.everywhere, m.somewhere = t.setup.View.Present, t.setup.View.Present
			continue
		}
		m.certain.Meet(&t.certain, &m.restCertain)
		m.possible.Meet(t.mayTake(), &m.restMaybe)
		for w := range m.everywhere {
			m.everywhere[w] &= t.setup.View.Present[w]
			m.somewhere[w] |= t.setup.View.Present[w]
		}
	}
	return m
}

// settle judges every register and builds the contract.
func (m *meeting) settle() *BaselineResult {
	for place := range arm64.Registers {
		if !m.somewhere.Has(place) || leftToVMM(place) {
			continue
		}
		if !m.everywhere.Has(place) && !m.onlySomewhere(place) {
			continue
		}
		m.settleRegister(place)
	}
	m.settleExtra()
	m.settleSetup()
	m.noteLists()
	givesUp := m.givesUp()
	result := &BaselineResult{
		Setup: m.setup(), Findings: m.findings, Settled: m.settled, GivesUp: givesUp,
		NotKnown: m.notKnown, Notes: m.notes, RestsOn: m.restsOn(), Verdict: verdictOf(m.findings),
	}
	slices.SortStableFunc(result.Findings, func(a, b Finding) int { return int(b.Verdict) - int(a.Verdict) })
	if result.Verdict == Yes {
		result.Contract = m.contract()
	}
	return result
}

// leftToVMM reports whether the register at place is no contract value:
// topology and selection are the VMM's.
func leftToVMM(place int) bool { return place == arm64.MPIDREL1 || place == arm64.CSSELREL1 }

// onlySomewhere judges a register that some hosts lack, and reports whether it
// can still be in the contract.
func (m *meeting) onlySomewhere(place int) bool {
	register := &arm64.Registers[place]
	switch {
	case place == arm64.VENDORHYPBMAP2:
		// Its services came with the register: a host without it has none of
		// them (commit c0000e58c74e), so 0 is what all can show.
		m.absentIsZero(place)
		return true
	case firmwareRegister(place):
		m.add(Finding{
			Verdict: Unknown, Kind: KindList, Register: register.Name, Hosts: m.presence(place),
			Means: "a host without the register decides itself which services its guests see",
			Who:   "nobody on a host without the register",
		})
	case strings.HasPrefix(register.Name, "CCSIDR_EL1["):
		// Kernels before 6.3 list only the levels that exist.
	case register.Scope == isa.Hardware:
		m.add(Finding{
			Verdict: Unknown, Kind: KindHardware, Register: register.Name, Hosts: m.presence(place), Who: "nobody",
			Means: meaning(register.Name, ""), Mend: "guise capture on the hosts without it",
		})
	default:
		m.add(Finding{
			Verdict: Unknown, Kind: KindList, Register: register.Name, Hosts: m.presence(place),
			Mend: "guise capture on the hosts without it",
		})
	}
	return false
}

// absentIsZero meets a bitmap with the 0 of hosts that do not have it.
func (m *meeting) absentIsZero(place int) {
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		m.certain.PutSet(slot, m.certain.Set(slot)&isa.Only(0))
		m.possible.PutSet(slot, m.possible.Set(slot)&isa.Only(0))
	}
}

// presence says of one host that has the register and one that lacks it what
// they show.
func (m *meeting) presence(place int) []HostValue {
	var hosts []HostValue
	for _, has := range []bool{true, false} {
		for _, t := range m.stances {
			if t.setup.View.Present.Has(place) == has {
				value := "not captured"
				if has {
					value = registerText(place, t.setup.View.Values[place])
				} else if t.setup.Listed != nil {
					value = "no such register"
				}
				hosts = append(hosts, HostValue{Host: t.capture.Name, Value: value})
				break
			}
		}
	}
	return hosts
}

// settleRegister chooses the value of one register, or adds why none can be.
func (m *meeting) settleRegister(place int) {
	value := m.settleRest(place)
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		_, field := arm64.Slots[slot].Describe()
		if field.Mask()&^m.limits.vary[place] == 0 {
			continue
		}
		set := m.certain.Set(slot) & m.limits.allowed[slot]
		member, ok := isa.Choose(field, set)
		if !ok {
			m.add(m.slotFinding(slot))
			continue
		}
		value |= field.Put(0, arm64.Slots[slot].Value(member))
	}
	m.view.Put(place, m.withinLimits(place, value))
}

// withinLimits lowers the fields of a value that give a guest more than some
// host shows by itself. A host may take more than it shows: service bits that
// are off by default, or PMUVer on 6.18, which takes 8 to 14 as negative.
func (m *meeting) withinLimits(place int, value uint64) uint64 {
	first, end := arm64.SlotsOf(place)
	for _, t := range m.stances {
		limit := t.setup.View.Values[place]
		if limit == value || !t.setup.View.Present.Has(place) {
			continue
		}
		for slot := first; slot < end; slot++ {
			_, field := arm64.Slots[slot].Describe()
			if (value^limit)&field.Mask()&^m.limits.vary[place] == 0 {
				continue
			}
			set := m.certain.Set(slot) & m.limits.allowed[slot]
			chosen, _ := arm64.Slots[slot].Extract(value)
			shown, known := arm64.Slots[slot].Extract(limit)
			if !known || set == 0 || !isa.Exceeds(field, chosen, shown) {
				continue
			}
			if lower, ok := isa.ChooseWithin(field, set, shown); ok {
				value = field.Put(value, arm64.Slots[slot].Value(lower))
			}
		}
	}
	return value
}

// settleRest chooses the bits of a register outside its slots.
func (m *meeting) settleRest(place int) uint64 {
	if slices.Contains(identityRegisters, place) {
		return m.settleIdentity(place)
	}
	differs := m.restCertain[place] &^ m.limits.vary[place]
	if differs != 0 {
		finding := Finding{
			Verdict: No, Kind: KindFixed, Register: arm64.Registers[place].Name,
			Hosts: m.restWitness(place, differs), Who: "nobody",
		}
		if field := soleField(place, differs); field != nil {
			finding.Field = field.Name
			for i := range finding.Hosts {
				finding.Hosts[i].Value = finding.Hosts[i].fieldText(field)
			}
		}
		finding.Means = meaning(finding.Register, finding.Field)
		switch {
		case arm64.Registers[place].Scope == isa.Hardware:
			finding.Kind = KindHardware
		case m.restMaybe[place]&^m.limits.vary[place] == 0:
			finding.Verdict, finding.Kind, finding.Who = Unknown, KindUntried, "not known"
		default:
			finding.Mend = m.varyMend(&finding)
		}
		m.add(finding)
	}
	rest, _ := m.certain.Rest(place)
	return rest
}

// soleField returns the field that all differing bits belong to, or nil.
func soleField(place int, differs uint64) *isa.Field {
	for i := range arm64.Registers[place].Fields {
		if f := &arm64.Registers[place].Fields[i]; differs&^f.Mask() == 0 {
			return f
		}
	}
	return nil
}

// fieldText turns the value of a register, as text, into that of a field.
func (v HostValue) fieldText(field *isa.Field) string {
	var register uint64
	fmt.Sscanf(v.Value, "%v", &register)
	return valueText(field, field.Get(register))
}

// restWitness returns two hosts that differ in bits of a register that neither
// can change.
func (m *meeting) restWitness(place int, differs uint64) []HostValue {
	var hosts []HostValue
	var first uint64
	for _, t := range m.stances {
		value, free := t.certain.Rest(place)
		if free || !t.setup.View.Present.Has(place) || (hosts != nil && value&differs == first&differs) {
			continue
		}
		hosts = append(hosts, HostValue{Host: t.capture.Name, Value: registerText(place, t.setup.View.Values[place])})
		if len(hosts) == 2 {
			break
		}
		first = value
	}
	return hosts
}

// settleIdentity judges one of MIDR_EL1, REVIDR_EL1 and AIDR_EL1.
func (m *meeting) settleIdentity(place int) uint64 {
	if m.limits.vary[place] != 0 {
		return 0
	}
	wanted, named := m.stances[0].capture, m.policy.identity != nil
	if named {
		wanted = m.policy.identity
	}
	value := wanted.Setups[0].View.Values[place]
	other := slices.IndexFunc(m.stances, func(t *stance) bool { return t.setup.View.Values[place] != value })
	if other < 0 {
		return value
	}
	finding := Finding{
		Verdict: No, Kind: KindIdentity, Register: arm64.Registers[place].Name, Means: meaning(arm64.Registers[place].Name, ""),
		Who:  "settable with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS",
		Mend: "--identity-of " + wanted.Name,
	}
	for _, c := range []*Capture{wanted, m.stances[other].capture} {
		finding.Hosts = append(finding.Hosts, HostValue{Host: c.Name, Value: identityText(place, c.Setups[0].View.Values[place])})
	}
	verdict, blocked := m.identitySettable(place, value)
	switch {
	case verdict == No:
		finding.Who = "nobody on " + blocked
		finding.Mend = ""
	case verdict == Unknown:
		finding.Who = "not known on " + blocked
	}
	switch {
	case !named:
		m.add(finding)
	case verdict == Yes:
		m.identityCapabilityNeeds = true
	default:
		finding.Verdict = verdict
		finding.Mend = "a kernel with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, Linux 6.15"
		m.add(finding)
	}
	return value
}

// identitySettable says whether every host with another value can be given
// this one, and names one that cannot or is not known to.
func (m *meeting) identitySettable(place int, value uint64) (verdict Verdict, blocked string) {
	for _, t := range m.stances {
		if t.setup.View.Values[place] == value {
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

// settleExtra compares registers that the table does not know.
func (m *meeting) settleExtra() {
	for _, t := range m.stances {
		for id, value := range t.setup.Extra {
			for _, other := range m.stances {
				if there, ok := other.setup.Extra[id]; !ok || there != value {
					m.add(Finding{
						Verdict: No, Kind: KindFixed, Register: id.String(), Who: "nobody",
						Hosts: []HostValue{{Host: t.capture.Name, Value: hexText(value, 64)}, {Host: other.capture.Name, Value: extraText(there, ok)}},
					})
					return
				}
			}
			if m.extra == nil {
				m.extra = map[arm64.ID]uint64{}
			}
			m.extra[id] = value
		}
	}
}

func extraText(value uint64, present bool) string {
	if !present {
		return "no such register"
	}
	return hexText(value, 64)
}

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
	if lengths, ok := m.commonVectorLengths(); ok {
		m.vectorLengths = lengths
		return
	}
	finding := Finding{Verdict: No, Kind: KindVectors, Register: "SVE vector lengths", Who: "nobody: lengths can only be cut from the top"}
	for _, t := range m.stances[:2] {
		finding.Hosts = append(finding.Hosts, HostValue{Host: t.capture.Name, Value: fmt.Sprint(vectorBits(t.setup.VectorLengths))})
	}
	m.add(finding)
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
// lengths are cut from the top.
func (m *meeting) commonVectorLengths() (uint16, bool) {
	for longest := 16; longest > 0; longest-- {
		cut := uint16(1<<longest - 1)
		set := m.stances[0].setup.VectorLengths & cut
		if set == 0 {
			return 0, false
		}
		if !slices.ContainsFunc(m.stances, func(t *stance) bool { return t.setup.VectorLengths&cut != set }) {
			return set, true
		}
	}
	return 0, false
}

// setup returns the setup that the contract is for.
func (m *meeting) setup() Setup {
	s := m.stances[0].setup.Setup
	s.IPABits, s.VectorLengths = m.ipaBits, m.vectorLengths
	s.Capabilities = slices.Clone(s.Capabilities)
	const identity = "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"
	if m.identityCapabilityNeeds && !slices.Contains(s.Capabilities, identity) {
		s.Capabilities = append(s.Capabilities, identity)
	}
	return s
}

func (m *meeting) add(f Finding) { m.findings = append(m.findings, f) }

// noteLists remarks on hosts whose register lists differ.
func (m *meeting) noteLists() {
	for _, t := range m.stances {
		if t.setup.Listed == nil {
			m.notKnown = append(m.notKnown, "which registers "+t.capture.Name+" lists")
			return
		}
	}
	var most, fewest int
	first := m.stances[0].setup.Listed
	differ := false
	for _, t := range m.stances {
		more, fewer := len(without(t.setup.Listed, first)), len(without(first, t.setup.Listed))
		differ = differ || more+fewer > 0
		most, fewest = max(most, more), max(fewest, fewer)
	}
	if differ {
		m.notes = append(m.notes, "the hosts do not list the same registers; QEMU refuses to move a VM between them (guise check --for qemu)")
	}
}

// givesUp counts, host by host, the fields in which the choice differs from
// what the host shows, and collects those fields.
func (m *meeting) givesUp() []HostCount {
	counts := make([]HostCount, len(m.stances))
	fields := map[int][]HostValue{}
	for i, t := range m.stances {
		counts[i].Host = t.capture.Name
		for place := range arm64.Registers {
			differs := (t.setup.View.Values[place] ^ m.view.Values[place]) &^ m.limits.vary[place]
			if differs == 0 || !m.everywhere.Has(place) || !m.view.Present.Has(place) {
				continue
			}
			first, end := arm64.SlotsOf(place)
			for slot := first; slot < end; slot++ {
				_, field := arm64.Slots[slot].Describe()
				if field.Mask()&differs == 0 || m.certain.Set(slot)&m.limits.allowed[slot] == 0 {
					continue
				}
				counts[i].Count++
				value := HostValue{Host: t.capture.Name, Value: valueText(field, field.Get(t.setup.View.Values[place]))}
				if !slices.ContainsFunc(fields[slot], func(v HostValue) bool { return v.Value == value.Value }) {
					fields[slot] = append(fields[slot], value)
				}
			}
		}
	}
	for slot := range arm64.Slots {
		if hosts := fields[slot]; hosts != nil {
			register, field := arm64.Slots[slot].Describe()
			m.settled = append(m.settled, Settlement{
				Register: register.Name, Field: field.Name, Hosts: hosts,
				Value: field.Get(m.view.Values[arm64.Slots[slot].Register]), Rests: m.rests(hosts),
			})
		}
	}
	return counts
}

// restsOn says what was not tried on the hosts themselves.
func (m *meeting) restsOn() []string {
	var lines []string
	assumed := map[string]int{}
	untried := 0
	for _, t := range m.stances {
		switch {
		case t.setup.Offers == nil:
			untried++
		case t.setup.Accepts == Assumed:
			assumed[t.setup.AssumedKernel]++
		}
	}
	for _, version := range sortedKeys(assumed) {
		hosts := "these hosts were"
		if assumed[version] == 1 {
			hosts = "one host was"
		}
		if assumed[version] < len(m.stances) && assumed[version] > 1 {
			hosts = fmt.Sprintf("%d hosts were", assumed[version])
		}
		lines = append(lines, fmt.Sprintf("what Linux %s accepts, assumed; %s not tried", version, hosts))
	}
	if untried > 0 {
		lines = append(lines, fmt.Sprintf("equal values, where what a host takes is not known (%d of %d hosts)", untried, len(m.stances)))
	}
	return lines
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
