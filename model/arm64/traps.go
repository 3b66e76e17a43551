package arm64

import (
	"context"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// Witness says whether an operation of a guest comes to KVM.
type Witness uint8

const (
	// NotWitnessed: the model does not say.
	NotWitnessed Witness = iota
	// ComesToKVM: a control of EL2 traps the operation, and KVM answers.
	ComesToKVM
	// StaysWithCPU: KVM never sees it.
	StaysWithCPU
)

func witness(trapped bool) Witness {
	if trapped {
		return ComesToKVM
	}
	return StaysWithCPU
}

// trapRow is registers whose accesses a control of EL2 traps. What the CPU lacks
// it refuses before any control.
type trapRow struct {
	control   string
	registers []arm64.Encoding
	traps     func(m *VM) bool
}

func always(*VM) bool { return true }

// does is for controls that KVM sets from some version on.
func does(b kernel.Behaviour) func(*VM) bool {
	return func(m *VM) bool { return m.host.profile.Does(b) }
}

// cpuHas is for registers that only some CPUs have.
func cpuHas(place int, field string) func(*VM) bool {
	return func(m *VM) bool { return m.host.machine.CPUs[0].field(place, field) != 0 }
}

func both(a, b func(*VM) bool) func(*VM) bool { return func(m *VM) bool { return a(m) && b(m) } }

// cpuHasPMU: a PMU of the architecture's, of at least that version.
func cpuHasPMU(version uint64) func(*VM) bool {
	return func(m *VM) bool {
		there := m.host.machine.CPUs[0].field(arm64.IDAA64DFR0EL1, "PMUVer")
		return there >= version && there != 15
	}
}

func encoding(op1, crn, crm, op2 uint8) arm64.Encoding {
	return arm64.Encoding{Op0: 3, Op1: op1, CRn: crn, CRm: crm, Op2: op2}
}

// trapRows are KVM's controls, for reads; CSSELR_EL1 is alike for writes.
var trapRows = []trapRow{
	{"HCR_EL2.TID1", []arm64.Encoding{encoding(0, 0, 0, 6), encoding(1, 0, 0, 7)}, does(kernel.TrapsIdentity)}, // REVIDR_EL1, AIDR_EL1
	{"HCR_EL2.TID1", []arm64.Encoding{regSMIDR}, both(does(kernel.TrapsIdentity), cpuHas(arm64.IDAA64PFR1EL1, "SME"))},
	{"HCR_EL2.TID2 or TID4", []arm64.Encoding{regCCSIDR, regCSSELR, encoding(1, 0, 0, 1)}, does(kernel.TrapsCaches)},
	{"HCR_EL2.TID2 or TID4", []arm64.Encoding{regCCSIDR2}, both(does(kernel.TrapsCaches), cpuHas(arm64.IDAA64MMFR2EL1, "CCIDX"))},
	{"HCR_EL2.TID2", []arm64.Encoding{regCTR}, (*VM).trapsCTR},
	{"HCR_EL2.TID5", []arm64.Encoding{regGMID}, both((*VM).gatesGMID, func(m *VM) bool { return m.host.cpuHas("FEAT_MTE2") })},
	{"HCR_EL2.TLOR", []arm64.Encoding{encoding(0, 10, 4, 7)}, cpuHas(arm64.IDAA64MMFR1EL1, "LO")},
	{"HCR_EL2.TERR", []arm64.Encoding{encoding(0, 5, 3, 0)}, cpuHas(arm64.IDAA64PFR0EL1, "RAS")},
	{"MDCR_EL2.TDOSA", []arm64.Encoding{{Op0: 2, CRn: 1, CRm: 1, Op2: 4}}, always},
	{"MDCR_EL2.TPM", []arm64.Encoding{encoding(3, 9, 12, 0), encoding(3, 9, 12, 6), encoding(3, 9, 12, 7)}, cpuHasPMU(1)},
	{"MDCR_EL2.TPM", []arm64.Encoding{encoding(0, 9, 14, 6)}, cpuHasPMU(5)},
	{"none", []arm64.Encoding{encoding(0, 0, 0, 0), encoding(0, 0, 0, 5), regDCZID, encoding(3, 14, 0, 0)}, // MIDR_EL1, MPIDR_EL1, CNTFRQ_EL0
		func(*VM) bool { return false }},
}

// instructionTrap is features whose instructions a control of EL2 traps, where
// the CPU has them.
type instructionTrap struct {
	control  string
	features []string
	traps    func(m *VM) bool
}

var instructionTraps = []instructionTrap{
	{"HCR_EL2.AT", []string{"FEAT_PAN2"}, controls["NV"]},
	{"HCR_EL2.NV", []string{"FEAT_SPECRES"}, controls["NV"]},
	{"HCR_EL2.TTLB", []string{"FEAT_TLBIOS", "FEAT_TLBIRANGE"}, both(controls["NV"], does(kernel.TrapsTLBIAtEL2))},
}

// trapsInstruction reports whether a control traps the instruction that shows a
// feature.
func (m *VM) trapsInstruction(feature string) bool {
	return slices.ContainsFunc(instructionTraps, func(row instructionTrap) bool {
		return slices.Contains(row.features, feature) && row.traps(m)
	})
}

// witnessRead says who answers a guest's read.
func (m *VM) witnessRead(e arm64.Encoding) Witness {
	for i := range trapRows {
		for _, register := range trapRows[i].registers {
			if register == e {
				return witness(trapRows[i].traps(m))
			}
		}
	}
	switch {
	case !e.InFeatureSpace():
		return NotWitnessed
	case e.Op1 == 0 && e.CRm != 0:
		return ComesToKVM // HCR_EL2.TID3, allocated or not
	}
	return StaysWithCPU // nobody has allocated it
}

// witnessExecute says who answers the instruction that shows a feature.
func (m *VM) witnessExecute(op *probe.Op) Witness {
	if op.State == probe.AArch32 {
		return StaysWithCPU // as execute32 has it
	}
	row, feature := probe.InstructionFor(op.Name), arm64.FeatureNamed(op.Name)
	if row != nil && feature != nil && row.Sign == probe.OnlyAtEL2 && m.executeEL2(feature) != NotModelled {
		return StaysWithCPU // UNDEFINED, or in the page of FEAT_NV2
	}
	if settable[op.Name] {
		return StaysWithCPU
	}
	if row == nil || feature == nil || feature.Present == nil {
		return NotWitnessed
	}
	accesses := op.Accesses()
	switch {
	case row.Streaming && cpuHas(arm64.IDAA64PFR1EL1, "SME")(m):
		return ComesToKVM // by CPTR_EL2, at the SMSTART it begins with
	case len(accesses) == 1 && len(op.Words) == 1 && accesses[0].Read:
		return m.witnessRead(accesses[0].Register)
	case !feature.Present.Holds(&m.host.machine.CPUs[0].Registers) && row.Sign == probe.Undefined && m.execute(op) == Undefined:
		return StaysWithCPU
	case advisory[op.Name]:
		return StaysWithCPU
	case withSVE[op.Name]:
		return witness(!m.kvm.SVE)
	case withPAuth[op.Name] && !m.host.cpuHas("FEAT_PAuth"):
		return StaysWithCPU
	case withPAuth[op.Name] && !m.kvm.PAuth && m.hiddenPAuth() == NotModelled:
		return NotWitnessed
	case withPAuth[op.Name]:
		return witness(!m.kvm.PAuth)
	case m.trapsInstruction(op.Name):
		return ComesToKVM
	case op.Name == "FEAT_MOPS":
		return StaysWithCPU // HCRX_EL2.MSCEn makes it UNDEFINED, and traps nothing
	}
	if off, gates := m.gated(op.Name); gates && off {
		return ComesToKVM
	}
	return NotWitnessed
}

// Witness says who answers an operation of a guest on the VM.
func (m *VM) Witness(op *probe.Op) Witness {
	if m.kvm.Protected {
		return NotWitnessed // what comes to EL2 its host does not see
	}
	switch op.Kind {
	case probe.MRS:
		return m.witnessRead(op.Register)
	case probe.MSR:
		switch {
		case op.Register == regCSSELR:
			return m.witnessRead(op.Register)
		case op.Register.InFeatureSpace():
			return StaysWithCPU // UNDEFINED, before any control
		}
	case probe.MRC, probe.MCR:
		return m.witnessCoprocessor(op)
	case probe.HVC, probe.SMC:
		return ComesToKVM
	case probe.Execute:
		return m.witnessExecute(op)
	}
	return NotWitnessed
}

// RunObserved is Run, and says of each operation who answered.
func (m *VM) RunObserved(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, *probe.Traps, error) {
	trace, err := m.Run(ctx, vcpu, program)
	if err != nil {
		return trace, nil, err
	}
	if m.kvm.Protected {
		return trace, &probe.Traps{Unknown: "the hypervisor at EL2 answers protected VMs, and no host sees it"}, nil
	}
	traps := &probe.Traps{RestsOn: "the reference model"}
	for i := range program.Ops {
		op := &program.Ops[i]
		switch m.Witness(op) {
		case ComesToKVM:
			traps.Trapped.Add(op.Kind, op.Name)
		case StaysWithCPU:
			traps.NotTrapped.Add(op.Kind, op.Name)
		}
	}
	return trace, traps, nil
}
