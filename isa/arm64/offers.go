package arm64

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"sync"

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

// All calls yield for every member, in ascending order.
func (p *Places) All() iter.Seq[int] {
	return func(yield func(place int) bool) {
		for i := range p {
			for rest := p[i]; rest != 0; rest &= rest - 1 {
				if !yield(i*64 + bits.TrailingZeros64(rest)) {
					return
				}
			}
		}
	}
}

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
// Offers meet by intersection. The offers of a host without a register take
// anything for it, so that they do not narrow those of others; presence is
// judged elsewhere. The zero value takes nothing: begin with FromView.
type Offers struct {
	sets [(NumSlots + 3) / 4]uint64 // four sets a word
	// free holds the registers whose bits outside slots take any value; filled
	// those in which some of these bits are set: elsewhere rest is 0.
	free, filled, present Places
	rest                  [NumRegisters]uint64
}

// Set returns the set of a slot.
func (o *Offers) Set(slot int) isa.Set { return isa.Set(o.sets[slot/4] >> (slot % 4 * 16)) }

// PutSet replaces the set of a slot.
func (o *Offers) PutSet(slot int, set isa.Set) {
	shift := slot % 4 * 16
	o.sets[slot/4] = o.sets[slot/4]&^(0xffff<<shift) | uint64(set)<<shift
}

// Rest returns the only value that the bits of a register outside its slots
// take, or that they take any.
func (o *Offers) Rest(place int) (value uint64, free bool) { return o.rest[place], o.free.Has(place) }

// Present reports whether the host has the register.
func (o *Offers) Present(place int) bool { return o.present.Has(place) }

// Free lets the bits of a register outside its slots take any value.
func (o *Offers) Free(place int) {
	o.free.Add(place)
	o.filled.Remove(place)
	o.rest[place] = 0
}

// plainSlots tells how to extract the slots that are not coded; the mask of
// those that are is 0.
var plainSlots = sync.OnceValue(func() *[NumSlots]struct{ lsb, mask uint64 } {
	var plain [NumSlots]struct{ lsb, mask uint64 }
	for i := range Slots {
		if field := Slots[i].field(); !Slots[i].Coded {
			plain[i].lsb, plain[i].mask = uint64(field.LSB), 1<<field.Width-1
		}
	}
	return &plain
})

// FromView sets the offers to exactly what the view shows: nothing can be
// changed.
func (o *Offers) FromView(v *View) {
	o.free, o.filled, o.present = Places{}, Places{}, v.Present
	clear(o.sets[:])
	masks, plain := restMasks(), plainSlots()
	for place, value := range &v.Values {
		o.rest[place] = 0
		if !v.Present.Has(place) {
			for slot := firstSlot[place]; slot < firstSlot[place+1]; slot++ {
				o.PutSet(slot, ^isa.Set(0))
			}
			continue
		}
		if o.rest[place] = value & masks[place]; o.rest[place] != 0 {
			o.filled.Add(place)
		}
		for slot := firstSlot[place]; slot < firstSlot[place+1]; slot++ {
			var set isa.Set
			if p := plain[slot]; p.mask != 0 {
				set = isa.Only(value >> (p.lsb & 63) & p.mask)
			} else if member, known := Slots[slot].Extract(value); known {
				set = isa.Only(member)
			}
			o.sets[slot/4] |= uint64(set) << (slot % 4 * 16)
		}
	}
}

// Meet narrows the offers to what other takes too. Differing rest bits that
// neither leaves free are added to conflicts. It does not allocate, and costs
// little more than reading the sets: nearly all registers have no rest bits.
func (o *Offers) Meet(other *Offers, conflicts *[NumRegisters]uint64) {
	for i, sets := range &other.sets {
		o.sets[i] &= sets
	}
	for i := range o.filled {
		for places := o.filled[i] | other.filled[i]; places != 0; places &= places - 1 {
			place := i*64 + bits.TrailingZeros64(places)
			if o.rest[place] != other.rest[place] {
				o.meetRest(other, place, conflicts)
			}
		}
		o.free[i] = (o.free[i] | ^o.present[i]) & (other.free[i] | ^other.present[i])
		o.present[i] |= other.present[i]
		o.free[i] &= o.present[i]
	}
}

// CopyAt takes over what other takes for the register at place.
func (o *Offers) CopyAt(place int, other *Offers) {
	for slot := int(firstSlot[place]); slot < int(firstSlot[place+1]); slot++ {
		o.PutSet(slot, other.Set(slot))
	}
	o.rest[place] = other.rest[place]
	for _, p := range [...]struct{ to, from *Places }{{&o.free, &other.free}, {&o.filled, &other.filled}, {&o.present, &other.present}} {
		if p.to.Remove(place); p.from.Has(place) {
			p.to.Add(place)
		}
	}
}

// MeetAt is Meet for the register at place alone.
func (o *Offers) MeetAt(place int, other *Offers, conflicts *[NumRegisters]uint64) {
	for slot := int(firstSlot[place]); slot < int(firstSlot[place+1]); slot++ {
		o.PutSet(slot, o.Set(slot)&other.Set(slot))
	}
	if o.rest[place] != other.rest[place] {
		o.meetRest(other, place, conflicts)
	}
	free := (o.free.Has(place) || !o.present.Has(place)) && (other.free.Has(place) || !other.present.Has(place))
	if other.present.Has(place) {
		o.present.Add(place)
	}
	if o.free.Remove(place); free && o.present.Has(place) {
		o.free.Add(place)
	}
}

// meetRest meets the rest bits of one register, which differ. Those of a
// register that a host lacks or leaves free are 0, and the other host's hold.
func (o *Offers) meetRest(other *Offers, place int, conflicts *[NumRegisters]uint64) {
	switch mine, theirs := o.rest[place], other.rest[place]; {
	case o.free.Has(place) || !o.present.Has(place):
		o.rest[place] = theirs
		o.filled.Add(place)
	case !other.free.Has(place) && other.present.Has(place):
		conflicts[place] |= mine ^ theirs
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
