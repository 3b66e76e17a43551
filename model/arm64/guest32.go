package arm64

import (
	"fmt"
	"slices"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// state is the execution state of the VM's EL1.
func (m *VM) state() probe.State {
	if m.kvm.AArch32 {
		return probe.AArch32
	}
	return probe.AArch64
}

// narrow leaves of a call's results what AArch32's registers hold.
func (r *result) narrow() {
	for i := range r {
		r[i] &= 0xffff_ffff
	}
}

// coprocessorRow is AArch32 registers that are answered alike.
type coprocessorRow struct {
	registers []arm64.Coprocessor
	read      func(m *VM, c *vcpu) (uint64, Answer)
	// traps says whether a read comes to KVM, and by what control; nil where that
	// is not known.
	traps func(m *VM) bool
}

func never(*VM) bool { return false }

func coprocessor(names ...string) []arm64.Coprocessor {
	registers := make([]arm64.Coprocessor, len(names))
	for i, name := range names {
		registers[i], _ = arm64.CoprocessorNamed(name)
	}
	return registers
}

func valueAt(place int) func(*VM, *vcpu) (uint64, Answer) {
	return func(m *VM, _ *vcpu) (uint64, Answer) { return m.values[place], Value }
}

func undefined32(*VM, *vcpu) (uint64, Answer) { return 0, Undefined }

func constant32(value uint64) func(*VM, *vcpu) (uint64, Answer) {
	return func(*VM, *vcpu) (uint64, Answer) { return value, Value }
}

// alike is for registers that KVM answers as it does the AArch64 register of the
// same number.
func alike(crn, crm, op2, op1 uint8) func(*VM, *vcpu) (uint64, Answer) {
	return func(m *VM, _ *vcpu) (uint64, Answer) { return m.readHardware(encoding(op1, crn, crm, op2)) }
}

// coprocessorRows are the registers that are not ID registers. KVM has tables of
// its own for AArch32 (Linux 7.2, arch/arm64/kvm/sys_regs.c, cp14_regs and
// cp15_regs); what is trapped and not in them is UNDEFINED.
var coprocessorRows = []coprocessorRow{
	{coprocessor("MIDR"), valueAt(arm64.MIDREL1), never},
	{coprocessor("P15_0_C0_C0_4", "P15_0_C0_C0_7"), func(m *VM, _ *vcpu) (uint64, Answer) {
		// Aliases of MIDR, of which QEMU's have the CPU's own value where the VM
		// was given another.
		if own := m.host.machine.CPUs[0].midr(); own != m.values[arm64.MIDREL1] {
			return 0, NotModelled
		}
		return m.values[arm64.MIDREL1], Value
	}, never},
	{coprocessor("CTR"), (*VM).readCTR32, func(m *VM) bool { // TID2
		return !m.host.profile.Does(kernel.TrapsCaches) || m.trapsCTR()
	}},
	{coprocessor("TCMTR", "TLBTR"), (*VM).readTCMTR, does(kernel.TrapsIdentity)}, // TID1
	{coprocessor("MPIDR"), func(_ *VM, c *vcpu) (uint64, Answer) { return c.mpidr, Value }, never},
	{coprocessor("REVIDR"), valueAt(arm64.REVIDREL1), does(kernel.TrapsIdentity)},
	{coprocessor("AIDR"), valueAt(arm64.AIDREL1), does(kernel.TrapsIdentity)},
	{coprocessor("CCSIDR"), (*VM).readCCSIDR32, always}, // TID2 or TID4
	{coprocessor("CLIDR"), (*VM).readCLIDR32, always},
	{coprocessor("CCSIDR2"), func(m *VM, _ *vcpu) (uint64, Answer) {
		if m.host.machine.CPUs[0].field(arm64.IDAA64MMFR2EL1, "CCIDX") == 0 {
			return 0, Undefined
		}
		return 0, NotModelled
	}, cpuHas(arm64.IDAA64MMFR2EL1, "CCIDX")},
	{coprocessor("P15_1_C0_C0_3", "P15_1_C0_C0_4", "P15_1_C0_C0_5", "P15_1_C0_C0_6"), undefined32, never},
	{coprocessor("CSSELR"), func(m *VM, c *vcpu) (uint64, Answer) {
		if !m.host.profile.Does(kernel.TrapsCaches) {
			return 0, NotModelled // what the CPU keeps of it
		}
		return c.csselr, Value
	}, always},
	{coprocessor("ERRIDR"), undefined32, cpuHas(arm64.IDAA64PFR0EL1, "RAS")}, // TERR
	{coprocessor("AMCFGR", "AMCGCR"), undefined32, nil},
	{coprocessor("PMCR", "PMCEID0", "PMCEID1"), func(m *VM, _ *vcpu) (uint64, Answer) { return withoutPMU32(m, Value) }, cpuHasPMU(1)},
	{coprocessor("PMMIR"), func(m *VM, _ *vcpu) (uint64, Answer) { return withoutPMU32(m, Undefined) }, cpuHasPMU(5)},
	{coprocessor("ICC_CTLR"), alike(12, 12, 4, 0), nil}, // which may be answered at EL2
	{coprocessor("ICC_SRE"), alike(12, 12, 5, 0), nil},
	{coprocessor("CNTFRQ"), alike(14, 0, 0, 3), never},
	{coprocessor("DBGDIDR"), (*VM).readDBGDIDR, always}, // TDA, TDOSA
	{coprocessor("DBGDRAR", "DBGDSAR"), constant32(0), always},
	{coprocessor("DBGOSLSR"), constant32(8), always}, // unlocked, OS lock there
	{coprocessor("JIDR"), constant32(0), never},      // RAZ in Armv8
	{coprocessor("FPSID"), func(*VM, *vcpu) (uint64, Answer) { return 0, NotModelled }, never},
}

var rowsByCoprocessor = sync.OnceValue(func() map[arm64.Coprocessor]*coprocessorRow {
	rows := map[arm64.Coprocessor]*coprocessorRow{}
	for i := range coprocessorRows {
		for _, register := range coprocessorRows[i].registers {
			rows[register] = &coprocessorRows[i]
		}
	}
	return rows
})

// ReadCoprocessor is what a guest in AArch32 gets from MRC.
func (m *VM) ReadCoprocessor(vcpu int, r arm64.Coprocessor) (value uint64, answer Answer) {
	if slices.Contains(m.host.machine.CPUs[0].Lacking, r) {
		return 0, Undefined
	}
	if row := rowsByCoprocessor()[r]; row != nil {
		value, answer = row.read(m, &m.vcpus[vcpu])
	} else {
		value, answer = m.readFeature32(r)
	}
	return value & 0xffff_ffff, answer
}

// readFeature32 reads an ID register. KVM looks its number up among the AArch64
// registers, where MVFR0_EL1 to MVFR2_EL1 have numbers that are reserved in
// AArch32; of the further ones it makes 0, and forgets to go on (Linux 7.2,
// arch/arm64/kvm/sys_regs.c, kvm_emulate_cp15_id_reg).
func (m *VM) readFeature32(r arm64.Coprocessor) (uint64, Answer) {
	place, named := r.Place()
	identifies := identifies(r)
	trapped := m.host.profile.Does(kernel.TrapsFeatures32)
	switch {
	case !identifies && !(r.Number == 10 && named):
		return 0, NotModelled
	case !trapped && named:
		return m.host.machine.CPUs[0].Registers[place], Value
	case !trapped:
		return 0, Value
	case identifies && r.CRm > 3:
		return 0, Stuck
	case identifies:
		place, _ = arm64.PlaceOf(encoding(0, 0, r.CRm, r.Opc2).ID())
	}
	return m.values[place], Value
}

// identifies reports whether the register is one of p15's ID registers, allocated
// or not.
func identifies(r arm64.Coprocessor) bool {
	return r.Number == 15 && r.Opc1 == 0 && r.CRn == 0 && r.CRm != 0 && r.CRm <= 7
}

// readCTR32: HCR_EL2.TID2 is set for guests in AArch32 on every version, and KVM
// answers, up to 6.1 with the value it worked out for the host.
func (m *VM) readCTR32(*vcpu) (uint64, Answer) {
	if m.host.profile.Does(kernel.TrapsCaches) {
		return m.readCTR(), Value
	}
	if m.values[arm64.CTREL0] != m.host.machine.CPUs[0].Registers[arm64.CTREL0] {
		return 0, NotModelled
	}
	return m.values[arm64.CTREL0], Value
}

// readTCMTR: TCMTR and TLBTR are the CPU's until HCR_EL2.TID1 traps them, for
// which KVM has no answer.
func (m *VM) readTCMTR(*vcpu) (uint64, Answer) {
	if m.host.profile.Does(kernel.TrapsIdentity) {
		return 0, Undefined
	}
	return 0, NotModelled
}

// readCCSIDR32: up to 6.1 KVM shows guests in AArch32 data and unified caches of
// one set and one way, lest they clean them by set and way for long.
func (m *VM) readCCSIDR32(c *vcpu) (uint64, Answer) {
	const setsAndWays = 1<<28 - 1<<3
	value, answer := m.readCCSIDR(c)
	if answer == Value && !m.host.profile.Does(kernel.TrapsCaches) && c.csselr&1 == 0 {
		value &^= setsAndWays
	}
	return value, answer
}

// readCLIDR32: since it is the vCPU's, the table for AArch32 does not say which
// register it is, and the guest reads 0.
func (m *VM) readCLIDR32(c *vcpu) (uint64, Answer) {
	if m.host.profile.Does(kernel.TrapsCaches) {
		return 0, Value
	}
	return c.clidr, Value
}

// withoutPMU32 is a register of the PMU: what one holds is its own affair.
func withoutPMU32(m *VM, before Answer) (uint64, Answer) {
	switch {
	case m.kvm.PMU:
		return 0, NotModelled
	case m.host.profile.Does(kernel.HasPMUOnlyWithFeature):
		return 0, Undefined
	}
	return 0, before
}

// readDBGDIDR: KVM works it out from ID_AA64DFR0_EL1.
func (m *VM) readDBGDIDR(*vcpu) (uint64, Answer) {
	const (
		version8 = 6       // Version: Armv8 debug
		res1     = 1 << 15 // since KVM looks at the VM's registers
	)
	debug := &arm64.Registers[arm64.IDAA64DFR0EL1]
	field := func(name string) uint64 { return debug.Field(name).Get(m.values[arm64.IDAA64DFR0EL1]) }
	if m.host.has(arm64.IDAA64PFR0EL1, "EL3") {
		return 0, NotModelled // SE_imp and nSUHD_imp, of whom is not settled
	}
	value := field("WRPs")<<28 | field("BRPs")<<24 | field("CTX_CMPs")<<20
	switch {
	case m.host.profile.Does(kernel.TrapsCaches):
		return value | field("DebugVer")<<16 | res1, Value
	case m.host.profile.Does(kernel.TrapsFeatures32):
		return value | version8<<16 | res1, Value
	}
	return value | version8<<16, Value
}

// runCoprocessor does MRC and MCR.
func (m *VM) runCoprocessor(vcpu int, op *probe.Op, record *probe.Record) error {
	answer := NotModelled
	switch r := op.Coprocessor; {
	case op.Kind == probe.MRC:
		record.Values[0], answer = m.ReadCoprocessor(vcpu, r)
		if answer == Value {
			record.Count = 1
		}
	case r == arm64.CoprocessorID(2, 0, 0): // CSSELR
		m.vcpus[vcpu].csselr, answer = op.Value, Value
	case r.Number == 15 && r.CRn == 0 && r.Opc1 <= 1:
		answer = Undefined // all are read-only
	}
	if answer == Stuck {
		return fmt.Errorf("%s: %s %s: KVM answers it, and the guest never comes past it (docs/findings.md)", m.host, op.Kind, op.Name)
	}
	m.record(record, op, answer, probe.SystemAccess{})
	return nil
}

// witnessCoprocessor says who answers MRC and MCR.
func (m *VM) witnessCoprocessor(op *probe.Op) Witness {
	r := op.Coprocessor
	row := rowsByCoprocessor()[r]
	_, named := r.Place()
	switch {
	case op.Kind == probe.MCR && r.Number == 15 && r.CRn == 0 && r.Opc1 <= 1:
		return StaysWithCPU // UNDEFINED, before any control
	case slices.Contains(m.host.machine.CPUs[0].Lacking, r):
		return StaysWithCPU
	case row != nil && row.traps != nil:
		return witness(row.traps(m))
	case row == nil && (identifies(r) || r.Number == 10 && named):
		return witness(m.host.profile.Does(kernel.TrapsFeatures32)) // HCR_EL2.TID3
	}
	return NotWitnessed
}

// execute32 says what comes of an A32 instruction that shows a field: no control
// of EL2 keeps any of them from a guest, so that it runs where the CPU has it,
// whatever the VM's ID registers say.
func (m *VM) execute32(op *probe.Op) Answer {
	row := probe.Instruction32For(op.Name)
	switch {
	case row == nil:
		return NotModelled
	case row.Present(m.host.machine.CPUs[0].Registers[row.Place()]):
		return Value
	}
	return Undefined
}
