package arm64

import (
	"context"
	"fmt"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// Answer is what comes of a guest's read of a system register.
type Answer uint8

const (
	// NotModelled: the model does not say.
	NotModelled Answer = iota
	// Value: the read gives a value.
	Value
	// Undefined: the guest takes an exception as for an UNDEFINED instruction.
	Undefined
	// Trapped: the guest takes an exception of EC 0x18, with a syndrome that
	// describes the access (FEAT_IDST).
	Trapped
	// Raised: the guest takes the exception that the row of the instruction is
	// about.
	Raised
	// Stuck: KVM answers, and leaves the guest at the instruction, for ever.
	Stuck
)

// Read is what a guest on the vCPU gets from MRS at EL1, of a register in the
// feature ID space and of some others. It does not allocate.
func (m *VM) Read(vcpu int, e arm64.Encoding) (uint64, Answer) {
	c := &m.vcpus[vcpu]
	if !e.InFeatureSpace() {
		return m.readHardware(e)
	}
	switch e {
	case regCCSIDR:
		return m.readCCSIDR(c)
	case regCTR:
		return m.readCTR(), Value
	case regDCZID:
		return m.host.machine.CPUs[0].Registers[arm64.DCZIDEL0], Value
	case regGMID, regSMIDR, regCCSIDR2:
		return m.readOptional(e)
	}
	if raw := m.host.raw; raw != nil {
		if l := &m.host.space[spaceIndex(e)]; l.class == classFeature {
			return raw[l.place], Value
		}
	}
	place, class := m.placeOf(e)
	switch class {
	case classFeature:
		return m.guests(place), Value
	case classIdentity:
		return m.values[place], Value
	case classMPIDR:
		return c.mpidr, Value
	case classCLIDR:
		return c.clidr, Value
	}
	// No register: the CPU itself answers, and KVM never sees it.
	return 0, m.host.unallocated()
}

var (
	regCCSIDR  = arm64.Encoding{Op0: 3, Op1: 1, CRn: 0, CRm: 0, Op2: 0}
	regCCSIDR2 = arm64.Encoding{Op0: 3, Op1: 1, CRn: 0, CRm: 0, Op2: 2}
	regGMID    = arm64.Encoding{Op0: 3, Op1: 1, CRn: 0, CRm: 0, Op2: 4}
	regSMIDR   = arm64.Encoding{Op0: 3, Op1: 1, CRn: 0, CRm: 0, Op2: 6}
	regCSSELR  = arm64.Encoding{Op0: 3, Op1: 2, CRn: 0, CRm: 0, Op2: 0}
	regCTR     = arm64.Encoding{Op0: 3, Op1: 3, CRn: 0, CRm: 0, Op2: 1}
	regDCZID   = arm64.Encoding{Op0: 3, Op1: 3, CRn: 0, CRm: 0, Op2: 7}
)

// unallocated is how the CPU answers an encoding that nobody allocated.
func (h *Host) unallocated() Answer {
	if h.machine.CPUs[0].field(arm64.IDAA64MMFR2EL1, "IDS") != 0 {
		return Trapped
	}
	return Undefined
}

// hidden is how KVM answers a trapped read of a register that the VM has not.
func (m *VM) hidden() Answer {
	ids := arm64.Registers[arm64.IDAA64MMFR2EL1].Field("IDS").Get(m.guests(arm64.IDAA64MMFR2EL1))
	if m.host.profile.Does(kernel.FollowsIDST) && ids != 0 {
		return Trapped
	}
	return Undefined
}

// readCTR reads CTR_EL0: from the VM, or where KVM does not trap it, from the
// CPU. With FEAT_EVT (HCR_EL2.TID4) it need not as long as the VM's is the
// host's.
func (m *VM) readCTR() uint64 {
	if !m.trapsCTR() {
		return m.host.machine.CPUs[0].Registers[arm64.CTREL0]
	}
	return m.values[arm64.CTREL0]
}

func (m *VM) trapsCTR() bool {
	hosts := m.view.Values[arm64.CTREL0]
	evt := m.host.has(arm64.IDAA64MMFR2EL1, "EVT")
	left := evt && m.host.profile.Does(kernel.LeavesCTR) && m.values[arm64.CTREL0] == hosts
	return m.host.profile.Does(kernel.TrapsCaches) && !left
}

// readCCSIDR reads the cache that CSSELR_EL1 selects.
func (m *VM) readCCSIDR(c *vcpu) (uint64, Answer) {
	level := c.csselr & 15
	if level >= cacheLevels {
		return 0, NotModelled
	}
	if !m.host.profile.Does(kernel.TrapsCaches) {
		// Of 64 bits with FEAT_CCIDX.
		return m.host.machine.CPUs[0].Registers[arm64.CCSIDREL1Level0+int(level)], Value
	}
	return c.ccsidr[level], Value
}

// readOptional reads a register that only some CPUs have; those without answer
// as for any encoding that is not allocated.
func (m *VM) readOptional(e arm64.Encoding) (uint64, Answer) {
	cpu := &m.host.machine.CPUs[0]
	profile := m.host.profile
	switch e {
	case regCCSIDR2:
		if cpu.field(arm64.IDAA64MMFR2EL1, "CCIDX") == 0 {
			return 0, m.host.unallocated()
		}
		if profile.Does(kernel.TrapsCaches) {
			return 0, m.hidden()
		}
		return 0, NotModelled
	case regSMIDR:
		if cpu.field(arm64.IDAA64PFR1EL1, "SME") == 0 {
			return 0, m.host.unallocated()
		}
		if profile.Does(kernel.TrapsIdentity) {
			return 0, m.hidden()
		}
		return cpu.Registers[arm64.SMIDREL1], Value
	}
	// GMID_EL1.
	const tags = 2 // FEAT_MTE2
	switch {
	case cpu.field(arm64.IDAA64PFR1EL1, "MTE") < tags:
		return 0, m.host.unallocated()
	case m.gatesGMID():
		return 0, m.hidden()
	case cpu.Registers[arm64.GMIDEL1] == 0:
		return 0, NotModelled // hosts taken from captures do not tell it
	}
	return cpu.Registers[arm64.GMIDEL1], Value
}

// gatesGMID reports whether the VM's lack of FEAT_MTE2 keeps GMID_EL1 from the
// guest.
func (m *VM) gatesGMID() bool {
	return m.host.profile.Does(kernel.GatesGMID) && arm64.Registers[arm64.IDAA64PFR1EL1].Field("MTE").Get(m.guests(arm64.IDAA64PFR1EL1)) < 2
}

// Write is what comes of MSR at EL1, of a register in the feature ID space or of
// CSSELR_EL1. It does not allocate.
func (m *VM) Write(vcpu int, e arm64.Encoding, value uint64) Answer {
	switch {
	case e == regCSSELR:
		m.vcpus[vcpu].csselr = value
		return Value
	case e.InFeatureSpace():
		return Undefined
	}
	return NotModelled
}

// Run evaluates a probe program. Operations that the model does not know are
// recorded as not run.
func (m *VM) Run(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, error) {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.kvm.AArch32 && !m.host.profile.Does(kernel.AnswersSMCCC) {
		return nil, fmt.Errorf("%s: guests in AArch32 before Linux 5.10: %w", m.host, vm.ErrNotSupported)
	}
	if m.kvm.AArch32 && m.kvm.Protected {
		return nil, fmt.Errorf("%s: guests in AArch32 of protected VMs: %w", m.host, vm.ErrNotSupported)
	}
	if err := program.RunsIn(m.state()); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", m.host, vm.ErrNotSupported, err)
	}
	if m.kvm.EL2 && m.kvm.E2H0 {
		return nil, fmt.Errorf("%s: %w: the guests here start at an EL2 with VHE", m.host, vm.ErrNotSupported)
	}
	if !m.runs() {
		return nil, fmt.Errorf("%s: %w: a vCPU with EL2 runs only with a vGICv3", m.host, vm.ErrNotSupported)
	}
	if errno := m.enter(c); errno != 0 {
		return nil, refusedCall("KVM_RUN", fmt.Sprintf("vCPU %d", vcpu), errno)
	}
	trace := probe.NewTrace(program)
	if m.kvm.EL2 {
		trace.EL = 2
	}
	for i := range program.Ops {
		op, record := &program.Ops[i], &trace.Records[i]
		switch op.Kind {
		case probe.MRS:
			value, answer := m.Read(vcpu, op.Register)
			m.record(record, op, answer, probe.SystemAccess{Register: op.Register, Read: true})
			record.Values[0] = value
			if answer == Value {
				record.Count = 1
			}
		case probe.MSR:
			answer := m.Write(vcpu, op.Register, op.Value)
			m.record(record, op, answer, probe.SystemAccess{Register: op.Register})
		case probe.MRC, probe.MCR:
			if err := m.runCoprocessor(vcpu, op, record); err != nil {
				return trace, err
			}
		case probe.Execute:
			if m.host.raw != nil {
				continue // what such kernels trap besides is not known
			}
			var access probe.SystemAccess
			if accesses := op.Accesses(); len(accesses) > 0 {
				access = accesses[0]
			}
			m.record(record, op, m.execute(op), access)
		case probe.HVC, probe.SMC:
			if !m.host.profile.Does(kernel.AnswersSMCCC) {
				continue
			}
			if m.kvm.Protected {
				if r, answer, answered := callHypervisor(op.Kind, &op.Args); answered {
					if answer == Value {
						record.Outcome, record.Values, record.Count = probe.Completed, r, len(r)
					}
					continue
				}
			}
			r, end := m.call(op.Kind, &op.Args)
			switch end {
			case answered:
				if m.kvm.AArch32 {
					r.narrow()
				}
				record.Outcome, record.Values, record.Count = probe.Completed, r, len(r)
			case ownEL2:
				record.Outcome, record.Syndrome = probe.Exception, hypervisorCall
			case forwarded:
				return trace, refusedCall("KVM_RUN", fmt.Sprintf("%s %s: left for userspace", op.Kind, op.Name), syscall.EIO)
			}
		}
	}
	return trace, nil
}

// Syndromes of an UNDEFINED A64 instruction and of HVC #0 (EC 0x16, IL).
const (
	undefined      = 1 << 25
	hypervisorCall = 0x16<<26 | 1<<25
)

func (m *VM) record(r *probe.Record, op *probe.Op, answer Answer, access probe.SystemAccess) {
	switch answer {
	case Value:
		r.Outcome = probe.Completed
	case Undefined:
		r.Outcome, r.Syndrome = probe.Exception, undefined
		if m.host.profile.Does(kernel.ClearsIL) && m.refusedByHypervisor(op) {
			r.Syndrome = 0
		}
	case Trapped:
		r.Outcome, r.Syndrome = probe.Exception, probe.EncodeSystemAccess(access)
	case Raised:
		r.Outcome, r.Syndrome = probe.Exception, raised[op.Name]
	}
}
