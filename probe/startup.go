package probe

import (
	"github.com/guise-project/guise/isa/arm64"
)

// System registers the image's own code uses (Arm ARM, "AArch64 System Register
// Descriptions"). At EL2 with HCR_EL2.E2H set the _EL1 names reach the registers
// of EL2 (FEAT_VHE), so the same code serves both.
var (
	regCurrentEL = arm64.Encoding{Op0: 3, Op1: 0, CRn: 4, CRm: 2, Op2: 2}
	regSPSR      = arm64.Encoding{Op0: 3, Op1: 0, CRn: 4, CRm: 0, Op2: 0}
	regELR       = arm64.Encoding{Op0: 3, Op1: 0, CRn: 4, CRm: 0, Op2: 1}
	regESR       = arm64.Encoding{Op0: 3, Op1: 0, CRn: 5, CRm: 2, Op2: 0}
	regFAR       = arm64.Encoding{Op0: 3, Op1: 0, CRn: 6, CRm: 0, Op2: 0}
	regVBAR      = arm64.Encoding{Op0: 3, Op1: 0, CRn: 12, CRm: 0, Op2: 0}
	regSCTLR     = arm64.Encoding{Op0: 3, Op1: 0, CRn: 1, CRm: 0, Op2: 0}
	regCPACR     = arm64.Encoding{Op0: 3, Op1: 0, CRn: 1, CRm: 0, Op2: 2}
	regTTBR0     = arm64.Encoding{Op0: 3, Op1: 0, CRn: 2, CRm: 0, Op2: 0}
	regTCR       = arm64.Encoding{Op0: 3, Op1: 0, CRn: 2, CRm: 0, Op2: 2}
	regMAIR      = arm64.Encoding{Op0: 3, Op1: 0, CRn: 10, CRm: 2, Op2: 0}

	regZCR  = arm64.Encoding{Op0: 3, Op1: 0, CRn: 1, CRm: 2, Op2: 0}
	regSMCR = arm64.Encoding{Op0: 3, Op1: 0, CRn: 1, CRm: 2, Op2: 6}

	regSPSREL2   = arm64.Encoding{Op0: 3, Op1: 4, CRn: 4, CRm: 0, Op2: 0}
	regELREL2    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 4, CRm: 0, Op2: 1}
	regESREL2    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 5, CRm: 2, Op2: 0}
	regFAREL2    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 6, CRm: 0, Op2: 0}
	regVBAREL2   = arm64.Encoding{Op0: 3, Op1: 4, CRn: 12, CRm: 0, Op2: 0}
	regHCR       = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 0}
	regMDCR      = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 1}
	regCPTR      = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 2}
	regHSTR      = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 3}
	regHFGRTR    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 4}
	regHFGWTR    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 5}
	regHFGITR    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 1, Op2: 6}
	regHCRX      = arm64.Encoding{Op0: 3, Op1: 4, CRn: 1, CRm: 2, Op2: 2}
	regHDFGRTR   = arm64.Encoding{Op0: 3, Op1: 4, CRn: 3, CRm: 1, Op2: 4}
	regHDFGWTR   = arm64.Encoding{Op0: 3, Op1: 4, CRn: 3, CRm: 1, Op2: 5}
	regVPIDR     = arm64.Encoding{Op0: 3, Op1: 4, CRn: 0, CRm: 0, Op2: 0}
	regVMPIDR    = arm64.Encoding{Op0: 3, Op1: 4, CRn: 0, CRm: 0, Op2: 5}
	regICCSREEL2 = arm64.Encoding{Op0: 3, Op1: 4, CRn: 12, CRm: 9, Op2: 5}
	regCNTHCTL   = arm64.Encoding{Op0: 3, Op1: 4, CRn: 14, CRm: 1, Op2: 0}
	regCNTVOFF   = arm64.Encoding{Op0: 3, Op1: 4, CRn: 14, CRm: 0, Op2: 3}

	regMIDR  = arm64.Encoding{Op0: 3}
	regMPIDR = arm64.Encoding{Op0: 3, CRm: 0, Op2: 5}
	regPFR0  = arm64.Encoding{Op0: 3, CRm: 4, Op2: 0}
	regMMFR0 = arm64.Encoding{Op0: 3, CRm: 7, Op2: 0}
	regMMFR1 = arm64.Encoding{Op0: 3, CRm: 7, Op2: 1}
)

// Controls of the guest's own exception level, set before the first operation
// so that the guest does not trap itself.
//
// Bits of features that the ID registers do not show are set as well: CPACR_EL1
// and SCTLR_EL1 exist everywhere, where a feature is absent its bits are RES0
// and ignored, and where it is hidden but present a guest that trusted the ID
// registers would measure its own trap instead of KVM's.
const (
	cpacr = 3<<16 | // ZEN: SVE
		3<<20 | // FPEN: SIMD and floating-point
		3<<24 // SMEN: SME

	sctlrMMUOff = 1<<11 | 1<<20 | 1<<22 | 1<<23 | 1<<28 | 1<<29 // RES1 in Armv8.0

	sctlr = sctlrMMUOff |
		1<<0 | 1<<2 | 1<<12 | // M, C, I
		1<<14 | 1<<15 | 1<<26 | // DZE, UCT, UCI
		1<<16 | 1<<18 | // nTWI, nTWE
		1<<13 | 1<<27 | 1<<30 | 1<<31 | // EnDB, EnDA, EnIB, EnIA: pointer authentication
		1<<33 | // MSCEn: memory copy and set
		1<<42 | 1<<43 | // ATA0, ATA: allocation tags; TCF stays 0, tag checks have no effect
		1<<52 | 1<<53 | // TME0, TME
		1<<54 | 1<<55 | 1<<56 | // EnASR, EnAS0, EnALS: 64-byte stores
		1<<60 // EnTP2
)

// Translation: 4 KiB granule, 39-bit addresses, so that one table of 1 GiB
// blocks is all there is (Arm ARM, "VMSAv8-64 descriptor formats").
const (
	mair = 0xff | // attribute 0: Normal, write-back, read- and write-allocate
		0x00<<8 | // attribute 1: Device-nGnRnE
		0xf0<<16 // attribute 2: Normal, tagged (FEAT_MTE2)

	tcr = 25 | // T0SZ
		1<<8 | 1<<10 | 3<<12 | // IRGN0, ORGN0 write-back, SH0 inner shareable
		25<<16 | 1<<23 | 2<<30 // T1SZ; EPD1: no walks there; TG1

	blockValid   = 1
	blockDevice  = 1 << 2 // attribute 1
	blockTagged  = 2 << 2 // attribute 2
	blockInner   = 3 << 8
	blockAF      = 1 << 10
	blockGuarded = 1 << 50 // GP, FEAT_BTI; RES0 before it
	blockPXN     = 1 << 53
	blockUXN     = 1 << 54

	blockSize = 1 << 30
	// guardedAlias is how far above the memory its guarded alias lies.
	guardedAlias = blockSize
)

// TaggedAlias is how far above an image's memory the same memory lies once more
// with allocation tags, in the image of a Tagged program.
const TaggedAlias = 2 * blockSize

// translationTable returns the level 1 table: devices, memory, the memory once
// more with its pages guarded, and where it is tagged once more. Without
// FEAT_MTE2 that attribute is UNPREDICTABLE, and a CPU may speculate into any
// valid mapping (Arm ARM, "MAIR_EL1").
func translationTable(tagged bool) [4]uint64 {
	memory := uint64(memoryLow | blockInner | blockAF | blockUXN | blockValid)
	table := [4]uint64{
		blockDevice | blockAF | blockPXN | blockUXN | blockValid,
		memory,
		memory | blockGuarded,
	}
	if tagged {
		table[3] = memory | blockTagged | blockPXN
	}
	return table
}

// HCR_EL2 for a vCPU that starts at EL2.
const (
	hcrRW       = 1 << 31
	hcrNoTraps  = 1<<40 | 1<<41 | 1<<56 // APK, API, ATA
	hcrE2H      = 1 << 34
	hcrTGE      = 1 << 27
	e2hBit      = 34
	cptrNoTraps = 0x22ff // RES1 bits without TZ (8), TFP (10), TSM (12); format without E2H

	pstateMasked = 0x3c1 // DAIF masked, SPx; the exception level is ORed in
	spsrEL1h     = pstateMasked | 1<<2
)

// featureControls are registers of EL2 that exist only with a feature and trap
// EL1 while they are 0. They matter where EL2 has no E2H and the program runs
// at EL1 under an EL2 of its own; the ID registers read at EL2 decide, since
// the registers themselves are the guest's.
var featureControls = []struct {
	id        arm64.Encoding
	lsb       uint32
	registers []arm64.Encoding
	value     uint64
}{
	{regPFR0, 24, []arm64.Encoding{regICCSREEL2}, 0xf}, // GIC: Enable, DIB, DFB, SRE
	// HCX: EnAS0, EnALS, EnASR, MSCEn, TCR2En, SCTLR2En, EnIDCP128, GCSEn, EnFPM, PACMEn, SRMASKEn.
	{regMMFR1, 40, []arm64.Encoding{regHCRX}, 1<<0 | 1<<1 | 1<<2 | 1<<11 | 1<<14 | 1<<15 | 1<<21 | 1<<22 | 1<<23 | 1<<24 | 1<<26},
	// FGT: the fields whose name starts with n trap while they are 0.
	{regMMFR0, 56, []arm64.Encoding{regHFGRTR, regHFGWTR}, 0xfff4 << 48},
	{regMMFR0, 56, []arm64.Encoding{regHFGITR}, 0x1f << 55},
	{regMMFR0, 56, []arm64.Encoding{regHDFGRTR}, 0xf << 59},
	{regMMFR0, 56, []arm64.Encoding{regHDFGWTR}, 7 << 60},
}

// ownControls are controls of the guest's own exception level in registers that
// exist only with a feature. Where writing one is UNDEFINED the guest goes on;
// a hidden feature cannot be told from an absent one beforehand.
var ownControls = []struct {
	register arm64.Encoding
	value    uint64
}{
	{regZCR, 0xf},          // LEN: the longest vectors there are
	{regSMCR, 1<<30 | 0xf}, // EZT0; LEN; FA64 stays 0, it would hide what is illegal in streaming mode
}

// Registers that hold the image's own state while operations run.
const (
	nestingRegister = 23 // not 0 inside the exception handler
	pstateRegister  = 24 // PSTATE to go on with after an exception
	scratchRegister = 25
	secondRegister  = 26
	resumeRegister  = 27 // where to go on after an exception
	recordRegister  = 28 // the record of the current operation
)

// startup: the image's own record tells the exception level and what SCTLR_EL1
// and CPACR_EL1 read back.
func (a a64) startup(c *code, m *Image) {
	controls := c.newLabel()
	c.add(wordMaskDAIF, wordSelectSPx, mrs(0, regCurrentEL), compare(0, 2<<2))
	c.toward(controls, reachConditional, func(d int64) uint32 { return branchIf(conditionNE, d) })
	startupEL2(c, m.Base+vectorsEL2Offset, controls)

	c.place(controls)
	c.add(mrs(0, regCurrentEL))
	c.load(pstateRegister, pstateMasked)
	c.add(orr(pstateRegister, pstateRegister, 0))
	c.load(nestingRegister, 0)
	c.set(regVBAR, m.Base+vectorsOffset)
	c.set(regMAIR, mair)
	c.set(regTCR, tcr)
	c.set(regTTBR0, m.Base+tableOffset)
	// The table is touched before it is walked: with Linux 6.18 on cores with
	// erratum 834220 (Cortex-A57) a walk never gets past a table that stage 2
	// does not map yet (docs/findings.md).
	c.load(1, m.Base+tableOffset)
	c.add(loadFrom(2, 1))
	c.set(regCPACR, cpacr)
	c.add(wordDSBSY, wordISB, wordTLBIVMALL, wordDSBSY, wordISB)
	c.set(regSCTLR, sctlr)
	c.add(wordISB)

	for _, control := range ownControls {
		after := c.newLabel()
		a.tolerate(c, after, m.spare())
		c.set(control.register, control.value)
		c.add(wordISB)
		c.place(after)
	}

	c.point(imageRecord)
	c.add(mrs(1, regSCTLR), mrs(2, regCPACR))
	c.load(3, recordCompleted)
	c.add(store(0, recordRegister, recordValues), store(1, recordRegister, recordValues+8),
		store(2, recordRegister, recordValues+16), store(3, recordRegister, recordStatus))
}

// startupEL2 adds what a vCPU with EL2 does first: it stays there where the
// EL2&0 regime can be had (E2H; KVM makes it RES1 unless
// KVM_ARM_VCPU_HAS_EL2_E2H0 was asked for), and goes to EL1 under an EL2 that
// traps nothing where it cannot.
func startupEL2(c *code, vectorsEL2 uint64, controls label) {
	c.set(regHCR, hcrRW|hcrNoTraps|hcrE2H|hcrTGE)
	c.add(wordISB, mrs(1, regHCR))
	c.toward(controls, reachTestBit, func(d int64) uint32 { return branchIfBit(1, e2hBit, d) })

	c.set(regHCR, hcrRW|hcrNoTraps)
	c.set(regVBAREL2, vectorsEL2)
	c.set(regCPTR, cptrNoTraps)
	c.set(regHSTR, 0)
	c.set(regCNTHCTL, 3) // EL1PCEN, EL1PCTEN: timer and counter for EL1
	c.set(regCNTVOFF, 0)
	c.add(mrs(1, regMIDR), msr(regVPIDR, 1), mrs(1, regMPIDR), msr(regVMPIDR, 1))
	// MDCR_EL2 without traps; HPMN keeps its reset value, the number of counters.
	c.add(mrs(1, regMDCR), extract(1, 1, 0, 5), msr(regMDCR, 1))
	for _, control := range featureControls {
		body := load(1, control.value)
		for _, register := range control.registers {
			body = append(body, msr(register, 1))
		}
		c.add(mrs(1, control.id), extract(1, 1, control.lsb, 4))
		c.add(branchIfZero(1, int64(1+len(body))*instructionLen))
		c.add(body...)
	}
	c.set(regSCTLR, sctlrMMUOff) // UNKNOWN out of reset
	c.set(regSPSREL2, spsrEL1h)
	c.toward(controls, reachADR, func(d int64) uint32 { return adr(1, d) })
	c.add(msr(regELREL2, 1), wordISB, wordERET)
}

// handlerRegisters are the registers through which an exception handler works.
type handlerRegisters struct{ esr, elr, far, spsr arm64.Encoding }

// vectorTable adds the 16 exception vectors (Arm ARM, "Exception vectors", 128 bytes
// each):
// each fills in the current record and goes on after the operation. status is
// recordException, with recordEL2 where it belongs; fatal is where to go from
// inside a handler.
func vectorTable(c *code, regs handlerRegisters, status, fatal uint64) {
	for vector := range uint64(16) {
		start := len(c.words)
		c.add(branchIfNotZero(nestingRegister, int64(fatal)-int64(c.here())))
		c.load(nestingRegister, 1)
		c.add(mrs(scratchRegister, regs.elr), store(scratchRegister, recordRegister, recordReturn))
		c.add(mrs(scratchRegister, regs.esr), extract(secondRegister, scratchRegister, syndromeClass+3, 3))
		c.add(compare(secondRegister, classInstruction>>3), branchIf(conditionNE, 3*instructionLen))
		c.add(mrs(secondRegister, regs.far), store(secondRegister, recordRegister, recordFault))
		c.load(secondRegister, status|vector<<recordVectorShift)
		c.add(orr(scratchRegister, scratchRegister, secondRegister), store(scratchRegister, recordRegister, recordStatus))
		c.add(msr(regs.elr, resumeRegister), msr(regs.spsr, pstateRegister))
		c.load(nestingRegister, 0)
		c.add(wordERET)
		for len(c.words)-start < vectorWords {
			c.add(wordNOP)
		}
	}
}

const vectorWords = 0x80 / instructionLen
