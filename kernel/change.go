// Package kernel holds KVM's guest-visible behaviour as a change log: one entry
// for each change, with the version since which it holds and how that is known.
// A Profile is the sum of the entries up to a version.
//
// What is true of the newest version known is assumed of later ones.
package kernel

import "github.com/guise-project/guise/isa"

// Kind is what an entry changes.
type Kind uint8

const (
	// Writable: the fields take values other than the limit, by their order.
	Writable Kind = iota
	// Refuses: the fields do not take the values in Set, whatever their order;
	// with WithEL2 as When, those of VMs with EL2 do not.
	Refuses
	// Takes: the fields take the values in Set too.
	Takes
	// Free: the bits of the register outside its slots take any value.
	Free
	// Identity: as Free, for a VM made with
	// KVM_CAP_ARM_WRITABLE_IMP_ID_REGS.
	Identity
	// FollowsVGIC: KVM sets the fields to match the VM's interrupt controller
	// at the first run, so that a guest sees no other value.
	FollowsVGIC
	// ClearedWithoutVGIC: KVM clears the fields at the first run of a VM that
	// has no in-kernel GICv3.
	ClearedWithoutVGIC
	// IgnoredWithoutAArch32: on a host without AArch32 at EL0 the register
	// reads 0 and writes are ignored.
	IgnoredWithoutAArch32
	// Appears: the register exists.
	Appears
	// Exposes: the feature registers S3_0_C0_C2_6 to S3_0_C0_C7_7 exist; those
	// below always did.
	Exposes
	// TakenAsZero: the fields take the values in Set, and then hold 0.
	TakenAsZero
	// TakenAsLimit: the fields of VMs with EL2 take the values in Set, and then
	// hold the limit.
	TakenAsLimit
	// HostsTakenAsZero: the fields take the value that the host itself has, and
	// then hold 0.
	HostsTakenAsZero
	// Frozen: once a vCPU of the VM has run, the register takes only what it
	// holds, and answers EBUSY to all else.
	Frozen
	// Reports: KVM_ARM_GET_REG_WRITABLE_MASKS gives Value for the register,
	// where that is not just what is writable.
	Reports
	// Gains: KVM shows the fields as the host has them; before, it shows 0.
	Gains
	// Shows: KVM shows the fields as the host has them, although the newest
	// version does not combine them over CPUs.
	Shows
	// Hides: where When holds, KVM shows 0 for the fields.
	Hides
	// Drops: KVM shows 0 for fields that on the host have a value in Set.
	Drops
	// Forces: where When holds, KVM shows Value for the fields.
	Forces
	// DerivesFromPMU: KVM derives the field from ID_AA64DFR0_EL1.PMUVer.
	DerivesFromPMU
	// Caps: where When holds, KVM shows at most Value for the fields, as
	// numbers without a sign.
	Caps
)

// Change is one entry of the log.
type Change struct {
	Since Span
	// Until says since when the entry holds no longer: later versions changed
	// their mind, or it came by a stable update that they lack. The zero value:
	// it holds on.
	Until    Span
	Kind     Kind
	Register string
	Fields   []string // none: all of the register
	Set      isa.Set  // Refuses, Takes, TakenAsZero, TakenAsLimit, Drops
	// Value is for Forces, Caps and Reports, When for Hides, Forces, Caps,
	// Refuses and TakenAsLimit.
	Value uint64
	When  Condition
	// Note says what is behind it where the kind does not.
	Note string
}

// In says whether the entry holds in a kernel of version v: yes, no, or not
// known.
func (c *Change) In(v Version) (in, known bool) { return within(c.Since, c.Until, v) }

// within judges a version by when something came and, perhaps, went.
func within(since, until Span, v Version) (in, known bool) {
	in, known = since.In(v)
	if until == (Span{}) {
		return in, known
	}
	gone, goneKnown := until.In(v)
	return in && !gone, known && goneKnown
}

// signed is when KVM stops to compare PMUVer and PerfMon as signed. 6.18.15 does,
// 6.18.35 does not.
var signed = in("7.0").and("6.6.141", "6.12.91", "6.18.15-6.18.35", "6.19.14-")

// exceptions is what the order of a writable field does not say.
//
// Read in the same versions as writable; what was tried on kernels is marked.
var exceptions = []Change{
	{Since: in("6.7"), Kind: Refuses, Register: "ID_AA64DFR0_EL1", Fields: []string{"DebugVer"}, Set: isa.Range(0, 5), Note: "tried on 6.12 and 7.2"},
	{Since: in("6.7"), Kind: Refuses, Register: "ID_DFR0_EL1", Fields: []string{"CopDbg"}, Set: isa.Range(0, 5)},
	{Since: in("6.2"), Kind: Refuses, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}, Set: isa.Range(1, 2)},
	{Since: between("6.14", "6.16"), Kind: Refuses, Register: "ID_AA64PFR0_EL1", Fields: []string{"EL0", "EL1"}, Set: isa.Only(0), Note: "tried: 6.12 takes 0, 6.18 and 7.2 do not"},
	{Since: in("6.16"), Kind: Refuses, When: WithEL2, Register: "ID_AA64PFR0_EL1", Fields: []string{"EL2"}, Set: isa.Only(0), Note: "tried on 6.18 and 7.2"},
	{Since: in("6.16"), Kind: Refuses, When: WithEL2, Register: "ID_AA64MMFR0_EL1", Fields: []string{"TGRAN4_2", "TGRAN64_2", "TGRAN16_2"}, Set: isa.Only(0) | isa.Range(3, 15), Note: "all values tried on 7.2, before a run and after it; 3 on 6.18"},
	{Since: in("6.16"), Until: in("6.18"), Kind: Refuses, When: WithEL2, Register: "ID_AA64MMFR0_EL1", Fields: []string{"TGRAN4_2", "TGRAN64_2", "TGRAN16_2"}, Set: isa.Only(1), Note: "tried on 6.16 and 6.17"},
	{Since: in("6.18"), Kind: TakenAsLimit, When: WithEL2, Register: "ID_AA64DFR0_EL1", Fields: []string{"DoubleLock"}, Set: isa.Only(0), Note: "older kernels showed it; tried on neoverse-v1 and neoverse-n2"},
	{Since: in("6.5"), Until: signed, Kind: Takes, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Set: isa.Range(8, 14), Note: "compared as signed"},
	{Since: in("6.5"), Until: signed, Kind: Takes, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}, Set: isa.Range(8, 14), Note: "compared as signed"},
	{Since: in("6.13"), Kind: Refuses, Register: "CTR_EL0", Fields: []string{"L1Ip"}, Set: isa.Range(0, 1)},

	{Since: in("6.12"), Kind: ClearedWithoutVGIC, Register: "ID_AA64PFR0_EL1", Fields: []string{"GIC"}, Note: "tried on 6.12 and 7.2"},
	{Since: in("6.12"), Kind: ClearedWithoutVGIC, Register: "ID_PFR1_EL1", Fields: []string{"GIC"}, Note: "tried on 6.12 and 6.18"},
	{Since: in("7.1"), Kind: FollowsVGIC, Register: "ID_AA64PFR0_EL1", Fields: []string{"GIC"}, Note: "tried: 6.12 to 7.0 keep 0, 7.1 shows 1"},
	{Since: in("7.1"), Kind: FollowsVGIC, Register: "ID_PFR1_EL1", Fields: []string{"GIC"}},
	{Since: in("7.1"), Kind: FollowsVGIC, Register: "ID_AA64PFR2_EL1", Fields: []string{"GCIE"}},

	{Since: in("6.3"), Kind: Free, Register: "CLIDR_EL1", Note: "fabricated from CTR_EL0"},
	{Since: in("6.3"), Kind: Free, Register: "CCSIDR_EL1", Note: "fabricated from CTR_EL0"},
	{Since: in("6.15"), Kind: Identity, Register: "MIDR_EL1"},
	{Since: in("6.15"), Kind: Identity, Register: "REVIDR_EL1"},
	{Since: in("6.15"), Kind: Identity, Register: "AIDR_EL1"},

	{Since: in("6.1"), Kind: IgnoredWithoutAArch32, Register: "ID_PFR0_EL1"},

	{Since: between("6.1", "6.5"), Kind: TakenAsZero, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Set: isa.Only(15)},
	{Since: between("6.1", "6.5"), Kind: TakenAsZero, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}, Set: isa.Only(15)},
	{Since: in("6.13").and("6.6.67", "6.12.6"), Kind: HostsTakenAsZero, Register: "ID_AA64PFR0_EL1", Fields: []string{"MPAM"}, Note: "older kernels showed it"},
	{Since: in("6.13").and("6.6.67", "6.12.6"), Kind: HostsTakenAsZero, Register: "ID_AA64PFR1_EL1", Fields: []string{"MPAM_frac"}, Note: "older kernels showed it"},
	{Since: in("6.15"), Kind: HostsTakenAsZero, Register: "ID_AA64MMFR2_EL1", Fields: []string{"NV"}, Note: "older kernels showed it; tried on 7.2"},

	{Since: in("6.5"), Kind: Frozen, Register: "ID_AA64PFR0_EL1", Note: "and all feature registers; tried: 6.1 never freezes them"},
	{Since: in("5.19"), Kind: Frozen, Register: "STD_BMAP"},
	{Since: in("5.19"), Kind: Frozen, Register: "STD_HYP_BMAP"},
	{Since: in("5.19"), Kind: Frozen, Register: "VENDOR_HYP_BMAP"},
	{Since: in("6.15"), Kind: Frozen, Register: "VENDOR_HYP_BMAP_2"},
}

// firmware is KVM's firmware pseudo-registers and hypercall bitmaps
// (Documentation/virt/kvm/arm/fw-pseudo-registers.rst).
var firmware = []Change{
	{Since: in("4.17").and("4.14-", "4.16.0-4.16.13"), Kind: Appears, Register: "PSCI_VERSION"},
	{Since: in("4.17").and("4.14-", "4.16.0-4.16.13"), Kind: Writable, Register: "PSCI_VERSION"},
	{Since: in("4.17").and("4.14-", "4.16.0-4.16.13"), Kind: Refuses, Register: "PSCI_VERSION", Set: isa.Only(0), Note: "0.1 is for vCPUs without KVM_ARM_VCPU_PSCI_0_2"},
	{Since: in("5.3"), Kind: Appears, Register: "SMCCC_ARCH_WORKAROUND_1"},
	{Since: in("5.3"), Kind: Writable, Register: "SMCCC_ARCH_WORKAROUND_1"},
	{Since: in("5.3"), Kind: Appears, Register: "SMCCC_ARCH_WORKAROUND_2"},
	{Since: in("5.3"), Kind: Writable, Register: "SMCCC_ARCH_WORKAROUND_2", Fields: []string{"Level"}},
	{Since: in("5.10"), Kind: Takes, Register: "SMCCC_ARCH_WORKAROUND_2", Fields: []string{"Level"}, Set: isa.Range(0, 1), Note: "levels 0 and 1 need level 0"},
	{Since: in("5.17").and("5.10.105", "5.15.28", "5.16.14"), Kind: Appears, Register: "SMCCC_ARCH_WORKAROUND_3", Note: "by a stable update of 5.10"},
	{Since: in("5.17").and("5.10.105", "5.15.28", "5.16.14"), Kind: Writable, Register: "SMCCC_ARCH_WORKAROUND_3"},
	{Since: in("5.19"), Kind: Appears, Register: "STD_BMAP"},
	{Since: in("5.19"), Kind: Writable, Register: "STD_BMAP"},
	{Since: in("5.19"), Kind: Appears, Register: "STD_HYP_BMAP"},
	{Since: in("5.19"), Kind: Writable, Register: "STD_HYP_BMAP"},
	{Since: in("5.19"), Kind: Appears, Register: "VENDOR_HYP_BMAP"},
	{Since: in("5.19"), Kind: Writable, Register: "VENDOR_HYP_BMAP"},
	{Since: in("6.15"), Kind: Appears, Register: "VENDOR_HYP_BMAP_2"},
	{Since: in("6.15"), Kind: Takes, Register: "VENDOR_HYP_BMAP_2", Set: isa.Range(0, 1), Note: "0 by default; what it announces the VMM must serve"},
}
