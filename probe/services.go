package probe

import "fmt"

// SMCCC function identifiers (Arm DEN 0028, DEN 0022, DEN 0098, DEN 0057A;
// Linux, include/linux/arm-smccc.h and include/uapi/linux/psci.h).
const (
	callVersion      = 0x8000_0000
	callArchFeatures = 0x8000_0001
	callPSCI32       = 0x8400_0000
	callPSCI64       = 0xc400_0000
	callPSCIFeatures = 0x8400_000a
	callPSCICalls    = 0x20 // function numbers 0 to 0x1f belong to PSCI
	callTRNGVersion  = 0x8400_0050
	callTRNGFeatures = 0x8400_0051
	callTRNGUUID     = 0x8400_0052
	callTRNG32       = 0x8400_0053
	callTRNG64       = 0xc400_0053
	callPVTime       = 0xc500_0020
	callPVTimeStolen = 0xc500_0021
	callKVMFeatures  = 0x8600_0000
	callPTP          = 0x8600_0001
	callVendorUID    = 0x8600_ff01

	// noSuchCPU is an MPIDR that no VM has: KVM numbers vCPUs in Aff2 to Aff0.
	noSuchCPU = 0xff_0000_0000
)

// Service is an SMCCC function: one that KVM knows at some version, or one
// that it has no reason to know.
type Service struct {
	Function uint32
	Name     string
	// Calls are the argument lists (x1 on) to make it with; Name is unique with
	// them. None: called without arguments.
	Calls []Call
	// Varies: what it returns differs from run to run.
	Varies bool
	// Never is the reason the call must not be made in the guest. Whether the
	// service is there is then asked through PSCI_FEATURES.
	Never string
}

// Call is one argument list of a service.
type Call struct {
	Label string // appended to the service's name in parentheses
	Args  [7]uint64
}

const stopsGuest = "stops the vCPU or the VM: nothing would be left to look"

// Services lists every SMCCC function that KVM handles in any version from
// 5.10 to 7.2, and some that nobody does, in ascending order by owner.
var Services = []Service{
	{Function: callVersion, Name: "SMCCC_VERSION"},
	{Function: callArchFeatures, Name: "SMCCC_ARCH_FEATURES", Calls: queries(
		callVersion, callArchFeatures, 0x8000_0002, 0x8000_0003, 0x8000_0004, 0x8000_3fff, 0x8000_7fff, 0x8000_8000,
		callPVTime, callPVTimeStolen, callTRNG64, callKVMFeatures, callPTP, 0x8000_ffff)},
	{Function: 0x8000_0002, Name: "SMCCC_ARCH_SOC_ID", Calls: []Call{
		{Label: "version", Args: [7]uint64{0}}, {Label: "revision", Args: [7]uint64{1}}}},
	{Function: 0x8000_0003, Name: "SMCCC_ARCH_FEATURE_AVAILABILITY"},
	{Function: 0x8000_0004, Name: "SMCCC_ARCH_WORKAROUND_4"},
	{Function: 0x8000_3fff, Name: "SMCCC_ARCH_WORKAROUND_3"},
	{Function: 0x8000_7fff, Name: "SMCCC_ARCH_WORKAROUND_2", Calls: []Call{
		{Label: "enable", Args: [7]uint64{1}}}}, // the state a vCPU starts in
	{Function: 0x8000_8000, Name: "SMCCC_ARCH_WORKAROUND_1"},

	{Function: 0x8100_0000, Name: "CPU_SERVICE_0"},
	{Function: 0x8200_0000, Name: "SIP_SERVICE_0"},
	{Function: 0x8200_ff01, Name: "SIP_CALL_UID"},
	{Function: 0x8300_0000, Name: "OEM_SERVICE_0"},

	{Function: 0x8400_0000, Name: "PSCI_VERSION"},
	{Function: 0x8400_0001, Name: "CPU_SUSPEND", Never: stopsGuest},
	{Function: 0xc400_0001, Name: "CPU_SUSPEND64", Never: stopsGuest},
	{Function: 0x8400_0002, Name: "CPU_OFF", Never: stopsGuest},
	{Function: 0x8400_0003, Name: "CPU_ON", Calls: []Call{{Label: "no such CPU", Args: [7]uint64{0x00ff_ffff}}}},
	{Function: 0xc400_0003, Name: "CPU_ON64", Calls: []Call{{Label: "no such CPU", Args: [7]uint64{noSuchCPU}}}},
	{Function: 0x8400_0004, Name: "AFFINITY_INFO", Calls: affinity},
	{Function: 0xc400_0004, Name: "AFFINITY_INFO64", Calls: affinity},
	{Function: 0x8400_0005, Name: "MIGRATE", Never: "moves a Trusted OS; where one is, the guest may stop"},
	{Function: 0xc400_0005, Name: "MIGRATE64", Never: "moves a Trusted OS; where one is, the guest may stop"},
	{Function: 0x8400_0006, Name: "MIGRATE_INFO_TYPE"},
	{Function: 0x8400_0007, Name: "MIGRATE_INFO_UP_CPU"},
	{Function: 0xc400_0007, Name: "MIGRATE_INFO_UP_CPU64"},
	{Function: 0x8400_0008, Name: "SYSTEM_OFF", Never: stopsGuest},
	{Function: 0x8400_0009, Name: "SYSTEM_RESET", Never: stopsGuest},
	{Function: callPSCIFeatures, Name: "PSCI_FEATURES", Calls: psciQueries()},
	{Function: 0x8400_000b, Name: "CPU_FREEZE", Never: stopsGuest},
	{Function: 0x8400_000c, Name: "CPU_DEFAULT_SUSPEND", Never: stopsGuest},
	{Function: 0xc400_000c, Name: "CPU_DEFAULT_SUSPEND64", Never: stopsGuest},
	{Function: 0xc400_000d, Name: "NODE_HW_STATE64"},
	{Function: 0x8400_000e, Name: "SYSTEM_SUSPEND", Never: stopsGuest},
	{Function: 0xc400_000e, Name: "SYSTEM_SUSPEND64", Never: stopsGuest},
	{Function: 0x8400_000f, Name: "PSCI_SET_SUSPEND_MODE"},
	{Function: 0xc400_0010, Name: "PSCI_STAT_RESIDENCY64"},
	{Function: 0xc400_0011, Name: "PSCI_STAT_COUNT64"},
	{Function: 0x8400_0012, Name: "SYSTEM_RESET2", Never: stopsGuest},
	{Function: 0xc400_0012, Name: "SYSTEM_RESET2_64", Never: stopsGuest},
	{Function: 0x8400_0013, Name: "MEM_PROTECT"},
	{Function: 0xc400_0014, Name: "MEM_PROTECT_CHECK_RANGE64"},
	{Function: 0x8400_0015, Name: "SYSTEM_OFF2", Never: stopsGuest},
	{Function: 0xc400_0015, Name: "SYSTEM_OFF2_64", Never: stopsGuest},
	{Function: 0x8400_001f, Name: "PSCI_RESERVED_1F"},
	{Function: 0x95c1_ba5e, Name: "KVM_PSCI_0_1_CPU_SUSPEND", Never: stopsGuest},
	{Function: 0x95c1_ba5f, Name: "KVM_PSCI_0_1_CPU_OFF", Never: stopsGuest},
	{Function: 0x95c1_ba60, Name: "KVM_PSCI_0_1_CPU_ON", Calls: []Call{{Label: "no such CPU", Args: [7]uint64{noSuchCPU}}}},
	{Function: 0x95c1_ba61, Name: "KVM_PSCI_0_1_MIGRATE", Never: "moves a Trusted OS; where one is, the guest may stop"},

	{Function: 0x8400_0020, Name: "SDEI_BELOW"}, // first number after PSCI's
	{Function: 0xc400_0020, Name: "SDEI_VERSION"},
	{Function: 0x8400_0040, Name: "MM_VERSION"},
	{Function: callTRNGVersion, Name: "TRNG_VERSION"},
	{Function: callTRNGFeatures, Name: "TRNG_FEATURES", Calls: queries(
		callTRNGVersion, callTRNGFeatures, callTRNGUUID, callTRNG32, callTRNG64, callPTP, callPSCI32)},
	{Function: callTRNGUUID, Name: "TRNG_GET_UUID"},
	{Function: callTRNG32, Name: "TRNG_RND32", Varies: true, Calls: []Call{{Label: "32 bits", Args: [7]uint64{32}}}},
	{Function: callTRNG64, Name: "TRNG_RND64", Varies: true, Calls: []Call{{Label: "64 bits", Args: [7]uint64{64}}}},
	{Function: 0x8400_0054, Name: "TRNG_AFTER"},
	{Function: 0x8400_0063, Name: "FFA_VERSION", Calls: []Call{{Label: "1.0", Args: [7]uint64{0x1_0000}}}},
	{Function: 0x8400_0110, Name: "DRTM_VERSION"},
	{Function: 0x8400_0130, Name: "PCI_VERSION"},
	{Function: 0x8400_ff01, Name: "STANDARD_CALL_UID"},

	{Function: callPVTime, Name: "PV_TIME_FEATURES", Calls: queries(callPVTime, callPVTimeStolen, callTRNG64)},
	{Function: callPVTimeStolen, Name: "PV_TIME_ST"},
	{Function: 0xc500_0022, Name: "PV_TIME_AFTER"},
	{Function: 0x8500_ff01, Name: "STANDARD_HYP_CALL_UID"},

	{Function: callKVMFeatures, Name: "KVM_FEATURES"},
	{Function: callPTP, Name: "KVM_PTP", Varies: true, Calls: []Call{
		{Label: "virtual", Args: [7]uint64{0}}, {Label: "physical", Args: [7]uint64{1}}}},
	{Function: 0xc600_0002, Name: "KVM_HYP_MEMINFO"},
	{Function: 0xc600_0003, Name: "KVM_MEM_SHARE", Never: "gives memory of a protected VM to its host; KVM_FEATURES tells of it"},
	{Function: 0xc600_0004, Name: "KVM_MEM_UNSHARE", Never: "changes who owns memory of a protected VM; KVM_FEATURES tells of it"},
	{Function: 0xc600_0040, Name: "KVM_DISCOVER_IMPL_VER"},
	{Function: 0xc600_0041, Name: "KVM_DISCOVER_IMPL_CPUS"},
	{Function: 0x8600_ff00, Name: "VENDOR_HYP_CALL_COUNT"},
	{Function: callVendorUID, Name: "VENDOR_HYP_CALL_UID"},
	{Function: 0x8600_ff03, Name: "VENDOR_HYP_REVISION"},

	{Function: 0xb000_0000, Name: "TRUSTED_APPLICATION_0"},
	{Function: 0xb200_0000, Name: "TRUSTED_OS_0"},
	{Function: 0xbf00_ff01, Name: "TRUSTED_OS_CALL_UID"},
	{Function: 0x0400_0000, Name: "YIELDING_PSCI_VERSION"},
	{Function: 0x0000_0000, Name: "YIELDING_0"},
	{Function: 0xffff_ffff, Name: "FUNCTION_FFFFFFFF"},
}

var affinity = []Call{
	{Label: "first CPU"},
	{Label: "no such CPU", Args: [7]uint64{0x00ff_ffff}},
	{Label: "no such level", Args: [7]uint64{0, 4}},
}

// queries are calls that ask a _FEATURES function about others.
func queries(functions ...uint32) []Call {
	var calls []Call
	for _, function := range functions {
		calls = append(calls, Call{Label: fmt.Sprintf("%#08x", function), Args: [7]uint64{uint64(function)}})
	}
	return calls
}

// psciQueries asks PSCI_FEATURES about each PSCI function number, which is how
// those are looked at that must not be called.
func psciQueries() []Call {
	functions := []uint32{callVersion}
	for n := range uint32(callPSCICalls) {
		functions = append(functions, callPSCI32+n, callPSCI64+n)
	}
	functions = append(functions, callTRNGVersion, callKVMFeatures)
	return queries(functions...)
}

// ServiceCalls makes every call of Services by HVC, then by SMC. (In a VM with
// EL2 HVC goes to the guest's own EL2; the records say so by their syndrome.)
func ServiceCalls() *Program {
	p := &Program{Name: "services"}
	for _, kind := range []Kind{HVC, SMC} {
		for i := range Services {
			s := &Services[i]
			if s.Never != "" {
				continue
			}
			calls := s.Calls
			if len(calls) == 0 {
				calls = []Call{{}}
			}
			for _, call := range calls {
				op := Op{Kind: kind, Name: s.Name, Varies: s.Varies}
				if call.Label != "" {
					op.Name += "(" + call.Label + ")"
				}
				op.Args[0] = uint64(s.Function)
				copy(op.Args[1:], call.Args[:])
				p.Ops = append(p.Ops, op)
			}
		}
	}
	return p
}
