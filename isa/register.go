// Package isa describes an architecture's feature registers as data: registers,
// their fields, how two values of a field compare, and the sets of values a
// host offers for each. It is pure: no clock, no files, no platform.
package isa

import (
	"iter"
	"strconv"
	"strings"
)

// Order says how two values of a field compare: which of two hosts gives more,
// and which value both can give.
type Order uint8

const (
	// Exact values do not compare; only equal ones meet.
	Exact Order = iota
	// Lower: a host that gives a value can also give every lower one.
	Lower
	// Higher: a host that gives a value can also give every higher one
	// (SpecSEI: the higher value promises the guest less).
	Higher
	// HigherOrZero is Higher, with 0 (unknown) always safe (CTR_EL0.CWG).
	HigherOrZero
	// Subset: each bit stands for one service of its own (hypercall bitmaps).
	Subset
	// Floor: accepted but never stored; the guest is promised at least the
	// value (SMCCC workaround levels).
	Floor
)

var orderNames = [...]string{"exact", "lower", "higher", "higher-or-zero", "subset", "floor"}

// String gives the word used in documents and tables.
func (o Order) String() string { return orderNames[o] }

// Scope says how many copies of a register a VM has.
type Scope uint8

const (
	// PerVM: one copy; a write through any vCPU is seen by all.
	PerVM Scope = iota
	// PerVCPU: each vCPU has its own copy.
	PerVCPU
	// Hardware: what the physical CPU answers; KVM holds no copy.
	Hardware
)

// Register is a feature register: 64 bits at most, with its named fields from
// the highest to the lowest bit.
type Register struct {
	Name  string
	ID    uint64 // the id by which the hypervisor's interface knows it
	Bits  uint8  // 32 or 64
	Scope Scope
	// Whole says that two values are compared whole: the register is an
	// identity or a description, not a list of features.
	Whole  bool
	Fields []Field
}

// Field returns the field of that name, without regard to case (Arm writes
// TGran4 where the kernel writes TGRAN4), or nil.
func (r *Register) Field(name string) *Field {
	for i := range r.Fields {
		if strings.EqualFold(r.Fields[i].Name, name) {
			return &r.Fields[i]
		}
	}
	return nil
}

// FieldNames are the names of the fields, in the order of the table.
func (r *Register) FieldNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range r.Fields {
			if !yield(r.Fields[i].Name) {
				return
			}
		}
	}
}

// Named returns the bits that belong to a named field.
func (r *Register) Named() uint64 {
	var mask uint64
	for i := range r.Fields {
		mask |= r.Fields[i].Mask()
	}
	return mask
}

// Value is a named value of a field.
type Value struct {
	Value uint64
	Name  string
}

// Field is a named bit range of a register, in the architecture's spelling.
type Field struct {
	Name  string
	LSB   uint8
	Width uint8
	// Order says how two values compare where a host judges a write.
	Order Order
	// HostOrder is the rule by which the kernel combines unlike CPUs of one
	// host; Safe is that rule's safe value.
	HostOrder Order
	Safe      uint64
	Signed    bool
	// Sanitised says that the kernel combines this field over all CPUs of a
	// host; where it does not, KVM shows 0 and takes nothing else.
	Sanitised bool
	// Strict says that the kernel taints itself when CPUs differ in it.
	Strict bool
	Values []Value
}

// Mask returns the field's bits within its register.
func (f *Field) Mask() uint64 {
	if f.Width >= 64 {
		return ^uint64(0)
	}
	return (uint64(1)<<f.Width - 1) << f.LSB
}

// Get extracts the field from a register value.
func (f *Field) Get(register uint64) uint64 { return (register & f.Mask()) >> f.LSB }

// Put replaces the field in a register value. Bits of value beyond the field
// are dropped.
func (f *Field) Put(register, value uint64) uint64 {
	return register&^f.Mask() | value<<f.LSB&f.Mask()
}

// ValueName returns the architecture's name for a value, or "".
func (f *Field) ValueName(value uint64) string {
	for _, v := range f.Values {
		if v.Value == value {
			return v.Name
		}
	}
	return ""
}

// Text gives a value in the one notation that answers have for it: the name of a
// version, 1.1; a number up to 15 in decimal; a number of a wider field in
// hexadecimal, with 0x.
func (f *Field) Text(value uint64) string {
	if f.Width <= 4 {
		return strconv.FormatUint(value, 10)
	}
	if name := f.ValueName(value); name != "" && f.Versions() {
		return name
	}
	return "0x" + strconv.FormatUint(value, 16)
}

// Versions reports whether the field's values are versions with a name each, as
// PSCI's.
func (f *Field) Versions() bool {
	return f.Width > 4 && len(f.Values) > 0 && strings.Contains(f.Values[0].Name, ".")
}

// Text gives a value of the register in the one notation that answers have for
// it: in hexadecimal, with 0x, or the version where the register is one.
func (r *Register) Text(value uint64) string {
	if len(r.Fields) == 1 && r.Fields[0].Versions() && value == r.Fields[0].Put(0, r.Fields[0].Get(value)) {
		return r.Fields[0].Text(r.Fields[0].Get(value))
	}
	return "0x" + strconv.FormatUint(value, 16)
}

// Compare orders two values of the field by their number, as signed numbers
// where the field is signed: negative, 0 or positive.
func (f *Field) Compare(a, b uint64) int {
	a, b = f.rank(a), f.rank(b)
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// rank maps a value to an unsigned number that sorts as the field does: for a
// signed field the sign bit is flipped, so that 0xf (-1) sorts below 0.
func (f *Field) rank(value uint64) uint64 {
	if f.Signed {
		return value ^ 1<<(f.Width-1)
	}
	return value
}
