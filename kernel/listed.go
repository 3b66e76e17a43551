package kernel

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// Listing is a run of registers that KVM_GET_REG_LIST has. A VMM that saves
// registers by that list fails where it differs, whatever they hold.
type Listing struct {
	Name  string // the architecture's or the kernel's, of the first where there are several
	First arm64.ID
	// Count registers whose ids are Step apart; 0 stands for one.
	Count, Step int
	Since       Span
	// Until says when the listing came to an end; the zero value: it has not.
	Until Span
	// When holds conditions on the VM, all of which must hold.
	When []Condition
}

// IDs calls yield for each register of the run.
func (l *Listing) IDs(yield func(arm64.ID) bool) {
	for i := range max(l.Count, 1) {
		if !yield(l.First + arm64.ID(i*l.Step)) {
			return
		}
	}
}

// Has reports whether a register is of the run.
func (l *Listing) Has(id arm64.ID) bool {
	step := arm64.ID(max(l.Step, 1))
	return id >= l.First && id < l.First+arm64.ID(max(l.Count, 1))*step && (id-l.First)%step == 0
}

// In says whether a kernel of version v lists the run for VMs that meet its
// conditions: yes, no, or not known.
func (l *Listing) In(v Version) (in, known bool) { return within(l.Since, l.Until, v) }

// Ids of what is not a system register (Documentation/virt/kvm/api.rst, 4.68).
const (
	idCore64  arm64.ID = 0x6030_0000_0010_0000
	idCore128 arm64.ID = 0x6040_0000_0010_0000
	idCore32  arm64.ID = 0x6020_0000_0010_0000
	idSVEZ    arm64.ID = 0x6080_0000_0015_0000
	idSVEP    arm64.ID = 0x6050_0000_0015_0400
	idSVEFFR  arm64.ID = 0x6050_0000_0015_0600
)

// sysreg is the id of a system register by its generic assembler name.
func sysreg(name string) arm64.ID {
	e, err := arm64.ParseEncoding(name)
	if err != nil {
		panic(err)
	}
	return e.ID()
}

// showsZFR0 is when ID_AA64ZFR0_EL1 is there again for VMs without SVE, which had
// it before SVE came to VMs. 5.4.18 does not have it; a later 5.4.y may.
var showsZFR0 = in("5.10").and("5.4.18-", "5.9.9")

// listed is what KVM_GET_REG_LIST has. As kernels list it in the lab; before
// 5.10, as arch/arm64/kvm/sys_regs.c of 4.14 and 5.2 has it.
var listed = []Listing{
	{Name: "X0 to X30, SP, PC", First: idCore64, Count: 33, Step: 2, Since: always},
	{Name: "PSTATE, SP_EL1, ELR_EL1, SPSR[0] to SPSR[4]", First: idCore64 + 0x42, Count: 8, Step: 2, Since: always},
	{Name: "V0 to V31", First: idCore128 + 0x54, Count: 32, Step: 4, Since: always, When: []Condition{WithoutSVE}},
	{Name: "FPSR, FPCR", First: idCore32 + 0xd4, Count: 2, Step: 1, Since: always},

	// Before caches were made up, only those that exist.
	{Name: "CCSIDR_EL1", First: arm64.CCSIDRID(0), Count: 14, Step: 1, Since: always, When: []Condition{CacheExists}},

	{Name: "DBGBVR<n>_EL1", First: sysreg("S2_0_C0_C0_4"), Count: 16, Step: 8, Since: always},
	{Name: "DBGBCR<n>_EL1", First: sysreg("S2_0_C0_C0_5"), Count: 16, Step: 8, Since: always},
	{Name: "DBGWVR<n>_EL1", First: sysreg("S2_0_C0_C0_6"), Count: 16, Step: 8, Since: always},
	{Name: "DBGWCR<n>_EL1", First: sysreg("S2_0_C0_C0_7"), Count: 16, Step: 8, Since: always},
	{Name: "MDCCINT_EL1", First: sysreg("S2_0_C0_C2_0"), Since: always},
	{Name: "MDSCR_EL1", First: sysreg("S2_0_C0_C2_2"), Since: always},
	{Name: "OSLSR_EL1", First: sysreg("S2_0_C1_C1_4"), Since: in("5.18")},
	{Name: "DBGVCR32_EL2", First: sysreg("S2_4_C0_C7_0"), Since: always},

	{Name: "MIDR_EL1", First: sysreg("S3_0_C0_C0_0"), Since: always},
	{Name: "MPIDR_EL1, REVIDR_EL1", First: sysreg("S3_0_C0_C0_5"), Count: 2, Step: 1, Since: always},
	{Name: "ID_PFR0_EL1 to ID_MMFR3_EL1", First: sysreg("S3_0_C0_C1_0"), Count: 8, Step: 1, Since: always},
	{Name: "ID_ISAR0_EL1 to ID_ISAR5_EL1", First: sysreg("S3_0_C0_C2_0"), Count: 6, Step: 1, Since: always},
	{Name: "S3_0_C0_C2_6 to S3_0_C0_C4_3", First: sysreg("S3_0_C0_C2_6"), Count: 14, Step: 1, Since: series},
	{Name: "ID_AA64ZFR0_EL1", First: sysreg("S3_0_C0_C4_4"), Since: series, Until: in("5.2")},
	{Name: "ID_AA64ZFR0_EL1", First: sysreg("S3_0_C0_C4_4"), Since: in("5.2"), When: []Condition{WithSVE}},
	{Name: "ID_AA64ZFR0_EL1", First: sysreg("S3_0_C0_C4_4"), Since: showsZFR0, When: []Condition{WithoutSVE}},
	{Name: "S3_0_C0_C4_5 to S3_0_C0_C7_7", First: sysreg("S3_0_C0_C4_5"), Count: 27, Step: 1, Since: series},
	{Name: "SCTLR_EL1", First: sysreg("S3_0_C1_C0_0"), Since: always},
	{Name: "ACTLR_EL1", First: sysreg("S3_0_C1_C0_1"), Since: in("5.9")},
	{Name: "CPACR_EL1", First: sysreg("S3_0_C1_C0_2"), Since: always},
	{Name: "SCTLR2_EL1", First: sysreg("S3_0_C1_C0_3"), Since: in("6.17"), When: []Condition{WithSCTLRX}},
	{Name: "RGSR_EL1, GCR_EL1", First: sysreg("S3_0_C1_C0_5"), Count: 2, Step: 1, Since: between("5.12", "5.14"), When: []Condition{WithMTE}},
	{Name: "ZCR_EL1", First: sysreg("S3_0_C1_C2_0"), Since: in("5.2"), When: []Condition{WithSVE}},
	{Name: "TTBR0_EL1, TTBR1_EL1, TCR_EL1", First: sysreg("S3_0_C2_C0_0"), Count: 3, Step: 1, Since: always},
	{Name: "TCR2_EL1", First: sysreg("S3_0_C2_C0_3"), Since: in("6.5"), Until: in("6.13")},
	{Name: "TCR2_EL1", First: sysreg("S3_0_C2_C0_3"), Since: in("6.13"), When: []Condition{WithTCRX}},
	{Name: "APIAKey, APIBKey", First: sysreg("S3_0_C2_C1_0"), Count: 4, Step: 1, Since: in("5.2"), When: []Condition{WithPAuth}},
	{Name: "APDAKey, APDBKey", First: sysreg("S3_0_C2_C2_0"), Count: 4, Step: 1, Since: in("5.2"), When: []Condition{WithPAuth}},
	{Name: "APGAKey", First: sysreg("S3_0_C2_C3_0"), Count: 2, Step: 1, Since: in("5.2"), When: []Condition{WithPAuth}},
	{Name: "AFSR0_EL1, AFSR1_EL1", First: sysreg("S3_0_C5_C1_0"), Count: 2, Step: 1, Since: always},
	{Name: "ESR_EL1", First: sysreg("S3_0_C5_C2_0"), Since: always},
	{Name: "TFSR_EL1, TFSRE0_EL1", First: sysreg("S3_0_C5_C6_0"), Count: 2, Step: 1, Since: between("5.12", "5.14"), When: []Condition{WithMTE}},
	{Name: "FAR_EL1", First: sysreg("S3_0_C6_C0_0"), Since: always},
	{Name: "PAR_EL1", First: sysreg("S3_0_C7_C4_0"), Since: always},
	{Name: "MAIR_EL1", First: sysreg("S3_0_C10_C2_0"), Since: always},
	{Name: "PIRE0_EL1, PIR_EL1", First: sysreg("S3_0_C10_C2_2"), Count: 2, Step: 1, Since: in("6.5"), Until: in("6.13")},
	{Name: "PIRE0_EL1, PIR_EL1", First: sysreg("S3_0_C10_C2_2"), Count: 2, Step: 1, Since: in("6.13"), When: []Condition{WithS1PIE}},
	{Name: "POR_EL1", First: sysreg("S3_0_C10_C2_4"), Since: in("6.12"), When: []Condition{WithS1POE}},
	{Name: "AMAIR_EL1", First: sysreg("S3_0_C10_C3_0"), Since: always},
	{Name: "VBAR_EL1", First: sysreg("S3_0_C12_C0_0"), Since: always},
	{Name: "DISR_EL1", First: sysreg("S3_0_C12_C1_1"), Since: in("4.16")},
	{Name: "CONTEXTIDR_EL1", First: sysreg("S3_0_C13_C0_1"), Since: always},
	{Name: "TPIDR_EL1", First: sysreg("S3_0_C13_C0_4"), Since: always},
	{Name: "CNTKCTL_EL1", First: sysreg("S3_0_C14_C1_0"), Since: always},
	{Name: "CLIDR_EL1", First: sysreg("S3_1_C0_C0_1"), Since: always},
	{Name: "AIDR_EL1", First: sysreg("S3_1_C0_C0_7"), Since: always},
	{Name: "CSSELR_EL1", First: sysreg("S3_2_C0_C0_0"), Since: always},
	{Name: "CTR_EL0", First: sysreg("S3_3_C0_C0_1"), Since: always},
	{Name: "POR_EL0", First: sysreg("S3_3_C10_C2_4"), Since: in("6.12"), When: []Condition{WithS1POE}},
	{Name: "TPIDR_EL0, TPIDRRO_EL0", First: sysreg("S3_3_C13_C0_2"), Count: 2, Step: 1, Since: always},
	{Name: "CNTPCT_EL0", First: sysreg("S3_3_C14_C0_1"), Since: physicalTimer},
	{Name: "KVM_REG_ARM_TIMER_CVAL", First: sysreg("S3_3_C14_C0_2"), Since: always},
	{Name: "CNTP_CTL_EL0, CNTP_CVAL_EL0", First: sysreg("S3_3_C14_C2_1"), Count: 2, Step: 1, Since: physicalTimer},
	{Name: "KVM_REG_ARM_TIMER_CTL, KVM_REG_ARM_TIMER_CNT", First: sysreg("S3_3_C14_C3_1"), Count: 2, Step: 1, Since: always},
	{Name: "DACR32_EL2", First: sysreg("S3_4_C3_C0_0"), Since: always},
	{Name: "IFSR32_EL2", First: sysreg("S3_4_C5_C0_1"), Since: always},
	{Name: "FPEXC32_EL2", First: sysreg("S3_4_C5_C3_0"), Since: always},

	{Name: "PSCI_VERSION", First: arm64.FirmwareID(0), Since: in("4.17").and("4.14-", "4.16.0-4.16.13")},
	{Name: "SMCCC_ARCH_WORKAROUND_1, SMCCC_ARCH_WORKAROUND_2", First: arm64.FirmwareID(1), Count: 2, Step: 1, Since: in("5.3")},
	{Name: "SMCCC_ARCH_WORKAROUND_3", First: arm64.FirmwareID(3), Since: in("5.17").and("5.10.105", "5.15.28", "5.16.14")},
	{Name: "STD_BMAP, STD_HYP_BMAP, VENDOR_HYP_BMAP", First: arm64.FirmwareFeatureID(0), Count: 3, Step: 1, Since: in("5.19")},
	{Name: "VENDOR_HYP_BMAP_2", First: arm64.FirmwareFeatureID(3), Since: in("6.15")},

	{Name: "Z0 to Z31", First: idSVEZ, Count: 32, Step: 0x20, Since: in("5.2"), When: []Condition{WithSVE}},
	{Name: "P0 to P15", First: idSVEP, Count: 16, Step: 0x20, Since: in("5.2"), When: []Condition{WithSVE}},
	{Name: "FFR", First: idSVEFFR, Since: in("5.2"), When: []Condition{WithSVE}},
	{Name: "KVM_REG_ARM64_SVE_VLS", First: arm64.IDSVEVectorLengths, Since: in("5.2"), When: []Condition{WithSVE}},
}

// listedPMCR was not listed at first.
var listedPMCR = []Listing{{Name: "PMCR_EL0", First: sysreg("S3_3_C9_C12_0")}}

// listedPMU are listed for every VM up to 5.10, and from 5.11 for those with a PMU.
var listedPMU = []Listing{
	{Name: "PMINTENSET_EL1, PMINTENCLR_EL1", First: sysreg("S3_0_C9_C14_1"), Count: 2, Step: 1},
	{Name: "PMCNTENSET_EL0, PMCNTENCLR_EL0, PMOVSCLR_EL0, PMSWINC_EL0, PMSELR_EL0", First: sysreg("S3_3_C9_C12_1"), Count: 5, Step: 1},
	{Name: "PMCCNTR_EL0", First: sysreg("S3_3_C9_C13_0"), Count: 1},
	{Name: "PMUSERENR_EL0", First: sysreg("S3_3_C9_C14_0"), Count: 1},
	{Name: "PMOVSSET_EL0", First: sysreg("S3_3_C9_C14_3"), Count: 1},
	{Name: "PMEVCNTR<n>_EL0", First: sysreg("S3_3_C14_C8_0"), Count: 31, Step: 1},
	{Name: "PMEVTYPER<n>_EL0, PMCCFILTR_EL0", First: sysreg("S3_3_C14_C12_0"), Count: 32, Step: 1},
}

// listedEL2 are listed for VMs with EL2, since the first version that offers
// those.
var listedEL2 = []Listing{
	{Name: "VPIDR_EL2", First: sysreg("S3_4_C0_C0_0")},
	{Name: "VMPIDR_EL2", First: sysreg("S3_4_C0_C0_5")},
	{Name: "SCTLR_EL2, ACTLR_EL2", First: sysreg("S3_4_C1_C0_0"), Count: 2, Step: 1},
	{Name: "HCR_EL2, MDCR_EL2, CPTR_EL2, HSTR_EL2", First: sysreg("S3_4_C1_C1_0"), Count: 4, Step: 1},
	{Name: "HFGITR_EL2, HACR_EL2", First: sysreg("S3_4_C1_C1_6"), Count: 2, Step: 1},
	{Name: "HCRX_EL2", First: sysreg("S3_4_C1_C2_2")},
	{Name: "TTBR0_EL2, TTBR1_EL2, TCR_EL2", First: sysreg("S3_4_C2_C0_0"), Count: 3, Step: 1},
	{Name: "VTTBR_EL2", First: sysreg("S3_4_C2_C1_0")},
	{Name: "VTCR_EL2", First: sysreg("S3_4_C2_C1_2")},
	{Name: "SPSR_EL2, ELR_EL2", First: sysreg("S3_4_C4_C0_0"), Count: 2, Step: 1},
	{Name: "AFSR0_EL2, AFSR1_EL2", First: sysreg("S3_4_C5_C1_0"), Count: 2, Step: 1},
	{Name: "ESR_EL2", First: sysreg("S3_4_C5_C2_0")},
	{Name: "FAR_EL2", First: sysreg("S3_4_C6_C0_0")},
	{Name: "HPFAR_EL2", First: sysreg("S3_4_C6_C0_4")},
	{Name: "MAIR_EL2", First: sysreg("S3_4_C10_C2_0")},
	{Name: "AMAIR_EL2", First: sysreg("S3_4_C10_C3_0")},
	{Name: "VBAR_EL2", First: sysreg("S3_4_C12_C0_0")},
	{Name: "CONTEXTIDR_EL2, TPIDR_EL2", First: sysreg("S3_4_C13_C0_1"), Count: 2, Step: 1},
	{Name: "CNTVOFF_EL2", First: sysreg("S3_4_C14_C0_3")},
	{Name: "CNTHCTL_EL2", First: sysreg("S3_4_C14_C1_0")},
	{Name: "CNTHP_CTL_EL2, CNTHP_CVAL_EL2", First: sysreg("S3_4_C14_C2_1"), Count: 2, Step: 1},
	{Name: "SP_EL2", First: sysreg("S3_6_C4_C1_0")},
}

// physicalTimer is when the physical timer of EL1 can be read and written. Amazon's older
// kernels list its registers too, as fingerprints of Firecracker's show.
var physicalTimer = in("6.4").of(Amazon, "5.10.255").of(Amazon, "6.1.172")

// listedVHE are listed where EL2 has VHE.
var listedVHE = []Listing{
	{Name: "VNCR_EL2", First: sysreg("S3_4_C2_C2_0")},
	{Name: "CNTHV_CTL_EL2, CNTHV_CVAL_EL2", First: sysreg("S3_4_C14_C3_1"), Count: 2, Step: 1},
}

// listedFGT are listed, since 6.17 or before, only where the VM has FEAT_FGT;
// HFGITR_EL2 always is.
var listedFGT = []Listing{
	{Name: "HFGRTR_EL2, HFGWTR_EL2", First: sysreg("S3_4_C1_C1_4"), Count: 2, Step: 1},
	{Name: "HDFGRTR_EL2, HDFGWTR_EL2, HAFGRTR_EL2", First: sysreg("S3_4_C3_C1_4"), Count: 3, Step: 1},
}

// listedEL2Later are among the EL2 registers from 6.18 or before.
var listedEL2Later = []Listing{
	{Name: "VSESR_EL2", First: sysreg("S3_4_C5_C2_3")},
	{Name: "VDISR_EL2", First: sysreg("S3_4_C12_C1_1")},
}

// listedEL2Early are listed by the first versions with EL2 only.
var listedEL2Early = []Listing{
	{Name: "RVBAR_EL2", First: sysreg("S3_4_C12_C0_1")},
	{Name: "ICH_AP0R<n>_EL2", First: sysreg("S3_4_C12_C8_0"), Count: 4, Step: 1},
	{Name: "ICH_AP1R<n>_EL2", First: sysreg("S3_4_C12_C9_0"), Count: 4, Step: 1},
	{Name: "ICH_HCR_EL2", First: sysreg("S3_4_C12_C11_0")},
	{Name: "ICH_VMCR_EL2", First: sysreg("S3_4_C12_C11_7")},
	{Name: "ICH_LR<n>_EL2", First: sysreg("S3_4_C12_C12_0"), Count: 16, Step: 1},
}

// Listings returns every entry of the register list.
func Listings() []Listing {
	all := slices.Clone(listed)
	add := func(group []Listing, since, until Span, when ...Condition) {
		for _, l := range group {
			l.Since, l.Until, l.When = since, until, when
			all = append(all, l)
		}
	}
	add(listedPMU, always, in("5.11"))
	add(listedPMU, in("5.11"), Span{}, WithPMU)
	add(listedPMCR, between("5.2", "5.10"), in("5.11"))
	add(listedPMCR, in("5.11"), Span{}, WithPMU)
	add(listedEL2, in("6.16"), Span{}, WithEL2)
	add(listedVHE, in("6.16"), Span{}, WithEL2, WithoutE2H0)
	add(listedFGT, in("6.16"), in("6.17"), WithEL2)
	add(listedFGT, in("6.17"), Span{}, WithEL2, WithFGT)
	add(listedEL2Later, in("6.17"), Span{}, WithEL2)
	add(listedEL2Early, in("6.16"), in("6.17"), WithEL2)
	add([]Listing{{Name: "ZCR_EL2", First: sysreg("S3_4_C1_C2_0")}}, in("6.16"), Span{}, WithEL2, WithSVE)
	return all
}
