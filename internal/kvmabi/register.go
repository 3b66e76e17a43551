package kvmabi

import (
	"fmt"

	"github.com/guise-project/guise/isa/arm64"
)

// Register ids of the vCPU's core state: struct kvm_regs counted in 32-bit
// words, coprocessor 0x10.
const (
	idArm64    = 0x6000_0000_0000_0000
	idU32      = idArm64 | 2<<52
	idU64      = idArm64 | 3<<52
	idU128     = idArm64 | 4<<52
	idU256     = idArm64 | 5<<52
	idU2048    = idArm64 | 8<<52
	idCoproc   = 0x0fff_0000
	idCore     = 0x10 << 16
	idSVE      = 0x15 << 16
	idVectors  = 336 / 4 // offsetof(struct kvm_regs, fp_regs) / 4
	idSpecific = 0xffff

	CoreSP      arm64.ID = idU64 | idCore | 248/4
	CorePC      arm64.ID = idU64 | idCore | 256/4
	CorePState  arm64.ID = idU64 | idCore | 264/4
	CoreSPEL1   arm64.ID = idU64 | idCore | 272/4
	CoreELREL1  arm64.ID = idU64 | idCore | 280/4
	CoreSPSREL1 arm64.ID = idU64 | idCore | 288/4
	CoreFPSR    arm64.ID = idU32 | idCore | 848/4
	CoreFPCR    arm64.ID = idU32 | idCore | 852/4
)

// CoreX returns the id of general-purpose register Xn, 0 to 30.
func CoreX(n uint8) arm64.ID { return idU64 | idCore | arm64.ID(n)*2 }

// CoreV returns the id of 128-bit FP/SIMD register Vn, 0 to 31. A vCPU with SVE
// has none of them (EINVAL): its Z registers hold them.
func CoreV(n uint8) arm64.ID { return idU128 | idCore | idVectors + arm64.ID(n)*4 }

// SVEZ returns the id of slice 0 of register Zn, 0 to 31: 2048 bits.
func SVEZ(n uint8) arm64.ID { return idU2048 | idSVE | arm64.ID(n)<<5 }

// SVEP returns the id of slice 0 of predicate Pn, 0 to 15: 256 bits. Pn of 16
// is FFR.
func SVEP(n uint8) arm64.ID { return idU256 | idSVE | 0x400 | arm64.ID(n)<<5 }

// Timer registers. The ids of TimerCVAL and TimerCNT are exchanged with respect
// to the architecture's encodings, and frozen so (arch/arm64 uapi/asm/kvm.h).
var (
	TimerCTL  = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 3, Op2: 1}.ID()
	TimerCVAL = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 0, Op2: 2}.ID()
	TimerCNT  = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 3, Op2: 2}.ID()

	PTimerCTL  = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 2, Op2: 1}.ID()
	PTimerCVAL = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 2, Op2: 2}.ID()
	PTimerCNT  = arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 0, Op2: 1}.ID()
)

// namedCore names the core registers that have no number.
var namedCore = map[arm64.ID]string{
	CoreSP: "SP_EL0", CorePC: "PC", CorePState: "PSTATE", CoreSPEL1: "SP_EL1", CoreELREL1: "ELR_EL1",
	CoreSPSREL1: "SPSR_EL1", CoreSPSREL1 + 2: "SPSR_abt", CoreSPSREL1 + 4: "SPSR_und",
	CoreSPSREL1 + 6: "SPSR_irq", CoreSPSREL1 + 8: "SPSR_fiq", CoreFPSR: "FPSR", CoreFPCR: "FPCR",
	TimerCTL: "KVM_REG_ARM_TIMER_CTL", TimerCVAL: "KVM_REG_ARM_TIMER_CVAL", TimerCNT: "KVM_REG_ARM_TIMER_CNT",
	PTimerCTL: "KVM_REG_ARM_PTIMER_CTL", PTimerCVAL: "KVM_REG_ARM_PTIMER_CVAL", PTimerCNT: "KVM_REG_ARM_PTIMER_CNT",
	arm64.IDSVEVectorLengths: "KVM_REG_ARM64_SVE_VLS",
}

// RegisterName names the core, timer and SVE registers, and returns "" for an
// id that is none of them: a system or firmware register, which package arm64
// names.
func RegisterName(id arm64.ID) string {
	if name, ok := namedCore[id]; ok {
		return name
	}
	number := uint64(id) & idSpecific
	switch uint64(id) & idCoproc {
	case idCore:
		switch {
		case number < 62 && number%2 == 0:
			return fmt.Sprintf("X%d", number/2)
		case number >= idVectors && number < idVectors+32*4:
			return fmt.Sprintf("V%d", (number-idVectors)/4)
		}
	case idSVE:
		switch n := number >> 5 & 31; {
		case number < 0x400:
			return fmt.Sprintf("Z%d", n)
		case number < 0x600:
			return fmt.Sprintf("P%d", n)
		default:
			return "FFR"
		}
	}
	return ""
}
