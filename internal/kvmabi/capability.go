package kvmabi

import "fmt"

// Capability is a KVM_CAP_* number, as KVM_CHECK_EXTENSION and KVM_ENABLE_CAP
// take it.
type Capability uint32

// Capabilities that guise asks for by name.
const (
	CapMPState             Capability = 14
	CapVCPUEvents          Capability = 41
	CapMaxVCPUs            Capability = 66
	CapDeviceCtrl          Capability = 89
	CapEL132Bit            Capability = 93
	CapPSCI02              Capability = 102
	CapGuestDebugHWBPs     Capability = 119
	CapGuestDebugHWWPs     Capability = 120
	CapPMUv3               Capability = 126
	CapImmediateExit       Capability = 136
	CapVMIPASize           Capability = 165
	CapSVE                 Capability = 170
	CapPtrAuthAddress      Capability = 171
	CapPtrAuthGeneric      Capability = 172
	CapMTE                 Capability = 205
	CapCounterOffset       Capability = 227
	CapSupportedMaskRanges Capability = 230
	CapWritableImpIDRegs   Capability = 239
	CapEL2                 Capability = 240
	CapEL2E2H0             Capability = 241
)

// CapabilityRow names a capability.
type CapabilityRow struct {
	Capability Capability
	Name       string // the kernel's spelling
}

// Capabilities lists the capabilities that KVM/arm64 of any version known
// answers, or that change what a guest sees, in ascending order of their number
// (Linux 7.3, include/uapi/linux/kvm.h).
var Capabilities = []CapabilityRow{
	{0, "KVM_CAP_IRQCHIP"},
	{3, "KVM_CAP_USER_MEMORY"},
	{9, "KVM_CAP_NR_VCPUS"},
	{10, "KVM_CAP_NR_MEMSLOTS"},
	{CapMPState, "KVM_CAP_MP_STATE"},
	{15, "KVM_CAP_COALESCED_MMIO"},
	{16, "KVM_CAP_SYNC_MMU"},
	{21, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS"},
	{23, "KVM_CAP_SET_GUEST_DEBUG"},
	{25, "KVM_CAP_IRQ_ROUTING"},
	{32, "KVM_CAP_IRQFD"},
	{36, "KVM_CAP_IOEVENTFD"},
	{40, "KVM_CAP_INTERNAL_ERROR_DATA"},
	{CapVCPUEvents, "KVM_CAP_VCPU_EVENTS"},
	{CapMaxVCPUs, "KVM_CAP_MAX_VCPUS"},
	{70, "KVM_CAP_ONE_REG"},
	{77, "KVM_CAP_SIGNAL_MSI"},
	{81, "KVM_CAP_READONLY_MEM"},
	{82, "KVM_CAP_IRQFD_RESAMPLE"},
	{87, "KVM_CAP_ARM_PSCI"},
	{88, "KVM_CAP_ARM_SET_DEVICE_ADDR"},
	{CapDeviceCtrl, "KVM_CAP_DEVICE_CTRL"},
	{CapEL132Bit, "KVM_CAP_ARM_EL1_32BIT"},
	{98, "KVM_CAP_ENABLE_CAP_VM"},
	{100, "KVM_CAP_IOEVENTFD_NO_LENGTH"},
	{CapPSCI02, "KVM_CAP_ARM_PSCI_0_2"},
	{105, "KVM_CAP_CHECK_EXTENSION_VM"},
	{CapGuestDebugHWBPs, "KVM_CAP_GUEST_DEBUG_HW_BPS"},
	{CapGuestDebugHWWPs, "KVM_CAP_GUEST_DEBUG_HW_WPS"},
	{122, "KVM_CAP_IOEVENTFD_ANY_LENGTH"},
	{CapPMUv3, "KVM_CAP_ARM_PMU_V3"},
	{127, "KVM_CAP_VCPU_ATTRIBUTES"},
	{128, "KVM_CAP_MAX_VCPU_ID"},
	{131, "KVM_CAP_MSI_DEVID"},
	{CapImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"},
	{144, "KVM_CAP_ARM_USER_IRQ"},
	{158, "KVM_CAP_ARM_INJECT_SERROR_ESR"},
	{162, "KVM_CAP_COALESCED_PIO"},
	{CapVMIPASize, "KVM_CAP_ARM_VM_IPA_SIZE"},
	{168, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"},
	{CapSVE, "KVM_CAP_ARM_SVE"},
	{CapPtrAuthAddress, "KVM_CAP_ARM_PTRAUTH_ADDRESS"},
	{CapPtrAuthGeneric, "KVM_CAP_ARM_PTRAUTH_GENERIC"},
	{174, "KVM_CAP_ARM_IRQ_LINE_LAYOUT_2"},
	{177, "KVM_CAP_ARM_NISV_TO_USER"},
	{178, "KVM_CAP_ARM_INJECT_EXT_DABT"},
	{182, "KVM_CAP_HALT_POLL"},
	{187, "KVM_CAP_STEAL_TIME"},
	{192, "KVM_CAP_DIRTY_LOG_RING"},
	{195, "KVM_CAP_SET_GUEST_DEBUG2"},
	{198, "KVM_CAP_PTP_KVM"},
	{203, "KVM_CAP_BINARY_STATS_FD"},
	{CapMTE, "KVM_CAP_ARM_MTE"},
	{215, "KVM_CAP_SYSTEM_EVENT_DATA"},
	{216, "KVM_CAP_ARM_SYSTEM_SUSPEND"},
	{223, "KVM_CAP_DIRTY_LOG_RING_ACQ_REL"},
	{225, "KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP"},
	{CapCounterOffset, "KVM_CAP_COUNTER_OFFSET"},
	{228, "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE"},
	{229, "KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES"},
	{CapSupportedMaskRanges, "KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES"},
	{231, "KVM_CAP_USER_MEMORY2"},
	{232, "KVM_CAP_MEMORY_FAULT_INFO"},
	{233, "KVM_CAP_MEMORY_ATTRIBUTES"},
	{234, "KVM_CAP_GUEST_MEMFD"},
	{235, "KVM_CAP_VM_TYPES"},
	{236, "KVM_CAP_PRE_FAULT_MEMORY"},
	{CapWritableImpIDRegs, "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"},
	{CapEL2, "KVM_CAP_ARM_EL2"},
	{CapEL2E2H0, "KVM_CAP_ARM_EL2_E2H0"},
	{243, "KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED"},
	{244, "KVM_CAP_GUEST_MEMFD_FLAGS"},
	{245, "KVM_CAP_ARM_SEA_TO_USER"},
	{251, "KVM_CAP_ARM_PMU_V3_STRICT"},
}

// String gives the kernel's name, or "KVM_CAP 300" for a number that is not in
// the table.
func (c Capability) String() string {
	for i := range Capabilities {
		if Capabilities[i].Capability == c {
			return Capabilities[i].Name
		}
	}
	return fmt.Sprintf("KVM_CAP %d", uint32(c))
}

// CapabilityByName finds a capability by the kernel's name.
func CapabilityByName(name string) (Capability, bool) {
	for i := range Capabilities {
		if Capabilities[i].Name == name {
			return Capabilities[i].Capability, true
		}
	}
	return 0, false
}
