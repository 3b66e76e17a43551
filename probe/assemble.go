package probe

import (
	"fmt"

	"github.com/guise-project/guise/isa/arm64"
)

// Encodings of the few instructions an image is made of (Arm ARM, DDI 0487, "A64 Base
// Instruction Descriptions").
// Register arguments are general-purpose registers 0 to 30.
const (
	wordNOP        = 0xd503201f
	wordISB        = 0xd5033fdf
	wordDSBSY      = 0xd5033f9f
	wordERET       = 0xd69f03e0
	wordWFI        = 0xd503207f
	wordHVC        = 0xd4000002 // HVC #0
	wordSMC        = 0xd4000003 // SMC #0
	wordTLBIVMALL  = 0xd508871f // TLBI VMALLE1
	wordMaskDAIF   = 0xd5034fdf // MSR DAIFSet, #15
	wordSelectSPx  = 0xd50041bf // MSR SPSel, #1
	zeroRegister   = 31
	conditionNE    = 1
	instructionLen = 4
)

func mrs(rt uint32, e arm64.Encoding) uint32 { return 0xd5200000 | systemOperand(e) | rt }

func msr(e arm64.Encoding, rt uint32) uint32 { return 0xd5000000 | systemOperand(e) | rt }

func systemOperand(e arm64.Encoding) uint32 {
	return uint32(e.Op0)<<19 | uint32(e.Op1)<<16 | uint32(e.CRn)<<12 | uint32(e.CRm)<<8 | uint32(e.Op2)<<5
}

// load returns the instructions that load a 64-bit constant: MOVZ, then MOVK
// for each further 16 bits that are not 0.
func load(rd uint32, value uint64) []uint32 { return appendLoad(nil, rd, value) }

func appendLoad(words []uint32, rd uint32, value uint64) []uint32 {
	first := true
	for shift := uint32(0); shift < 4; shift++ {
		part := uint32(value >> (16 * shift) & 0xffff)
		if part == 0 && (value != 0 || shift > 0) {
			continue
		}
		opcode := uint32(0xf2800000) // MOVK
		if first {
			opcode = 0xd2800000 // MOVZ
		}
		first = false
		words = append(words, opcode|shift<<21|part<<5|rd)
	}
	return words
}

// movz and movk load the low and the next 16 bits of an address.
func movz(rd uint32, address uint64) uint32 { return 0xd2800000 | uint32(address&0xffff)<<5 | rd }

func movk(rd uint32, address uint64) uint32 {
	return 0xf2a00000 | uint32(address>>16&0xffff)<<5 | rd
}

// store is STR Xt, [Xn, #offset]; offset is a multiple of 8 up to 32760.
func store(rt, rn uint32, offset uint64) uint32 {
	return 0xf9000000 | uint32(offset/8)<<10 | rn<<5 | rt
}

// loadFrom is LDR Xt, [Xn].
func loadFrom(rt, rn uint32) uint32 { return 0xf9400000 | rn<<5 | rt }

// orr is ORR Xd, Xn, Xm.
func orr(rd, rn, rm uint32) uint32 { return 0xaa000000 | rm<<16 | rn<<5 | rd }

// compare is CMP Xn, #immediate, 0 to 4095.
func compare(rn, immediate uint32) uint32 { return 0xf1000000 | immediate<<10 | rn<<5 | zeroRegister }

// extract is UBFX Xd, Xn, #lsb, #width.
func extract(rd, rn, lsb, width uint32) uint32 {
	return 0xd3400000 | lsb<<16 | (lsb+width-1)<<10 | rn<<5 | rd
}

// adr is ADR Xd, with a distance in bytes of less than 1 MiB.
func adr(rd uint32, distance int64) uint32 {
	return 0x10000000 | uint32(distance&3)<<29 | uint32(distance>>2&0x7ffff)<<5 | rd
}

// branch is B with a distance in bytes.
func branch(distance int64) uint32 { return 0x14000000 | uint32(distance>>2&0x3ffffff) }

// branchIf is B.cond with a distance in bytes.
func branchIf(condition uint32, distance int64) uint32 {
	return 0x54000000 | uint32(distance>>2&0x7ffff)<<5 | condition
}

// branchIfZero is CBZ Xt, branchIfNotZero is CBNZ Xt.
func branchIfZero(rt uint32, distance int64) uint32 {
	return 0xb4000000 | uint32(distance>>2&0x7ffff)<<5 | rt
}

func branchIfNotZero(rt uint32, distance int64) uint32 {
	return 0xb5000000 | uint32(distance>>2&0x7ffff)<<5 | rt
}

// branchIfBit is TBNZ Xt, #bit.
func branchIfBit(rt, bit uint32, distance int64) uint32 {
	return 0x37000000 | bit>>5<<31 | (bit&31)<<19 | uint32(distance>>2&0x3fff)<<5 | rt
}

// code is a growing piece of an image: instructions at an address.
type code struct {
	start uint64
	words []uint32
	// fixups are instructions whose target was not known when they were added.
	fixups []fixup
	labels []uint64 // addresses; 0 for those not placed yet
	// records are pairs of instructions that load the address of a record, which
	// pointer gives.
	records []recordReference
	pointer func(address uint64) [2]uint32
}

// label stands for the address of an instruction, before it is known.
type label int

type fixup struct {
	position int
	label    label
	encode   func(distance int64) uint32
	reach    int64 // the distance must be less, either way
}

type recordReference struct{ position, record int }

func newCode(start uint64) *code { return &code{start: start} }

// here is the address of the next instruction.
func (c *code) here() uint64 { return c.start + uint64(len(c.words))*instructionLen }

func (c *code) add(words ...uint32) { c.words = append(c.words, words...) }

// load adds the instructions that load a constant.
func (c *code) load(rd uint32, value uint64) { c.words = appendLoad(c.words, rd, value) }

// set loads a constant and writes it to a system register, through x1.
func (c *code) set(e arm64.Encoding, value uint64) {
	c.load(1, value)
	c.add(msr(e, 1))
}

func (c *code) newLabel() label {
	c.labels = append(c.labels, 0)
	return label(len(c.labels) - 1)
}

// place gives a label the next instruction's address.
func (c *code) place(l label) { c.labels[l] = c.here() }

// toward adds an instruction that refers to a label.
func (c *code) toward(l label, reach int64, encode func(distance int64) uint32) {
	c.fixups = append(c.fixups, fixup{len(c.words), l, encode, reach})
	c.add(0)
}

// point adds the two instructions that load the address of a record into the
// register for it. Where the records lie is known when the code is complete.
func (c *code) point(record int) {
	c.records = append(c.records, recordReference{len(c.words), record})
	c.add(0, 0)
}

// finish resolves labels and the addresses of records.
func (c *code) finish(record func(i int) uint64) error {
	for _, f := range c.fixups {
		target, at := c.labels[f.label], c.start+uint64(f.position)*instructionLen
		if target == 0 {
			return fmt.Errorf("probe image: the instruction at %#x refers to a label that was not placed", at)
		}
		distance := int64(target) - int64(at)
		if distance >= f.reach || distance <= -f.reach {
			return fmt.Errorf("probe image: the instruction at %#x refers to one %d bytes away; it reaches %d", at, distance, f.reach)
		}
		c.words[f.position] = f.encode(distance)
	}
	for _, r := range c.records {
		pair := c.pointer(record(r.record))
		copy(c.words[r.position:], pair[:])
	}
	return nil
}

// How far instructions reach, in bytes.
const (
	reachADR         = 1 << 20
	reachBranch      = 1 << 27
	reachConditional = 1 << 20
	reachTestBit     = 1 << 15
)
