package probe

import (
	"fmt"

	"github.com/guise-project/guise/isa/arm64"
)

var (
	regCSSELR = arm64.Encoding{Op0: 3, Op1: 2, CRn: 0, CRm: 0, Op2: 0}
	regCCSIDR = arm64.Encoding{Op0: 3, Op1: 1, CRn: 0, CRm: 0, Op2: 0}
)

// cacheLevels is how many values of CSSELR_EL1 name a cache: 7 levels, data or
// unified and instruction (KVM_REG_ARM_DEMUX has the same 14).
const cacheLevels = 14

// FeatureSpace reads each of the 192 encodings of the feature ID space.
// CSSELR_EL1 is written first, so that CCSIDR_EL1 has a meaning.
func FeatureSpace() *Program {
	p := &Program{Name: "feature-space", Ops: []Op{
		{Kind: MSR, Name: "CSSELR_EL1", Register: regCSSELR},
	}}
	for _, e := range arm64.FeatureSpace() {
		p.Ops = append(p.Ops, Op{Kind: MRS, Name: e.ID().String(), Register: e})
	}
	return p
}

// Writes tries to write each encoding of the feature ID space. All of them are
// read-only, and MSR to a read-only register is UNDEFINED (Arm ARM, "The System
// instruction class encoding space").
func Writes() *Program {
	p := &Program{Name: "writes"}
	for _, e := range arm64.FeatureSpace() {
		p.Ops = append(p.Ops, Op{Kind: MSR, Name: e.ID().String(), Register: e})
	}
	return p
}

// hardware are registers outside the feature ID space that describe the CPU or
// a device of the vCPU, and that change only with it.
var hardware = []struct {
	name     string
	register arm64.Encoding
}{
	{"CNTFRQ_EL0", arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 0, Op2: 0}},
	{"PMCR_EL0", arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 0}},
	{"PMCEID0_EL0", arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 6}},
	{"PMCEID1_EL0", arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 7}},
	{"PMMIR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 14, Op2: 6}},
	{"PMSIDR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 9, Op2: 7}},
	{"PMBIDR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 10, Op2: 7}},
	{"TRBIDR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 11, Op2: 7}},
	{"BRBIDR0_EL1", arm64.Encoding{Op0: 2, Op1: 1, CRn: 9, CRm: 2, Op2: 0}},
	{"AMCFGR_EL0", arm64.Encoding{Op0: 3, Op1: 3, CRn: 13, CRm: 2, Op2: 1}},
	{"AMCGCR_EL0", arm64.Encoding{Op0: 3, Op1: 3, CRn: 13, CRm: 2, Op2: 2}},
	{"LORID_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 10, CRm: 4, Op2: 7}},
	{"MPAMIDR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 10, CRm: 4, Op2: 4}},
	{"ERRIDR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 5, CRm: 3, Op2: 0}},
	{"OSLSR_EL1", arm64.Encoding{Op0: 2, Op1: 0, CRn: 1, CRm: 1, Op2: 4}},
	{"ICC_CTLR_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 12, CRm: 12, Op2: 4}},
	{"ICC_SRE_EL1", arm64.Encoding{Op0: 3, Op1: 0, CRn: 12, CRm: 12, Op2: 5}},
}

// Hardware reads what lies outside the feature ID space and no ioctl tells:
// counter frequency, PMU, GIC CPU interface and other facilities, and every
// CCSIDR_EL1 through CSSELR_EL1. (DCZID_EL0, GMID_EL1, SMIDR_EL1 and
// CCSIDR2_EL1 lie in the feature ID space.)
func Hardware() *Program {
	p := &Program{Name: "hardware"}
	for _, h := range hardware {
		p.Ops = append(p.Ops, Op{Kind: MRS, Name: h.name, Register: h.register})
	}
	for level := range cacheLevels {
		p.Ops = append(p.Ops,
			Op{Kind: MSR, Name: fmt.Sprintf("CSSELR_EL1=%d", level), Register: regCSSELR, Value: uint64(level)},
			Op{Kind: MRS, Name: fmt.Sprintf("CCSIDR_EL1[%d]", level), Register: regCCSIDR})
	}
	return p
}
