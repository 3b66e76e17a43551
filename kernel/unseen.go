package kernel

import (
	"strings"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
)

// unseen are the fields that the log speaks of and that no CPU of the lab has: what
// kernels do with them was read in source only, and never seen. A test of the
// reference model holds the list against its CPUs.
const unseen = `
ID_AA64DFR0_EL1 BRBE ExtTrcBuff PMSVer TraceBuffer TraceFilt TraceVer
ID_AA64FPFR0_EL1 F16MM2 F8CVT F8DP2 F8DP4 F8E4M3 F8E5M2 F8FMA F8MM4 F8MM8
ID_AA64ISAR1_EL1 APA GPA LS64
ID_AA64ISAR2_EL1 APA3 ATS1A CLRBHB CSSC GPA3 LUT RPRFM
ID_AA64ISAR3_EL1 FAMINMAX FPRCVT LSFE LSUI
ID_AA64MMFR0_EL1 BIGENDEL0 EXS
ID_AA64MMFR1_EL1 ECBHB TWED
ID_AA64MMFR2_EL1 LSM
ID_AA64MMFR3_EL1 S1PIE S1POE SCTLRX TCRX
ID_AA64MMFR4_EL1 NV_frac
ID_AA64PFR0_EL1 AMU EL3 MPAM
ID_AA64PFR1_EL1 DF2 GCS MPAM_frac RAS_frac
ID_AA64PFR2_EL1 FPMR GCIE MTEFAR MTESTOREONLY
ID_AA64ZFR0_EL1 B16B16 EltPerm F16MM
ID_DFR0_EL1 CopSDbg CopTrc MMapDbg MMapTrc MProfDbg TraceFilt
ID_ISAR0_EL1 Coproc Swap
ID_ISAR2_EL1 MultiAccessInt
ID_ISAR3_EL1 T32EE
ID_ISAR4_EL1 PSR_M SWP_frac SynchPrim_frac
ID_MMFR0_EL1 FCSE PMSA TCM
ID_MMFR1_EL1 L1Hvd L1HvdSW L1HvdVA L1TstCln L1Uni L1UniSW L1UniVA
ID_MMFR2_EL1 HWAccFlg HvdTLB L1HvdBG L1HvdFG L1HvdRng
ID_MMFR3_EL1 Supersec
ID_MMFR4_EL1 LSM SpecSEI
ID_PFR0_EL1 State3
ID_PFR1_EL1 MProgMod Sec_frac Security Virt_frac
MVFR0_EL1 FPShVec FPTrap
`

// unseenSlots are the slots of unseen fields.
var unseenSlots = sync.OnceValue(func() map[int]bool {
	slots := map[int]bool{}
	for line := range strings.Lines(strings.TrimSpace(unseen)) {
		words := strings.Fields(line)
		place, ok := arm64.Place(words[0])
		if !ok {
			panic("unseen fields: no register " + words[0])
		}
		for _, name := range words[1:] {
			for i := range arm64.Registers[place].Fields {
				if arm64.Registers[place].Fields[i].Name == name {
					if slot, ok := arm64.SlotOf(place, i); ok {
						slots[slot] = true
					}
				}
			}
		}
	}
	return slots
})

// Unseen reports whether no CPU of the lab has the field of a slot, so that what the
// log says of it was read in source only.
func Unseen(slot int) bool { return unseenSlots()[slot] }

// sourceOnly reports whether an entry is about fields that no CPU of the lab has, and
// nothing else.
func (c *Change) sourceOnly() bool {
	place, ok := arm64.Place(c.Register)
	if !ok || len(c.Fields) == 0 {
		return false
	}
	for _, name := range c.Fields {
		seen := true
		for i := range arm64.Registers[place].Fields {
			if slot, ok := arm64.SlotOf(place, i); ok && arm64.Registers[place].Fields[i].Name == name {
				seen = !Unseen(slot)
			}
		}
		if seen {
			return false
		}
	}
	return true
}
