package kvmabi

// Bits of InitVCPU.Features[0] (KVM_ARM_VCPU_*).
const (
	VCPUPowerOff       = 0
	VCPUEL132Bit       = 1
	VCPUPSCI02         = 2
	VCPUPMUv3          = 3
	VCPUSVE            = 4
	VCPUPtrAuthAddress = 5
	VCPUPtrAuthGeneric = 6
	VCPUHasEL2         = 7
	VCPUHasEL2E2H0     = 8
	VCPUPMUv3Strict    = 9
)

// Parts of the argument of KVM_CREATE_VM.
const (
	// VMTypeIPASizeMask holds the number of IPA bits; 0 stands for 40.
	VMTypeIPASizeMask = 0xff
	// VMTypeProtected is KVM_VM_TYPE_ARM_PROTECTED (Linux 7.1 or 7.2).
	VMTypeProtected = 1 << 31
)

// APIVersion is what KVM_GET_API_VERSION answers on every kernel since 2.6.22.
const APIVersion = 12

// Feature ID register space, as KVM_ARM_GET_REG_WRITABLE_MASKS counts it.
const (
	FeatureIDRange     = 0
	FeatureIDRangeSize = 3 * 8 * 8
)

// Device attributes of a VM, a vCPU and the vGICv3: groups and what is in them.
const (
	VMSMCCCControl = 0 // KVM_ARM_VM_SMCCC_CTRL
	VMSMCCCFilter  = 0 // KVM_ARM_VM_SMCCC_FILTER

	VCPUPMUControl     = 0 // KVM_ARM_VCPU_PMU_V3_CTRL
	VCPUPMUIRQ         = 0
	VCPUPMUInit        = 1
	VCPUPMUFilter      = 2
	VCPUPMUSet         = 3
	VCPUPMUNRCounters  = 4
	VCPUTimerControl   = 1 // KVM_ARM_VCPU_TIMER_CTRL
	VCPUTimerIRQVTimer = 0
	VCPUTimerIRQPTimer = 1
	VCPUPVTimeControl  = 2 // KVM_ARM_VCPU_PVTIME_CTRL
	VCPUPVTimeIPA      = 0

	VGICGroupAddr       = 0
	VGICGroupDistRegs   = 1
	VGICGroupCPURegs    = 2 // vGICv2
	VGICGroupNRIRQs     = 3
	VGICGroupControl    = 4
	VGICGroupRedistRegs = 5
	VGICGroupCPUSysregs = 6
	VGICGroupLevelInfo  = 7

	VGICAddrTypeDistV2 = 0
	VGICAddrTypeCPUV2  = 1
	VGICAddrTypeDist   = 2
	VGICAddrTypeRedist = 3

	VGICControlInit              = 0
	VGICControlSavePendingTables = 3

	// VGICAffinityShift is where groups 5, 6 and 7 hold the vCPU's affinity, and
	// groups 1 and 2 of a vGICv2 its number.
	VGICAffinityShift = 32
	// VGICLevelInfoShift is where group 7 says what it holds; 0 is the line
	// level of 32 interrupts.
	VGICLevelInfoShift = 10

	VGICDistSize   = 0x1_0000
	VGICRedistSize = 0x2_0000
)
