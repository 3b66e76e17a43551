package probe

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// Traps says which operations of a program came to the hypervisor, which is what
// a trace cannot show. An operation that is in neither list is not known.
type Traps struct {
	// RestsOn names the evidence. It is empty where there is none, and Unknown
	// says why; no operation is in a list then.
	RestsOn, Unknown string
	// Trapped are the operations that made the vCPU leave the guest: the
	// hypervisor answered, whatever the guest saw of it.
	Trapped Operations
	// NotTrapped are those that did not: the CPU answered. Some of what it
	// answers the hypervisor gave it before (MIDR_EL1 is VPIDR_EL2 then), and
	// some instructions it refuses because the hypervisor turned them off.
	NotTrapped Operations
}

// Operations are operations of a program by kind and name, in the program's
// order.
type Operations map[Kind][]string

// Has reports whether an operation is among them.
func (o Operations) Has(kind Kind, name string) bool { return slices.Contains(o[kind], name) }

// Add adds an operation.
func (o *Operations) Add(kind Kind, name string) {
	if *o == nil {
		*o = Operations{}
	}
	(*o)[kind] = append((*o)[kind], name)
}

// check finds an operation that is in both lists, or in one twice.
func (t *Traps) check() error {
	seen := map[key]bool{}
	for _, list := range []Operations{t.Trapped, t.NotTrapped} {
		for kind, names := range list {
			for _, name := range names {
				k := key{kind, name}
				if seen[k] {
					return fmt.Errorf("%s %s stands in it twice", kind, name)
				}
				seen[k] = true
			}
		}
	}
	return nil
}

// Operation returns the operation of which an instruction at a guest's address
// is part; ok is false where it is of none, but of the image itself.
func (m *Image) Operation(address uint64) (i int, ok bool) {
	if address >= memoryEnd {
		address -= guardedAlias
	}
	// Operations lie in order: the last that begins at or before the address.
	i, found := slices.BinarySearch(m.code, address)
	if !found {
		i--
	}
	if i < 0 || address >= m.code[i]+uint64(m.program.Ops[i].words())*instructionLen {
		return 0, false
	}
	return i, true
}

// words is how many instructions of the operation the trace is about.
func (o *Op) words() int {
	if o.Kind == Execute {
		return len(o.Words)
	}
	return 1
}

// Accesses returns the system registers that the operation's instructions name.
func (o *Op) Accesses() []SystemAccess {
	switch o.Kind {
	case MRS:
		return []SystemAccess{{Register: o.Register, Read: true}}
	case MSR:
		return []SystemAccess{{Register: o.Register}}
	}
	var accesses []SystemAccess
	for _, word := range o.Words {
		if access, ok := decodeAccess(word); ok {
			accesses = append(accesses, access)
		}
	}
	return accesses
}

// decodeAccess reads an instruction of the class "System register move" or
// "System instructions" (Arm ARM, "Branches, Exception Generating and System
// instructions"), for which KVM's syndromes have the same fields.
func decodeAccess(word uint32) (access SystemAccess, ok bool) {
	if word>>22 != 0xd5000000>>22 || word>>19&3 == 0 {
		return SystemAccess{}, false
	}
	return SystemAccess{
		Register: arm64.Encoding{
			Op0: uint8(word >> 19 & 3), Op1: uint8(word >> 16 & 7),
			CRn: uint8(word >> 12 & 15), CRm: uint8(word >> 8 & 15), Op2: uint8(word >> 5 & 7),
		},
		Read: word>>21&1 != 0,
		Rt:   uint8(word & 31),
	}, true
}
