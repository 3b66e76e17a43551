// Package power is the live side on POWER: guests of KVM-HV on Linux on ppc64le,
// and guests of theirs. Everywhere else it builds, and says what can be used
// instead.
//
// A guest, L1, is a handful of instructions in guest-real memory. It makes the
// hypercalls that we give it one after the other, of which one may enter L2.
package power

import (
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

// Hypercall is sc 1. L2's reach L1, whatever r3 says.
const Hypercall uint32 = 0x44000022

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
