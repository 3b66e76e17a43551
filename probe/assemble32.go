package probe

import "github.com/guise-project/guise/isa/arm64"

// Encodings of the few A32 instructions an image in AArch32 is made of (Arm ARM,
// "T32 and A32 Base Instruction Set Instruction Descriptions"), all of them
// unconditional. Register arguments are 0 to 15.
const (
	word32ISB      = 0xf57ff06f
	word32DSBSY    = 0xf57ff04f
	word32WFI      = 0xe320f003
	word32HVC      = 0xe1400070 // HVC #0
	word32SMC      = 0xe1600070 // SMC #0
	word32Mask     = 0xf10e01d3 // CPSID aif, #19: to Supervisor mode, all masked
	word32ReadCPSR = 0xe10f0000 // MRS r0, CPSR
	word32SetCPSR  = 0xe12ff000 // MSR CPSR_fsxc, r0
	linkRegister   = 14
)

// mrc and mcr are MRC and MCR, which are VMRS and VMSR of coprocessor 10.
func mrc(rt uint32, r arm64.Coprocessor) uint32 { return 0xee100010 | coprocessorOperand(r) | rt<<12 }

func mcr(r arm64.Coprocessor, rt uint32) uint32 { return 0xee000010 | coprocessorOperand(r) | rt<<12 }

func coprocessorOperand(r arm64.Coprocessor) uint32 {
	return uint32(r.Opc1)<<21 | uint32(r.CRn)<<16 | uint32(r.Number)<<8 | uint32(r.Opc2)<<5 | uint32(r.CRm)
}

// mcrrTTBR0 is MCRR p15, 0, Rt, Rt2, c2.
func mcrrTTBR0(rt, rt2 uint32) uint32 { return 0xec400f02 | rt2<<16 | rt<<12 }

// movw and movt load the low and the high 16 bits of a register.
func movw(rd uint32, value uint64) uint32 { return 0xe3000000 | half(value) | rd<<12 }

func movt(rd uint32, value uint64) uint32 { return 0xe3400000 | half(value>>16) | rd<<12 }

func half(value uint64) uint32 { return uint32(value&0xf000)<<4 | uint32(value&0xfff) }

// load32 adds the instructions that load a constant of 32 bits.
func (c *code) load32(rd uint32, value uint64) {
	c.add(movw(rd, value))
	if value>>16 != 0 {
		c.add(movt(rd, value))
	}
}

// set32 loads a constant and writes it to a System register, through r1.
func (c *code) set32(r arm64.Coprocessor, value uint64) {
	c.load32(1, value)
	c.add(mcr(r, 1))
}

// loadFrom32 is LDR Rt, [Rn].
func loadFrom32(rt, rn uint32) uint32 { return 0xe5900000 | rn<<16 | rt<<12 }

// store32 is STR Rt, [Rn, #offset]; offset is at most 4095.
func store32(rt, rn uint32, offset uint64) uint32 {
	return 0xe5800000 | rn<<16 | rt<<12 | uint32(offset)
}

// subtract32 is SUB Rd, Rn, #immediate, 0 to 255.
func subtract32(rd, rn, immediate uint32) uint32 { return 0xe2400000 | rn<<16 | rd<<12 | immediate }

// compare32 is CMP Rn, #immediate, 0 to 255.
func compare32(rn, immediate uint32) uint32 { return 0xe3500000 | rn<<16 | immediate }

// branch32 is B, branch32IfNE is BNE, with a distance in bytes from the
// instruction: PC is 8 bytes ahead of it.
func branch32(distance int64) uint32 { return 0xea000000 | uint32((distance-8)>>2)&0xffffff }

func branch32IfNE(distance int64) uint32 { return 0x1a000000 | uint32((distance-8)>>2)&0xffffff }

// branch32To is BX Rm.
func branch32To(rm uint32) uint32 { return 0xe12fff10 | rm }

// reach32Branch is how far B reaches, in bytes.
const reach32Branch = 1 << 25
