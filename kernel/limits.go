package kernel

import (
	"github.com/guise-project/guise/isa"
)

// Condition says for which VMs on which hosts an entry holds.
type Condition uint8

const (
	Always Condition = iota
	// WithSVE and the like: VMs made with that vCPU feature, and without it.
	WithSVE
	WithoutSVE
	WithPAuth
	WithoutPAuth
	WithPMU
	WithoutPMU
	WithMTE
	WithoutMTE
	WithEL2
	// WithE2H0: VMs with an EL2 that has no VHE.
	WithE2H0
	WithoutE2H0
	// WithTCRX and the like: VMs whose ID registers have that field.
	WithTCRX
	WithSCTLRX
	WithS1PIE
	WithS1POE
	WithFGT
	// NotAffectedByV2 and NotAffectedByMeltdown: hosts on which the kernel has
	// found no need of a mitigation (vulnerabilities/spectre_v2, meltdown).
	NotAffectedByV2
	NotAffectedByMeltdown
	// OnGICv3: hosts whose interrupt controller gives guests a GICv3.
	OnGICv3
	// CacheExists: the cache that the register describes is one that CLIDR_EL1
	// has, or one that KVM made up.
	CacheExists
)

// limits is what KVM shows a VM in place of what the host has. Entries apply in
// order. Of several that force or cap the same fields under the same condition
// the newest holds.
//
// Read in arch/arm64/kvm/sys_regs.c and kernel/cpufeature.c of the versions in
// writable, and held against what those kernels show in the lab.
var limits = []Change{
	// Fields that the kernel takes over from the host only since a version after
	// 5.10; early has those before, and all others came with the series.
	{Since: in("5.18"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"APA3", "GPA3"}},
	{Since: in("6.0"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"BC"}},
	{Since: in("5.19"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"WFxT"}},
	{Since: in("6.0"), Kind: Gains, Register: "ID_AA64MMFR1_EL1", Fields: []string{"TIDCP1"}},
	{Since: in("6.11"), Kind: Gains, Register: "ID_AA64ISAR1_EL1", Fields: []string{"XS"}},
	{Since: in("6.2"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"CSSC", "RPRFM"}},
	{Since: in("6.9"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"LUT"}},
	{Since: in("6.7"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"MOPS"}},
	{Since: in("6.5"), Kind: Gains, Register: "ID_AA64MMFR1_EL1", Fields: []string{"HCX"}},
	{Since: in("6.5"), Kind: Gains, Register: "ID_AA64MMFR3_EL1", Fields: []string{"S1PIE", "TCRX"}},
	{Since: in("6.12"), Kind: Gains, Register: "ID_AA64MMFR3_EL1", Fields: []string{"S1POE"}},
	{Since: in("6.9"), Kind: Gains, Register: "ID_AA64MMFR4_EL1", Fields: []string{"E2H0"}},
	{Since: in("6.12"), Kind: Gains, Register: "ID_AA64PFR2_EL1", Fields: []string{"FPMR"}},
	{Since: in("6.12"), Kind: Gains, Register: "ID_AA64FPFR0_EL1"},
	{Since: in("6.7"), Kind: Gains, Register: "ID_AA64ZFR0_EL1", Fields: []string{"B16B16"}},
	{Since: in("6.14"), Kind: Gains, Register: "ID_AA64ISAR3_EL1", Fields: []string{"FPRCVT", "FAMINMAX"}},
	{Since: in("6.18"), Kind: Gains, Register: "ID_AA64ISAR3_EL1", Fields: []string{"LSFE"}},
	{Since: in("6.17"), Kind: Gains, Register: "ID_AA64MMFR3_EL1", Fields: []string{"SCTLRX"}},
	{Since: in("6.15"), Kind: Gains, Register: "ID_AA64MMFR4_EL1", Fields: []string{"NV_frac"}},
	{Since: in("6.17"), Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"DF2", "MTE_frac"}},
	{Since: in("6.17"), Kind: Gains, Register: "ID_AA64PFR2_EL1", Fields: []string{"MTEFAR", "MTESTOREONLY"}},
	{Since: in("6.14"), Kind: Gains, Register: "ID_AA64ZFR0_EL1", Fields: []string{"EltPerm", "F16MM"}},
	{Since: in("6.14"), Kind: Gains, Register: "ID_AA64FPFR0_EL1", Fields: []string{"F8MM4", "F8MM8"}},
	{Since: between("6.18", "7.0"), Kind: Gains, Register: "ID_AA64ISAR1_EL1", Fields: []string{"LS64"}},
	{Since: between("6.18", "7.2"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"ATS1A"}},
	{Since: in("7.1"), Kind: Gains, Register: "ID_AA64ISAR3_EL1", Fields: []string{"LSUI"}},
	{Since: in("7.1"), Kind: Gains, Register: "ID_AA64PFR2_EL1", Fields: []string{"GCIE"}},
	{Since: in("7.1"), Kind: Gains, Register: "ID_AA64FPFR0_EL1", Fields: []string{"F16MM2"}},

	// What no VM is given.
	{Since: series, Kind: Hides, Register: "ID_AA64PFR0_EL1", Fields: []string{"AMU"}},
	{Since: series, Kind: Hides, Register: "ID_AA64PFR1_EL1", Fields: []string{"SME", "GCS"}},
	{Since: series, Kind: Hides, Register: "ID_AA64SMFR0_EL1"},
	{Since: between("5.12", "5.14"), Kind: Hides, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMSVer"}},
	{Since: in("6.13").and("6.6.67", "6.12.6"), Kind: Hides, Register: "ID_AA64PFR0_EL1", Fields: []string{"MPAM"}},
	{Since: in("6.13").and("6.6.67", "6.12.6"), Kind: Hides, Register: "ID_AA64PFR1_EL1", Fields: []string{"MPAM_frac"}},
	{Since: in("6.0"), Until: in("6.6").and("6.1.57", "6.5.7"), Kind: Hides, Register: "ID_AA64ISAR2_EL1", Fields: []string{"CLRBHB"}, Note: "by accident"},
	{Since: in("6.3").of(Amazon, "6.1.172"), Kind: Hides, Register: "ID_AA64MMFR2_EL1", Fields: []string{"CCIDX"}, Note: "cache geometry is fabricated; Amazon's, seen on graviton3 and graviton4, leaves it the CPU's"},
	{Since: in("6.3").of(Amazon, "6.1.172"), Kind: Hides, Register: "ID_MMFR4_EL1", Fields: []string{"CCIDX"}},
	{Since: in("6.15"), Kind: Hides, Register: "ID_AA64MMFR2_EL1", Fields: []string{"NV"}},

	// What comes with a vCPU feature.
	{Since: series, Kind: Hides, When: WithoutSVE, Register: "ID_AA64PFR0_EL1", Fields: []string{"SVE"}},
	{Since: series, Kind: Hides, When: WithoutSVE, Register: "ID_AA64ZFR0_EL1"},
	{Since: series, Kind: Hides, When: WithoutPAuth, Register: "ID_AA64ISAR1_EL1", Fields: []string{"APA", "API", "GPA", "GPI"}},
	{Since: series, Kind: Hides, When: WithoutPAuth, Register: "ID_AA64ISAR2_EL1", Fields: []string{"APA3", "GPA3"}},
	{Since: series, Kind: Hides, When: WithoutMTE, Register: "ID_AA64PFR1_EL1", Fields: []string{"MTE", "MTE_frac"}},
	{Since: series, Kind: Hides, When: WithoutMTE, Register: "ID_AA64PFR2_EL1", Fields: []string{"MTEFAR", "MTESTOREONLY"}},
	{Since: in("5.11"), Kind: Hides, When: WithoutPMU, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Note: "5.10 shows the PMU to every VM"},

	// What KVM does not virtualise for a guest with EL2. It was seen on QEMU's max,
	// neoverse-v1 and neoverse-n2.
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64PFR0_EL1", Fields: []string{"SEL2"}},
	{Since: in("6.16"), Kind: Forces, When: WithEL2, Register: "ID_AA64PFR0_EL1", Fields: []string{"EL3", "EL2", "EL1", "EL0"}, Value: 1},
	{Since: in("6.16"), Kind: Caps, When: WithEL2, Register: "ID_AA64PFR0_EL1", Fields: []string{"RAS"}, Value: 0},
	{Since: in("6.17"), Kind: Caps, When: WithEL2, Register: "ID_AA64PFR0_EL1", Fields: []string{"RAS"}, Value: 15},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64PFR1_EL1", Fields: []string{"MTE_frac", "MTE"}},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64PFR2_EL1", Fields: []string{"GCIE"}},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64DFR0_EL1", Fields: []string{"CTX_CMPs"}},
	{Since: in("6.16"), Until: in("6.18"), Kind: Hides, When: WithEL2, Register: "ID_AA64DFR0_EL1", Fields: []string{"DoubleLock"}, Note: "tried on neoverse-v1"},
	{Since: in("6.16"), Kind: Caps, When: WithEL2, Register: "ID_AA64DFR0_EL1", Fields: []string{"DebugVer"}, Value: 7},
	{Since: in("6.18"), Kind: Caps, When: WithEL2, Register: "ID_AA64DFR0_EL1", Fields: []string{"DebugVer"}, Value: 10},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64ISAR1_EL1", Fields: []string{"LS64", "SPECRES"}},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64MMFR0_EL1", Fields: []string{"EXS", "SNSMEM"}},
	{Since: in("6.16"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR0_EL1", Fields: []string{"ECV"}, Value: 1},
	{Since: in("6.16"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR0_EL1", Fields: []string{"PARANGE"}, Value: 5},
	{Since: in("6.16"), Kind: Forces, When: WithEL2, Register: "ID_AA64MMFR0_EL1", Fields: []string{"TGRAN4_2", "TGRAN64_2", "TGRAN16_2"}, Value: 2, Note: "of a host with pages of 4 KiB"},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64MMFR1_EL1", Fields: []string{"ETS"}},
	{Since: in("6.16"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR1_EL1", Fields: []string{"TIDCP1", "AFP"}, Value: 0},
	{Since: in("6.18"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR1_EL1", Fields: []string{"TIDCP1", "AFP"}, Value: 15},
	{Since: in("6.16"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR1_EL1", Fields: []string{"HAFDBS", "XNX"}, Value: 0},
	{Since: in("6.19"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR1_EL1", Fields: []string{"HAFDBS"}, Value: 1},
	{Since: in("6.19"), Kind: Caps, When: WithEL2, Register: "ID_AA64MMFR1_EL1", Fields: []string{"XNX"}, Value: 15},
	{Since: in("6.16"), Kind: Hides, When: WithEL2, Register: "ID_AA64MMFR2_EL1", Fields: []string{"BBM", "ST", "VARange"}},
	{Since: in("6.16"), Kind: Forces, When: WithEL2, Register: "ID_AA64MMFR2_EL1", Fields: []string{"TTL"}, Value: 1},
	{Since: in("6.16"), Kind: Forces, When: WithEL2, Register: "ID_AA64MMFR4_EL1", Fields: []string{"NV_frac"}, Value: 1},
	{Since: in("6.16"), Kind: Forces, When: WithEL2, Register: "ID_AA64MMFR4_EL1", Fields: []string{"E2H0"}, Value: 14},
	{Since: in("6.16"), Kind: Hides, When: WithE2H0, Register: "ID_AA64MMFR1_EL1", Fields: []string{"VH"}, Note: "seen on 6.18 and 7.2"},
	{Since: in("6.16"), Kind: Forces, When: WithE2H0, Register: "ID_AA64MMFR4_EL1", Fields: []string{"E2H0", "NV_frac"}, Value: 0, Note: "seen on 6.18 and 7.2"},

	// The debug architecture and the PMU that KVM emulates.
	{Since: in("5.7"), Kind: Drops, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Set: isa.Only(15), Note: "an IMPLEMENTATION DEFINED PMU is not emulated"},
	{Since: in("5.7"), Kind: Caps, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Value: 4},
	{Since: in("5.12"), Kind: Caps, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Value: 5},
	{Since: in("6.2"), Kind: Caps, Register: "ID_AA64DFR0_EL1", Fields: []string{"PMUVer"}, Value: 6},
	{Since: in("5.12"), Kind: Forces, Register: "ID_AA64DFR0_EL1", Fields: []string{"DebugVer"}, Value: 6},
	{Since: in("6.7"), Kind: Caps, Register: "ID_AA64DFR0_EL1", Fields: []string{"DebugVer"}, Value: 10},
	{Since: in("6.7"), Kind: Caps, Register: "ID_DFR0_EL1", Fields: []string{"CopDbg"}, Value: 10},

	{Since: in("5.7"), Kind: Caps, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}, Value: 4},
	{Since: in("5.12"), Kind: Caps, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}, Value: 5},
	{Since: in("5.12"), Kind: Hides, When: WithoutPMU, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}},
	{Since: between("6.1", "6.5"), Kind: DerivesFromPMU, Register: "ID_DFR0_EL1", Fields: []string{"PerfMon"}, Note: "even where the register otherwise reads 0 for want of AArch32"},

	// What the kernel knows better than the CPU says.
	{Since: in("5.10"), Kind: Forces, When: NotAffectedByV2, Register: "ID_AA64PFR0_EL1", Fields: []string{"CSV2"}, Value: 1},
	{Since: in("5.11"), Kind: Forces, When: NotAffectedByMeltdown, Register: "ID_AA64PFR0_EL1", Fields: []string{"CSV3"}, Value: 1},
	{Since: between("5.15", "5.18").and("?-5.17.10"), Kind: Forces, When: OnGICv3, Register: "ID_AA64PFR0_EL1", Fields: []string{"GIC"}, Value: 1},

	// KVM's own registers.
	{Since: in("4.16").and("4.14-", "4.15.1-"), Kind: Forces, Register: "PSCI_VERSION", Value: 0x1_0000},
	{Since: in("5.18"), Kind: Forces, Register: "PSCI_VERSION", Value: 0x1_0001},
	{Since: in("6.13"), Kind: Forces, Register: "PSCI_VERSION", Value: 0x1_0003},
	{Since: in("5.19"), Kind: Forces, Register: "STD_BMAP", Fields: []string{"TRNG_V1_0"}, Value: 1},
	{Since: in("5.19"), Kind: Forces, Register: "STD_HYP_BMAP", Fields: []string{"PV_TIME"}, Value: 1},
	{Since: in("5.19"), Kind: Forces, Register: "VENDOR_HYP_BMAP", Fields: []string{"FUNC_FEAT", "PTP"}, Value: 1},
}
