package guise

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// restriction is one way to meet a policy: what it leaves of each field, and the
// bits that vary. A policy with features that several fields show together can be
// met in several ways.
type restriction struct {
	allowed [arm64.NumSlots]isa.Set
	reasons map[int]string // slot to the wish that narrowed it
	vary    [arm64.NumRegisters]uint64
	varied  []string // the wishes that vary is made of
}

// wishError says which wishes of a policy cannot be met together.
type wishError struct {
	wishes  []string // as clauses call them: "hide FEAT_AES", "vary CTR_EL0.IDC"
	message string
}

func (e *wishError) Error() string { return e.message }

// box is what a wish leaves of some fields: slot to set.
type box map[int]isa.Set

// clause is a wish that is met by any of some boxes.
type clause struct {
	wish  string
	boxes []box
}

// mostRestrictions is the most ways to meet a policy that are tried.
const mostRestrictions = 256

// compile makes the policy ready: the ways to meet it, the plainest first. Its
// error names the rule that means nothing, or those that contradict each other.
func (p *Policy) compile() ([]*restriction, error) {
	for _, rule := range []struct {
		name     string
		features []Feature
	}{{"with", p.With}, {"without", p.Without}} {
		for _, feature := range rule.features {
			switch {
			case !slices.Contains(Features, feature):
				return nil, fmt.Errorf("%s %s: want one of %v", rule.name, feature, Features)
			case slices.Contains(p.With, feature) && slices.Contains(p.Without, feature):
				return nil, fmt.Errorf("with and without %s contradict each other", feature)
			}
		}
	}
	clauses, err := p.clauses()
	if err != nil {
		return nil, err
	}
	first := &restriction{reasons: map[int]string{}}
	for slot := range first.allowed {
		first.allowed[slot] = valuesOf(slot)
	}
	for _, name := range p.Vary {
		if err := first.varyNamed(name); err != nil {
			return nil, err
		}
		first.varied = append(first.varied, name)
	}
	// What can be met in one way only leaves less to choose from.
	slices.SortStableFunc(clauses, func(a, b clause) int { return min(len(a.boxes), 2) - min(len(b.boxes), 2) })
	ways := []*restriction{first}
	for i := range clauses {
		if ways, err = meet(ways, &clauses[i]); err != nil {
			return nil, err
		}
	}
	return ways, nil
}

// meet takes the ways to meet some wishes to those to meet one more.
func meet(ways []*restriction, c *clause) ([]*restriction, error) {
	var met []*restriction
	var contradicts error
	for _, way := range ways {
		if slices.ContainsFunc(c.boxes, way.within) {
			met = append(met, way)
			continue
		}
		for _, b := range c.boxes {
			next := way
			if len(ways)*len(c.boxes) > 1 {
				next = &restriction{allowed: way.allowed, reasons: maps.Clone(way.reasons), vary: way.vary, varied: way.varied}
			}
			if err := next.narrow(b, c.wish); err != nil {
				contradicts = err
				continue
			}
			met = append(met, next)
		}
	}
	switch {
	case len(met) == 0:
		return nil, contradicts
	case len(met) > mostRestrictions:
		return nil, &wishError{[]string{c.wish}, fmt.Sprintf("%s: together with the other wishes it can be met in more than %d ways; name fields instead of features", c.wish, mostRestrictions)}
	}
	return met, nil
}

// within reports whether nothing of the restriction is outside a box.
func (r *restriction) within(b box) bool {
	for slot, set := range b {
		if r.allowed[slot]&^set != 0 {
			return false
		}
	}
	return true
}

// varyWishes are the wishes to vary that a field falls under.
func (r *restriction) varyWishes(name string) []string {
	var wishes []string
	for _, varied := range r.varied {
		if register, _, _ := strings.Cut(name, "."); varied == name || varied == register || varied == "identity" {
			wishes = append(wishes, "vary "+varied)
		}
	}
	return wishes
}

// narrow leaves fields only the values of a box.
func (r *restriction) narrow(b box, wish string) error {
	for _, slot := range slices.Sorted(maps.Keys(b)) {
		if b[slot] == valuesOf(slot) {
			continue
		}
		before := r.reasons[slot]
		r.allowed[slot] &= b[slot]
		if before == "" {
			r.reasons[slot] = wish
		}
		_, field := arm64.Slots[slot].Describe()
		name := arm64.Slots[slot].Name()
		switch {
		case r.allowed[slot] == 0 && before == "":
			return &wishError{[]string{wish}, fmt.Sprintf("%s: no value of %s is that", wish, name)}
		case r.allowed[slot] == 0:
			return &wishError{[]string{before, wish}, fmt.Sprintf("%s and %s contradict each other: no value of %s is both", before, wish, name)}
		case r.vary[arm64.Slots[slot].Register]&field.Mask() != 0:
			return &wishError{append(r.varyWishes(name), wish), fmt.Sprintf("%s: %s is to vary: what every host shows for itself cannot be chosen", wish, name)}
		}
	}
	return nil
}

// clauses are the wishes of a policy but those to vary.
func (p *Policy) clauses() ([]clause, error) {
	var clauses []clause
	add := func(c []clause, err error) error {
		clauses = append(clauses, c...)
		return err
	}
	for _, name := range p.Hide {
		if err := add(hidden(name)); err != nil {
			return nil, err
		}
	}
	for _, name := range p.Require {
		if err := add(required(name)); err != nil {
			return nil, err
		}
	}
	for _, register := range slices.Sorted(maps.Keys(p.Allow)) {
		if err := add(allowed(register, p.Allow[register])); err != nil {
			return nil, err
		}
	}
	for _, rule := range bounds {
		values := rule.of(p)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if err := add(rule.clause(name, values[name])); err != nil {
				return nil, err
			}
		}
	}
	return clauses, nil
}

// featureWished finds a feature that fields show.
func featureWished(name, wish string) (*arm64.Feature, error) {
	feature := arm64.FeatureNamed(name)
	switch {
	case feature == nil:
		return nil, fmt.Errorf("%s%s: not a feature that Arm names; want FEAT_SVE2 or the like%s", wish, name, isa.DidYouMean(name, arm64.FeatureNames()))
	case feature.Present == nil:
		return nil, fmt.Errorf("%s%s: no field of an ID register says whether it is there", wish, name)
	}
	return feature, nil
}

// required is the wish for a feature: any of the ways to show it.
func required(name string) ([]clause, error) {
	feature, err := featureWished(name, "require ")
	if err != nil {
		return nil, err
	}
	c := clause{wish: "require " + feature.Name}
	for _, all := range feature.Present {
		b, err := boxOf(all, c.wish)
		if err != nil {
			return nil, err
		}
		c.boxes = append(c.boxes, b)
	}
	return []clause{c}, nil
}

// hidden is the wish to be without a feature: of each way to show it, one of the
// fields shows something else.
func hidden(name string) ([]clause, error) {
	feature, err := featureWished(name, "hide ")
	if err != nil {
		return nil, err
	}
	var clauses []clause
	for _, all := range feature.Present {
		c := clause{wish: "hide " + feature.Name}
		shown, err := boxOf(all, c.wish)
		if err != nil {
			return nil, err
		}
		// The test that comes last is the most particular, and leaves most else.
		for i := len(all) - 1; i >= 0; i-- {
			slot, _ := arm64.SlotOf(all[i].Register, all[i].Field)
			if set, once := shown[slot]; once {
				c.boxes = append(c.boxes, box{slot: valuesOf(slot) &^ set})
				delete(shown, slot)
			}
		}
		clauses = append(clauses, c)
	}
	return clauses, nil
}

// boxOf gives the values of fields with which all tests hold.
func boxOf(all []arm64.Test, wish string) (box, error) {
	b := box{}
	for _, test := range all {
		slot, ok := arm64.SlotOf(test.Register, test.Field)
		if !ok {
			return nil, fmt.Errorf("%s: %s is compared whole and cannot be chosen by field", wish, arm64.Registers[test.Register].Name)
		}
		_, field := arm64.Slots[slot].Describe()
		var holds isa.Set
		for _, member := range valuesOf(slot).Values() {
			if test.Holds(field.Put(0, arm64.Slots[slot].Value(member))) {
				holds |= isa.Only(member)
			}
		}
		set, narrowed := b[slot]
		if !narrowed {
			set = valuesOf(slot)
		}
		b[slot] = set & holds
	}
	return b, nil
}

// valuesOf are all values that a slot's field can have.
func valuesOf(slot int) isa.Set {
	_, field := arm64.Slots[slot].Describe()
	if arm64.Slots[slot].Coded {
		return isa.Set(1<<len(field.Values) - 1)
	}
	return isa.All(field.Width)
}

// allowed is the wish that every field of the register that is not named shows
// the least.
func allowed(register string, fields []string) ([]clause, error) {
	place, ok := arm64.Place(register)
	if !ok {
		return nil, fmt.Errorf("allow: %s is not a register%s", register, isa.DidYouMean(register, arm64.RegisterNames()))
	}
	named := map[*isa.Field]bool{}
	for _, name := range fields {
		field := arm64.Registers[place].Field(name)
		if field == nil {
			return nil, fmt.Errorf("allow: %s has no field %s%s", register, name, isa.DidYouMean(name, arm64.Registers[place].FieldNames()))
		}
		named[field] = true
	}
	c := clause{wish: "allow " + register}
	b := box{}
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		if _, field := arm64.Slots[slot].Describe(); !named[field] {
			b[slot] = isa.Only(lowest(field))
		}
	}
	c.boxes = []box{b}
	return []clause{c}, nil
}

// lowest returns the value of a field that shows a guest the least.
func lowest(field *isa.Field) uint64 {
	if field.Order == isa.Lower && field.Signed {
		return 1<<field.Width - 1
	}
	return field.Safe
}

// bound is a wish about the value of one field. What shows a guest more is
// decided by the field's order: of CTR_EL0.CWG, where 0 says nothing, that is the
// lower number.
type bound struct {
	name string
	of   func(p *Policy) map[string]uint64
	// keeps reports whether a field may show a value, where the rule names one.
	keeps func(field *isa.Field, value, named uint64) bool
}

var bounds = []bound{
	{"restrict", func(p *Policy) map[string]uint64 { return p.Restrict }, func(field *isa.Field, value, named uint64) bool {
		return value == named || isa.Exceeds(field, named, value)
	}},
	{"force", func(p *Policy) map[string]uint64 { return p.Force }, func(_ *isa.Field, value, named uint64) bool {
		return value == named
	}},
	{"require", func(p *Policy) map[string]uint64 { return p.AtLeast }, func(field *isa.Field, value, named uint64) bool {
		return value == named || isa.Exceeds(field, value, named)
	}},
}

// clause is the wish that a field's value stands in the rule's relation to one.
func (r *bound) clause(name string, named uint64) ([]clause, error) {
	slot, field, err := slotNamed(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", r.name, err)
	}
	if named >= 1<<field.Width {
		return nil, fmt.Errorf("%s: %s: %d does not fit into %d bits", r.name, name, named, field.Width)
	}
	var set isa.Set
	for _, member := range valuesOf(slot).Values() {
		if r.keeps(field, arm64.Slots[slot].Value(member), named) {
			set |= isa.Only(member)
		}
	}
	if set == 0 {
		return nil, fmt.Errorf("%s: %s: %s is not one of its values: %s", r.name, name, field.Text(named), namedValues(field))
	}
	return []clause{{wish: r.name + " " + name, boxes: []box{{slot: set}}}}, nil
}

// namedValues lists the values of a field that have names.
func namedValues(field *isa.Field) string {
	var names []string
	for _, v := range field.Values {
		names = append(names, fmt.Sprintf("%#x (%s)", v.Value, v.Name))
	}
	return strings.Join(names, ", ")
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
		return fmt.Errorf("vary %s: %s is not a register%s", name, registerName, isa.DidYouMean(registerName, arm64.RegisterNames()))
	case place == arm64.DCZIDEL0:
		return fmt.Errorf("vary %s: must never vary: guests remember the size that DC ZVA clears, and a wrong one corrupts memory", name)
	case !dotted:
		r.vary[place] = ^uint64(0) >> (64 - arm64.Registers[place].Bits)
		return nil
	}
	field := arm64.Registers[place].Field(fieldName)
	if field == nil {
		return fmt.Errorf("vary %s: %s has no field %s%s", name, registerName, fieldName, isa.DidYouMean(fieldName, arm64.Registers[place].FieldNames()))
	}
	r.vary[place] |= field.Mask()
	return nil
}
