package guise

import (
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// stance is what is known of what the hosts of one view take in one setup: what
// they certainly take, and what they possibly take. Where their offers are known
// the two are the same.
type stance struct {
	view     *viewHosts
	capture  *Capture // of the first of the hosts
	setup    *CapturedSetup
	certain  *arm64.Offers // is not changed: it may be the capture's own
	possible *arm64.Offers // nil: not worked out yet; mayTake does
}

// newStance works out what is known of a host in a setup.
func newStance(c *Capture, s *CapturedSetup) *stance {
	t := &stance{capture: c, setup: s}
	if t.certain = s.Offers; t.certain == nil {
		certain := everyKernel(s)
		t.certain = &certain
	}
	if s.Protected {
		t.certain = answeredByEL2(t.certain, &s.View)
	}
	return t
}

// stances are those that were worked out, so that each is only once.
type stances map[stanceOf]*stance

type stanceOf struct {
	view  *viewHosts
	setup *CapturedSetup
}

// of returns the stances of views in a setup, which each was captured in.
func (known stances) of(views []*viewHosts, setup *Setup) []*stance {
	found := make([]*stance, len(views))
	for i, v := range views {
		found[i] = known.stance(v, v.capture().like(setup))
	}
	return found
}

// stance returns that of a view in one of its setups.
func (known stances) stance(v *viewHosts, s *CapturedSetup) *stance {
	t := known[stanceOf{v, s}]
	if t == nil {
		t = newStance(v.capture(), s)
		t.view = v
		known[stanceOf{v, s}] = t
	}
	return t
}

// answeredByEL2 leaves VENDOR_HYP_BMAP.FUNC_FEAT of a protected VM only what its
// host shows: the hypervisor answers HVC of that call itself, whatever the bit
// (tried on 7.1 and 7.2, docs/findings.md).
func answeredByEL2(offers *arm64.Offers, view *arm64.View) *arm64.Offers {
	slot := slotOf(arm64.VENDORHYPBMAP, []byte("FUNC_FEAT"))
	limit, known := arm64.Slots[slot].Extract(view.Values[arm64.VENDORHYPBMAP])
	if !known || !view.Present.Has(arm64.VENDORHYPBMAP) {
		return offers
	}
	narrowed := *offers
	narrowed.PutSet(slot, offers.Set(slot)&isa.Only(limit))
	return &narrowed
}

// readsCPU finds that a guest of the setup reads the ID registers of the CPU, or
// that it is not known whether it does, whatever a VMM reads and writes: a guest
// in AArch32 before Linux 5.19. It is nil where KVM answers.
func readsCPU(c *Capture, s *Setup) *Finding {
	if !s.Has(FeatureAArch32) {
		return nil
	}
	if version, err := kernel.ParseVersion(c.Host.Kernel); err == nil {
		profiles, err := kernel.Possible(version)
		if err == nil && !slices.ContainsFunc(profiles, func(p *kernel.Profile) bool { return !p.Does(kernel.TrapsFeatures32) }) {
			return nil
		}
	}
	release := c.Host.Kernel
	if release == "" {
		release = "not known"
	}
	return &Finding{
		Verdict: Unknown, Kind: KindHardware, Register: "ID registers", Wanted: stateOwnRegisters,
		Hosts: []HostValue{{Host: c.Name, Value: "Linux " + release}}, Who: "nobody",
		Means:  "a guest in AArch32 reads the CPU's own before Linux 5.19, whatever KVM holds",
		Remedy: Remedy{Code: RemedyKernel},
	}
}

// everyKernel is what a host takes whatever its kernel: equal writes (Linux 4.15
// and later), but for fields that some kernels change at a VM's first run.
func everyKernel(s *CapturedSetup) arm64.Offers {
	var offers arm64.Offers
	offers.FromView(&s.View)
	for _, derived := range kernelOffers(s) {
		for slot := range arm64.Slots {
			offers.PutSet(slot, offers.Set(slot)&derived.Set(slot))
		}
	}
	return offers
}

// kernelOffers derives what the host would take under each kernel that is known.
func kernelOffers(s *CapturedSetup) []arm64.Offers {
	offers := make([]arm64.Offers, 0, len(kernel.Known))
	for _, version := range kernel.Known {
		profile, err := kernel.At(version)
		if err != nil {
			panic(err) // a version that is known has a profile
		}
		offers = append(offers, profile.Offers(&s.View, s.KernelVM()))
	}
	return offers
}

// mayTake returns what the host possibly takes. It is worked out when it is
// first asked for: only findings and what is left open need it.
func (t *stance) mayTake() *arm64.Offers {
	if t.setup.Offers != nil && t.setup.Accepts != Assumed {
		return t.certain
	}
	if t.possible == nil {
		possible := possibleOffers(t.setup)
		t.possible = &possible
		if t.setup.Protected {
			t.possible = answeredByEL2(t.possible, &t.setup.View)
		}
	}
	return t.possible
}

// possibleOffers is what a host could take at most, whatever its kernel: each
// field by its order, as if it could be written, what any kernel that is known
// takes beyond that, and any identity.
func possibleOffers(s *CapturedSetup) arm64.Offers {
	if s.Offers != nil {
		return assumedAtMost(s)
	}
	var offers arm64.Offers
	offers.FromView(&s.View)
	derived := kernelOffers(s)
	for place := range arm64.Registers {
		if !s.View.Present.Has(place) || arm64.Registers[place].Scope == isa.Hardware {
			continue
		}
		if arm64.Registers[place].Whole {
			offers.Free(place)
		}
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			_, field := arm64.Slots[slot].Describe()
			set := offers.Set(slot)
			if limit, known := arm64.Slots[slot].Extract(s.View.Values[place]); known {
				set |= isa.Accepts(field, limit)
			}
			for i := range derived {
				set |= derived[i].Set(slot)
			}
			offers.PutSet(slot, set)
		}
	}
	return offers
}

// assumedAtMost is what a host could take at most whose offers were assumed: those,
// and what any kernel takes that the assumed version may be. A version that cannot
// be told opens nothing.
func assumedAtMost(s *CapturedSetup) arm64.Offers {
	version, err := kernel.ParseVersion(s.AssumedKernel)
	if err != nil {
		return *s.Offers
	}
	certain, maybe, err := kernel.Offers(version, &s.View, s.KernelVM())
	if err != nil {
		return *s.Offers
	}
	most := *s.Offers
	for place := range arm64.Registers {
		_, always := certain.Rest(place)
		if _, free := maybe.Rest(place); free && !always {
			most.Free(place)
		}
	}
	for slot := range arm64.Slots {
		most.PutSet(slot, most.Set(slot)|maybe.Set(slot)&^certain.Set(slot))
	}
	return most
}

// setupFields are the fields whose value is decided when the vCPU is made: a
// setup without the feature shows them as absent, whatever the host has.
var setupFields = map[Feature][]string{
	FeatureSVE:   {"ID_AA64PFR0_EL1.SVE", "ID_AA64ZFR0_EL1.*"},
	FeaturePMU:   {"ID_AA64DFR0_EL1.PMUVer", "ID_DFR0_EL1.PerfMon"},
	FeaturePAuth: {"ID_AA64ISAR1_EL1.APA", "ID_AA64ISAR1_EL1.API", "ID_AA64ISAR1_EL1.GPA", "ID_AA64ISAR1_EL1.GPI", "ID_AA64ISAR2_EL1.APA3", "ID_AA64ISAR2_EL1.GPA3"},
	FeatureMTE:   {"ID_AA64PFR1_EL1.MTE", "ID_AA64PFR1_EL1.MTE_frac", "ID_AA64PFR2_EL1.MTEFAR", "ID_AA64PFR2_EL1.MTESTOREONLY"},
	FeatureEL2:   {"ID_AA64MMFR2_EL1.NV", "ID_AA64MMFR4_EL1.NV_frac"},
}

// FeatureDeciding returns the vCPU feature that decides whether a field shows
// anything, "" where none does.
func FeatureDeciding(register, field string) Feature {
	for _, feature := range Features {
		for _, name := range setupFields[feature] {
			if name == register+"."+field || name == register+".*" {
				return feature
			}
		}
	}
	return ""
}
