package guise

import (
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// acceptReader holds accepted sets until the registers they go with are known:
// in a document with sorted keys they come first.
type acceptReader struct {
	present   bool
	registers arm64.Places
	sets      [arm64.NumSlots]isa.Set // empty: only the limit
	free      []int
}

// reset readies the reader for another setup.
func (a *acceptReader) reset() {
	clear(a.sets[:])
	a.present, a.registers, a.free = false, arm64.Places{}, a.free[:0]
}

// anyValue is the set of a field that takes any value; the field "*" stands for
// the bits of a register that are compared whole.
const anyValue = "any"

// acceptedFields reads the accepted sets of one register.
func (r *documentReader) acceptedFields(a *acceptReader, find *arm64.Finder, name []byte) {
	place, ok := find.Place(name)
	if !ok {
		r.fail("accepts: %q is not a register", name)
		return
	}
	if a.registers.Has(place) {
		r.fail("accepts: %s stands in it twice, by two names", arm64.Registers[place].Name)
		return
	}
	if r.acceptsAsBefore(a, place) {
		return
	}
	a.registers.Add(place)
	from, free := r.at, len(a.free)
	r.object("accepts", func(fieldName []byte) { r.acceptedField(a, place, fieldName) })
	r.rememberAccepts(a, place, from, len(a.free) > free)
}

// acceptedField reads the accepted set of one field.
func (r *documentReader) acceptedField(a *acceptReader, place int, name []byte) {
	if string(name) == "*" {
		if text := r.text("accepts"); r.err == nil && string(text) != anyValue {
			r.fail("accepts: %s.*: want %q, there is %q", arm64.Registers[place].Name, anyValue, text)
		}
		a.free = append(a.free, place)
		return
	}
	slot := slotOf(place, name)
	if slot < 0 {
		r.fail("accepts: %s has no field %q that is a set", arm64.Registers[place].Name, name)
		return
	}
	text := r.text("accepts")
	if r.err != nil {
		return
	}
	set, err := parseAccepted(&arm64.Slots[slot], text)
	if err != nil {
		r.fail("accepts: %s: %v", arm64.Slots[slot].Name(), err)
		return
	}
	a.sets[slot] = set
}

// slotOf returns the slot of a register's field, -1 where there is none.
func slotOf(place int, field []byte) int {
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		if _, f := arm64.Slots[slot].Describe(); f.Name == string(field) {
			return slot
		}
	}
	return -1
}

// offers completes what was read with the limits.
func (r *documentReader) offers(v *arm64.View) *arm64.Offers {
	a := &r.accepts
	offers := new(arm64.Offers)
	offers.FromView(v)
	for place := range a.registers.All() {
		if !v.Present.Has(place) {
			r.fail("accepts: the setup has no %s", arm64.Registers[place].Name)
		}
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			if set := a.sets[slot]; set != 0 {
				offers.PutSet(slot, set)
			}
		}
	}
	for _, place := range a.free {
		offers.Free(place)
	}
	return offers
}
