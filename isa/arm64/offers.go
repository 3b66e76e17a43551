package arm64

import (
	"encoding/binary"
	"math/bits"

	"github.com/guise-project/guise/isa"
)

// Places is a set of places in Registers.
type Places [(NumRegisters + 63) / 64]uint64

// Has reports whether the register at place is a member.
func (p *Places) Has(place int) bool { return p[place/64]>>(place%64)&1 != 0 }

// Add makes the register at place a member.
func (p *Places) Add(place int) { p[place/64] |= 1 << (place % 64) }

// Remove ends the membership of the register at place.
func (p *Places) Remove(place int) { p[place/64] &^= 1 << (place % 64) }

// View is the registers that KVM on one host shows a VM of one setup, before
// anyone writes to them: the limit.
type View struct {
	Values  [NumRegisters]uint64
	Present Places
}

// Put records a register's value.
func (v *View) Put(place int, value uint64) {
	v.Values[place] = value
	v.Present.Add(place)
}

// Offers is what one host takes in one setup and a guest then sees: for every
// slot a set of values, for the bits outside slots one value, or any.
//
// Offers meet by intersection. The zero value takes nothing.
type Offers struct {
	sets [(NumSlots + 3) / 4]uint64 // four sets a word
	rest [NumRegisters]uint64
	// free holds the registers whose bits outside slots take any value, and
	// then rest is what the host shows by itself.
	free    Places
	present Places
}

// Set returns the set of a slot.
func (o *Offers) Set(slot int) isa.Set { return isa.Set(o.sets[slot/4] >> (slot % 4 * 16)) }

// PutSet replaces the set of a slot.
func (o *Offers) PutSet(slot int, set isa.Set) {
	shift := slot % 4 * 16
	o.sets[slot/4] = o.sets[slot/4]&^(0xffff<<shift) | uint64(set)<<shift
}

// Rest returns the bits of a register outside its slots, and whether the host
// takes any other value for them.
func (o *Offers) Rest(place int) (value uint64, free bool) { return o.rest[place], o.free.Has(place) }

// Present reports whether the host has the register.
func (o *Offers) Present(place int) bool { return o.present.Has(place) }

// Free lets the bits of a register outside its slots take any value.
func (o *Offers) Free(place int) { o.free.Add(place) }

// FromView sets the offers to exactly what the view shows: nothing can be
// changed.
func (o *Offers) FromView(v *View) {
	*o = Offers{present: v.Present}
	masks := restMasks()
	for place := range v.Values {
		if !v.Present.Has(place) {
			continue
		}
		o.rest[place] = v.Values[place] & masks[place]
		for slot := firstSlot[place]; slot < firstSlot[place+1]; slot++ {
			if member, known := Slots[slot].Extract(v.Values[place]); known {
				o.PutSet(slot, isa.Only(member))
			}
		}
	}
}

// Meet narrows the offers to what other takes too. Differing rest bits that
// neither leaves free are added to conflicts. Where one host lacks a register,
// the other's offer for it is kept; presence is judged elsewhere.
// It does not allocate.
func (o *Offers) Meet(other *Offers, conflicts *[NumRegisters]uint64) {
	if o.present != other.present {
		o.meetUnequal(other, conflicts)
		return
	}
	for i, sets := range &other.sets {
		o.sets[i] &= sets
	}
	if o.free == (Places{}) && other.free == (Places{}) {
		for i, rest := range &other.rest {
			conflicts[i] |= o.rest[i] ^ rest
		}
		return
	}
	for i := range o.rest {
		o.meetRest(other, i, conflicts)
	}
	o.meetFree(other)
}

// meetRest meets the rest bits of one register.
func (o *Offers) meetRest(other *Offers, place int, conflicts *[NumRegisters]uint64) {
	switch mine, theirs := o.free.Has(place), other.free.Has(place); {
	case !mine && !theirs:
		conflicts[place] |= o.rest[place] ^ other.rest[place]
	case mine && !theirs:
		o.rest[place] = other.rest[place]
	case mine && theirs:
		// Either will do: the smaller, so that no order of hosts matters.
		o.rest[place] = min(o.rest[place], other.rest[place])
	}
}

func (o *Offers) meetFree(other *Offers) {
	for i := range o.free {
		o.free[i] &= other.free[i]
	}
}

// meetUnequal is Meet for hosts that do not have the same registers.
func (o *Offers) meetUnequal(other *Offers, conflicts *[NumRegisters]uint64) {
	for place := range o.rest {
		switch mine, theirs := o.present.Has(place), other.present.Has(place); {
		case mine && theirs:
			for slot := firstSlot[place]; slot < firstSlot[place+1]; slot++ {
				o.PutSet(slot, o.Set(slot)&other.Set(slot))
			}
			o.meetRest(other, place, conflicts)
			if !other.free.Has(place) {
				o.free.Remove(place)
			}
		case theirs:
			for slot := firstSlot[place]; slot < firstSlot[place+1]; slot++ {
				o.PutSet(slot, other.Set(slot))
			}
			o.rest[place] = other.rest[place]
			o.present.Add(place)
			if other.free.Has(place) {
				o.free.Add(place)
			}
		}
	}
}

// Empty calls yield for every slot of a present register whose set is empty.
func (o *Offers) Empty(yield func(slot int) bool) {
	for i := range o.present {
		for rest := o.present[i]; rest != 0; rest &= rest - 1 {
			place := i*64 + bits.TrailingZeros64(rest)
			for slot := firstSlot[place]; slot < firstSlot[place+1]; slot++ {
				if o.Set(slot) == 0 && !yield(slot) {
					return
				}
			}
		}
	}
}

// Append appends the offers in a binary form: equal offers give equal bytes.
func (o *Offers) Append(data []byte) []byte {
	for _, words := range [][]uint64{o.sets[:], o.rest[:], o.free[:], o.present[:]} {
		for _, word := range words {
			data = binary.LittleEndian.AppendUint64(data, word)
		}
	}
	return data
}
