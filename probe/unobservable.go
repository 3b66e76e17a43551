package probe

// unobservable are the features that no instruction at EL1 shows, with the
// reason.
var unobservable = []struct {
	reason   string
	features []string
}{
	{"AArch32 state; a program runs in AArch64", []string{"FEAT_AA32", "FEAT_AA32BF16", "FEAT_AA32EL0", "FEAT_AA32EL1", "FEAT_AA32EL2", "FEAT_AA32EL3", "FEAT_AA32HPD", "FEAT_AA32I8MM", "FEAT_LSMAOC"}},
	{"about EL0, where a program does not go", []string{"FEAT_AA64EL0", "FEAT_EL0"}},
	{"about EL3, which no VM has", []string{"FEAT_AA64EL3", "FEAT_EL3", "FEAT_DoubleFault", "FEAT_E3DSE", "FEAT_FGWTE3", "FEAT_IDTE3", "FEAT_RNG_TRAP", "FEAT_RME", "FEAT_RME_GDI", "FEAT_RME_GPC2", "FEAT_RME_GPC3", "FEAT_CP15SDISABLE2"}},
	{"about Secure state, which no VM has", []string{"FEAT_Secure", "FEAT_SEL2"}},
	{"a register or interface in memory, outside the PE's instructions", []string{"FEAT_AMU_EXT", "FEAT_AMU_EXT32", "FEAT_AMU_EXT64", "FEAT_AMU_EXTACR", "FEAT_CNTSC", "FEAT_MPAM_MSC_DCTRL", "FEAT_MPAM_MSC_DOMAINS", "FEAT_PMUv3_EXT", "FEAT_PMUv3_EXT32", "FEAT_PMUv3_EXT64", "FEAT_PMUv3_EXTPMN", "FEAT_RASSA_ACR", "FEAT_RASSA_GRP", "FEAT_RASSAv1", "FEAT_RASSAv1p1", "FEAT_RASSAv2", "FEAT_TRC_EXT"}},
	{"external debug, which a guest does not see", []string{"FEAT_DoPD", "FEAT_EDHSR", "FEAT_PCSRv8", "FEAT_PCSRv8p2", "FEAT_PCSRv8p9", "FEAT_TRBE_EXT"}},
	{"a name for several features, each with its own row", []string{"FEAT_Crypto", "FEAT_Armv9_Crypto", "FEAT_MTE4"}},
	{"an assembler alias of an instruction every CPU has", []string{"FEAT_ASMv8p2"}},
	{"controls of EL2 over EL1: without EL2 a guest sees nothing of it", []string{"FEAT_EVT", "FEAT_GTG", "FEAT_MTPMU", "FEAT_HPMN0", "FEAT_NV", "FEAT_NV2p1", "FEAT_S2FWB", "FEAT_S2PIE", "FEAT_S2TGran16K", "FEAT_S2TGran4K", "FEAT_S2TGran64K", "FEAT_VMID16", "FEAT_XNX"}},
	{"E2H itself: a trace's EL is 2 only where HCR_EL2.E2H can be set", []string{"FEAT_E2H0"}},
	{"about what may be speculated: no instruction shows it", []string{"FEAT_CSV2", "FEAT_CSV2_1p1", "FEAT_CSV2_3", "FEAT_CSV3", "FEAT_ECBHB", "FEAT_FPACC_SPEC", "FEAT_SpecSEI"}},
	{"about memory order, or what a TLB or cache may hold: no instruction shows it for certain", []string{"FEAT_ETS2", "FEAT_ETS3", "FEAT_BBM", "FEAT_IVIPT", "FEAT_nTLBPA", "FEAT_TTL"}},
	{"about errors reported to SCTLR2_EL1 or later: shown only by an error", []string{"FEAT_ADERR", "FEAT_ANERR", "FEAT_DoubleFault2"}},
	{"a choice of algorithm or of the code's place in a pointer; the instructions are those of FEAT_PAuth", []string{"FEAT_PACIMP", "FEAT_PACQARMA3", "FEAT_PACQARMA5", "FEAT_EPAC", "FEAT_PAuth2", "FEAT_CONSTPACFIELD"}},
	{"checks arithmetic that crosses into the top byte, where a control turns it on; the instructions are those of FEAT_CPA", []string{"FEAT_CPA2"}},
	{"how tag checks behave; needs tagged memory and a checked access", []string{"FEAT_MTE3", "FEAT_MTE_ASYM_FAULT", "FEAT_MTE_ASYNC", "FEAT_MTE_CANONICAL_TAGS", "FEAT_MTE_NO_ADDRESS_TAGS", "FEAT_MTE_PERM", "FEAT_MTE_STORE_ONLY", "FEAT_MTE_TAGGED_FAR"}},
	{"how large addresses or tables may be; trying it would change the translation the program runs under", []string{"FEAT_LPA", "FEAT_LPA2", "FEAT_LVA", "FEAT_LVA3", "FEAT_TTST", "FEAT_TGran16K", "FEAT_TGran64K"}},
	{"the granule every image runs with: without it no operation would run", []string{"FEAT_TGran4K"}},
	{"data in the other byte order, table walks included: trying it would take away the program's own translation", []string{"FEAT_MixedEnd"}},
	{"breakpoints, watchpoints and debug exceptions, whose extensions show only when one matches", []string{"FEAT_ABLE", "FEAT_BWE", "FEAT_BWE2", "FEAT_Debugv8p1", "FEAT_Debugv8p2", "FEAT_Debugv8p4", "FEAT_Debugv8p8"}},
	{"OSDLR_EL1 is RAZ/WI without it, and setting it locks debug away", []string{"FEAT_DoubleLock"}},
	{"fields of PMU registers and what is counted: shown only by counting", []string{"FEAT_PMUv3_EDGE", "FEAT_PMUv3_SME", "FEAT_PMUv3_TH", "FEAT_PMUv3_TH2", "FEAT_PMUv3p1", "FEAT_PMUv3p8", "FEAT_SEBEP"}},
	{"fields of trace, profiling and branch record registers: shown only by recording", []string{"FEAT_BRBEv1p1", "FEAT_ETEv1p1", "FEAT_ETEv1p2", "FEAT_ETEv1p3", "FEAT_SPE_ALTCLK", "FEAT_SPE_CRR", "FEAT_SPE_DPFZS", "FEAT_SPE_EFT", "FEAT_SPE_EXC", "FEAT_SPE_FPF", "FEAT_SPE_PBT", "FEAT_SPE_SME", "FEAT_SPE_nVM", "FEAT_SPEv1p1", "FEAT_SPEv1p2", "FEAT_SPEv1p3", "FEAT_SPEv1p4", "FEAT_SPEv1p5", "FEAT_TRBE_EXC", "FEAT_TRBEv1p1"}},
	{"a version of MPAM's registers, told by ID registers alone", []string{"FEAT_MPAMv0p1", "FEAT_MPAMv1p1"}},
	{"an undefined-instruction exception that EL2 or EL3 injects on return", []string{"FEAT_UINJ"}},
	{"the same registers as FEAT_CSV2_2, on a CPU whose CSV2 is lower", []string{"FEAT_CSV2_1p2"}},
}
