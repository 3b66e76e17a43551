package guise

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// title gives a feature's name in running text.
func (f Feature) title() string {
	switch f {
	case FeaturePAuth:
		return "PAuth"
	case FeatureAArch32:
		return "32-bit EL1"
	}
	return strings.ToUpper(string(f))
}

// joinFeatures lists features in running text.
func joinFeatures(features []Feature) string {
	titles := make([]string, len(features))
	for i, f := range features {
		titles[i] = f.title()
	}
	return strings.Join(titles, ", ")
}

// registerText gives a register's value as answers give it.
func registerText(place int, value uint64) string { return arm64.Registers[place].Text(value) }

// idText is registerText for a register that the table may not have.
func idText(id arm64.ID, value uint64) string {
	if place, ok := arm64.PlaceOf(id); ok {
		return registerText(place, value)
	}
	return fmt.Sprintf("%#x", value)
}

// lengthsText gives a set of SVE vector lengths, in bits: 128, 256.
func lengthsText(lengths uint16) string {
	if lengths == 0 {
		return stateNotCaptured
	}
	var texts []string
	for _, bits := range vectorBits(lengths) {
		texts = append(texts, fmt.Sprint(bits))
	}
	return strings.Join(texts, ", ")
}

// meanings says what a difference in a register or field means in a guest, for
// those in which hosts cannot be made equal
// (Arm ARM, DDI 0487, D24.2 for the fields).
var meanings = map[string]string{
	"MIDR_EL1":                   "guests choose errata workarounds and tuned code by it",
	"REVIDR_EL1":                 "guests choose errata workarounds by it",
	"AIDR_EL1":                   "implementation defined",
	"CLIDR_EL1":                  "cache levels; guests read them at boot",
	"CTR_EL0":                    "cache maintenance: a guest that skips too much runs stale code",
	"CTR_EL0.CWG":                "granule for cache write-back alignment",
	"CTR_EL0.ERG":                "granule of exclusive accesses",
	"CTR_EL0.DIC":                "whether instruction caches need invalidating",
	"CTR_EL0.IDC":                "whether data caches need cleaning",
	"CTR_EL0.L1Ip":               "instruction cache policy",
	"CNTFRQ_EL0":                 "time runs at another speed",
	"DCZID_EL0":                  "size that DC ZVA clears: guests remember it, a wrong one corrupts memory",
	"GMID_EL1":                   "tag block size of LDGM and STGM",
	"SMIDR_EL1":                  "identity of the SME unit",
	"ICC_CTLR_EL1":               "interrupt priority and id bits",
	"PMCR_EL0":                   "number of event counters",
	"PMCEID0_EL0":                "which PMU events exist",
	"PMCEID1_EL0":                "which PMU events exist",
	"PSCI_VERSION":               "which power calls the guest may make",
	"ID_AA64PFR0_EL1.FP":         "floating point, half precision",
	"ID_AA64PFR0_EL1.AdvSIMD":    "Advanced SIMD, half precision",
	"ID_AA64PFR0_EL1.SVE":        "SVE; decided when the vCPU is made",
	"ID_AA64PFR0_EL1.GIC":        "system register interface to the interrupt controller",
	"ID_AA64PFR0_EL1.RAS":        "RAS error registers",
	"ID_AA64PFR0_EL1.MPAM":       "memory partitioning; hidden since 6.13",
	"ID_AA64PFR1_EL1.MTE":        "memory tagging; decided when the VM is made",
	"ID_AA64PFR1_EL1.RAS_frac":   "RAS v1.1",
	"ID_AA64DFR0_EL1.BRPs":       "number of breakpoints",
	"ID_AA64DFR0_EL1.WRPs":       "number of watchpoints",
	"ID_AA64DFR0_EL1.CTX_CMPs":   "number of context-aware breakpoints",
	"ID_AA64DFR0_EL1.DebugVer":   "debug architecture",
	"ID_AA64DFR0_EL1.PMUVer":     "PMU version; decided when the vCPU is made",
	"ID_AA64ISAR1_EL1.APA":       "address authentication, QARMA5",
	"ID_AA64ISAR1_EL1.API":       "address authentication, implementation defined",
	"ID_AA64ISAR1_EL1.GPA":       "generic authentication, QARMA5",
	"ID_AA64ISAR1_EL1.GPI":       "generic authentication, implementation defined",
	"ID_AA64ISAR2_EL1.APA3":      "address authentication, QARMA3",
	"ID_AA64ISAR2_EL1.GPA3":      "generic authentication, QARMA3",
	"ID_AA64MMFR0_EL1.ASIDBITS":  "8 or 16 bits of ASID",
	"ID_AA64MMFR0_EL1.TGRAN4_2":  "stage 2 granules: only to a hypervisor inside it",
	"ID_AA64MMFR0_EL1.TGRAN16_2": "stage 2 granules: only to a hypervisor inside it",
	"ID_AA64MMFR0_EL1.TGRAN64_2": "stage 2 granules: only to a hypervisor inside it",
	"ID_AA64MMFR1_EL1.XNX":       "stage 2 execute-never: only to a hypervisor inside it",
	"ID_AA64MMFR1_EL1.VH":        "virtualisation host extensions: only to a hypervisor inside it",
	"ID_AA64MMFR1_EL1.VMIDBits":  "VMID size: only to a hypervisor inside it",
	"ID_AA64MMFR1_EL1.HCX":       "HCRX_EL2: only to a hypervisor inside it",
	"ID_AA64MMFR1_EL1.TWED":      "delayed WFE traps: only to a hypervisor inside it",
	"ID_AA64MMFR2_EL1.EVT":       "only to a hypervisor inside it",
	"ID_AA64MMFR2_EL1.FWB":       "only to a hypervisor inside it",
	"ID_AA64MMFR2_EL1.IDS":       "syndrome of trapped ID reads (FEAT_IDST)",
	"ID_AA64MMFR2_EL1.NV":        "only to a hypervisor inside it",
	"ID_AA64MMFR2_EL1.CCIDX":     "layout of CCSIDR_EL1",
	"ID_AA64MMFR4_EL1.E2H0":      "only to a hypervisor inside it",
}

// meaning says what a register or field means in a guest, "" where nothing is
// known to say.
func meaning(register, field string) string {
	if field != "" {
		return meanings[register+"."+field]
	}
	return meanings[register]
}
