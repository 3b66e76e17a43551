package arm64

import (
	"strings"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// advisory are features that no control of EL2 keeps from a guest, or that KVM
// leaves alone: an instruction runs if the CPU has it, whatever the VM's ID
// registers say. Each was seen to run on hosts of the lab, hidden and not.
var advisory = words(`AES ASID16 AdvSIMD BF16 CRC32 DGH DIT DotProd DPB ECV FCMA FHM FP FP16
	FRINTTS FlagM FlagM2 HBC I8MM JSCVT LRCPC LRCPC2 LSE MTE MixedEndEL0 LSE2 NMI PAN
	PMULL RDM RNG SB SHA1 SHA256 SHA3 SHA512 SM3 SM4 SSBS2 UAO WFxT XS`)

// settable are rows that set a bit of a register that every guest at EL1 has
// (SCTLR_EL1, TCR_EL1, TTBR0_EL1, FPCR), or need nothing but the base
// architecture: they run to their end with the feature and without.
var settable = words(`AA64 AA64EL1 AFP CMOW E0PD EBF16 EL1 ExS HAFDBS HPDS HPDS2 IESB PAN3 RPRES SSBS
	TIDCP1 TTCNP TWED`)

// Features of which KVM gives a guest nothing, those that come with the vCPU
// feature of SVE, of pointer authentication and of the PMU.
var (
	withheld = words(`SME SME2 SME2p1 SME_FA64 SME_F64F64 SME_I16I64 SME_F16F16 SME_B16B16 SME_LUTv2 AMUv1 AMUv1p1 SPE SPEv1p1 TRBE BRBE
		TRF MPAM MPAMv0p1 MPAMv1p1 CSV2_2 ETE ETMv4 SME2p2 SPE_FDS SPE_FnE TRBE_MPAM`)
	withSVE   = words("SVE SVE2 SVE_AES SVE_BitPerm SVE_PMULL128 SVE_SHA3 SVE_SM4 F32MM F64MM")
	withPAuth = words("PAuth FPAC FPACCOMBINE")
	withPMU   = words("PMUv3 PMUv3p5 PMUv3p7")
)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set["FEAT_"+word] = true
	}
	return set
}

// gating is an instruction or register that the VM's ID registers turn off.
type gatingRow struct {
	feature string
	place   int
	field   string
	least   uint64 // the least value with which it is there
	// by and control: the kernel behaves so, and the CPU has the control.
	by      kernel.Behaviour
	control string // a key of controls
	always  bool   // every version does
}

var gatings = []gatingRow{
	{"FEAT_MOPS", arm64.IDAA64ISAR2EL1, "MOPS", 1, 0, "HCX", true},
	{"FEAT_TLBIOS", arm64.IDAA64ISAR0EL1, "TLB", 1, kernel.GatesTranslation, "FGT", false},
	{"FEAT_TLBIOS", arm64.IDAA64ISAR0EL1, "TLB", 1, kernel.GatesTranslation, "EVT", false},
	{"FEAT_TLBIRANGE", arm64.IDAA64ISAR0EL1, "TLB", 2, kernel.GatesTranslation, "FGT", false},
	{"FEAT_PAN2", arm64.IDAA64MMFR1EL1, "PAN", 2, kernel.GatesTranslation, "FGT", false},
	{"FEAT_DPB2", arm64.IDAA64ISAR1EL1, "DPB", 2, kernel.GatesOperations, "FGT", false},
	{"FEAT_SPECRES", arm64.IDAA64ISAR1EL1, "SPECRES", 1, kernel.GatesOperations, "FGT", false},
	{"FEAT_LOR", arm64.IDAA64MMFR1EL1, "LO", 1, 0, "", true},
	{"FEAT_RAS", arm64.IDAA64PFR0EL1, "RAS", 1, kernel.GatesErrors, "", false},
	{"FEAT_RAS", arm64.IDAA64PFR0EL1, "RAS", 1, 0, "FGT", true},
	{"FEAT_PMUv3", arm64.IDAA64DFR0EL1, "PMUVer", 1, kernel.GatesOperations, "FGT", false},
	{"FEAT_PMUv3", arm64.IDAA64DFR0EL1, "PMUVer", 1, kernel.GatesPMU, "", false},
	{"FEAT_PMUv3", arm64.IDAA64DFR0EL1, "PMUVer", 1, kernel.OffersProtected, "EL2", false},

	// Of guests at EL2. Tried on neoverse-n2 and neoverse-v1, which have no
	// FEAT_FGT, from 6.16 and 6.17 on.
	{"FEAT_TLBIOS", arm64.IDAA64ISAR0EL1, "TLB", 1, 0, "NV", true},
	{"FEAT_TLBIRANGE", arm64.IDAA64ISAR0EL1, "TLB", 2, 0, "NV", true},
	{"FEAT_SPECRES", arm64.IDAA64ISAR1EL1, "SPECRES", 1, 0, "NV", true},
	{"FEAT_PAN2", arm64.IDAA64MMFR1EL1, "PAN", 2, kernel.GatesATAtEL2, "NV", false},
}

// controls are what a gating or a trap needs: nothing beyond what every CPU has,
// a feature of the CPU, (EL2) the hypervisor of protected VMs, or (NV) that KVM
// emulates EL2 for the guest, with HCR_EL2.NV, AT and TTLB.
var controls = map[string]func(m *VM) bool{
	"":    func(*VM) bool { return true },
	"FGT": func(m *VM) bool { return m.host.machine.CPUs[0].field(arm64.IDAA64MMFR0EL1, "FGT") != 0 },
	"HCX": func(m *VM) bool { return m.host.machine.CPUs[0].field(arm64.IDAA64MMFR1EL1, "HCX") != 0 },
	"EVT": func(m *VM) bool { return m.host.machine.CPUs[0].field(arm64.IDAA64MMFR2EL1, "EVT") >= 2 }, // HCR_EL2.TTLBOS
	"EL2": func(m *VM) bool { return m.kvm.Protected },
	"NV":  func(m *VM) bool { return m.kvm.EL2 },
}

// gated reports whether the VM's ID registers turn a feature off, and whether it
// is one that they can turn off at all.
func (m *VM) gated(feature string) (off, known bool) {
	for i := range gatings {
		g := &gatings[i]
		if g.feature != feature {
			continue
		}
		known = true
		if controls[g.control](m) && (g.always || m.host.profile.Does(g.by)) && arm64.Registers[g.place].Field(g.field).Get(m.guests(g.place)) < g.least {
			return true, true
		}
	}
	return false, known
}

// ofEL2 are features with a register of EL2 that a guest at EL2 reads, hidden or
// not: none of them is trapped. Others no CPU in the lab has.
var ofEL2 = words("AA64EL2 EL2 VHE NV2 FGT HCX ECV_POFF")

// executeEL2 says what comes of an instruction that is for EL2 alone.
func (m *VM) executeEL2(feature *arm64.Feature) Answer {
	switch {
	case !m.kvm.EL2, feature.Present != nil && !feature.Present.Holds(&m.host.machine.CPUs[0].Registers):
		return Undefined
	case ofEL2[feature.Name]:
		return Value
	}
	return NotModelled
}

// hiddenPAuth says what comes of pointer authentication in a VM without it.
func (m *VM) hiddenPAuth() Answer {
	if m.kvm.EL2 && m.host.profile.Does(kernel.LeavesPAuthToEL2) {
		return NotModelled
	}
	return Undefined
}

// execute says what comes of the instruction that shows a feature: Value where
// it completes, Undefined, Raised with the syndrome of raised, or NotModelled.
func (m *VM) execute(op *probe.Op) Answer {
	if op.State == probe.AArch32 {
		return m.execute32(op)
	}
	row, feature := probe.InstructionFor(op.Name), arm64.FeatureNamed(op.Name)
	switch {
	case row == nil || feature == nil:
		return NotModelled
	case row.Sign == probe.OnlyAtEL2:
		return m.executeEL2(feature)
	case row.Sign == probe.Nothing || settable[op.Name]:
		return Value
	case withheld[op.Name]:
		return Undefined
	case withPMU[op.Name]:
		if _, answer := undefinedWithoutPMU(m); answer == Undefined {
			return Undefined
		}
		return Value
	case readings[op.Name] != nil:
		return readings[op.Name](m)
	case withPAuth[op.Name] && !m.host.cpuHas("FEAT_PAuth"):
		return Undefined
	case withPAuth[op.Name] && !m.kvm.PAuth:
		return m.hiddenPAuth()
	case feature.Present == nil:
		return NotModelled
	case !m.host.cpuHas(op.Name):
		return m.executeLacking(row)
	}
	off, gates := m.gated(op.Name)
	switch {
	case off, withSVE[op.Name] && !m.hasSVE():
		return Undefined
	case row.Sign == probe.Raises:
		return Raised
	case gates, advisory[op.Name], withSVE[op.Name], withPAuth[op.Name]:
		return Value
	}
	return NotModelled
}

// cpuHas reports whether the boot CPU's ID registers say that it has a feature.
func (h *Host) cpuHas(feature string) bool {
	return arm64.FeatureNamed(feature).Present.Holds(&h.machine.CPUs[0].Registers)
}

// readings are rows that read a register which is answered as such.
var readings = map[string]func(m *VM) Answer{
	"FEAT_PMUv3p4": (*VM).readPMMIR,
	"FEAT_IDST":    func(m *VM) Answer { return m.host.unallocated() },
	"FEAT_CCIDX": func(m *VM) Answer {
		_, answer := m.readOptional(regCCSIDR2)
		if answer == NotModelled {
			return Value // which, nobody knows beforehand
		}
		return answer
	},
}

// lacking is what comes of rows on a CPU without their feature where it does not
// follow from their sign.
var lacking = map[string]func(m *VM) Answer{
	"FEAT_LSE2":        func(*VM) Answer { return Raised },
	"FEAT_LS64WB":      func(*VM) Answer { return Undefined },
	"FEAT_FPACCOMBINE": func(*VM) Answer { return NotModelled }, // its fetch aborts
	"FEAT_SSBS2": func(m *VM) Answer {
		if m.host.machine.CPUs[0].field(arm64.IDAA64PFR1EL1, "SSBS") != 0 {
			// The architecture has the instruction UNDEFINED; QEMU runs it on
			// CPUs that say so (cortex-a55, cortex-a76).
			return NotModelled
		}
		return Undefined
	},
}

// executeLacking says what comes of an instruction on a CPU without its feature.
func (m *VM) executeLacking(row *probe.Instruction) Answer {
	if answer, ok := lacking[row.Feature]; ok {
		return answer(m)
	}
	switch row.Sign {
	case probe.Undefined, probe.MayComplete:
		return Undefined
	case probe.Raises:
		return Value
	}
	return NotModelled
}

// longInstruction is ESR_EL1.IL.
const longInstruction = 1 << 25

// raised are the syndromes of rows that raise an exception (Arm ARM, ESR_EL1).
var raised = map[string]uint64{
	"FEAT_BTI":         0x0d<<26 | longInstruction | 1, // BTYPE
	"FEAT_FPAC":        0x1c<<26 | longInstruction,     // an instruction key, A
	"FEAT_FPACCOMBINE": 0x1c<<26 | longInstruction,
	"FEAT_LSE2":        0x25<<26 | longInstruction | 0x21, // alignment fault
}

// readPMMIR reads PMMIR_EL1, which KVM answers with 0 whether or not the VM has
// a PMU, until the PMU is gated.
func (m *VM) readPMMIR() Answer {
	const first = 5 // PMUv3 for Armv8.4
	version := m.host.machine.CPUs[0].field(arm64.IDAA64DFR0EL1, "PMUVer")
	off, _ := m.gated("FEAT_PMUv3")
	if off || version < first || version == 15 || !m.host.profile.Does(kernel.AnswersPMMIR) {
		return Undefined
	}
	return Value
}

// hardwareRegister is a register outside the feature ID space and what becomes
// of a guest's read.
type hardwareRegister struct {
	register arm64.Encoding
	read     func(m *VM) (uint64, Answer)
}

func undefinedAlways(*VM) (uint64, Answer) { return 0, Undefined }

func zeroWith(feature string) func(*VM) (uint64, Answer) {
	return func(m *VM) (uint64, Answer) {
		off, _ := m.gated(feature)
		if off || !arm64.FeatureNamed(feature).Present.Holds(&m.host.machine.CPUs[0].Registers) {
			return 0, Undefined
		}
		return 0, Value
	}
}

func constant(value uint64) func(*VM) (uint64, Answer) {
	return func(*VM) (uint64, Answer) { return value, Value }
}

// undefinedWithoutPMU: what a PMU's registers hold is its own affair.
func undefinedWithoutPMU(m *VM) (uint64, Answer) {
	off, _ := m.gated("FEAT_PMUv3")
	switch {
	case m.kvm.PMU && !off:
		return 0, NotModelled
	case m.host.profile.Does(kernel.HasPMUOnlyWithFeature):
		return 0, Undefined
	}
	return 0, Value
}

var hardwareRegisters = []hardwareRegister{
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 0, Op2: 0}, func(m *VM) (uint64, Answer) { // CNTFRQ_EL0
		frequency := m.host.machine.CPUs[0].Registers[arm64.CNTFRQEL0]
		if frequency == 0 {
			return 0, NotModelled
		}
		return frequency, Value
	}},
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 0}, undefinedWithoutPMU}, // PMCR_EL0
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 6}, undefinedWithoutPMU}, // PMCEID0_EL0
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 7}, undefinedWithoutPMU}, // PMCEID1_EL0
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 14, Op2: 6}, func(m *VM) (uint64, Answer) { return 0, m.readPMMIR() }},
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 9, Op2: 7}, undefinedAlways},  // PMSIDR_EL1
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 10, Op2: 7}, undefinedAlways}, // PMBIDR_EL1
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 9, CRm: 11, Op2: 7}, undefinedAlways}, // TRBIDR_EL1
	{arm64.Encoding{Op0: 2, Op1: 1, CRn: 9, CRm: 2, Op2: 0}, undefinedAlways},  // BRBIDR0_EL1
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 13, CRm: 2, Op2: 1}, undefinedAlways}, // AMCFGR_EL0
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 13, CRm: 2, Op2: 2}, undefinedAlways}, // AMCGCR_EL0
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 10, CRm: 4, Op2: 4}, undefinedAlways}, // MPAMIDR_EL1
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 10, CRm: 4, Op2: 7}, zeroWith("FEAT_LOR")},
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 5, CRm: 3, Op2: 0}, zeroWith("FEAT_RAS")}, // ERRIDR_EL1
	{arm64.Encoding{Op0: 2, Op1: 0, CRn: 1, CRm: 1, Op2: 4}, func(m *VM) (uint64, Answer) { // OSLSR_EL1
		if m.kvm.Protected {
			return 0, Value
		}
		return unlockedOSLSR, Value
	}},
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 12, CRm: 12, Op2: 5}, constant(7)}, // ICC_SRE_EL1: no bypass, system registers
	{arm64.Encoding{Op0: 3, Op1: 0, CRn: 12, CRm: 12, Op2: 4}, func(m *VM) (uint64, Answer) { // ICC_CTLR_EL1
		if m.kvm.VGIC != 3 && m.host.profile.Does(kernel.GatesGIC) {
			return 0, Undefined
		}
		return 0, NotModelled
	}},
}

// readHardware reads a register outside the feature ID space.
func (m *VM) readHardware(e arm64.Encoding) (uint64, Answer) {
	for i := range hardwareRegisters {
		if hardwareRegisters[i].register == e {
			return hardwareRegisters[i].read(m)
		}
	}
	return 0, NotModelled
}
