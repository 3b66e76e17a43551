package guise

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// Implausible returns what the capture says that no host can be, nil where there is
// nothing: no kernel or one that is no version, a register that shows what the host
// does not take. Readers take such captures, as documents are kept.
func (c *Capture) Implausible() error {
	if err := c.usable(); err != nil {
		return err
	}
	if c.Host.Kernel == "" && !c.imported() {
		return fmt.Errorf("host: has no kernel; want its release, as uname -r gives it")
	}
	if c.Host.Kernel != "" {
		if _, err := kernel.ParseVersion(c.Host.Kernel); err != nil {
			return fmt.Errorf("host: %w", err)
		}
	}
	for i := range c.Setups {
		if err := c.Setups[i].implausible(); err != nil {
			return fmt.Errorf("setup %s: %w", c.Setups[i].Key(), err)
		}
	}
	return nil
}

// imported reports whether another tool made the capture, which may not have known
// the kernel.
func (c *Capture) imported() bool {
	return len(c.Setups) > 0 && c.Setups[0].Registers == Imported
}

// implausible finds a limit that is outside of what the host takes: what a VM shows
// before anything is written can be written.
func (s *CapturedSetup) implausible() error {
	if s.Offers == nil || s.Accepts == Assumed {
		return nil // what a profile takes was never held against the limits
	}
	for slot := range arm64.Slots {
		place := int(arm64.Slots[slot].Register)
		if !s.View.Present.Has(place) {
			continue
		}
		limit, known := arm64.Slots[slot].Extract(s.View.Values[place])
		_, field := arm64.Slots[slot].Describe()
		if field.Name == "GIC" && s.VGIC == 0 {
			continue // without a vGIC kernels change it when a VM first runs
		}
		if set := s.Offers.Set(slot); known && set != 0 && !set.Has(limit) {
			return fmt.Errorf("%s: shows %s, and accepts has only %s", arm64.Slots[slot].Name(),
				field.Text(field.Get(s.View.Values[place])), acceptedText(&arm64.Slots[slot], set))
		}
	}
	return nil
}

// Doubt is something in a view that no KVM gives a guest.
type Doubt struct {
	Setup  string // the setup's key
	Name   string // REGISTER or REGISTER.FIELD
	Value  string
	Reason string
}

// String gives the doubt in one line, the object first.
func (d Doubt) String() string {
	return fmt.Sprintf("%s: is %s in setup %s: %s", d.Name, d.Value, d.Setup, d.Reason)
}

// Doubts returns what of the capture's views no KVM gives a guest, setup by setup:
// not wrong as a document, and hardly what a host showed.
func (c *Capture) Doubts() []Doubt {
	if c.usable() != nil {
		return nil
	}
	var all []Doubt
	for i := range c.Setups {
		all = append(all, doubts(&c.Setups[i].Setup, &c.Setups[i].View)...)
	}
	return all
}

// Doubts returns what of the contract's view no KVM gives a guest.
func (c *Contract) Doubts() []Doubt {
	if c.usable() != nil || c.Power != nil {
		return nil
	}
	return doubts(&c.Setup, &c.View)
}

// doubtful are views that no KVM can produce: a field that is not 0 while another
// says that there is nothing it could tell of. Field is "" for the whole register.
// The field that decides reads at least the value where there is.
var doubtful = []struct {
	register, field   string
	deciding, decides string
	least             uint64
	reason            string
}{
	{"ID_AA64ZFR0_EL1", "", "ID_AA64PFR0_EL1", "SVE", 1, "KVM hides it from VMs without SVE"},
	{"ID_AA64SMFR0_EL1", "", "ID_AA64PFR1_EL1", "SME", 1, "it says nothing without SME"},
	{"GMID_EL1", "", "ID_AA64PFR1_EL1", "MTE", 2, "it is there with memory tags only"},
	{"ID_AA64PFR1_EL1", "MTE_frac", "ID_AA64PFR1_EL1", "MTE", 1, "it says nothing without memory tags"},
}

// shownWithout are features whose fields old kernels show VMs without them, too:
// NV and the version of the PMU.
var shownWithout = []Feature{FeatureEL2, FeaturePMU}

func doubts(setup *Setup, view *arm64.View) []Doubt {
	var found []Doubt
	add := func(place int, field *isa.Field, reason string) {
		register := &arm64.Registers[place]
		d := Doubt{Setup: setup.Key(), Name: register.Name, Value: register.Text(view.Values[place]), Reason: reason}
		if field != nil {
			d.Name, d.Value = register.Name+"."+field.Name, field.Text(field.Get(view.Values[place]))
		}
		found = append(found, d)
	}
	for i := range doubtful {
		d := &doubtful[i]
		place, _ := arm64.Place(d.register)
		by, _ := arm64.Place(d.deciding)
		value := view.Values[place]
		field := arm64.Registers[place].Field(d.field)
		if field != nil {
			value = field.Get(value)
		}
		if view.Present.Has(place) && view.Present.Has(by) && value != 0 && arm64.Registers[by].Field(d.decides).Get(view.Values[by]) < d.least {
			add(place, field, d.reason)
		}
	}
	for place := range view.Present.All() {
		register := &arm64.Registers[place]
		for i := range register.Fields {
			field := &register.Fields[i]
			feature := FeatureDeciding(register.Name, field.Name)
			if feature != "" && !slices.Contains(shownWithout, feature) && !setup.Has(feature) && field.Get(view.Values[place]) != 0 {
				add(place, field, "the VM is made without "+feature.title())
			}
		}
	}
	return found
}
