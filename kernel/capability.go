package kernel

// CapabilityRule says what decides the value of a KVM_CAP_* that a kernel
// knows.
type CapabilityRule uint8

const (
	// Fixed: Value, on every host.
	Fixed CapabilityRule = iota
	// ForFeature: 1 where the host can give VMs what Feature names (a vCPU
	// feature), or 0.
	ForFeature
	// ForRAS: 1 where the host's CPUs have FEAT_RAS, or 0.
	ForRAS
	// ForE2H0: 1 where VMs can have an EL2 without VHE.
	ForE2H0
	// Breakpoints and Watchpoints: how many the host's CPUs have.
	Breakpoints
	Watchpoints
	// IPABits: the size of the largest guest-physical address space.
	IPABits
	// CPUCount: how many CPUs are online.
	CPUCount
	// GICv3Capacity: Value with a GICv3, 8 with a GICv2.
	GICv3Capacity
	// RangeBitmap: the ranges of KVM_ARM_GET_REG_WRITABLE_MASKS.
	RangeBitmap
	// ForITS: 1 in a VM with a GICv3 ITS. ForCacheablePFNMap: 1 where the CPUs
	// have FEAT_S2FWB and CTR_EL0.DIC. Both are asked of a VM only; of the host
	// they are EINVAL.
	ForITS
	ForCacheablePFNMap
)

// OfVM reports whether only a VM answers, and the host EINVAL.
func (r CapabilityRule) OfVM() bool { return r == ForITS || r == ForCacheablePFNMap }

// CapabilityChange is an entry of the change log about what
// KVM_CHECK_EXTENSION answers. A capability without an entry that holds is 0. Of
// several the newest counts.
type CapabilityChange struct {
	Name         string // the kernel's spelling
	Since, Until Span
	Rule         CapabilityRule
	Feature      string // ForFeature: as guise.Feature spells it
	Value        int    // Fixed, GICv3Capacity
}

// before5_10 is what was there before all that the lab has. Which of them older
// kernels have was not looked for.
var before5_10 = upTo("5.10")

// capabilities is as kernels answer in the lab with pages of 4 KiB (the catalogue
// has the values, but of 6.19), in ascending order of their numbers.
var capabilities = []CapabilityChange{
	{Name: "KVM_CAP_IRQCHIP", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_USER_MEMORY", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_NR_VCPUS", Since: before5_10, Rule: CPUCount},
	{Name: "KVM_CAP_NR_MEMSLOTS", Since: before5_10, Value: 512},
	{Name: "KVM_CAP_NR_MEMSLOTS", Since: in("5.12"), Value: 32767},
	{Name: "KVM_CAP_MP_STATE", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_COALESCED_MMIO", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_SYNC_MMU", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_DESTROY_MEMORY_REGION_WORKS", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_SET_GUEST_DEBUG", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_IRQ_ROUTING", Since: before5_10, Value: 4096},
	{Name: "KVM_CAP_IRQFD", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_IOEVENTFD", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_INTERNAL_ERROR_DATA", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_VCPU_EVENTS", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_MAX_VCPUS", Since: before5_10, Rule: GICv3Capacity, Value: 512},
	{Name: "KVM_CAP_ONE_REG", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_SIGNAL_MSI", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_READONLY_MEM", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_IRQFD_RESAMPLE", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_PSCI", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_SET_DEVICE_ADDR", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_DEVICE_CTRL", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_EL1_32BIT", Since: before5_10, Rule: ForFeature, Feature: "aarch32"},
	{Name: "KVM_CAP_ENABLE_CAP_VM", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_PSCI_0_2", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_CHECK_EXTENSION_VM", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_GUEST_DEBUG_HW_BPS", Since: before5_10, Rule: Breakpoints},
	{Name: "KVM_CAP_GUEST_DEBUG_HW_WPS", Since: before5_10, Rule: Watchpoints},
	{Name: "KVM_CAP_IOEVENTFD_ANY_LENGTH", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_PMU_V3", Since: before5_10, Rule: ForFeature, Feature: "pmu"},
	{Name: "KVM_CAP_VCPU_ATTRIBUTES", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_MAX_VCPU_ID", Since: before5_10, Rule: GICv3Capacity, Value: 512},
	{Name: "KVM_CAP_MSI_DEVID", Since: before5_10, Rule: ForITS},
	{Name: "KVM_CAP_IMMEDIATE_EXIT", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_USER_IRQ", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_INJECT_SERROR_ESR", Since: before5_10, Rule: ForRAS},
	{Name: "KVM_CAP_COALESCED_PIO", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_VM_IPA_SIZE", Since: in("4.20"), Rule: IPABits},
	{Name: "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2", Since: before5_10, Value: 3},
	{Name: "KVM_CAP_ARM_SVE", Since: in("5.2"), Rule: ForFeature, Feature: "sve"},
	{Name: "KVM_CAP_ARM_PTRAUTH_ADDRESS", Since: in("5.2"), Rule: ForFeature, Feature: "pauth"},
	{Name: "KVM_CAP_ARM_PTRAUTH_GENERIC", Since: in("5.2"), Rule: ForFeature, Feature: "pauth"},
	{Name: "KVM_CAP_ARM_IRQ_LINE_LAYOUT_2", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_NISV_TO_USER", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_ARM_INJECT_EXT_DABT", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_HALT_POLL", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_STEAL_TIME", Since: before5_10, Value: 1},
	{Name: "KVM_CAP_SET_GUEST_DEBUG2", Since: between("5.12", "5.14"), Value: 0x30003},
	{Name: "KVM_CAP_PTP_KVM", Since: between("5.12", "5.14"), Value: 1},
	{Name: "KVM_CAP_BINARY_STATS_FD", Since: between("5.12", "5.14"), Value: 1},
	{Name: "KVM_CAP_ARM_MTE", Since: between("5.12", "5.14"), Rule: ForFeature, Feature: "mte"},
	{Name: "KVM_CAP_SYSTEM_EVENT_DATA", Since: in("5.18"), Value: 1},
	{Name: "KVM_CAP_ARM_SYSTEM_SUSPEND", Since: in("5.19"), Value: 1},
	{Name: "KVM_CAP_DIRTY_LOG_RING_ACQ_REL", Since: in("6.2"), Value: 1 << 20},
	{Name: "KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP", Since: in("6.2"), Value: 1},
	{Name: "KVM_CAP_COUNTER_OFFSET", Since: in("6.4"), Value: 1},
	{Name: "KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES", Since: in("6.5"), Value: 1<<30 | 2<<20 | 4<<10},
	{Name: "KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES", Since: in("6.7"), Rule: RangeBitmap},
	{Name: "KVM_CAP_USER_MEMORY2", Since: in("6.8"), Value: 1},
	{Name: "KVM_CAP_GUEST_MEMFD", Since: in("6.18"), Value: 1},
	{Name: "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS", Since: in("6.15"), Value: 1},
	{Name: "KVM_CAP_ARM_EL2", Since: in("6.16"), Rule: ForFeature, Feature: "el2"},
	{Name: "KVM_CAP_ARM_EL2_E2H0", Since: in("6.16"), Rule: ForE2H0},
	{Name: "KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED", Since: in("6.17"), Rule: ForCacheablePFNMap},
	{Name: "KVM_CAP_GUEST_MEMFD_FLAGS", Since: in("6.18"), Value: 3},
	{Name: "KVM_CAP_ARM_SEA_TO_USER", Since: in("6.19"), Value: 1},
}

// In says whether the entry holds in a kernel of version v: yes, no, or not
// known.
func (c *CapabilityChange) In(v Version) (in, known bool) { return within(c.Since, c.Until, v) }

// Capabilities returns the entries of the log about capabilities. The caller must
// not change them.
func Capabilities() []CapabilityChange { return capabilities }

// Capability returns what decides a capability in a kernel of version v: nil
// where it is 0. known is false where the log leaves it open.
func Capability(name string, v Version) (entry *CapabilityChange, known bool) {
	known = true
	for i := range capabilities {
		c := &capabilities[i]
		if c.Name != name {
			continue
		}
		in, settled := c.In(v)
		if in {
			entry = c
		}
		known = known && settled
	}
	return entry, known
}
