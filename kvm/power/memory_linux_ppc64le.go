package power

import (
	"encoding/binary"

	isapower "github.com/guise-project/guise/isa/power"
)

// asked is a hypercall nobody serves: KVM hands it to us.
const asked = 0x7f0

// Instruction words.
const (
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
