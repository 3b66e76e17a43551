package kernel

// Behaviour is something that KVM does or does not, which is not about one
// register.
type Behaviour uint8

const (
	// TrapsFeatures: reads of S3_0_C0_C1_0 to S3_0_C0_C7_7 by an AArch64 guest
	// are trapped (HCR_EL2.TID3); before, a guest sees the CPU's registers.
	TrapsFeatures Behaviour = iota
	// TrapsFeatures32: so are reads of the ID registers by a guest in AArch32;
	// before, it sees the CPU's.
	TrapsFeatures32
	// AnswersSMCCC: calls of SMCCC 1.1 and PSCI 1.0 are answered. What older
	// versions answer is not in the log.
	AnswersSMCCC
	// ServesPVTime, ServesTRNG and ServesVendor: the services are served. Before
	// the hypercall bitmaps came, every guest is served them, and no VMM can say no.
	ServesPVTime
	ServesTRNG
	ServesVendor
	// OffersSVE and OffersPAuth: VMs can be given SVE and pointer
	// authentication.
	OffersSVE
	OffersPAuth
	// ChoosesIPASize: the type of a VM can say the size of its addresses; before,
	// it is 40 bits.
	ChoosesIPASize
	// ServesSMC: SMC from a guest is answered as HVC is.
	ServesSMC
	// FiltersCalls: the SMCCC filter exists.
	FiltersCalls
	// RefusesEmptyFilter: a filter of no functions from 0 is refused as such,
	// not taken for one of all functions.
	RefusesEmptyFilter
	// OffersMTE, OffersEL2 and OffersProtected: VMs can be given MTE and EL2,
	// and be protected.
	OffersMTE
	OffersEL2
	OffersProtected
	// WantsPMUReady: KVM_RUN refuses a vCPU whose PMU was not initialised.
	WantsPMUReady
	// HasFeaturesPerVM: vCPU features belong to the VM, and whether the kernel
	// knows one is looked at before they are compared.
	HasFeaturesPerVM
	// KeepsMPIDR: a further KVM_ARM_VCPU_INIT leaves MPIDR_EL1 alone.
	KeepsMPIDR
	// KeepsCLIDR: so it does CLIDR_EL1, which before holds what KVM made up again.
	KeepsCLIDR
	// LooksAtGuestSSBS: the level of SMCCC_ARCH_WORKAROUND_2 depends on the
	// VM's SSBS, not on the host's.
	LooksAtGuestSSBS
	// TrapsCaches: reads of CTR_EL0, CLIDR_EL1 and CCSIDR_EL1 are trapped
	// (HCR_EL2.TID2), so that a guest sees the VM's. LeavesCTR: on CPUs with
	// FEAT_EVT those of CTR_EL0 are not (HCR_EL2.TID4), as long as the VM's is the
	// host's.
	TrapsCaches
	LeavesCTR
	// TrapsIdentity: reads of REVIDR_EL1, AIDR_EL1 and SMIDR_EL1 are trapped
	// (HCR_EL2.TID1).
	TrapsIdentity
	// FollowsIDST: reads of feature registers that a VM has not are reported
	// with EC 0x18 where the VM has FEAT_IDST.
	FollowsIDST
	// GatesGMID: GMID_EL1 is not there for a guest whose VM has not FEAT_MTE2
	// (HCR_EL2.TID5); before, a guest reads the CPU's.
	GatesGMID
	// GatesTranslation: on CPUs with FEAT_FGT, TLB maintenance and address
	// translation instructions that the VM's ID registers do not have are
	// UNDEFINED (fine-grained UNDEF). GatesOperations: so are DC CVADP, the
	// RCTX instructions and the PMU.
	GatesTranslation
	GatesOperations
	// GatesErrors: the error record registers are UNDEFINED where RAS is hidden,
	// on any CPU; before, on CPUs with FEAT_FGT.
	GatesErrors
	// HasPMUOnlyWithFeature: a VM without the vCPU feature has no PMU registers;
	// before, guests read 0. AnswersPMMIR: PMMIR_EL1 reads 0 in any VM.
	HasPMUOnlyWithFeature
	AnswersPMMIR
	// GatesPMU: the PMU is UNDEFINED where ID_AA64DFR0_EL1.PMUVer is 0, on any
	// CPU.
	GatesPMU
	// MarksVGIC: making a vGICv3 sets ID_AA64PFR0_EL1.GIC and ID_PFR1_EL1.GIC to
	// 1, the latter even on hosts without AArch32.
	MarksVGIC
	// GatesGIC: ICC_* registers are UNDEFINED in a VM without a GICv3.
	GatesGIC
	// TakesOverrides: kernel parameters can lower ID registers.
	TakesOverrides
	// KeepsVHE: protected mode runs with VHE at EL2.
	KeepsVHE
	// DoubtsBHB: CPUs that are on no list count as affected by Spectre-BHB.
	DoubtsBHB
	// HasLPA2: IPA sizes beyond 48 bits with pages of 4 KiB.
	HasLPA2
	// IgnoresIPASize: in protected mode the size that a VM's type says is not
	// looked at, and the VM gets the largest.
	IgnoresIPASize
	// ClearsIL: of an UNDEFINED exception that the hypervisor of protected VMs
	// raises the guest reads an ESR_EL1 with IL clear, as of an instruction of 16
	// bits.
	ClearsIL
	// LeavesPAuthToEL2: a guest at EL2 can use pointer authentication that the
	// VM was not given; from when on after it began to run differs from run to
	// run.
	LeavesPAuthToEL2
	// TrapsTLBIAtEL2: TLB maintenance of a guest at EL2 comes to KVM, used or
	// hidden (HCR_EL2.TTLB); before, only where an instruction is hidden.
	TrapsTLBIAtEL2
	// GatesATAtEL2: AT S1E1RP of a guest at EL2 is UNDEFINED where hidden, on any
	// CPU.
	GatesATAtEL2
)

// BehaviourChange is an entry of the change log about a behaviour.
type BehaviourChange struct {
	Behaviour    Behaviour
	Since, Until Span
	Text         string
}

var behaviours = []BehaviourChange{
	{TrapsFeatures, series, Span{}, "guests read feature registers as KVM has them (HCR_EL2.TID3), not the CPU's; AArch32 guests go on reading the CPU's"},
	{TrapsFeatures32, in("5.19"), Span{}, "AArch32 guests read feature registers as KVM has them, and never come past one that is reserved (P15_0_C0_C4_0 to P15_0_C0_C7_7)"},
	{AnswersSMCCC, in("4.16").and("4.14-", "4.15.1-"), Span{}, "SMCCC 1.1 and PSCI 1.0"},
	{ServesPVTime, in("5.5"), Span{}, "stolen time (PV_TIME) is served"},
	{ServesTRNG, in("5.12"), Span{}, "random numbers (TRNG) are served"},
	{ServesVendor, between("5.12", "5.14"), Span{}, "KVM's own functions and KVM_PTP are served"},
	{OffersSVE, in("5.2"), Span{}, "VMs with SVE (KVM_ARM_VCPU_SVE); before, the bit is ENOENT"},
	{OffersPAuth, in("5.2"), Span{}, "VMs with pointer authentication (KVM_ARM_VCPU_PTRAUTH_*); before, the bits are ENOENT"},
	{ChoosesIPASize, in("4.20"), Span{}, "KVM_CAP_ARM_VM_IPA_SIZE; before, 40 bits"},
	{ServesSMC, in("6.4"), Span{}, "SMC from a guest is answered as HVC is; before, x0 = -1"},
	{FiltersCalls, in("6.4"), Span{}, "the SMCCC filter (KVM_ARM_VM_SMCCC_FILTER)"},
	{RefusesEmptyFilter, in("7.2").and("6.12.112", "6.18.15-", "6.19.14-", "7.0.13-", "7.1.13-"), Span{}, "a filter of no functions from 0: EINVAL; before EEXIST"},
	{OffersMTE, between("5.12", "5.14"), Span{}, "KVM_CAP_ARM_MTE"},
	{OffersEL2, in("6.16"), Span{}, "VMs with EL2 (KVM_ARM_VCPU_HAS_EL2), with kvm-arm.mode=nested; before, the bit is ENOENT"},
	{OffersProtected, in("7.1"), Span{}, "protected VMs for userspace (KVM_VM_TYPE_ARM_PROTECTED)"},
	{HasFeaturesPerVM, in("6.5"), Span{}, "vCPU features are the VM's"},
	{KeepsMPIDR, in("6.10"), Span{}, "a further KVM_ARM_VCPU_INIT leaves MPIDR_EL1 alone"},
	{KeepsCLIDR, in("6.10"), Span{}, "a further KVM_ARM_VCPU_INIT leaves what was written to CLIDR_EL1"},
	{LooksAtGuestSSBS, in("6.12"), Span{}, "the level of SMCCC_ARCH_WORKAROUND_2 depends on the VM's SSBS"},
	{TrapsCaches, in("6.3"), Span{}, "guests read CLIDR_EL1 and CCSIDR_EL1 as KVM makes them up, and CTR_EL0 combined over the CPUs; before, the CPU's"},
	{LeavesCTR, in("6.5"), Span{}, "on CPUs with FEAT_EVT guests read the CPU's CTR_EL0, as long as the VM's is the host's"},
	{TrapsIdentity, in("6.15"), Span{}, "guests read the VM's REVIDR_EL1 and AIDR_EL1; SMIDR_EL1 is trapped"},
	{FollowsIDST, in("7.0"), Span{}, "reads of feature registers that are not there follow FEAT_IDST"},
	{GatesGMID, in("7.0"), Span{}, "GMID_EL1 is UNDEFINED in VMs without FEAT_MTE2; before, guests read the CPU's"},
	{GatesTranslation, between("6.8", "6.12"), Span{}, "TLBI OS and range, and AT S1E1RP, are UNDEFINED where hidden, on CPUs with FEAT_FGT"},
	{GatesOperations, in("6.16"), Span{}, "DC CVADP, RCTX instructions and the PMU are UNDEFINED where hidden, on CPUs with FEAT_FGT"},
	{GatesErrors, in("6.17"), Span{}, "error record registers are UNDEFINED where RAS is hidden, on any CPU; before, on CPUs with FEAT_FGT"},
	{HasPMUOnlyWithFeature, in("5.11"), Span{}, "PMU registers are UNDEFINED in VMs without a PMU; before, they read 0"},
	{AnswersPMMIR, in("5.12"), Span{}, "PMMIR_EL1 reads 0; before, UNDEFINED"},
	{GatesPMU, in("7.2"), Span{}, "the PMU is UNDEFINED where PMUVer is 0, on any CPU"},
	{MarksVGIC, in("6.18"), in("7.1"), "making a vGICv3 sets ID_AA64PFR0_EL1.GIC and ID_PFR1_EL1.GIC to 1, even on hosts without AArch32"},
	{GatesGIC, between("6.10", "6.12"), Span{}, "ICC_* registers are UNDEFINED in VMs without a GICv3"},
	{WantsPMUReady, between("5.10", "6.1"), Span{}, "a vCPU whose PMU was not initialised is refused by KVM_RUN (EINVAL); before, it runs"},
	{TakesOverrides, between("5.11", "6.0"), Span{}, "kernel parameters lower ID registers (arm64.nosve, id_aa64pfr0.sve=0)"},
	{KeepsVHE, in("6.10"), Span{}, "protected mode keeps VHE, at EL2"},
	{DoubtsBHB, in("6.15").and("5.10.239", "5.15.181", "6.1.135", "6.6.88", "6.12.24"), Span{}, "CPUs on no list count as affected by Spectre-BHB"},
	{HasLPA2, in("6.8"), Span{}, "IPA sizes of 52 bits with pages of 4 KiB (FEAT_LPA2)"},
	{IgnoresIPASize, in("6.2"), Span{}, "protected mode takes any IPA size for the host's largest"},
	{ClearsIL, in("7.1"), in("7.2"), "UNDEFINED exceptions raised by the hypervisor of protected VMs have ESR_EL1.IL clear"},
	{LeavesPAuthToEL2, in("7.0"), Span{}, "guests at EL2 can use pointer authentication in VMs that were not given it, but not always at once"},
	{TrapsTLBIAtEL2, in("7.2"), Span{}, "TLB maintenance of guests at EL2 is trapped"},
	{GatesATAtEL2, in("7.2"), Span{}, "AT S1E1RP is UNDEFINED to guests at EL2 where hidden, also on CPUs without FEAT_FGT"},
}

// In says whether the entry holds in a kernel of version v: yes, no, or not
// known.
func (c *BehaviourChange) In(v Version) (in, known bool) { return within(c.Since, c.Until, v) }

// Behaviours returns the entries of the log about behaviours.
func Behaviours() []BehaviourChange { return behaviours }

// Does reports whether this version behaves so.
func (p *Profile) Does(b Behaviour) bool { return p.behaviours>>b&1 != 0 }
