// Package power describes the parts of the Power ISA that a nested hypervisor
// handles, as data: the facilities of HFSCR and FSCR, the architecture levels
// and PCR, the registers of the nested interface and the layout of
// hv_guest_state. It is pure and the same on every platform.
//
// Vocabulary: L0 is the real hypervisor, L1 a hypervisor that is L0's guest,
// L2 a guest of L1. Bits are numbered from the least significant, as in Linux;
// the Power ISA's own number of a bit of a 64-bit register is 63 minus that.
package power

// Facility is something that a hypervisor can take from its guest with an
// enable bit of HFSCR, or an operating system from its programs with a bit of
// FSCR. Its interrupt cause code equals its bit number
// (Power ISA 3.1B book III, 7.2.12 and 7.2.13).
type Facility struct {
	Name  string
	Bit   uint8
	About string
	// BitSince is the first level with the enable bit, Introduced the first
	// with the facility itself; Removed is the first level without it, 0 where
	// there is none.
	BitSince, Introduced, Removed Level
	// HFSCR and FSCR say which of the two registers have the bit.
	HFSCR, FSCR bool
}

// Facilities lists every facility with an enable bit, in the order of bits.
// SCV has a bit in FSCR only; Linux defines no HFSCR bit for it.
var Facilities = []Facility{
	{Name: "FP", Bit: 0, About: "floating-point instructions and registers", BitSince: Level207, Introduced: Level205, HFSCR: true},
	{Name: "VECVSX", Bit: 1, About: "vector and VSX instructions and registers", BitSince: Level207, Introduced: Level205, HFSCR: true},
	{Name: "DSCR", Bit: 2, About: "data stream control register at problem-state SPR 3", BitSince: Level207, Introduced: Level207, HFSCR: true, FSCR: true},
	{Name: "PM", Bit: 3, About: "performance monitor SPRs", BitSince: Level207, Introduced: Level207, HFSCR: true},
	{Name: "BHRB", Bit: 4, About: "branch history rolling buffer: clrbhrb, mfbhrbe", BitSince: Level207, Introduced: Level207, HFSCR: true},
	{Name: "TM", Bit: 5, About: "transactional memory", BitSince: Level207, Introduced: Level207, Removed: Level31, HFSCR: true},
	{Name: "EBB", Bit: 7, About: "event-based branch SPRs and rfebb", BitSince: Level207, Introduced: Level207, HFSCR: true, FSCR: true},
	{Name: "TAR", Bit: 8, About: "target address register (SPR 815) and bctar", BitSince: Level207, Introduced: Level207, HFSCR: true, FSCR: true},
	{Name: "MSGP", Bit: 10, About: "privileged doorbells: msgsndp, msgclrp, TIR, DPDES", BitSince: Level207, Introduced: Level207, HFSCR: true},
	{Name: "SCV", Bit: 12, About: "system call vectored: scv", BitSince: Level30, Introduced: Level30, FSCR: true},
	{Name: "PREFIX", Bit: 13, About: "prefixed (8-byte) instructions", BitSince: Level31, Introduced: Level31, HFSCR: true, FSCR: true},
}

// Masks of the facilities that have a bit in HFSCR.
const (
	FP     uint64 = 1 << 0
	VECVSX uint64 = 1 << 1
	DSCR   uint64 = 1 << 2
	PM     uint64 = 1 << 3
	BHRB   uint64 = 1 << 4
	TM     uint64 = 1 << 5
	EBB    uint64 = 1 << 7
	TAR    uint64 = 1 << 8
	MSGP   uint64 = 1 << 10
	PREFIX uint64 = 1 << 13

	// Defined holds every bit that names a facility in HFSCR.
	Defined = FP | VECVSX | DSCR | PM | BHRB | TM | EBB | TAR | MSGP | PREFIX
)

// The interrupt cause field of HFSCR and FSCR, the top byte.
const (
	CauseShift        = 56
	CauseMask  uint64 = 0xff << CauseShift
)

// Mask returns the facility's enable bit.
func (f *Facility) Mask() uint64 { return 1 << f.Bit }

// Cause returns the interrupt cause code in a value of HFSCR or FSCR.
func Cause(register uint64) uint8 { return uint8(register >> CauseShift) }

// WithCause returns the register value with its interrupt cause field replaced.
func WithCause(register uint64, cause uint8) uint64 {
	return register&^CauseMask | uint64(cause)<<CauseShift
}

// CauseBit returns the enable bit that a cause code stands for, 0 for codes
// that can have none because the cause field lies there.
func CauseBit(cause uint8) uint64 {
	if cause >= CauseShift {
		return 0
	}
	return 1 << cause
}

// FacilityNamed finds a facility by its name in the case of the table.
func FacilityNamed(name string) (*Facility, bool) {
	for i := range Facilities {
		if Facilities[i].Name == name {
			return &Facilities[i], true
		}
	}
	return nil, false
}

// FacilityOfCause finds a facility by its interrupt cause code.
func FacilityOfCause(cause uint8) (*Facility, bool) {
	for i := range Facilities {
		if Facilities[i].Bit == cause {
			return &Facilities[i], true
		}
	}
	return nil, false
}

// Hidden returns the HFSCR bits of the facilities that a level of the
// architecture does not have: not yet introduced, or removed again. It is 0
// for a number that is no level.
func Hidden(level Level) uint64 {
	if int(level) >= len(hidden) {
		return 0
	}
	return hidden[level]
}

// hidden holds the answers of Hidden, by level.
var hidden = func() (masks [len(levels) + 1]uint64) {
	for l := range levels {
		level := levels[l].Level
		for i := range Facilities {
			f := &Facilities[i]
			if f.HFSCR && (f.Introduced > level || f.Removed != 0 && level >= f.Removed) {
				masks[level] |= f.Mask()
			}
		}
	}
	return masks
}()

// Permitted returns what KVM allows a vCPU of the level at most, its
// hfscr_permitted, on hardware with and without transactional memory (or the
// POWER9 assist for it). A bare-metal L0 takes from it what its own HFSCR
// lacks; the level a VM emulates plays no part (Linux 6.12 to 7.3, observed
// 0x19f on POWER9 and 0x219f on POWER10 under QEMU). Linux 6.1 permits PREFIX
// nowhere.
func Permitted(host Level, transactional bool) uint64 {
	mask := FP | VECVSX | DSCR | PM | BHRB | EBB | TAR
	if host >= Level31 {
		mask |= PREFIX
	}
	if transactional {
		mask |= TM
	}
	return mask
}
