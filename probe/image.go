package probe

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// Channel is how results leave the guest.
type Channel uint8

const (
	// Memory: records stay in guest memory until the guest stores to the
	// doorbell once, at the end: one exit for a trace of any length. The guest
	// runs with its MMU on and the memory mapped Normal write-back. With the
	// MMU off it would not be a safe channel on real hardware: a guest's data
	// accesses are then Device-nGnRnE (Arm ARM, "The effects of disabling an
	// address translation stage"): they go around the caches through which the host
	// reads, and the host would see stale lines. TCG has no caches and hides
	// such a mistake.
	Memory Channel = iota
	// MMIO: every word of a record is a store to an address where the VM has
	// no memory, and so an exit. It needs no memory shared with the host: the
	// channel for protected VMs.
	MMIO
)

// Guest-physical addresses of an image.
const (
	// DefaultBase is where an image lies unless told otherwise: in the second
	// GiB, which the image maps as memory, and where QEMU's virt machine has
	// its memory, too, so that an image can be tried without KVM.
	DefaultBase = 0x4020_0000
	// Doorbell is stored to (64 bits, in AArch32 32) when the program has ended. It lies in
	// the first GiB, which the image maps as Device-nGnRnE, and must not be
	// memory. QEMU's virt machine has its UART there, and shows the letter.
	Doorbell = 0x0900_0000
	// Window is where the MMIO channel's records are stored to.
	Window = 0x1000_0000

	memoryLow, memoryEnd = 0x4000_0000, 0x8000_0000
	windowEnd            = 0x4000_0000
)

// What is stored to the doorbell.
const (
	doorbellDone  = 'D' // the program has ended
	doorbellFatal = 'F' // an exception inside the exception handler
)

// A record is 64 bytes; the MMIO channel uses the same layout as addresses. The
// status is stored last, and each store may be an exit: what an outcome does not
// need is left out.
const (
	recordSize = 64

	recordStatus = 0  // recordCompleted, or recordException with vector and syndrome (in AArch32 DFSR or IFSR)
	recordReturn = 8  // ELR_ELx; in AArch32 the address of the instruction
	recordFault  = 16 // FAR_ELx, of exception classes 0x20 to 0x27; in AArch32 DFAR or IFAR
	recordValues = 32

	recordCompleted   = 1
	recordException   = 1 << 63
	recordEL2         = 1 << 60   // as well, where the exception went from EL1 to an EL2 of the guest's own
	recordVectorShift = 56        // the vector's number, 0 to 15
	recordSyndrome    = 1<<56 - 1 // ESR_ELx; ISS2 ends at bit 55
)

// Layout chooses the state that an image runs in, where it lies and how its
// results leave.
type Layout struct {
	State State
	// Base is the guest-physical address of the image, a multiple of 64 KiB
	// from 0x40000000 up to below 0x80000000; 0 stands for DefaultBase.
	Base    uint64
	Channel Channel
}

// Image is a program as a guest: what to put into a VM's memory and where. It
// runs on any vCPU whose EL1 is in its State, in its reset state; only PC has to
// be set.
//
// Each image needs memory of its own that no vCPU has run from: KVM makes the
// instruction cache coherent with what the host wrote only when it first maps
// a page.
type Image struct {
	// Base is the guest-physical address of Bytes[0]; Entry that of the first
	// instruction.
	Base, Entry uint64
	// Bytes is what to load. Memory beyond it must read as 0.
	Bytes []byte
	// MemorySize is how much memory the image needs from Base on, in bytes, a
	// multiple of 64 KiB (the largest page size of a host).
	MemorySize uint64
	Channel    Channel
	State      State

	set     instructionSet
	program *Program
	records uint64   // address of the first record
	code    []uint64 // address of each operation's first instruction
}

// Run gathers what one run of an image leaves. Completed may be called from
// another goroutine while the guest runs.
type Run struct {
	image   *Image
	mutex   sync.Mutex // held where Store writes to records, and Completed reads
	records []byte
	done    bool
}

// NewRun makes ready for one run of the image. memory is the guest's memory
// from Base on, at least MemorySize bytes; with the MMIO channel it is not
// used and may be nil.
func (m *Image) NewRun(memory []byte) (*Run, error) {
	r := &Run{image: m}
	size := uint64(len(m.program.Ops)+2) * recordSize
	if m.Channel == MMIO {
		r.records = make([]byte, size)
		return r, nil
	}
	if uint64(len(memory)) < m.MemorySize {
		return nil, fmt.Errorf("probe image: %d bytes of memory; the image needs %d", len(memory), m.MemorySize)
	}
	r.records = memory[m.records-m.Base:][:size]
	return r, nil
}

// Store takes an MMIO store of the guest (KVM_EXIT_MMIO, little-endian) and
// reports whether the program has ended. It returns an error for a store that
// no image makes.
func (r *Run) Store(address uint64, data []byte) (done bool, err error) {
	size := r.image.set.storeSize()
	if len(data) != size {
		return false, fmt.Errorf("probe image: store of %d bytes to %#x; an image in %v stores %d at a time", len(data), address, r.image.State, size)
	}
	if address == Doorbell {
		var word [8]byte
		copy(word[:], data)
		switch letter := binary.LittleEndian.Uint64(word[:]); letter {
		case doorbellDone:
			r.done = true
			return true, nil
		case doorbellFatal:
			return false, fmt.Errorf("probe image: the guest took an exception in its exception handler, after %d of %d operations", r.Completed(), len(r.image.program.Ops))
		default:
			return false, fmt.Errorf("probe image: %#x stored to the doorbell; want 'D' or 'F'", letter)
		}
	}
	offset := address - Window
	if r.image.Channel != MMIO || address < Window || offset >= uint64(len(r.records)) || offset%8 != 0 {
		return false, fmt.Errorf("probe image: store to %#x, where no record leaves", address)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	copy(r.records[offset:], data)
	return false, nil
}

// Completed counts the operations that have a record.
func (r *Run) Completed() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	n := 0
	for i := range r.image.program.Ops {
		if r.word(i+1, recordStatus) != 0 {
			n++
		}
	}
	return n
}

// word reads a word of record i; record 0 is the image's own.
func (r *Run) word(i int, field uint64) uint64 {
	return binary.LittleEndian.Uint64(r.records[uint64(i)*recordSize+field:])
}

// Trace returns what the guest saw so far. Operations it did not come to have
// the outcome NotRun; before the end was signalled at the doorbell the error
// says how far the guest came.
func (r *Run) Trace() (*Trace, error) {
	trace := NewTrace(r.image.program)
	trace.EL = r.image.set.level(r.word(0, recordValues))
	for i := range trace.Records {
		if err := r.decode(i, &trace.Records[i]); err != nil {
			return nil, err
		}
	}
	if !r.done {
		return trace, fmt.Errorf("probe image: the guest stopped after %d of %d operations", r.Completed(), len(trace.Records))
	}
	return trace, nil
}

// decode reads the record of operation i.
func (r *Run) decode(i int, record *Record) error {
	op := &r.image.program.Ops[i]
	status := r.word(i+1, recordStatus)
	switch {
	case status == 0:
		return nil
	case status == recordCompleted:
		record.Outcome = Completed
		record.Count = op.results()
		for v := range record.Count {
			record.Values[v] = r.word(i+1, recordValues+uint64(v)*8)
		}
		return nil
	case status&recordException == 0:
		return fmt.Errorf("probe image: record of operation %d (%s %s) has status %#x, which no image stores", i, op.Kind, op.Name, status)
	}
	record.Outcome, record.Syndrome = r.image.set.exception(status)
	if hasFaultAddress(record.Syndrome) {
		record.FaultAddress = r.word(i+1, recordFault)
	}
	record.Instruction = r.position(i, r.word(i+1, recordReturn), record.Syndrome)
	return nil
}

// position turns a preferred return address into a position in the operation's
// words, -1 where it lies outside.
func (r *Run) position(i int, address, syndrome uint64) int {
	words := r.image.program.Ops[i].words()
	if returnsAfter(syndrome) {
		address -= 4
	}
	if address >= memoryEnd {
		address -= guardedAlias
	}
	start := r.image.code[i]
	if address < start || address >= start+uint64(words)*4 {
		return -1
	}
	return int(address-start) / 4
}
