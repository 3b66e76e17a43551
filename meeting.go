package guise

import (
	"maps"
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

	certain                 arm64.Offers
	possible                *arm64.Offers
	restCertain, restMaybe  [arm64.NumRegisters]uint64 // differing bits outside slots
	vary                    [arm64.NumRegisters]uint64 // bits left to each host
	unknown                 [arm64.NumRegisters]uint64 // of them those that are UNKNOWN to the guest
	everywhere, somewhere   arm64.Places               // registers that all, that any host has
	view                    arm64.View                 // what was chosen
	extra                   map[arm64.ID]uint64
	deciding, refused       bool      // only whether there is a contract is asked; there is none
	among                   []*stance // room for those of a judgement, and for its key
	key                     []byte
	findings                []Finding
	settled                 []Settlement
	notKnown, notes         []string
	vectorLengths           uint16
	ipaBits                 int
	identityCapabilityNeeds bool
}

// newMeeting gathers what is known of the hosts in one setup. Stances are not
// changed.
func newMeeting(stances []*stance, policy *Policy, limits *restriction) *meeting {
	m := &meeting{stances: stances, policy: policy, limits: limits, vary: limits.vary}
	m.gather()
	return m
}

// possibly returns what the hosts possibly take, worked out when a finding first
// asks for it, and the bits outside slots in which they differ even so.
func (m *meeting) possibly() (*arm64.Offers, *[arm64.NumRegisters]uint64) {
	if m.possible != nil {
		return m.possible, &m.restMaybe
	}
	for _, t := range m.stances {
		if m.possible == nil {
			possible := *t.mayTake()
			m.possible = &possible
			continue
		}
		m.possible.Meet(t.mayTake(), &m.restMaybe)
	}
	for place := range arm64.Registers {
		if hypercallBitmap(place) && m.somewhere.Has(place) && !m.everywhere.Has(place) {
			m.meetServed(m.possible, place)
		}
	}
	return m.possible, &m.restMaybe
}

// decide makes a meeting that only tells whether the hosts have a contract, and
// which view: refused, and view without what varies.
func decide(stances []*stance, policy *Policy, limits *restriction) *meeting {
	m := &meeting{stances: stances, policy: policy, limits: limits, vary: limits.vary, deciding: true}
	m.gather()
	m.judge()
	return m
}

// gather meets what the hosts certainly take.
func (m *meeting) gather() {
	for i, t := range m.stances {
		if i == 0 {
			m.certain, m.everywhere, m.somewhere = *t.certain, t.setup.View.Present, t.setup.View.Present
			continue
		}
		m.certain.Meet(t.certain, &m.restCertain)
		m.meetPresence(&t.setup.View)
	}
}

// gatherAt is gather for hosts of which only the register at place is judged.
func (m *meeting) gatherAt(place int, stances []*stance) {
	m.stances, m.refused = stances, false
	m.vary[place], m.restCertain[place] = m.limits.vary[place], 0
	for i, t := range stances {
		if i == 0 {
			m.certain.CopyAt(place, t.certain)
			m.everywhere, m.somewhere = t.setup.View.Present, t.setup.View.Present
			continue
		}
		m.certain.MeetAt(place, t.certain, &m.restCertain)
		m.meetPresence(&t.setup.View)
	}
}

func (m *meeting) meetPresence(view *arm64.View) {
	for w := range m.everywhere {
		m.everywhere[w] &= view.Present[w]
		m.somewhere[w] |= view.Present[w]
	}
}

// settle judges every register and builds the contract.
func (m *meeting) settle() *BaselineResult {
	m.judge()
	m.noteLists()
	m.noteChoices()
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

// judge chooses every value, or finds why none can be.
func (m *meeting) judge() {
	for place := range arm64.Registers {
		if m.judges(place) {
			m.settleRegister(place)
		}
	}
	for _, t := range m.stances {
		if f := readsCPU(t.capture, &t.setup.Setup); f != nil {
			m.add(func() Finding { return *f })
			break
		}
	}
	m.settleExtra()
	m.settleSetup()
	m.judgePolicy()
}

// judges reports whether the register at place has a value in the contract. It
// adds a finding where it should and cannot.
func (m *meeting) judges(place int) bool {
	agrees := m.everywhere.Has(place) && m.restCertain[place] == 0
	if !m.somewhere.Has(place) || leftToVMM(place) || (!agrees && !m.matters(place)) {
		return false
	}
	if cacheRegister(place) && m.stances[0].setup.Has(FeatureAArch32) {
		return false
	}
	return m.everywhere.Has(place) || m.onlySomewhere(place)
}

// shownBy names the field that tells a guest that a hardware register is there;
// where it is 0 everywhere, no guest has business with the register.
var shownBy = map[int]string{
	arm64.SMIDREL1: "ID_AA64PFR1_EL1.SME", arm64.GMIDEL1: "ID_AA64PFR1_EL1.MTE", arm64.CCSIDR2EL1: "ID_AA64MMFR2_EL1.CCIDX",
	arm64.ICCCTLREL1: "ID_AA64PFR0_EL1.GIC",
	arm64.PMCREL0:    "ID_AA64DFR0_EL1.PMUVer", arm64.PMCEID0EL0: "ID_AA64DFR0_EL1.PMUVer", arm64.PMCEID1EL0: "ID_AA64DFR0_EL1.PMUVer",
}

// matters reports whether any host tells its guests that the register is there.
func (m *meeting) matters(place int) bool {
	return slices.ContainsFunc(m.stances, func(t *stance) bool { return shownToGuests(place, &t.setup.View) })
}

// shownToGuests reports whether a host of the view tells its guests that the
// register is there.
func shownToGuests(place int, view *arm64.View) bool {
	name, conditional := shownBy[place]
	if !conditional {
		return true
	}
	slot, field, err := slotNamed(name)
	return err != nil || field.Get(view.Values[arm64.Slots[slot].Register]) != 0
}

// leftToVMM reports whether the register at place is no contract value:
// topology and selection are the VMM's.
func leftToVMM(place int) bool { return place == arm64.MPIDREL1 || place == arm64.CSSELREL1 }

// onlySomewhere judges a register that some hosts lack, and reports whether it
// can still be in the contract.
func (m *meeting) onlySomewhere(place int) bool {
	register := &arm64.Registers[place]
	switch {
	case hypercallBitmap(place) && m.meetServed(&m.certain, place):
		return true
	case firmwareRegister(place):
		m.add(func() Finding {
			return Finding{
				Verdict: Unknown, Kind: KindList, Register: register.Name, Hosts: m.presence(place),
				Means: "a host without the register decides itself which services its guests see",
				Who:   "nobody on a host without the register",
			}
		})
	case strings.HasPrefix(register.Name, "CCSIDR_EL1["):
		// Kernels before 6.3 list only the levels that exist. The others must
		// still agree: a host that lacks the register does not hide a conflict.
		_, refuses := m.commonCache(place, &m.certain, func(t *stance) *arm64.Offers { return t.certain })
		return m.restCertain[place]&^m.vary[place] != 0 || refuses != nil
	case register.Scope == isa.Hardware:
		m.add(func() Finding {
			return Finding{
				Verdict: Unknown, Kind: KindHardware, Register: register.Name, Hosts: m.presence(place), Who: "nobody",
				Means: meaning(register.Name, ""), Remedy: Remedy{Code: RemedyCapture},
			}
		})
	default:
		m.add(func() Finding {
			return Finding{
				Verdict: Unknown, Kind: KindList, Register: register.Name, Hosts: m.presence(place),
				Remedy: Remedy{Code: RemedyCapture},
			}
		})
	}
	return false
}

// meetServed meets a hypercall bitmap with what hosts without it serve all the same.
// It is false where that is not known of some host.
func (m *meeting) meetServed(offers *arm64.Offers, place int) bool {
	for _, t := range m.stances {
		if t.setup.View.Present.Has(place) {
			continue
		}
		bits, known := t.setup.served(place)
		if !known {
			return false
		}
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			member, _ := arm64.Slots[slot].Extract(bits)
			offers.PutSet(slot, offers.Set(slot)&isa.Only(member))
		}
	}
	return true
}

// presence says of one host that has the register and one that lacks it what
// they show.
func (m *meeting) presence(place int) []HostValue {
	var hosts []HostValue
	for _, has := range []bool{true, false} {
		for _, t := range m.stances {
			if t.setup.View.Present.Has(place) == has {
				value := stateNotCaptured
				if has {
					value = registerText(place, t.setup.View.Values[place])
				} else if t.setup.lacks(arm64.ID(arm64.Registers[place].ID)) {
					value = stateAbsent
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
		value |= m.settleSlot(slot)
	}
	value = m.withinLimits(place, value)
	if place == arm64.CTREL0 && slices.ContainsFunc(m.stances, func(t *stance) bool { return hidesTminLine(value, m.vary[place], t.setup.View.Values[place]) }) {
		m.vary[place] |= tminLine().Mask()
	}
	m.view.Put(place, value)
}

// settleSlot chooses the bits of one field, or adds why none can be; 0 where the
// field varies.
func (m *meeting) settleSlot(slot int) uint64 {
	_, field := arm64.Slots[slot].Describe()
	place := int(arm64.Slots[slot].Register)
	if field.Mask()&^m.vary[place] == 0 {
		return 0
	}
	member, ok := isa.Choose(field, m.certain.Set(slot)&m.limits.allowed[slot])
	switch {
	case ok:
		return field.Put(0, arm64.Slots[slot].Value(member))
	case aarch32Register(place) && m.withoutAArch32() && m.limits.reasons[slot] == "":
		m.vary[place] |= field.Mask()
		m.unknown[place] |= field.Mask()
	default:
		m.add(func() Finding { return m.slotFinding(slot) })
	}
	return 0
}

// withinLimits lowers the fields of a value that give a guest more than some
// host shows by itself. A host may take more than it shows: service bits that
// are off by default, or PMUVer on 6.18, which takes 8 to 14 as negative.
func (m *meeting) withinLimits(place int, value uint64) uint64 {
	first, end := arm64.SlotsOf(place)
	least := value // field by field the least that any host shows, if that is less
	for _, t := range m.stances {
		limit := t.setup.View.Values[place]
		if limit == least || !t.setup.View.Present.Has(place) {
			continue
		}
		for slot := first; slot < end; slot++ {
			_, field := arm64.Slots[slot].Describe()
			if (least^limit)&field.Mask()&^m.vary[place] == 0 {
				continue
			}
			chosen, _ := arm64.Slots[slot].Extract(least)
			if shown, known := arm64.Slots[slot].Extract(limit); known && isa.Exceeds(field, chosen, shown) {
				least = field.Put(least, field.Get(limit))
			}
		}
	}
	for slot := first; slot < end; slot++ {
		_, field := arm64.Slots[slot].Describe()
		if (value^least)&field.Mask() == 0 {
			continue
		}
		bound, _ := arm64.Slots[slot].Extract(least)
		if lower, ok := isa.ChooseWithin(field, m.certain.Set(slot)&m.limits.allowed[slot], bound); ok {
			value = field.Put(value, arm64.Slots[slot].Value(lower))
		}
	}
	return value
}

// settleRest chooses the bits of a register outside its slots.
func (m *meeting) settleRest(place int) uint64 {
	if slices.Contains(identityRegisters, place) {
		return m.settleIdentity(place)
	}
	differs := m.restCertain[place] &^ m.vary[place]
	if differs != 0 {
		m.add(func() Finding { return m.restFinding(place, differs) })
	}
	if arm64.Registers[place].Scope == isa.PerVCPU && differs == 0 {
		return m.settleCaches(place)
	}
	rest, _ := m.certain.Rest(place)
	return rest
}

// restFinding says that bits of a register outside its slots differ.
func (m *meeting) restFinding(place int, differs uint64) Finding {
	finding := Finding{
		Verdict: No, Kind: KindFixed, Register: arm64.Registers[place].Name,
		Who: "nobody",
	}
	text := arm64.Registers[place].Text
	if field := soleField(place, differs); field != nil {
		finding.Field = field.Name
		text = func(register uint64) string { return field.Text(field.Get(register)) }
	}
	finding.Hosts = m.restWitness(place, differs, text)
	finding.Means = meaning(finding.Register, finding.Field)
	_, maybe := m.possibly()
	switch {
	case arm64.Registers[place].Scope == isa.Hardware:
		finding.Kind = KindHardware
	case maybe[place]&^m.vary[place] == 0:
		finding.Verdict, finding.Kind, finding.Who = Unknown, KindUntried, "not known"
	default:
		finding.Remedy = varyRemedy(&finding)
	}
	return finding
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

// restWitness returns two hosts that differ in bits of a register that neither
// can change, with what they show of it as text gives it.
func (m *meeting) restWitness(place int, differs uint64, text func(register uint64) string) []HostValue {
	var hosts []HostValue
	var first uint64
	for _, t := range m.stances {
		value, free := t.certain.Rest(place)
		if free || !t.setup.View.Present.Has(place) || (hosts != nil && value&differs == first&differs) {
			continue
		}
		hosts = append(hosts, HostValue{Host: t.capture.Name, Value: text(t.setup.View.Values[place])})
		if len(hosts) == 2 {
			break
		}
		first = value
	}
	return hosts
}

// settleExtra compares registers that the table does not know.
func (m *meeting) settleExtra() {
	first := map[arm64.ID]*stance{} // the first host that has the register
	for _, t := range m.stances {
		for id := range t.setup.Extra {
			if first[id] == nil {
				first[id] = t
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(first)) {
		from := first[id]
		value := from.setup.Extra[id]
		other := slices.IndexFunc(m.stances, func(t *stance) bool {
			there, ok := t.setup.Extra[id]
			return !ok || there != value
		})
		if other >= 0 {
			m.add(func() Finding { return extraFinding(id, value, from, m.stances[other]) })
			continue
		}
		if m.extra == nil {
			m.extra = map[arm64.ID]uint64{}
		}
		m.extra[id] = value
	}
}

// extraFinding says that a register which the table does not know differs on
// another host, or that the other's capture does not have it.
func extraFinding(id arm64.ID, value uint64, from, other *stance) Finding {
	there, ok := other.setup.Extra[id]
	f := Finding{
		Verdict: No, Kind: KindFixed, Register: NameOf(id), Who: "nobody",
		Hosts: []HostValue{{Host: from.capture.Name, Value: idText(id, value)}, {Host: other.capture.Name, Value: extraText(id, there, ok)}},
	}
	if !ok && !other.setup.lacks(id) {
		f.Verdict, f.Kind, f.Remedy = Unknown, KindList, Remedy{RemedyCapture, []string{other.capture.Name}}
	}
	return f
}

func extraText(id arm64.ID, value uint64, present bool) string {
	if !present {
		return stateAbsent
	}
	return idText(id, value)
}

// add records that the hosts have no certain contract, and why; the reason is
// only written where somebody will read it.
func (m *meeting) add(finding func() Finding) {
	m.refused = true
	if !m.deciding {
		m.findings = append(m.findings, finding())
	}
}
