package arm64

import (
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/guise-project/guise/isa"
)

// NumRegisters is the number of registers in the table, NumSlots that of the
// fields whose values fit a set.
const (
	NumRegisters = len(Registers)
	NumSlots     = len(Slots)
)

// Slot is the place of one field in a host's offers.
type Slot struct {
	Register uint16 // place in Registers
	Field    uint16 // place in that register's Fields
	// Coded: the field is wider than four bits and its set holds places in the
	// field's Values, not the values (PSCI_VERSION).
	Coded bool
}

// field returns the slot's field.
func (s *Slot) field() *isa.Field { return &Registers[s.Register].Fields[s.Field] }

// Describe returns the slot's register and field.
func (s *Slot) Describe() (*isa.Register, *isa.Field) {
	return &Registers[s.Register], s.field()
}

// Name gives the field's full name, ID_AA64PFR0_EL1.SVE.
func (s *Slot) Name() string { return Registers[s.Register].Name + "." + s.field().Name }

// Extract reads the slot's member out of a register value: the field's value,
// or its place among the named ones. It returns false for a value that a coded
// slot does not know.
func (s *Slot) Extract(register uint64) (member uint64, known bool) {
	value := s.field().Get(register)
	if !s.Coded {
		return value, true
	}
	place := slices.IndexFunc(s.field().Values, func(v isa.Value) bool { return v.Value == value })
	return uint64(max(place, 0)), place >= 0
}

// Value is the inverse of Extract.
func (s *Slot) Value(member uint64) uint64 {
	if s.Coded {
		return s.field().Values[member].Value
	}
	return member
}

// SlotsOf returns the half-open range of a register's slots.
func SlotsOf(register int) (first, end int) {
	return firstSlot[register], firstSlot[register+1]
}

// SlotOf returns the slot of a field, and false for a field that is compared
// whole.
func SlotOf(register, field int) (int, bool) {
	for s := firstSlot[register]; s < firstSlot[register+1]; s++ {
		if int(Slots[s].Field) == field {
			return s, true
		}
	}
	return 0, false
}

// restMasks are, for each register, the bits outside all slots: unnamed bits,
// wide fields, and registers that are compared whole.
var restMasks = sync.OnceValue(func() *[NumRegisters]uint64 {
	var masks [NumRegisters]uint64
	for r := range masks {
		masks[r] = ^uint64(0)
	}
	for i := range Slots {
		masks[Slots[i].Register] &^= Slots[i].field().Mask()
	}
	return &masks
})

// RestMask returns the register's bits outside all slots, which are compared
// whole.
func RestMask(register int) uint64 { return restMasks()[register] }

var byName = sync.OnceValue(func() map[string]int {
	places := make(map[string]int, 2*NumRegisters)
	for i := range Registers {
		places[Registers[i].Name] = i
		if e, ok := ID(Registers[i].ID).Encoding(); ok {
			places[e.String()] = i
		}
	}
	return places
})

var byID = sync.OnceValue(func() map[ID]int {
	places := make(map[ID]int, NumRegisters)
	for i := range Registers {
		places[ID(Registers[i].ID)] = i
	}
	return places
})

// Place returns the place in Registers of a register by its name or generic
// assembler name.
func Place(name string) (int, bool) {
	i, ok := byName()[name]
	return i, ok
}

// PlaceBytes is Place for a name that is not a string, without allocation.
func PlaceBytes(name []byte) (int, bool) {
	i, ok := byName()[string(name)]
	return i, ok
}

// byOrder lists places in the order of the registers' names, inOrder the rank of
// each place in it.
var byOrder, inOrder = func() (order, rank [NumRegisters]uint16) {
	for i := range order {
		order[i] = uint16(i)
	}
	slices.SortFunc(order[:], func(a, b uint16) int { return strings.Compare(Registers[a].Name, Registers[b].Name) })
	for i, place := range order {
		rank[place] = uint16(i)
	}
	return order, rank
}()

// Finder finds registers by name. It is fastest where they are asked for in the
// order of their names, as documents list them. The zero value is ready.
type Finder struct{ next int }

// Place is PlaceBytes.
func (f *Finder) Place(name []byte) (int, bool) {
	for next := f.next; next < min(f.next+4, NumRegisters); next++ {
		if place := int(byOrder[next]); Registers[place].Name == string(name) {
			f.next = next + 1
			return place, true
		}
	}
	place, ok := PlaceBytes(name)
	if ok {
		f.next = int(inOrder[place]) + 1
	}
	return place, ok
}

// RegisterNames are the names of all registers, in the order of the table.
func RegisterNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range Registers {
			if !yield(Registers[i].Name) {
				return
			}
		}
	}
}

// PlaceOf returns the place in Registers of a KVM register id.
func PlaceOf(id ID) (int, bool) {
	i, ok := byID()[id]
	return i, ok
}

// Named returns the table's description of a register by its architecture name
// or generic assembler name, without regard to case, or nil.
func Named(name string) *isa.Register {
	if i, ok := Place(name); ok {
		return &Registers[i]
	}
	for i := range Registers {
		if strings.EqualFold(Registers[i].Name, name) {
			return &Registers[i]
		}
	}
	return nil
}

// String names the register: its architecture name, the generic assembler name
// of an encoding that is not in the table, or the bare id.
func (id ID) String() string {
	if i, ok := PlaceOf(id); ok {
		return Registers[i].Name
	}
	if e, ok := id.Encoding(); ok {
		return e.String()
	}
	const digits = "0123456789abcdef"
	text := []byte("0x0000000000000000")
	for i := 17; i >= 2; i-- {
		text[i] = digits[id&15]
		id >>= 4
	}
	return string(text)
}

// InFeatureSpace reports whether the encoding lies in the feature ID space that
// a contract is complete over: op0=3, op1 0, 1 or 3, CRn=0, CRm 0 to 7
// (Linux, Documentation/virt/kvm/api.rst, KVM_ARM_GET_REG_WRITABLE_MASKS).
func (e Encoding) InFeatureSpace() bool {
	return e.Op0 == 3 && (e.Op1 == 0 || e.Op1 == 1 || e.Op1 == 3) && e.CRn == 0 && e.CRm <= 7
}

// FeatureSpace returns the 192 encodings of the feature ID space in ascending
// order.
func FeatureSpace() []Encoding {
	encodings := make([]Encoding, 0, 192)
	for _, op1 := range []uint8{0, 1, 3} {
		for crm := uint8(0); crm < 8; crm++ {
			for op2 := uint8(0); op2 < 8; op2++ {
				encodings = append(encodings, Encoding{Op0: 3, Op1: op1, CRm: crm, Op2: op2})
			}
		}
	}
	return encodings
}
