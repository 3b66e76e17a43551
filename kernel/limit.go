package kernel

import (
	"slices"
	"sync"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Mitigation is what a kernel found out about a vulnerability of its CPUs.
type Mitigation uint8

const (
	Vulnerable Mitigation = iota
	Mitigated
	Unaffected
)

// Hardware is what of a host decides what KVM shows its VMs.
type Hardware struct {
	// Values are the registers as the kernel holds them, combined over all
	// CPUs; bits that no version combines are ignored.
	Values [arm64.NumRegisters]uint64
	// SpectreV2, SpectreV4 and SpectreBHB are the kernel's findings.
	SpectreV2, SpectreV4, SpectreBHB Mitigation
	// MeltdownSafe: the kernel found no need of a mitigation.
	MeltdownSafe bool
	// GICv3: the interrupt controller gives guests a GICv3.
	GICv3 bool
}

// Holds says whether a condition about the vCPU features or the host holds.
// Those about the VM's ID registers and caches are not known here, and hold.
func (w Condition) Holds(hw *Hardware, vm VM) bool {
	switch w {
	case WithSVE:
		return vm.SVE
	case WithoutSVE:
		return !vm.SVE
	case WithPAuth:
		return vm.PAuth
	case WithoutPAuth:
		return !vm.PAuth
	case WithPMU:
		return vm.PMU
	case WithoutPMU:
		return !vm.PMU
	case WithMTE:
		return vm.MTE
	case WithoutMTE:
		return !vm.MTE
	case WithEL2:
		return vm.EL2
	case WithE2H0:
		return vm.EL2 && vm.E2H0
	case WithoutE2H0:
		return !vm.E2H0
	case NotAffectedByV2:
		return hw.SpectreV2 == Unaffected
	case NotAffectedByMeltdown:
		return hw.MeltdownSafe
	case OnGICv3:
		return hw.GICv3
	}
	return true
}

// Field returns the place and field of an ID register that a condition on the
// VM's ID registers is about: the field must not be 0. ok is false for the
// other conditions.
func (w Condition) Field() (place int, field string, ok bool) {
	switch w {
	case WithTCRX:
		return arm64.IDAA64MMFR3EL1, "TCRX", true
	case WithSCTLRX:
		return arm64.IDAA64MMFR3EL1, "SCTLRX", true
	case WithS1PIE:
		return arm64.IDAA64MMFR3EL1, "S1PIE", true
	case WithS1POE:
		return arm64.IDAA64MMFR3EL1, "S1POE", true
	case WithFGT:
		return arm64.IDAA64MMFR0EL1, "FGT", true
	}
	return 0, "", false
}

// Field returns a field of the hardware's registers.
func (h *Hardware) Field(place int, name string) uint64 {
	return arm64.Registers[place].Field(name).Get(h.Values[place])
}

// limitStep is one entry on one field.
type limitStep struct {
	kind  Kind
	when  Condition
	field *isa.Field
	value uint64
	set   isa.Set
}

// limitTable is what one version makes of the host's registers.
type limitTable struct {
	absent [arm64.NumRegisters]uint64 // bits not taken over from the host yet
	shown  [arm64.NumRegisters]uint64 // bits shown that no later version combines
	steps  [arm64.NumRegisters][]limitStep
}

func (t *limitTable) apply(c *Change, place int, present bool) {
	register := &arm64.Registers[place]
	for i := range register.Fields {
		field := &register.Fields[i]
		if len(c.Fields) != 0 && !slices.Contains(c.Fields, field.Name) {
			continue
		}
		switch {
		case c.Kind == Gains && !present:
			t.absent[place] |= field.Mask()
		case c.Kind == Shows && present:
			t.shown[place] |= field.Mask()
		case c.Kind != Gains && c.Kind != Shows && present:
			t.add(place, limitStep{c.Kind, c.When, field, c.Value, c.Set})
		}
	}
}

// add appends a step, or puts it in the place of the one it supersedes.
func (t *limitTable) add(place int, step limitStep) {
	bounds := func(k Kind) bool { return k == Forces || k == Caps }
	old := slices.IndexFunc(t.steps[place], func(s limitStep) bool {
		return s.field == step.field && s.when == step.when && bounds(s.kind) && bounds(step.kind)
	})
	if old >= 0 {
		t.steps[place][old] = step
		return
	}
	t.steps[place] = append(t.steps[place], step)
}

// run applies the step to a register value.
func (s *limitStep) run(value uint64) uint64 {
	switch s.kind {
	case Hides:
		return value &^ s.field.Mask()
	case Drops:
		if s.set.Has(s.field.Get(value)) {
			return value &^ s.field.Mask()
		}
	case Forces:
		return s.field.Put(value, s.value)
	case Caps:
		return s.field.Put(value, min(s.field.Get(value), s.value))
	}
	return value
}

// sanitised are the bits of each register that the newest kernel combines.
var sanitised = sync.OnceValue(func() *[arm64.NumRegisters]uint64 {
	var masks [arm64.NumRegisters]uint64
	for place := range arm64.Registers {
		for i := range arm64.Registers[place].Fields {
			if field := &arm64.Registers[place].Fields[i]; field.Sanitised {
				masks[place] |= field.Mask()
			}
		}
	}
	masks[arm64.CTREL0] |= 1 << 31 // RES1, which cpufeature keeps
	return &masks
})

// Limit returns what KVM of this version shows of one feature register, before
// anyone writes to it. Before the series of 2017 that is what the boot CPU has,
// which a guest sees also of registers that userspace is not given.
func (p *Profile) Limit(place int, hw *Hardware, vm VM) uint64 {
	if !p.Does(TrapsFeatures) && featureRegister(place) {
		return hw.Values[place]
	}
	value := hw.Values[place] & (sanitised()[place] | p.limits.shown[place]) &^ p.limits.absent[place]
	if p.aarch32.Has(place) && hw.Field(arm64.IDAA64PFR0EL1, "EL0") != 2 {
		value = 0
	}
	for i := range p.limits.steps[place] {
		step := &p.limits.steps[place][i]
		switch {
		case step.kind == DerivesFromPMU:
			pmuVer := arm64.Registers[arm64.IDAA64DFR0EL1].Field("PMUVer")
			value = step.field.Put(value, perfMon(pmuVer.Get(p.Limit(arm64.IDAA64DFR0EL1, hw, vm))))
		case step.when.Holds(hw, vm):
			value = step.run(value)
		}
	}
	return value
}

// Derives reports whether KVM makes a field from another (ID_DFR0_EL1.PerfMon
// from ID_AA64DFR0_EL1.PMUVer).
func (p *Profile) Derives(slot int) bool {
	_, field := arm64.Slots[slot].Describe()
	return slices.ContainsFunc(p.limits.steps[arm64.Slots[slot].Register], func(s limitStep) bool {
		return s.kind == DerivesFromPMU && s.field == field
	})
}

// perfMon is the ID_DFR0_EL1.PerfMon that goes with a PMUVer: the two count
// alike except for the first version.
func perfMon(pmuVer uint64) uint64 {
	if pmuVer == 1 {
		return 3
	}
	return pmuVer
}

// View returns every register that KVM of this version shows a VM on the
// hardware, before anyone writes to it.
func (p *Profile) View(hw *Hardware, vm VM) arm64.View {
	var v arm64.View
	for place := range arm64.Registers {
		if value, ok := p.ViewOne(place, hw, vm); ok {
			v.Put(place, value)
		}
	}
	return v
}

// ViewOne returns one register of View, and false for one that KVM does not have.
func (p *Profile) ViewOne(place int, hw *Hardware, vm VM) (uint64, bool) {
	if !p.Has(place) {
		return 0, false
	}
	e, system := arm64.ID(arm64.Registers[place].ID).Encoding()
	switch {
	case place == arm64.MPIDREL1:
		return 1 << 31, true
	case place == arm64.CSSELREL1:
		return 0, true
	case place == arm64.SMCCCARCHWORKAROUND1:
		return uint64(hw.SpectreV2), true
	case place == arm64.SMCCCARCHWORKAROUND2:
		return p.workaround2(hw, vm), true
	case place == arm64.SMCCCARCHWORKAROUND3:
		return uint64(hw.SpectreBHB), true
	case place == arm64.MIDREL1, place == arm64.REVIDREL1, place == arm64.AIDREL1:
		return hw.Values[place], true
	case place == arm64.CLIDREL1:
		if p.free.Has(place) {
			return fabricatedCLIDR(p.Limit(arm64.CTREL0, hw, vm), vm.MTE), true
		}
		return hw.Values[place], true
	case arm64.CCSIDREL1Level0 <= place && place <= arm64.CCSIDREL1Level13:
		level := place - arm64.CCSIDREL1Level0
		if p.free.Has(place) {
			return fabricatedCCSIDR(p.Limit(arm64.CTREL0, hw, vm), level&1 != 0), true
		}
		return hw.Values[place] & 0xffff_ffff, cacheExists(hw.Values[arm64.CLIDREL1], level)
	case place == arm64.CTREL0, !system, system && e.Op1 == 0 && 1 <= e.CRm && e.CRm <= 7 && e.CRn == 0:
		return p.Limit(place, hw, vm), true
	}
	return 0, false
}

// workaround2 is the level of SMCCC_ARCH_WORKAROUND_2: a guest with SSBS needs
// no call.
func (p *Profile) workaround2(hw *Hardware, vm VM) uint64 {
	const notRequired = 3
	ssbs := arm64.Registers[arm64.IDAA64PFR1EL1].Field("SSBS").Get(p.Limit(arm64.IDAA64PFR1EL1, hw, vm))
	switch {
	case hw.SpectreV4 == Unaffected, hw.SpectreV4 == Mitigated && ssbs == 0:
		return notRequired
	}
	return 0
}

// fabricatedCLIDR is the cache hierarchy that KVM makes up: as few levels as
// CTR_EL0 lets a guest believe in (Linux, arch/arm64/kvm/sys_regs.c,
// reset_clidr).
func fabricatedCLIDR(ctr uint64, mte bool) uint64 {
	const (
		instruction = 1
		data        = 2
		separate    = 3
		unified     = 4
	)
	r, c := &arm64.Registers[arm64.CLIDREL1], &arm64.Registers[arm64.CTREL0]
	noCleaning := c.Field("IDC").Get(ctr) != 0 // to the point of unification
	noInvalidation := c.Field("DIC").Get(ctr) != 0
	var clidr, levels uint64 = 0, 1
	switch {
	case noCleaning && noInvalidation:
		clidr = r.Field("Ctype1").Put(clidr, unified)
	case noCleaning:
		clidr = r.Field("Ctype2").Put(r.Field("Ctype1").Put(clidr, instruction), unified)
		levels = 2
	default:
		kind := uint64(separate)
		if noInvalidation {
			kind = data
		}
		clidr = r.Field("Ctype1").Put(clidr, kind)
		clidr = r.Field("LoUIS").Put(r.Field("LoUU").Put(clidr, 1), 1)
	}
	clidr = r.Field("LoC").Put(clidr, levels)
	if mte {
		clidr |= 2 << (33 + 2*(levels-1)) // Ttype of that level: unified tags
	}
	return clidr
}

// fabricatedCCSIDR is the geometry that KVM makes up for a cache: one set, one way,
// the smallest line of CTR_EL0 for caches of its kind; unified ones are of data
// (Linux, arch/arm64/kvm/sys_regs.c, get_ccsidr).
func fabricatedCCSIDR(ctr uint64, instruction bool) uint64 {
	name := "DminLine"
	if instruction {
		name = "IminLine"
	}
	words := arm64.Registers[arm64.CTREL0].Field(name).Get(ctr) // log2; LineSize is of 16 bytes
	return arm64.Registers[arm64.CCSIDREL1Level0].Field("LineSize").Put(0, words-2)
}

// cacheExists reports whether CLIDR_EL1 has the cache that CSSELR_EL1 = level
// selects.
func cacheExists(clidr uint64, level int) bool {
	ctype := clidr >> (level / 2 * 3) & 7
	instruction := level&1 != 0
	switch ctype {
	case 1:
		return instruction
	case 2, 4:
		return !instruction
	case 3:
		return true
	}
	return false
}
