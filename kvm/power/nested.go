// Package power is the live side on POWER: guests of KVM-HV on Linux on ppc64le,
// and guests of theirs. Everywhere else it builds, and says what can be used
// instead.
//
// A guest, L1, is a handful of instructions in guest-real memory. It makes the
// hypercalls that we give it one after the other, of which one may enter L2.
package power

import (
	"encoding/binary"

	isapower "github.com/guise-project/guise/isa/power"
)

// Nested is an L1 that enters an L2 once.
type Nested struct {
	// BigEndian is the byte order of L1 and L2.
	BigEndian bool
	// Level is the architecture level L1 is held at, 0 for the host's.
	Level isapower.Level
	// Structure and MSR are what L1 hands over; the structure's version field
	// counts, whether or not it is one that exists.
	Structure isapower.State
	MSR       uint64
	// Code is what L2 executes, from CodeAddress on.
	Code []uint32
	// NoTable leaves the partition table unregistered; TableAddress is where it
	// is registered otherwise, 0 for where it is.
	NoTable      bool
	TableAddress uint64
	// StructureAddress is what L1 passes, 0 for where the structure is.
	StructureAddress uint64
}

// Outcome is what L1 found when H_ENTER_NESTED came back.
type Outcome struct {
	// R3 is what the hypercall returned, TableR3 what H_SET_PARTITION_TABLE did.
	R3, TableR3 int64
	// Watchdog says that a signal ended L2.
	Watchdog bool
	// Structure and Regs are L1's memory afterwards, in its byte order.
	Structure, Regs []byte
	// L1LPCR is L1's own, read with KVM_GET_ONE_REG.
	L1LPCR uint64
}

// Addresses in the guest-real memory of L1 and of L2.
const (
	MemorySize    = 64 << 20
	L1Code        = 0x10000
	L1Table       = 0x20000
	L1Structure   = 0x30000
	L1Regs        = 0x31000
	L1Tree        = 0x40000 // what L2 has of L1's memory
	L1Processes   = 0x70000
	L1OwnTree     = 0x80000 // how L1's own programs see its memory
	L1Programs    = 0xa0000
	L2Memory      = 16 << 20
	CodeAddress   = 0x1000 // in L2
	L2Processes   = 0x10000
	L2Tree        = 0x20000
	PartitionLPID = 1
)

// asked is a hypercall nobody serves: KVM hands it to us.
const asked = 0x7f0

// Instruction words.
const (
	// Hypercall is sc 1. L2's reach L1, whatever r3 says.
	Hypercall  uint32 = 0x44000022
	systemCall uint32 = 0x44000002         // sc
	loadAsked  uint32 = 0x38600000 | asked // li r3,asked
)

// l1Code is all L1 does: make the hypercall in r3, keep what it returned in
// r20, and ask us for the next.
var l1Code = []uint32{
	Hypercall,
	0x7c741b78, // mr r20,r3
	loadAsked,
	Hypercall,  // to userspace
	0x4bfffff0, // b to the first
}

// GPR is what general-purpose register n of L2 holds at first.
func GPR(n int) uint64 { return 0x1111_2222_0000_0000 | uint64(n) }

// NewNested returns an L2 in supervisor state that L1 gives plain values and
// every facility.
func NewNested(bigEndian bool) Nested {
	n := Nested{BigEndian: bigEndian}
	n.MSR = isapower.MSRSF | isapower.MSRME | isapower.MSRIR | isapower.MSRDR | isapower.MSRFP | isapower.MSRVEC | isapower.MSRVSX
	s := &n.Structure
	if !bigEndian {
		n.MSR |= isapower.MSRLE
		s[isapower.StateLPCR] = isapower.LPCRILE
	}
	s[isapower.StateVersion] = 2
	s[isapower.StateLPID] = PartitionLPID
	s[isapower.StateHDECExpiry] = 1 << 50
	s[isapower.StateHFSCR] = ^isapower.CauseMask
	return n
}

func (n *Nested) order() binary.ByteOrder {
	if n.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// memory is the guest-real memory of an L1.
type memory []byte

// fill writes L1's and L2's memory.
func (m memory) fill(n *Nested) {
	order := n.order()
	for i, w := range l1Code {
		order.PutUint32(m[L1Code+4*i:], w)
	}
	m.fillStructures(n, order)
	m.fillTables()
	m.fillL2(n, order)
}

// fillStructures writes hv_guest_state, whatever its version says, and pt_regs
// with a number in each register.
func (m memory) fillStructures(n *Nested, order binary.ByteOrder) {
	state := m[L1Structure:]
	for _, row := range isapower.StateLayout {
		if row.Size == 4 {
			order.PutUint32(state[row.Offset:], uint32(n.Structure[row.Field]))
		} else {
			order.PutUint64(state[row.Offset:], n.Structure[row.Field])
		}
	}
	regs := m[L1Regs:]
	for i := range 32 {
		order.PutUint64(regs[8*i:], GPR(i))
	}
	order.PutUint64(regs[isapower.RegsNIP:], CodeAddress)
	order.PutUint64(regs[isapower.RegsMSR:], n.MSR)
}

const (
	radixSize = 0x4000000000000000 | 0xa0 | 13 // 52 bits of address, root of 13
	hostRadix = 0x8000000000000000
	valid     = 0x8000000000000000
)

// put writes a doubleword of a table: tables are big-endian whatever the byte
// order of the guest.
func (m memory) put(address, value uint64) { binary.BigEndian.PutUint64(m[address:], value) }

// tree writes a radix tree of 13, 9 and 9 bits with one leaf of 2 MiB (Power
// ISA 3.1B book III, 6.7.6). base is where we write the tree, address where its
// reader finds it.
func (m memory) tree(base, address, maps uint64) {
	const (
		leaf       = 0xc000000000000187 // referenced, changed, all access
		middleBits = 9
	)
	m.put(base, valid|(address+0x10000)|middleBits)
	m.put(base+0x10000, valid|(address+0x11000)|middleBits)
	m.put(base+0x11000, leaf|maps)
}

// fillTables writes what translates for L2, and for programs of L1's own.
func (m memory) fillTables() {
	m.put(L1Table+16*PartitionLPID, hostRadix|radixSize|L1Tree)
	m.put(L1Table+16*PartitionLPID+8, valid|L2Processes)
	m.tree(L1Tree, L1Tree, L2Memory)
	m.put(L2Memory+L2Processes, radixSize|L2Tree)
	m.tree(L2Memory+L2Tree, L2Tree, 0)
	m.put(L1Processes, radixSize|L1OwnTree)
	m.tree(L1OwnTree, L1OwnTree, 0)
}

// vectors calls put with the place of each interrupt vector there may be.
func vectors(put func(address int)) {
	for vector := 0x100; vector < CodeAddress; vector += 0x20 {
		put(vector)
	}
}

// fillL2 writes L2's code, and a hypercall at each of its interrupt vectors: an
// interrupt that L2 takes itself is seen as an exit from there.
func (m memory) fillL2(n *Nested, order binary.ByteOrder) {
	l2 := m[L2Memory:]
	vectors(func(address int) { order.PutUint32(l2[address:], Hypercall) })
	for i, w := range n.Code {
		order.PutUint32(l2[CodeAddress+4*i:], w)
	}
}
