package kernel

import (
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// protected is what the hypervisor at EL2 lets the guest of a protected VM read
// of S3_0_C0_C4_0 to S3_0_C0_C7_7, whatever userspace is shown and writes: the
// fields named here, made from those of the host (Shows, Caps) or of its own
// (Forces). All others read 0, and so does every register of AArch32.
//
// Unlike in limits, a condition that does not hold leaves a field at 0, and Caps
// heeds the field's sign.
//
// Read in arch/arm64/kvm/hyp/nvhe/sys_regs.c of Linux 7.2, and held against what
// guests read on 7.1.13 and 7.2.13 in the lab. A bound that no CPU there exceeds
// rests on the source alone.
var protected = []Change{
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64PFR0_EL1", Fields: []string{"EL0", "EL1", "EL2", "EL3", "FP", "AdvSIMD", "GIC", "RAS", "DIT"}, Value: 1},
	{Since: in("7.1"), Kind: Forces, When: NotAffectedByV2, Register: "ID_AA64PFR0_EL1", Fields: []string{"CSV2"}, Value: 1},
	{Since: in("7.1"), Kind: Forces, When: NotAffectedByMeltdown, Register: "ID_AA64PFR0_EL1", Fields: []string{"CSV3"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64PFR1_EL1", Fields: []string{"BT"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64PFR1_EL1", Fields: []string{"SSBS"}, Value: 2},
	{Since: in("7.1"), Kind: Shows, Register: "ID_AA64PFR1_EL1", Fields: []string{"MTE_frac"}, Note: "meant to be hidden: -1, compared without a sign"},
	{Since: in("7.1"), Kind: Forces, Register: "ID_AA64DFR0_EL1", Fields: []string{"DoubleLock", "MTPMU"}, Value: 15},
	{Since: in("7.1"), Kind: Shows, Register: "ID_AA64ISAR0_EL1"},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64ISAR1_EL1", Fields: []string{"JSCVT", "FCMA", "GPA", "GPI", "FRINTTS", "SB", "DGH", "I8MM"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64ISAR1_EL1", Fields: []string{"DPB", "SPECRES", "BF16"}, Value: 2},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64ISAR1_EL1", Fields: []string{"LRCPC"}, Value: 3},
	{Since: in("7.1"), Kind: Caps, When: WithPAuth, Register: "ID_AA64ISAR1_EL1", Fields: []string{"APA", "API"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64ISAR2_EL1", Fields: []string{"GPA3", "ATS1A"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, When: WithPAuth, Register: "ID_AA64ISAR2_EL1", Fields: []string{"APA3"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR0_EL1", Fields: []string{"PARANGE", "ASIDBITS"}, Value: 2},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR0_EL1", Fields: []string{"BIGEND", "SNSMEM", "BIGENDEL0", "EXS"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR1_EL1", Fields: []string{"HAFDBS", "VMIDBits", "HPDS"}, Value: 2},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR1_EL1", Fields: []string{"PAN"}, Value: 3},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR1_EL1", Fields: []string{"SpecSEI", "ETS", "CMOW"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR2_EL1", Fields: []string{"CnP", "UAO", "IESB", "AT", "IDS", "TTL", "E0PD"}, Value: 1},
	{Since: in("7.1"), Kind: Caps, Register: "ID_AA64MMFR2_EL1", Fields: []string{"BBM"}, Value: 2},
	{Since: in("7.1"), Kind: Forces, Register: "ID_AA64MMFR4_EL1", Fields: []string{"E2H0"}, Value: 15},
}

// ProtectedChanges returns the entries about what guests of protected VMs read.
// The caller must not change them.
func ProtectedChanges() []Change { return protected }

// HeldByHypervisor reports whether the guests of protected VMs read the hypervisor's
// copy of a register, which userspace neither reads nor writes: the ID registers
// S3_0_C0_C1_0 to S3_0_C0_C7_7. What a contract says of them is for a guest to
// find; their host's copies are nobody's business.
func HeldByHypervisor(place int) bool { return featureRegister(place) && place != arm64.CTREL0 }

// Protected returns what the guest of a protected VM reads of a feature register.
func (p *Profile) Protected(place int, hw *Hardware, vm VM) uint64 {
	hosts := hw.Values[place] & sanitised()[place]
	var value uint64
	for i := range p.protected[place] {
		step := &p.protected[place][i]
		if !step.when.Holds(hw, vm) {
			continue
		}
		v := step.value
		switch step.kind {
		case Shows:
			v = step.field.Get(hosts)
		case Caps:
			if h := step.field.Get(hosts); below(step.field, h, v) {
				v = h
			}
		}
		value = step.field.Put(value, v)
	}
	return value
}

// below compares two values of a field by its sign.
func below(field *isa.Field, a, b uint64) bool {
	if field.Signed {
		half := uint64(1) << (field.Width - 1)
		a, b = a^half, b^half
	}
	return a < b
}

// applyProtected adds an entry about protected VMs to those of each field.
func (p *Profile) applyProtected(c *Change) {
	place, _ := arm64.Place(c.Register)
	register := &arm64.Registers[place]
	for i := range register.Fields {
		field := &register.Fields[i]
		if len(c.Fields) == 0 || slices.Contains(c.Fields, field.Name) {
			p.protected[place] = append(p.protected[place], limitStep{kind: c.Kind, when: c.When, field: field, value: c.Value})
		}
	}
}

// Withheld is an entry about capabilities of which a protected VM answers 0,
// whatever others do.
type Withheld struct {
	Since, Until Span
	Capabilities []string // the kernel's spelling, ascending by number
}

// withheld is what KVM_CHECK_EXTENSION of a protected VM does not tell: of what
// is arm64's own it lets little through (Linux 7.2,
// arch/arm64/include/asm/kvm_pkvm.h, kvm_pkvm_ext_allowed), and what is KVM's on
// every architecture it does not filter.
var withheld = []Withheld{
	{Since: in("7.1"), Capabilities: []string{
		"KVM_CAP_MP_STATE", "KVM_CAP_SET_GUEST_DEBUG", "KVM_CAP_IOEVENTFD", "KVM_CAP_VCPU_EVENTS", "KVM_CAP_ONE_REG",
		"KVM_CAP_READONLY_MEM", "KVM_CAP_IRQFD_RESAMPLE", "KVM_CAP_ARM_SET_DEVICE_ADDR", "KVM_CAP_ARM_EL1_32BIT",
		"KVM_CAP_GUEST_DEBUG_HW_BPS", "KVM_CAP_GUEST_DEBUG_HW_WPS", "KVM_CAP_ARM_PMU_V3", "KVM_CAP_VCPU_ATTRIBUTES",
		"KVM_CAP_IMMEDIATE_EXIT", "KVM_CAP_ARM_USER_IRQ", "KVM_CAP_ARM_INJECT_SERROR_ESR", "KVM_CAP_ARM_SVE",
		"KVM_CAP_ARM_IRQ_LINE_LAYOUT_2", "KVM_CAP_ARM_NISV_TO_USER", "KVM_CAP_ARM_INJECT_EXT_DABT", "KVM_CAP_STEAL_TIME",
		"KVM_CAP_SET_GUEST_DEBUG2", "KVM_CAP_PTP_KVM", "KVM_CAP_ARM_MTE", "KVM_CAP_ARM_SYSTEM_SUSPEND", "KVM_CAP_COUNTER_OFFSET",
		"KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES", "KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES", "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS",
		"KVM_CAP_ARM_EL2", "KVM_CAP_ARM_EL2_E2H0", "KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED", "KVM_CAP_ARM_SEA_TO_USER",
	}},
}

// WithheldCapabilities returns the entries of the log about capabilities of
// protected VMs. The caller must not change them.
func WithheldCapabilities() []Withheld { return withheld }

// Withholds reports whether a protected VM answers 0 for a capability.
func (p *Profile) Withholds(capability string) bool { return p.withheld[capability] }
