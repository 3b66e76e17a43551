package kernel

// What Linux 5.10 has and its predecessors have not. None of those runs in the
// lab: Debian's archive no longer has their packages.
//
// The series of 2017 is Dave Martin's "arm64: KVM: Hide unsupported AArch64 CPU
// features from guests" (commit 93390c0a1b20, v4.15-rc1~110^2~27). The fields
// were read in arch/arm64/kernel/cpufeature.c of a vendor's 4.15; those that a
// stable update may have brought to it are left open from 4.14 on.
var (
	series  = in("4.15")
	after15 = between("4.15", "5.10")
	by5_10  = between("4.14", "5.10")
)

// early is the change log from the raw view on. A register that appears later
// was the CPU's own before, to a guest, and not there for userspace.
var early = []Change{
	{Since: series, Kind: Exposes, Register: "ID_AA64PFR0_EL1", Note: "equal writes only; older kernels do not know these registers: ENOENT"},
	{Since: series, Until: after15, Kind: Shows, Register: "ID_AA64DFR0_EL1", Fields: []string{"HPMN0", "ExtTrcBuff", "BRBE", "MTPMU", "TraceBuffer", "TraceFilt"}},

	{Since: by5_10, Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"CSV3", "CSV2", "DIT", "RAS"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"AMU", "MPAM", "SEL2"}},
	{Since: by5_10, Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"SSBS"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"GCS", "SME", "MPAM_frac", "RAS_frac", "MTE", "BT"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64ZFR0_EL1", Fields: []string{"F64MM", "F32MM", "I8MM", "SM4", "SHA3", "BF16", "BitPerm", "AES", "SVEver"}},
	{Since: by5_10, Kind: Gains, Register: "ID_AA64ISAR0_EL1", Fields: []string{"TS"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64ISAR0_EL1", Fields: []string{"RNDR", "TLB"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64ISAR1_EL1", Fields: []string{"I8MM", "DGH", "BF16", "SPECRES", "SB", "FRINTTS", "GPI", "GPA", "API", "APA"}},
	{Since: by5_10, Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"CLRBHB"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"RPRES"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64MMFR0_EL1", Fields: []string{"ECV", "FGT", "EXS", "TGRAN4_2", "TGRAN64_2", "TGRAN16_2"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64MMFR1_EL1", Fields: []string{"ECBHB", "AFP", "ETS", "TWED", "XNX", "SpecSEI"}},
	{Since: by5_10, Kind: Gains, Register: "ID_AA64MMFR2_EL1", Fields: []string{"AT"}},
	{Since: after15, Kind: Gains, Register: "ID_AA64MMFR2_EL1", Fields: []string{"E0PD", "EVT", "BBM", "TTL", "FWB", "IDS", "ST", "NV", "CCIDX"}},
	{Since: after15, Kind: Gains, Register: "ID_PFR0_EL1", Fields: []string{"DIT", "CSV2"}},
	{Since: after15, Kind: Gains, Register: "ID_MMFR4_EL1", Fields: []string{"EVT", "CCIDX", "LSM", "HPDS", "CnP", "XNX", "SpecSEI"}},
	{Since: after15, Kind: Gains, Register: "ID_ISAR6_EL1", Fields: []string{"I8MM", "BF16", "SPECRES", "SB", "FHM", "DP", "JSCVT"}},
	{Since: after15, Kind: Gains, Register: "ID_PFR2_EL1", Fields: []string{"SSBS", "CSV3"}},
	{Since: after15, Kind: Gains, Register: "ID_DFR1_EL1", Fields: []string{"MTPMU"}},
	{Since: after15, Kind: Gains, Register: "ID_MMFR5_EL1", Fields: []string{"ETS"}},
}
