package guise

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Policy shapes a contract. The zero value asks for nothing.
type Policy struct {
	// Hide and Require name features, FEAT_SVE2.
	Hide, Require []string
	// With and Without choose setups: features that the VM must, and must not,
	// be made with. A VM of another kind than the usual one, with AArch32 at
	// EL1 or with an EL2 of its own, is only considered where With asks for it.
	With, Without []Feature
	// Protected asks for protected VMs.
	Protected bool
	// NoVGIC asks for VMs without an in-kernel interrupt controller. Without
	// it they have one wherever every host was captured with one.
	NoVGIC bool
	// Vary names fields, ID_AA64MMFR2_EL1.EVT, whole registers, or "identity"
	// for MIDR_EL1, REVIDR_EL1 and AIDR_EL1 together.
	Vary []string
	// IdentityOf names the host whose MIDR_EL1, REVIDR_EL1 and AIDR_EL1 every
	// VM is given.
	IdentityOf string
	identity   *Capture // that host
	// Allow names, by register, the only fields that may show anything; all
	// others of that register go to their lowest value. An allow-mask is not a
	// maximum: Restrict is.
	Allow map[string][]string
	// Restrict is the highest value a field may show, by the field's order;
	// Force is the one value, AtLeast the lowest.
	Restrict, Force, AtLeast map[string]uint64
}

// restriction is a policy made ready: what it leaves of each field, and the
// bits that vary.
type restriction struct {
	allowed [arm64.NumSlots]isa.Set
	reasons map[int]string // slot to the wish that narrowed it
	vary    [arm64.NumRegisters]uint64
}

// compile makes the policy ready. Its error names the rule that means nothing.
func (p *Policy) compile() (*restriction, error) {
	r := &restriction{reasons: map[int]string{}}
	for slot := range r.allowed {
		r.allowed[slot] = 0xffff
	}
	for _, name := range p.Hide {
		if err := r.feature(name, false); err != nil {
			return nil, err
		}
	}
	for _, name := range p.Require {
		if err := r.feature(name, true); err != nil {
			return nil, err
		}
	}
	for register, fields := range p.Allow {
		if err := r.allow(register, fields); err != nil {
			return nil, err
		}
	}
	for _, rule := range []struct {
		name   string
		values map[string]uint64
		keeps  func(order int) bool
	}{
		{"restrict", p.Restrict, func(order int) bool { return order <= 0 }},
		{"force", p.Force, func(order int) bool { return order == 0 }},
		{"require", p.AtLeast, func(order int) bool { return order >= 0 }},
	} {
		for name, value := range rule.values {
			if err := r.bound(rule.name, name, value, rule.keeps); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range p.Vary {
		if err := r.varyNamed(name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// narrow leaves a slot only the values of a set.
func (r *restriction) narrow(slot int, set isa.Set, reason string) {
	r.allowed[slot] &= set
	if r.reasons[slot] == "" {
		r.reasons[slot] = reason
	}
}

// feature leaves a feature's fields only values with which it is there, or not.
func (r *restriction) feature(name string, present bool) error {
	feature := arm64.FeatureNamed(name)
	wish := "--require "
	if !present {
		wish = "--hide "
	}
	switch {
	case feature == nil:
		return fmt.Errorf("%s%s: not a feature that Arm names; want FEAT_SVE2 or the like%s", wish, name, isa.DidYouMean(name, arm64.FeatureNames()))
	case feature.Present == nil:
		return fmt.Errorf("%s%s: no field of an ID register says whether it is there", wish, name)
	}
	wish += feature.Name
	if present {
		// Of several ways to show it, the first is asked for.
		for _, test := range feature.Present[0] {
			if err := r.test(test, true, wish); err != nil {
				return err
			}
		}
		return nil
	}
	for _, all := range feature.Present {
		// It is gone if one test of each way fails: the last one, which is the
		// most particular.
		if err := r.test(all[len(all)-1], false, wish); err != nil {
			return err
		}
	}
	return nil
}

func (r *restriction) test(test arm64.Test, holds bool, wish string) error {
	slot, ok := arm64.SlotOf(test.Register, test.Field)
	if !ok {
		return fmt.Errorf("%s: %s is compared whole and cannot be chosen by field", wish, arm64.Registers[test.Register].Name)
	}
	field := &arm64.Registers[test.Register].Fields[test.Field]
	var set isa.Set
	for value := range uint64(1) << field.Width {
		if test.Holds(field.Put(0, value)) == holds {
			set |= isa.Only(value)
		}
	}
	r.narrow(slot, set, wish)
	return nil
}

// allow leaves every field of the register that is not named its lowest value.
func (r *restriction) allow(register string, fields []string) error {
	place, ok := arm64.Place(register)
	if !ok {
		return fmt.Errorf("allow: %s is not a register%s", register, isa.DidYouMean(register, arm64.RegisterNames()))
	}
	for _, name := range fields {
		if arm64.Registers[place].Field(name) == nil {
			return fmt.Errorf("allow: %s has no field %s%s", register, name, isa.DidYouMean(name, arm64.Registers[place].FieldNames()))
		}
	}
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		_, field := arm64.Slots[slot].Describe()
		if !slices.Contains(fields, field.Name) {
			r.narrow(slot, isa.Only(lowest(field)), "allow "+register)
		}
	}
	return nil
}

// lowest returns the value of a field that shows a guest the least.
func lowest(field *isa.Field) uint64 {
	if field.Order == isa.Lower && field.Signed {
		return 1<<field.Width - 1
	}
	return field.Safe
}

// bound leaves a field the values that stand in a relation to one.
func (r *restriction) bound(rule, name string, value uint64, keeps func(order int) bool) error {
	slot, field, err := slotNamed(name)
	if err != nil {
		return fmt.Errorf("%s: %v", rule, err)
	}
	if value >= 1<<min(field.Width, 16) {
		return fmt.Errorf("%s: %s: %d does not fit into %d bits", rule, name, value, field.Width)
	}
	var set isa.Set
	for v := range uint64(16) {
		if keeps(field.Compare(v, value)) {
			set |= isa.Only(v)
		}
	}
	r.narrow(slot, set, rule+" "+name)
	return nil
}

// slotNamed finds the slot of REGISTER.FIELD.
func slotNamed(name string) (int, *isa.Field, error) {
	registerName, fieldName, dotted := strings.Cut(name, ".")
	place, ok := arm64.Place(registerName)
	if !dotted || !ok {
		return 0, nil, fmt.Errorf("%s: want REGISTER.FIELD as in ID_AA64PFR0_EL1.SVE%s", name, isa.DidYouMean(registerName, arm64.RegisterNames()))
	}
	field := arm64.Registers[place].Field(fieldName)
	if field == nil {
		return 0, nil, fmt.Errorf("%s has no field %s%s", registerName, fieldName, isa.DidYouMean(fieldName, arm64.Registers[place].FieldNames()))
	}
	slot := slotOf(place, []byte(field.Name))
	if slot < 0 {
		return 0, nil, fmt.Errorf("%s is compared whole", name)
	}
	return slot, field, nil
}

// varyNamed lets a field, a register, or the identity vary.
func (r *restriction) varyNamed(name string) error {
	if name == "identity" {
		for _, place := range identityRegisters {
			r.vary[place] = ^uint64(0)
		}
		return nil
	}
	registerName, fieldName, dotted := strings.Cut(name, ".")
	place, ok := arm64.Place(registerName)
	switch {
	case !ok:
		return fmt.Errorf("--vary %s: %s is not a register%s", name, registerName, isa.DidYouMean(registerName, arm64.RegisterNames()))
	case place == arm64.DCZIDEL0:
		return fmt.Errorf("--vary %s: must never vary: guests remember the size that DC ZVA clears, and a wrong one corrupts memory", name)
	case !dotted:
		r.vary[place] = ^uint64(0) >> (64 - arm64.Registers[place].Bits)
		return nil
	}
	field := arm64.Registers[place].Field(fieldName)
	if field == nil {
		return fmt.Errorf("--vary %s: %s has no field %s%s", name, registerName, fieldName, isa.DidYouMean(fieldName, arm64.Registers[place].FieldNames()))
	}
	r.vary[place] |= field.Mask()
	return nil
}

// ParseVary splits what follows --vary: fields of one register after its name,
// separated by commas, ID_AA64MMFR2_EL1.EVT,FWB, or "identity".
func ParseVary(text string) []string {
	register, fields, dotted := strings.Cut(text, ".")
	if !dotted {
		return strings.Split(text, ",")
	}
	var names []string
	for field := range strings.SplitSeq(fields, ",") {
		names = append(names, register+"."+field)
	}
	return names
}
