package guise

import (
	"maps"
	"slices"
	"strconv"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// moving works out one move.
type moving struct {
	move           Move
	rules          *mover
	contract       *Contract
	source, target *moveEnd
	// carried is the state's view: what the source holds of each register.
	carried arm64.View
}

func (m *moving) add(p MovePoint) { m.move.Points = append(m.move.Points, p) }

// judge goes through the state.
func (m *moving) judge() {
	if m.move.Setup.Has(FeatureAArch32) {
		m.add(MovePoint{Outcome: MoveUnknown, Register: "setup", Carried: m.move.Setup.Key(), Means: "what a guest in AArch32 sees after a move is not known"})
		return
	}
	m.carry()
	if m.rules.givesContract {
		m.given()
		m.others()
		return
	}
	switch {
	case m.source.setup.Listed == nil || m.target.setup.Listed == nil:
		m.add(MovePoint{Outcome: MoveUnknown, Register: "register list", Carried: stateSameList, There: stateNotCaptured})
	case m.rules.comparesLists && m.source.setup.Registers == Imported:
		m.add(MovePoint{Outcome: MoveUnknown, Source: true, Register: "register list", There: stateNotCaptured, Means: asLeft})
	}
	for place := range arm64.Registers {
		if !leftToVMM(place) {
			m.register(place)
		}
	}
	m.others()
	m.vectors()
}

// given judges a target that is given the contract.
func (m *moving) given() {
	verdict := Check(m.contract, m.target.capture, VMMNone)
	for i := range verdict.Findings {
		f := &verdict.Findings[i]
		if f.Verdict == Yes {
			continue
		}
		point := givenPoint(f)
		switch place, known := arm64.Place(f.Register); {
		case f.Verdict != No:
		case known && arm64.Registers[place].Scope == isa.Hardware:
			point.Outcome, point.Seen = MoveSeen, point.There
		case f.Kind == KindList || point.There == stateAbsent:
			point.Errno = "ENOENT"
		case known && m.takenAllTheSame(place, f.Field):
			point.Means = "taken, and stored otherwise"
		default:
			point.Errno = "EINVAL"
		}
		m.add(point)
	}
	for place, mask := range m.contract.Vary {
		from, to := m.source.setup.View.Values[place], m.target.setup.View.Values[place]
		for _, varied := range variedFields(place, mask) {
			if (from^to)&varied.mask != 0 && m.seenBySource(place) {
				text := registerText(place, to&varied.mask)
				m.add(MovePoint{Outcome: MoveSeen, Register: arm64.Registers[place].Name, Field: varied.name, Carried: registerText(place, from&varied.mask), There: text, Seen: text, Means: "the contract leaves it to each host"})
			}
		}
	}
}

// takenAllTheSame reports whether the target takes the contract's value of a field that it
// does not show.
func (m *moving) takenAllTheSame(place int, field string) bool {
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		if _, f := arm64.Slots[slot].Describe(); f.Name == field {
			member, known := arm64.Slots[slot].Extract(m.contract.View.Values[place])
			return known && m.target.field(slot, member, m.sameCPU()).taken == Yes
		}
	}
	return false
}

// carry fills in what the source holds.
func (m *moving) carry() {
	m.carried = m.source.setup.View
	for slot := range arm64.Slots {
		if m.contract == nil && m.source.byVGIC(slot) {
			m.afterRun(slot)
		}
	}
	if m.contract == nil {
		return
	}
	for place := range arm64.Registers {
		if m.carried.Present.Has(place) && m.contract.View.Present.Has(place) {
			m.carried.Values[place] = m.contract.Value(place, m.carried.Values[place])
		}
	}
}

// afterRun puts in what the first run makes of a field: captures have what KVM showed
// before.
func (m *moving) afterRun(slot int) {
	place := int(arm64.Slots[slot].Register)
	_, field := arm64.Slots[slot].Describe()
	shown := field.Get(m.carried.Values[place])
	if !m.carried.Present.Has(place) {
		return
	}
	switch r := m.source.field(slot, shown, true); {
	case r.seen.Len() == 1:
		m.carried.Values[place] = field.Put(m.carried.Values[place], r.seen.Values()[0])
	default:
		m.add(MovePoint{Outcome: MoveUnknown, Source: true, Register: arm64.Registers[place].Name, Field: field.Name, There: field.Text(shown), Means: "what the first run makes of it is not known"})
	}
}

// sent says whether a register is in the state.
func (m *moving) sent(place int) bool {
	id := arm64.ID(arm64.Registers[place].ID)
	if m.source.setup.Listed == nil {
		return arm64.Registers[place].Scope != isa.Hardware
	}
	return m.source.has(id, &m.carried) != No
}

// seenBySource reports whether a guest looks at a register at all: AArch32's are UNKNOWN
// to one without AArch32, and some hardware registers are there only with a feature.
func (m *moving) seenBySource(place int) bool {
	if aarch32Register(place) && !runsAArch32(&m.carried) {
		return false
	}
	return shownToGuests(place, &m.carried)
}

// register judges one register of the table.
func (m *moving) register(place int) {
	from, to := m.carried.Present.Has(place), m.target.setup.View.Present.Has(place)
	register := &arm64.Registers[place]
	id := arm64.ID(register.ID)
	value, there := m.carried.Values[place], m.target.setup.View.Values[place]
	point := MovePoint{Register: register.Name, Carried: registerText(place, value), There: registerText(place, there)}
	switch {
	case !from && !to:
	case !from:
		m.appears(place, point)
	case m.sent(place) && !to && m.target.setup.Listed != nil && !m.target.setup.lacks(id):
		point.Outcome, point.There = MoveUnknown, stateNotCaptured
		m.add(point)
	case m.sent(place) && !to:
		m.missing(id, value, true)
	case m.sent(place) && m.target.setup.Listed != nil && m.target.has(id, &m.carried) == No:
		m.missing(id, value, true)
	case m.sent(place) && place != arm64.PMCREL0: // of which KVM takes every value
		m.fields(place)
	case !m.seenBySource(place):
	case !to:
		point.Outcome, point.There = MoveUnknown, stateNotCaptured
		m.add(point)
	case value != there && place == arm64.PMCREL0:
		point.Outcome, point.Means = MoveUnknown, "kernels differ in what they make of the number of counters"
		m.add(point)
	case value != there:
		point.Outcome, point.Seen = MoveSeen, point.There
		point.Means = "nobody sets it; a guest sees the host's"
		m.add(point)
	}
}

// appears judges a register that only the target has: it keeps its own value.
func (m *moving) appears(place int, point MovePoint) {
	register := &arm64.Registers[place]
	there := m.target.setup.View.Values[place]
	point.Carried, point.Seen = stateAbsent, point.There
	served, known := m.source.setup.served(place)
	switch {
	case !m.seenBySource(place), cacheRegister(place) && place != arm64.CLIDREL1:
		return
	case hypercallBitmap(place) && known && served == there:
		return
	case hypercallBitmap(place) && known:
		point.Outcome = MoveSeen
	case hypercallBitmap(place), register.Scope == isa.Hardware, !m.source.setup.lacks(arm64.ID(register.ID)), firmwareRegister(place):
		point.Outcome, point.Carried, point.Means = MoveUnknown, stateNotCaptured, "what a guest sees of it on the source is not known"
	case there == 0:
		return // as a register that is not there reads
	default:
		point.Outcome = MoveSeen
	}
	m.add(point)
}

// missing judges a register of the state that the target does not have.
func (m *moving) missing(id arm64.ID, value uint64, known bool) {
	point := MovePoint{Outcome: MoveRefused, Register: NameOf(id), There: stateNotListed}
	if known {
		point.Carried = idText(id, value)
	}
	switch {
	case m.target.setup.Listed == nil:
		point.Outcome, point.There = MoveUnknown, stateNotCaptured
	case m.target.setup.leftUnlisted(id):
		point.Outcome, point.There, point.Means = MoveUnknown, stateNotCaptured, asLeft
	case m.rules.givesContract && (m.notListed(id) || known && value == 0):
		return // nobody misses it
	case m.rules.givesContract && !known:
		point.Outcome, point.Means = MoveUnknown, "refused where it is not 0"
	case !m.rules.comparesLists:
		point.Errno, point.There = "ENOENT", stateAbsent
	default:
		switch m.rules.tolerates(id, value, known) {
		case Yes:
			return
		case Unknown:
			point.Outcome = MoveUnknown
			point.Means = "whether this version of the VMM forgives it is not known"
		default:
			point.Means = "the VMM refuses a state with a register that the target does not list"
		}
	}
	m.add(point)
}

// notListed reports whether the contract is known not to list a register.
func (m *moving) notListed(id arm64.ID) bool {
	_, found := slices.BinarySearch(m.contract.Listed, id)
	return m.contract.Listed != nil && !found
}

// fields judges a register that is written on the target.
func (m *moving) fields(place int) {
	value := m.carried.Values[place]
	if place == arm64.CLIDREL1 && m.rules.writesCLIDR && m.rewritten() {
		if m.contract != nil {
			m.add(MovePoint{Outcome: MoveUnknown, Source: true, Register: "CLIDR_EL1", Carried: registerText(place, value), Means: "the VMM replaces it by what its host's files say"})
		}
		if !m.freelyTaken(place) || !arm64.TakesWhole(place, value, &m.target.setup.View) {
			m.add(MovePoint{Outcome: MoveUnknown, Register: "CLIDR_EL1", There: registerText(place, m.target.setup.View.Values[place]), Means: "the state has what the VMM wrote on the source, which was not captured"})
		}
		return
	}
	if place == arm64.CLIDREL1 && !m.rules.writesCLIDR && m.contract == nil && m.source.setup.Registers == Imported && m.source.capture.left(place) {
		m.add(MovePoint{Outcome: MoveUnknown, Source: true, Register: "CLIDR_EL1", There: registerText(place, m.target.setup.View.Values[place]), Means: asLeft})
		return
	}
	if place == arm64.CTREL0 && m.unlikeCTR() {
		return
	}
	if taken, own := m.target.rest(place, value, slices.Contains(m.move.Setup.Capabilities, identityCapability)); taken != Yes || own {
		m.wrote(place, "", registerText(place, value), registerText(place, m.target.setup.View.Values[place]), taken, "")
	}
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		member, known := arm64.Slots[slot].Extract(value)
		_, field := arm64.Slots[slot].Describe()
		carried, there := field.Text(field.Get(value)), field.Text(field.Get(m.target.setup.View.Values[place]))
		if !known || m.notTold(place, field.Name) {
			m.wrote(place, field.Name, carried, there, Unknown, "")
			continue
		}
		r := m.target.field(slot, member, m.sameCPU())
		if r.taken == Yes && r.seen == isa.Only(member) {
			continue
		}
		seen := ""
		if r.seen.Len() == 1 && r.seen != isa.Only(member) {
			seen = field.Text(arm64.Slots[slot].Value(r.seen.Values()[0]))
		}
		m.wrote(place, field.Name, carried, there, r.taken, seen)
	}
}

// leavesCTR reports whether guests of a host may read CTR_EL0 of the CPU, so that a
// capture need not have what userspace reads and writes.
func (e *moveEnd) leavesCTR() bool {
	return slices.ContainsFunc(e.profiles(), func(p *kernel.Profile) bool {
		return !p.Does(kernel.TrapsCaches) || p.Does(kernel.LeavesCTR)
	})
}

// unlikeCTR judges CTR_EL0 where both hosts have one kind of CPU: they hold the same
// value for it, whatever their guests read.
func (m *moving) unlikeCTR() bool {
	if !m.sameCPU() || !m.source.leavesCTR() && !m.target.leavesCTR() {
		return false
	}
	value, there := m.carried.Values[arm64.CTREL0], m.target.setup.View.Values[arm64.CTREL0]
	if m.contract != nil && value != m.source.setup.View.Values[arm64.CTREL0] {
		return false
	}
	if value != there {
		text := registerText(arm64.CTREL0, there)
		m.add(MovePoint{Outcome: MoveSeen, Register: "CTR_EL0", Carried: registerText(arm64.CTREL0, value), There: text, Seen: text, Means: "one of the kernels lets guests read the CPU's own"})
	}
	return true
}

// notTold reports whether what the state has of a field, or what the target makes of it,
// is not told by the captures: fields of CTR_EL0 that kernels work out, and the level of
// SMCCC_ARCH_WORKAROUND_2 where the VM's SSBS, which some kernels look at, is another.
func (m *moving) notTold(place int, field string) bool {
	ssbs := arm64.Registers[arm64.IDAA64PFR1EL1].Field("SSBS")
	switch place {
	case arm64.CTREL0:
		return (field == "IDC" || field == "TminLine") && (m.source.leavesCTR() || m.target.leavesCTR())
	case arm64.SMCCCARCHWORKAROUND2:
		return ssbs.Get(m.carried.Values[arm64.IDAA64PFR1EL1]) != ssbs.Get(m.target.setup.View.Values[arm64.IDAA64PFR1EL1])
	}
	return false
}

// wrote adds what came of a write.
func (m *moving) wrote(place int, field, carried, there string, taken Verdict, seen string) {
	p := MovePoint{Outcome: MoveUnknown, Register: arm64.Registers[place].Name, Field: field, Carried: carried, There: there}
	switch {
	case taken == No:
		p.Outcome, p.Errno = MoveRefused, "EINVAL"
	case taken == Yes && seen != "" && m.seenBySource(place):
		p.Outcome, p.Seen, p.Means = MoveSeen, seen, "taken, and shown otherwise"
	case taken == Yes && (seen != "" || !m.seenBySource(place)):
		return // the guest does not look there
	case seen != "":
		p.Means = "where it is taken, a guest sees " + seen
	}
	m.add(p)
}

// sameCPU reports whether both hosts show the same kind of CPU.
func (m *moving) sameCPU() bool {
	a, b := &m.source.setup.View, &m.target.setup.View
	return a.Present.Has(arm64.MIDREL1) && b.Present.Has(arm64.MIDREL1) && a.Values[arm64.MIDREL1] == b.Values[arm64.MIDREL1]
}

// rewritten reports whether the source's CLIDR_EL1 may be what the VMM put in place of
// what was captured: KVM there takes one, and the capture is not of that VMM's own VM.
func (m *moving) rewritten() bool {
	return (m.contract != nil || m.source.setup.Registers != Imported) &&
		slices.ContainsFunc(m.source.profiles(), func(p *kernel.Profile) bool { return p.Fabricated(arm64.CLIDREL1) })
}

// freelyTaken reports whether every kernel that the target may run takes other values of
// a register that is compared whole.
func (m *moving) freelyTaken(place int) bool {
	return !slices.ContainsFunc(m.target.profiles(), func(p *kernel.Profile) bool { return !p.Fabricated(place) })
}

// others judges what the table does not have: state of the guest, and registers that
// only one kernel knows.
func (m *moving) others() {
	for _, id := range m.source.setup.Listed {
		place, inTable := arm64.PlaceOf(id)
		_, extra := m.source.setup.Extra[id]
		switch {
		case inTable && (leftToVMM(place) || m.carried.Present.Has(place)), extra, m.source.has(id, &m.carried) == No:
		case m.target.has(id, &m.carried) == No:
			m.missing(id, 0, false)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.source.setup.Extra)) {
		value := m.source.setup.Extra[id]
		there, ok := m.target.setup.Extra[id]
		switch {
		case ok && there == value:
		case !ok && m.target.setup.Listed != nil && m.target.has(id, &m.carried) == No:
			m.missing(id, value, true)
		default:
			m.add(MovePoint{Outcome: MoveUnknown, Register: NameOf(id), Carried: idText(id, value), There: extraText(id, there, ok)})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.target.setup.Extra)) {
		if _, ok := m.source.setup.Extra[id]; !ok && m.target.setup.Extra[id] != 0 {
			m.add(MovePoint{Outcome: MoveUnknown, Register: NameOf(id), Carried: stateAbsent, There: idText(id, m.target.setup.Extra[id])})
		}
	}
}

// vectors judges the SVE vector lengths, and the IPA size that a contract has.
func (m *moving) vectors() {
	if bits := m.move.Setup.IPABits; m.contract != nil && bits != 0 && m.target.setup.IPABits != 0 && m.target.setup.IPABits < bits {
		m.add(MovePoint{Outcome: MoveRefused, Register: "IPA size", Carried: strconv.Itoa(bits), There: strconv.Itoa(m.target.setup.IPABits), Errno: "EINVAL"})
	}
	if !m.move.Setup.Has(FeatureSVE) {
		return
	}
	carried, there := m.source.setup.VectorLengths, m.target.setup.VectorLengths
	if m.contract != nil {
		carried = m.move.Setup.VectorLengths
	}
	point := MovePoint{Register: "SVE vector lengths", Carried: lengthsText(carried), There: lengthsText(there)}
	switch {
	case carried == 0 || there == 0:
		point.Outcome = MoveUnknown
		m.add(point)
	case cutTo(there, carried) != carried:
		point.Outcome, point.Errno = MoveRefused, "EINVAL"
		m.add(point)
	}
}
