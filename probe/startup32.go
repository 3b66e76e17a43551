package probe

import "github.com/guise-project/guise/isa/arm64"

// AArch32 System registers the image's own code uses (Arm ARM, "AArch32 System
// Register Descriptions").
var (
	reg32SCTLR   = arm64.Coprocessor{Number: 15, CRn: 1}
	reg32CPACR   = arm64.Coprocessor{Number: 15, CRn: 1, Opc2: 2}
	reg32TTBCR   = arm64.Coprocessor{Number: 15, CRn: 2, Opc2: 2}
	reg32DFSR    = arm64.Coprocessor{Number: 15, CRn: 5}
	reg32IFSR    = arm64.Coprocessor{Number: 15, CRn: 5, Opc2: 1}
	reg32DFAR    = arm64.Coprocessor{Number: 15, CRn: 6}
	reg32IFAR    = arm64.Coprocessor{Number: 15, CRn: 6, Opc2: 2}
	reg32TLBIALL = arm64.Coprocessor{Number: 15, CRn: 8, CRm: 7}
	reg32MAIR0   = arm64.Coprocessor{Number: 15, CRn: 10, CRm: 2}
	reg32VBAR    = arm64.Coprocessor{Number: 15, CRn: 12}
	reg32FPEXC   = arm64.Coprocessor{Number: 10, Opc1: 7, CRn: 8}
)

const (
	cpacr32 = 0xf << 20 // cp10, cp11: SIMD and floating-point
	fpexc32 = 1 << 30   // EN

	sctlr32 = 1<<3 | 1<<4 | 1<<6 | 1<<11 | 1<<22 | 1<<23 | // RES1 in Armv8.0
		1<<0 | 1<<2 | 1<<12 | // M, C, I
		1<<5 | // CP15BEN
		1<<16 | 1<<18 // nTWI, nTWE
)

// Translation: descriptors of 64 bits (TTBCR.EAE) with the 4 GiB there are, so
// that one table of 1 GiB blocks does (Arm ARM, "VMSAv8-32 Long-descriptor
// Translation Table format descriptors"). Attributes are those of AArch64; what
// is UXN there forbids execution to all.
const (
	ttbcr = 1<<31 | // EAE
		1<<8 | 1<<10 | 3<<12 | // IRGN0, ORGN0 write-back, SH0 inner shareable
		1<<23 // EPD1

	block32XN = blockUXN
)

// Registers that hold the image's own state while operations run.
const (
	record32Register  = 10 // the record of the current operation
	resume32Register  = 11 // where to go on after an exception
	nesting32Register = 12 // not 0 inside the exception handler
)

// CPSR: the modes, and Supervisor mode with everything masked.
const (
	modeBits       = 0x1f
	modeSupervisor = 0x13
	modeHyp        = 0x1a
	cpsrMasked     = 1<<8 | 1<<7 | 1<<6 | modeSupervisor // A, I, F
)

// startup: the image's own record tells the mode and what SCTLR and CPACR read
// back.
func (a a32) startup(c *code, m *Image) {
	c.add(word32Mask)
	c.load32(nesting32Register, 0)
	c.set32(reg32VBAR, m.Base+vectorsOffset)
	c.set32(reg32MAIR0, mair&0xffff)
	c.set32(reg32TTBCR, ttbcr)
	c.load32(0, m.Base+tableOffset)
	c.load32(1, 0)
	c.add(mcrrTTBR0(0, 1), loadFrom32(2, 0)) // touched as by images in AArch64
	c.set32(reg32CPACR, cpacr32)
	c.add(word32DSBSY, word32ISB, mcr(reg32TLBIALL, 0), word32DSBSY, word32ISB)
	c.set32(reg32SCTLR, sctlr32)
	c.add(word32ISB)

	after := c.newLabel()
	a.tolerate(c, after, m.spare())
	c.set32(reg32FPEXC, fpexc32)
	c.place(after)

	c.point(imageRecord)
	c.add(word32ReadCPSR, mrc(1, reg32SCTLR), mrc(2, reg32CPACR))
	c.load32(3, recordCompleted)
	c.add(store32(0, record32Register, recordValues), store32(1, record32Register, recordValues+8),
		store32(2, record32Register, recordValues+16), store32(3, record32Register, recordStatus))
}

// exceptions32 are the exceptions of AArch32 by the number of their vector (Arm
// ARM, "Exception vectors and the exception base address").
var exceptions32 = [8]struct {
	taken bool // the others end the run: a reset, and what goes to Hyp mode
	// back is how far the link register is ahead of the instruction, in bytes
	// (of A32; for an interrupt, of the one that would have been next).
	back    uint32
	outcome Outcome
	// class is the exception class (ESR_ELx.EC) that AArch64 has for it.
	class uint64
	// status and address are the registers that tell more, where there are.
	status, address *arm64.Coprocessor
}{
	1: {true, 4, Exception, classUnknown, nil, nil},                       // Undefined Instruction
	2: {true, 4, Exception, classSVC32, nil, nil},                         // Supervisor Call
	3: {true, 4, Exception, classInstruction + 1, &reg32IFSR, &reg32IFAR}, // Prefetch Abort
	4: {true, 8, Exception, classData + 1, &reg32DFSR, &reg32DFAR},        // Data Abort
	6: {true, 4, Interrupted, 0, nil, nil},                                // IRQ
	7: {true, 4, Interrupted, 0, nil, nil},                                // FIQ
}

// vectors: each vector goes to a piece of code of its own, which gathers what is
// known in r0 (the address), r1 (the record's status, upper half), r2 and r3
// (fault status and address); they are free after an exception. The rest is done
// in Supervisor mode, whatever mode the exception went to: FIQ mode has other
// registers from r8 on.
func (a32) vectors(m *Image, fatal uint64) []*code {
	c := newCode(m.Base + vectorsOffset)
	common := c.newLabel()
	entries := [len(exceptions32)]label{}
	for vector := range exceptions32 {
		if !exceptions32[vector].taken {
			c.add(branch32(int64(fatal) - int64(c.here())))
			continue
		}
		entries[vector] = c.newLabel()
		c.toward(entries[vector], reach32Branch, branch32)
	}
	for vector := range exceptions32 {
		e := &exceptions32[vector]
		if !e.taken {
			continue
		}
		c.place(entries[vector])
		c.add(subtract32(0, linkRegister, e.back))
		c.load32(1, (recordException|uint64(vector)<<recordVectorShift)>>32)
		for i, register := range []*arm64.Coprocessor{e.status, e.address} {
			if register == nil {
				c.load32(2+uint32(i), 0)
			} else {
				c.add(mrc(2+uint32(i), *register))
			}
		}
		c.toward(common, reach32Branch, branch32)
	}
	c.place(common)
	c.add(word32Mask, compare32(nesting32Register, 0))
	c.add(branch32IfNE(int64(fatal) - int64(c.here())))
	c.load32(nesting32Register, 1)
	c.add(store32(0, record32Register, recordReturn), store32(3, record32Register, recordFault),
		store32(2, record32Register, recordStatus), store32(1, record32Register, recordStatus+4))
	c.load32(nesting32Register, 0)
	c.load32(0, cpsrMasked)
	c.add(word32SetCPSR, branch32To(resume32Register))
	return []*code{c}
}
