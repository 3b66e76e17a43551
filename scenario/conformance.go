package scenario

import (
	"embed"
	"fmt"
	"path"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// The conformance scripts say, in guise's own words, what Linux's KVM selftests
// check (set_id_regs, aarch32_id_regs, get-reg-list, hypercalls, smccc_filter,
// no-vgic, idreg-idst, vcpu_width_config) and more, by version.
//
//go:embed conformance/*.txt
var conformanceFiles embed.FS

// Conformance returns the conformance suite: the scripts of this package and one
// made of a list of fields.
func Conformance() ([]*Script, error) {
	entries, err := conformanceFiles.ReadDir("conformance")
	if err != nil {
		return nil, err
	}
	var scripts []*Script
	for _, entry := range entries {
		text, err := conformanceFiles.ReadFile(path.Join("conformance", entry.Name()))
		if err != nil {
			return nil, err
		}
		s, err := Parse(entry.Name(), string(text))
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, s)
	}
	fields, err := Parse("fields", fieldScript())
	return append(scripts, fields), err
}

// writableFields are fields that can be chosen, by register, since the version
// before the bar; what else is there about them after it. Each is written one
// step beyond its limit, which must be refused, and one step within, which must
// be taken, read back and seen by a guest.
var writableFields = []struct {
	since, register, fields string
}{
	{"6.12", "ID_AA64DFR0_EL1", "DoubleLock WRPs"},
	{"6.12", "ID_AA64ISAR0_EL1", "RNDR TLB TS FHM DP SM4 SM3 SHA3 RDM ATOMIC CRC32 SHA2 SHA1 AES"},
	{"6.12", "ID_AA64ISAR1_EL1", "XS I8MM DGH BF16 SPECRES SB FRINTTS LRCPC FCMA JSCVT DPB"},
	{"6.12", "ID_AA64ISAR2_EL1", "BC RPRES WFxT MOPS CSSC"},
	{"6.16", "ID_AA64ISAR3_EL1", "FPRCVT FAMINMAX"},
	{"6.18", "ID_AA64ISAR3_EL1", "LSFE"},
	{"7.1", "ID_AA64ISAR3_EL1", "LSUI"},
	{"6.12", "ID_AA64PFR0_EL1", "CSV3 CSV2 DIT SEL2 EL3 EL2"},
	{"6.17", "ID_AA64PFR0_EL1", "RAS"},
	{"6.12", "ID_AA64PFR1_EL1", "SSBS BT"},
	{"6.17", "ID_AA64PFR1_EL1", "DF2"},
	{"6.12", "ID_AA64MMFR0_EL1", "ECV EXS TGRAN4 TGRAN64 TGRAN16 BIGENDEL0 SNSMEM BIGEND PARANGE FGT"},
	{"6.16", "ID_AA64MMFR0_EL1", "TGRAN4_2 TGRAN64_2 TGRAN16_2"},
	{"6.12", "ID_AA64MMFR1_EL1", "TIDCP1 AFP ETS SpecSEI PAN LO HPDS HAFDBS ECBHB"},
	{"6.18", "ID_AA64MMFR1_EL1", "HCX TWED"},
	{"6.12", "ID_AA64MMFR2_EL1", "E0PD BBM TTL AT ST VARange IESB LSM UAO CnP"},
	{"6.12", "ID_AA64MMFR3_EL1", "S1POE S1PIE TCRX"},
	{"6.17", "ID_AA64MMFR3_EL1", "SCTLRX"},
	{"6.16", "ID_AA64MMFR4_EL1", "NV_frac"},
}

// fixedFields cannot be changed by any kernel known.
var fixedFields = []struct{ register, fields string }{
	{"ID_AA64PFR0_EL1", "FP AdvSIMD SVE AMU"},
	{"ID_AA64PFR1_EL1", "MTE SME"},
	{"ID_AA64DFR0_EL1", "BRPs CTX_CMPs PMSVer"},
	{"ID_AA64ISAR1_EL1", "APA API GPA GPI"},
	{"ID_AA64MMFR0_EL1", "ASIDBITS"},
	{"ID_AA64MMFR1_EL1", "XNX VH VMIDBits CMOW"},
	{"ID_AA64MMFR2_EL1", "EVT FWB IDS CCIDX"},
	{"ID_AA64MMFR4_EL1", "E2H0"},
}

// fieldScript makes the script of both lists.
func fieldScript() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[<4.15] skip userspace has no AArch64 feature register")
	for _, f := range fixedFields {
		for field := range strings.FieldsSeq(f.fields) {
			line("vm base")
			line("set %s.%s limit", f.register, field)
			line("set %s.%s limit+1 : EINVAL", f.register, field)
			line("set %s.%s limit-1 : EINVAL", f.register, field)
			line("get %s = limit", f.register)
		}
	}
	for _, f := range writableFields {
		for field := range strings.FieldsSeq(f.fields) {
			name := f.register + "." + field
			since := "[>=" + f.since + "]"
			line("%s vm base", since)
			for _, step := range fieldSteps(arm64.Named(f.register).Field(field), name) {
				line("%s %s", since, step)
			}
		}
	}
	return b.String()
}

// fieldSteps are the lines about one field, by its order.
func fieldSteps(field *isa.Field, name string) []string {
	const all = 15
	beyond, within, end, least := "limit+1", "limit-1", uint64(all), uint64(0)
	if field.Signed {
		end, least = 7, 8 // 0xf, not there, is below 0
	}
	var steps []string
	switch field.Order {
	case isa.Higher:
		beyond, within, end, least = "limit-1", "limit+1", 0, all
	case isa.Exact:
		return []string{
			fmt.Sprintf("[%s!=%d] set %s limit+1 : EINVAL", name, field.Safe-1, name),
			fmt.Sprintf("set %s %d", name, field.Safe),
			fmt.Sprintf("guest mrs %s = %d", name, field.Safe),
		}
	}
	steps = append(steps, fmt.Sprintf("[%s!=%d] set %s %s : EINVAL", name, end, name, beyond))
	if least == 0 || least == all {
		steps = append(steps,
			fmt.Sprintf("[%s!=%d] set %s %s", name, least, name, within),
			fmt.Sprintf("[%s!=%d] get %s = %s", name, least, name, within),
			fmt.Sprintf("[%s!=%d] guest mrs %s = %s", name, least, name, within))
	}
	return steps
}
