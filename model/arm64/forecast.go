package arm64

import (
	"errors"
	"fmt"
	"slices"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// Forecast says what VMs would be shown if a host's kernel changed.
type Forecast struct {
	From, To kernel.Version
	Setups   []SetupForecast
	// Unsettled are entries of the change log of which it is not known whether
	// one of the two versions has them. Fields are forecast with and without
	// them.
	Unsettled []kernel.Change
	// Unread are the registers of which the hardware's values were wanted, and its
	// description lacked them: their fields are not known.
	Unread []int
	// Extrapolates: the later version is newer than all that are known.
	Extrapolates bool
}

// SetupForecast is a forecast for VMs of one setup.
type SetupForecast struct {
	Setup guise.Setup
	// Made says whether the later kernel makes VMs of the setup's features at
	// all. Where it does not, nothing else is forecast.
	Made guise.Verdict
	// Fields are all fields of feature and firmware registers, in the table's
	// order.
	Fields []FieldForecast
	// Whole are registers that are compared whole and change.
	Whole []WholeForecast
	// Gone and New are register ids that leave and enter the list; nil where
	// the capture does not have the list.
	Gone, New []arm64.ID
}

// FieldForecast is a forecast for one field.
type FieldForecast struct {
	Slot int
	Now  uint64
	// Then holds the values that the field may have: one where it is known.
	Then isa.Set
	// Taken says whether the other kernel takes Now, as a VM that uses all it
	// was given would bring it, and then shows it.
	Taken guise.Verdict
	// Back says whether the old kernel takes what the new one shows.
	Back guise.Verdict
}

// Known reports whether the value is known.
func (f *FieldForecast) Known() bool { return f.Then.Len() == 1 }

// Changes reports whether the value certainly changes.
func (f *FieldForecast) Changes() bool { return !f.Then.Has(f.Now) }

// Value is the value of a known field.
func (f *FieldForecast) Value() uint64 { return f.Then.Values()[0] }

// WholeForecast is a forecast for a register that is compared whole.
type WholeForecast struct {
	Place     int
	Now, Then uint64
	Known     bool
}

// Predict forecasts from a capture alone: what the kernel it was made on hides
// from it, is not known.
func Predict(capture *guise.Capture, to kernel.Version) (*Forecast, error) {
	if capture == nil || len(capture.Setups) == 0 {
		return nil, errors.New("forecast: want a capture of an arm64 host, with its setups")
	}
	from, err := kernel.ParseVersion(capture.Host.Kernel)
	if err != nil {
		return nil, fmt.Errorf("%s: its kernel's version is needed: %w", capture.Name, err)
	}
	olds, err := kernel.Possible(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", capture.Name, err)
	}
	nexts, err := kernel.Possible(to)
	if err != nil {
		return nil, err
	}
	olds, nexts = kernel.Distinct(olds, forecastBehaviours), kernel.Distinct(nexts, forecastBehaviours)
	f := &Forecast{From: from, To: to, Extrapolates: nexts[0].Extrapolates()}
	for _, c := range kernel.Changes() {
		_, knownOld := c.In(from)
		_, knownNew := c.In(to)
		if !knownOld || !knownNew {
			f.Unsettled = append(f.Unsettled, c)
		}
	}
	for i := range capture.Setups {
		p := &predictor{captured: &capture.Setups[i], mode: capture.Host.Mode}
		var setup SetupForecast
		for _, p.aarch32 = range p.mayHaveAArch32() {
			for _, p.old = range olds {
				for _, p.next = range nexts {
					if setup.Fields == nil {
						setup = p.predict()
					} else {
						setup.widen(p.predict())
					}
				}
			}
		}
		setup.Made = made(&setup.Setup, nexts)
		if setup.Made == guise.No {
			setup = SetupForecast{Setup: setup.Setup, Made: guise.No}
		}
		f.Setups = append(f.Setups, setup)
	}
	return f, nil
}

// forecastBehaviours are those that a forecast depends on.
var forecastBehaviours = []kernel.Behaviour{
	kernel.TrapsFeatures, kernel.TakesOverrides, kernel.KeepsVHE, kernel.DoubtsBHB, kernel.OffersSVE, kernel.OffersPAuth,
	kernel.OffersMTE, kernel.OffersEL2, kernel.OffersProtected, kernel.LooksAtGuestSSBS,
}

// featureOffers are the vCPU features that older kernels give no VM.
var featureOffers = map[guise.Feature]kernel.Behaviour{
	guise.FeatureSVE: kernel.OffersSVE, guise.FeaturePAuth: kernel.OffersPAuth,
	guise.FeatureMTE: kernel.OffersMTE, guise.FeatureEL2: kernel.OffersEL2,
}

// made says whether a kernel, by its profiles with and without entries that are
// not settled, makes VMs of a setup.
func made(setup *guise.Setup, profiles []*kernel.Profile) guise.Verdict {
	var seen [2]bool
	for _, profile := range profiles {
		all := !setup.Protected || profile.Does(kernel.OffersProtected)
		for _, feature := range setup.Features {
			if behaviour, ok := featureOffers[feature]; ok && !profile.Does(behaviour) {
				all = false
			}
		}
		seen[index(all)] = true
	}
	return verdict(seen)
}

// widen takes in what the forecast would be if other entries were there.
func (s *SetupForecast) widen(other SetupForecast) {
	for i := range s.Fields {
		f, o := &s.Fields[i], &other.Fields[i]
		f.Then |= o.Then
		if f.Taken != o.Taken {
			f.Taken = guise.Unknown
		}
		if f.Back != o.Back {
			f.Back = guise.Unknown
		}
	}
	for _, w := range other.Whole {
		if !slices.Contains(s.Whole, w) {
			w.Known = false
			s.Whole = slices.DeleteFunc(s.Whole, func(old WholeForecast) bool { return old.Place == w.Place })
			s.Whole = append(s.Whole, w)
		}
	}
	certain := func(ids, others []arm64.ID) []arm64.ID {
		return slices.DeleteFunc(ids, func(id arm64.ID) bool { return !slices.Contains(others, id) })
	}
	s.Gone, s.New = certain(s.Gone, other.Gone), certain(s.New, other.New)
}

// predictor forecasts one setup.
type predictor struct {
	old, next *kernel.Profile
	captured  *guise.CapturedSetup
	mode      string
	kvm       kernel.VM
	// aarch32: the host has AArch32 at EL0.
	aarch32 bool
	// host is a host that would show what was captured; its fields are
	// replaced one after the other.
	host kernel.Hardware
}

// mayHaveAArch32 says whether the host has AArch32 at EL0, as far as is known: what
// the capture shows, or else what every CPU of its part has, or else either.
func (p *predictor) mayHaveAArch32() []bool {
	view := &p.captured.View
	if has, known := kernel.HasAArch32(view, p.captured.KernelVM()); known {
		return []bool{has}
	}
	if machine := modelOf(view.Values[arm64.MIDREL1]); machine != nil {
		return []bool{arm64.Registers[arm64.IDAA64PFR0EL1].Field("EL0").Get(machine.Registers[arm64.IDAA64PFR0EL1]) == 2}
	}
	return []bool{false, true}
}

func (p *predictor) predict() SetupForecast {
	s := SetupForecast{Setup: p.captured.Setup}
	p.kvm = p.captured.KernelVM()
	p.host.Values = p.captured.View.Values
	if el0 := arm64.Registers[arm64.IDAA64PFR0EL1].Field("EL0"); !p.captured.View.Present.Has(arm64.IDAA64PFR0EL1) && p.aarch32 {
		p.host.Values[arm64.IDAA64PFR0EL1] = el0.Put(p.host.Values[arm64.IDAA64PFR0EL1], 2)
	}
	for slot := range arm64.Slots {
		place := int(arm64.Slots[slot].Register)
		if now, known := arm64.Slots[slot].Extract(p.captured.View.Values[place]); known && p.captured.View.Present.Has(place) {
			f := FieldForecast{Slot: slot, Now: now, Then: p.then(slot, now)}
			f.Taken, f.Back = p.moves(&f)
			s.Fields = append(s.Fields, f)
		}
	}
	for place := range arm64.Registers {
		if w, ok := p.whole(place); ok && (!w.Known || w.Now != w.Then) {
			s.Whole = append(s.Whole, w)
		}
	}
	if p.captured.Listed != nil {
		s.Gone, s.New = p.lists()
	}
	return s
}

// then is what a field may be under the next kernel.
func (p *predictor) then(slot int, now uint64) isa.Set {
	place, class := int(arm64.Slots[slot].Register), classes()[arm64.Slots[slot].Register]
	raw := class == classFeature && !p.next.Does(kernel.TrapsFeatures)
	if !p.next.Has(place) && !raw {
		return isa.Only(now)
	}
	switch {
	case class == classWorkaround:
		return p.workaround(place, now)
	case arm64.Slots[slot].Coded || class == classBitmap || class == classPSCI:
		member, known := arm64.Slots[slot].Extract(p.limit(p.next, place, &p.host))
		if !known {
			return isa.Only(now)
		}
		return isa.Only(member)
	case slot == idcSlot():
		return p.idc(now)
	case class != classFeature:
		return isa.Only(now)
	case p.marked(slot):
		return isa.Only(1)
	}
	if place == arm64.IDDFR0EL1 && p.next.Derives(slot) && !p.kvm.Protected {
		return p.perfMon(slot)
	}
	return p.possible(slot, now)
}

// limit is what a guest of the setup is shown of a register where nobody wrote.
func (p *predictor) limit(profile *kernel.Profile, place int, host *kernel.Hardware) uint64 {
	if p.kvm.Protected && kernel.HeldByHypervisor(place) {
		return profile.Protected(place, host, p.kvm)
	}
	return profile.Limit(place, host, p.kvm)
}

// possible tries every value that the host may have, under every condition of
// the host that the field's limit may depend on, and keeps those that show under
// the old kernel what was captured.
func (p *predictor) possible(slot int, now uint64) isa.Set {
	place := int(arm64.Slots[slot].Register)
	_, field := arm64.Slots[slot].Describe()
	if p.modeDecides(place, field) {
		return isa.All(field.Width)
	}
	host, kept := &p.host, p.host.Values[place]
	defer func() { host.Values[place] = kept }()
	gics := []bool{true}
	if field.Name == "GIC" {
		gics = []bool{false, true}
	}
	var then isa.Set
	for value := range uint64(1) << field.Width {
		for _, host.GICv3 = range gics {
			host.Values[place] = field.Put(kept, value)
			p.mitigations(host)
			if field.Get(p.limit(p.old, place, host)) == now {
				then |= isa.Only(field.Get(p.limit(p.next, place, host)))
			}
		}
	}
	if then == 0 {
		// Not what this version shows on any host: a patched kernel. All that is
		// certain is what the next one caps.
		then = isa.All(field.Width)
	}
	return then
}

// modeDecides reports whether a field depends on kvm-arm.mode, and otherwise in
// the two versions: without VHE the kernel takes ID_AA64MMFR1_EL1.VH as 0.
func (p *predictor) modeDecides(place int, field *isa.Field) bool {
	if place != arm64.IDAA64MMFR1EL1 || field.Name != "VH" || (p.mode != "protected" && p.mode != "nvhe") {
		return false
	}
	return p.old.Does(kernel.TakesOverrides) != p.next.Does(kernel.TakesOverrides) || p.old.Does(kernel.KeepsVHE) != p.next.Does(kernel.KeepsVHE)
}

// mitigations sets what follows from a host's registers alone.
func (p *predictor) mitigations(host *kernel.Hardware) {
	midr := host.Values[arm64.MIDREL1]
	host.SpectreV2, host.MeltdownSafe = kernel.Vulnerable, false
	if host.Field(arm64.IDAA64PFR0EL1, "CSV2") != 0 || listed(midr, safeFromV2) {
		host.SpectreV2 = kernel.Unaffected
	}
	host.MeltdownSafe = host.Field(arm64.IDAA64PFR0EL1, "CSV3") != 0 || listed(midr, safeFromMeltdown)
}

// perfMon follows from what ID_AA64DFR0_EL1.PMUVer may be.
func (p *predictor) perfMon(slot int) isa.Set {
	pmu, _ := arm64.SlotOf(arm64.IDAA64DFR0EL1, fieldPlace(arm64.IDAA64DFR0EL1, "PMUVer"))
	_, pmuField := arm64.Slots[pmu].Describe()
	_, field := arm64.Slots[slot].Describe()
	var then isa.Set
	for _, version := range p.possible(pmu, pmuField.Get(p.host.Values[arm64.IDAA64DFR0EL1])).Values() {
		host := p.host
		host.Values[arm64.IDAA64DFR0EL1] = pmuField.Put(host.Values[arm64.IDAA64DFR0EL1], version)
		then |= isa.Only(field.Get(p.next.Limit(arm64.IDDFR0EL1, &host, p.kvm)))
	}
	return then
}

func fieldPlace(place int, name string) int {
	return slices.IndexFunc(arm64.Registers[place].Fields, func(f isa.Field) bool { return f.Name == name })
}

// workaround is the level that the next kernel gives. The rules are the same in
// every version, but for which CPUs count as affected by Spectre-BHB.
func (p *predictor) workaround(place int, now uint64) isa.Set {
	old := p.old.Does(kernel.DoubtsBHB)
	next := p.next.Does(kernel.DoubtsBHB)
	midr := p.host.Values[arm64.MIDREL1]
	if place != arm64.SMCCCARCHWORKAROUND3 || old == next || listed(midr, loopAgainstBHB) || listed(midr, safeFromBHB) {
		return isa.Only(now)
	}
	return isa.Range(0, 2)
}

// whole forecasts a register that is compared whole; ok is false for those that
// are not.
func (p *predictor) whole(place int) (w WholeForecast, ok bool) {
	if !p.captured.View.Present.Has(place) {
		return w, false
	}
	w = WholeForecast{Place: place, Now: p.captured.View.Values[place], Known: true}
	w.Then = w.Now
	switch classes()[place] {
	case classCLIDR, classCCSIDR:
		before, after := p.old.Fabricated(place), p.next.Fabricated(place)
		switch {
		case before && after: // the same rule, or what a VMM wrote over it
		case after:
			w.Then, w.Known = p.next.ViewOne(place, &p.host, p.kvm)
			if place == arm64.CLIDREL1 { // which follows from CTR_EL0.IDC
				idc := arm64.Registers[arm64.CTREL0].Field("IDC").Get(p.host.Values[arm64.CTREL0])
				w.Known = w.Known && p.idc(idc).Len() == 1
			}
		case before:
			w.Known = false
		}
		return w, true
	}
	return w, false
}

// moves says whether a value can be brought forth and back.
func (p *predictor) moves(f *FieldForecast) (taken, back guise.Verdict) {
	place := int(arm64.Slots[f.Slot].Register)
	if !p.next.Has(place) {
		return guise.No, guise.Yes
	}
	var into, outOf [2]bool // takes and shows, does not
	for _, then := range f.Then.Values() {
		into[index(p.accepts(p.next, f.Slot, then).Has(f.Now))] = true
		outOf[index(p.accepts(p.old, f.Slot, f.Now).Has(then))] = true
	}
	return verdict(into), verdict(outOf)
}

func index(taken bool) int {
	if taken {
		return 0
	}
	return 1
}

// verdict folds whether some possible value is taken and some is refused.
func verdict(seen [2]bool) guise.Verdict {
	switch {
	case seen[0] && seen[1]:
		return guise.Unknown
	case seen[0]:
		return guise.Yes
	}
	return guise.No
}

// lists gives the registers that leave and enter the list.
func (p *predictor) lists() (gone, entered []arm64.ID) {
	has := func(profile *kernel.Profile) []arm64.ID {
		m := &VM{
			host: &Host{profile: profile, hardware: &p.host, machine: &Machine{CPUs: []CPU{{}}}, space: space()},
			kvm:  p.kvm, view: p.captured.View, vcpus: []vcpu{{finalised: true}},
		}
		for _, place := range []int{arm64.IDAA64MMFR3EL1} {
			m.values[place] = profile.Limit(place, &p.host, p.kvm)
		}
		for level := arm64.CCSIDREL1Level0; level <= arm64.CCSIDREL1Level13; level++ {
			if profile.Fabricated(level) {
				m.view.Present.Add(level)
			}
		}
		ids, err := m.List(0)
		if err != nil {
			panic(err) // only an SVE vCPU that is not final gives one
		}
		return ids
	}
	before, after := has(p.old), has(p.next)
	// The captured list is the truth about what there is now.
	for _, id := range p.captured.Listed {
		if _, stays := slices.BinarySearch(after, id); !stays {
			if _, expected := slices.BinarySearch(before, id); expected {
				gone = append(gone, id)
			}
		}
	}
	for _, id := range after {
		if !slices.Contains(p.captured.Listed, id) {
			if _, already := slices.BinarySearch(before, id); !already {
				entered = append(entered, id)
			}
		}
	}
	return gone, entered
}
