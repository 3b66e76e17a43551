package kernel

// What Linux 5.10 has and its predecessors have not. None of those runs in the
// lab: Debian's archive no longer has their packages. Releases are those of source
// trees at both sides of a change (docs/kernels.md).
//
// The series of 2017 is Dave Martin's "arm64: KVM: Hide unsupported AArch64 CPU
// features from guests" (commit 93390c0a1b20, v4.15-rc1~110^2~27). Updates of
// 4.14 and 4.15 that were not read are left open.
var series = in("4.15")

// early is the change log from the raw view on. A register that appears later
// was the CPU's own before, to a guest, and not there for userspace.
var early = []Change{
	{Since: series, Kind: Exposes, Register: "ID_AA64PFR0_EL1", Note: "equal writes only; older kernels do not know these registers: ENOENT"},
	{Since: series, Until: in("5.8"), Kind: Shows, Register: "ID_AA64DFR0_EL1", Fields: []string{"HPMN0", "ExtTrcBuff", "BRBE", "MTPMU", "TraceBuffer", "TraceFilt"}},
	{Since: series, Until: in("5.12").and("5.10.31"), Kind: Shows, Register: "ID_AA64DFR0_EL1", Fields: []string{"TraceVer"}},
	{Since: series, Until: in("5.8"), Kind: Shows, Register: "ID_DFR0_EL1", Fields: []string{"TraceFilt"}},
	{Since: in("4.17"), Until: in("5.0"), Kind: Hides, Register: "ID_AA64MMFR1_EL1", Fields: []string{"LO"}},

	{Since: in("4.16").and("4.14-", "4.15.1-"), Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"CSV3", "CSV2"}},
	{Since: in("4.17"), Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"DIT"}},
	{Since: in("4.16"), Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"RAS"}},
	{Since: in("5.7"), Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"AMU"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_AA64PFR0_EL1", Fields: []string{"MPAM", "SEL2"}},
	{Since: in("4.20").and("4.19.13-"), Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"SSBS"}},
	{Since: in("6.13"), Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"GCS"}},
	{Since: in("5.19"), Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"SME"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"MPAM_frac", "RAS_frac", "BT"}},
	{Since: in("5.10"), Kind: Gains, Register: "ID_AA64PFR1_EL1", Fields: []string{"MTE"}},
	{Since: in("5.6"), Kind: Gains, Register: "ID_AA64ZFR0_EL1", Fields: []string{"F64MM", "F32MM", "I8MM", "BF16"}},
	{Since: in("5.2"), Kind: Gains, Register: "ID_AA64ZFR0_EL1", Fields: []string{"SM4", "SHA3", "BitPerm", "AES", "SVEver"}},
	{Since: in("4.17"), Kind: Gains, Register: "ID_AA64ISAR0_EL1", Fields: []string{"TS"}},
	{Since: in("5.6"), Kind: Gains, Register: "ID_AA64ISAR0_EL1", Fields: []string{"RNDR"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_AA64ISAR0_EL1", Fields: []string{"TLB"}},
	{Since: in("5.6"), Kind: Gains, Register: "ID_AA64ISAR1_EL1", Fields: []string{"I8MM", "DGH", "BF16", "SPECRES"}},
	{Since: in("5.0"), Kind: Gains, Register: "ID_AA64ISAR1_EL1", Fields: []string{"SB", "GPI", "GPA", "API", "APA"}},
	{Since: in("5.4"), Kind: Gains, Register: "ID_AA64ISAR1_EL1", Fields: []string{"FRINTTS"}},
	{Since: in("5.17").and("5.10.105", "5.15.28", "5.16.14"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"CLRBHB"}},
	{Since: in("5.17").and("5.10.105", "5.15.28", "5.16.14"), Kind: Gains, Register: "ID_AA64ISAR2_EL1", Fields: []string{"RPRES"}},
	{Since: in("5.9"), Kind: Gains, Register: "ID_AA64MMFR0_EL1", Fields: []string{"ECV", "FGT", "EXS"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_AA64MMFR0_EL1", Fields: []string{"TGRAN4_2", "TGRAN64_2", "TGRAN16_2"}},
	{Since: in("6.11").and("6.1.149", "6.6.101"), Kind: Gains, Register: "ID_AA64MMFR1_EL1", Fields: []string{"ECBHB"}},
	{Since: in("5.17").and("5.10.105", "5.15.28", "5.16.14"), Kind: Gains, Register: "ID_AA64MMFR1_EL1", Fields: []string{"AFP"}},
	{Since: in("5.9"), Kind: Gains, Register: "ID_AA64MMFR1_EL1", Fields: []string{"ETS", "TWED", "XNX", "SpecSEI"}},
	{Since: in("4.17"), Kind: Gains, Register: "ID_AA64MMFR2_EL1", Fields: []string{"AT"}},
	{Since: in("5.6"), Kind: Gains, Register: "ID_AA64MMFR2_EL1", Fields: []string{"E0PD"}},
	{Since: in("5.9"), Kind: Gains, Register: "ID_AA64MMFR2_EL1", Fields: []string{"EVT", "BBM", "TTL", "IDS", "ST", "NV", "CCIDX"}},
	{Since: between("4.17", "4.19"), Kind: Gains, Register: "ID_AA64MMFR2_EL1", Fields: []string{"FWB"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_PFR0_EL1", Fields: []string{"DIT", "CSV2"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_MMFR4_EL1", Fields: []string{"EVT", "CCIDX", "LSM", "HPDS", "CnP", "XNX", "SpecSEI"}},
	{Since: in("5.6"), Kind: Gains, Register: "ID_ISAR6_EL1", Fields: []string{"I8MM", "BF16", "SPECRES", "SB", "FHM", "DP", "JSCVT"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_PFR2_EL1", Fields: []string{"SSBS", "CSV3"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_DFR1_EL1", Fields: []string{"MTPMU"}},
	{Since: in("5.8"), Kind: Gains, Register: "ID_MMFR5_EL1", Fields: []string{"ETS"}},
}
