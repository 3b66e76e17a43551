package guise

import (
	"fmt"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// NameOf is what answers call a register that KVM lists: as the architecture does,
// ID_AA64PFR0_EL1 or TCR2_EL1, or by its encoding, S3_0_C0_C4_3, where that has no
// name; by KVM's id in hexadecimal what is no system register.
func NameOf(id arm64.ID) string {
	if _, ok := arm64.PlaceOf(id); ok {
		return id.String()
	}
	if name := kernel.ListedName(id); name != "" {
		return name
	}
	if e, ok := id.Encoding(); ok {
		if name := numberedName(e); name != "" {
			return name
		}
	}
	return id.String()
}

// keyRegisters are the halves of the keys of pointer authentication, at S3_0_C2 from
// C1 on (Arm ARM, DDI 0487, D24.2).
var keyRegisters = [3][]string{
	{"APIAKeyLo_EL1", "APIAKeyHi_EL1", "APIBKeyLo_EL1", "APIBKeyHi_EL1"},
	{"APDAKeyLo_EL1", "APDAKeyHi_EL1", "APDBKeyLo_EL1", "APDBKeyHi_EL1"},
	{"APGAKeyLo_EL1", "APGAKeyHi_EL1"},
}

// numberedName names registers that the change log has only as runs.
func numberedName(e arm64.Encoding) string {
	const pmccfiltr = 31
	switch {
	case e.Op0 == 3 && e.Op1 == 0 && e.CRn == 2 && 1 <= e.CRm && e.CRm <= 3 && int(e.Op2) < len(keyRegisters[e.CRm-1]):
		return keyRegisters[e.CRm-1][e.Op2]
	case e.Op0 == 3 && e.Op1 == 3 && e.CRn == 14 && e.CRm >= 12:
		if n := (e.CRm-12)<<3 | e.Op2; n != pmccfiltr {
			return fmt.Sprintf("PMEVTYPER%d_EL0", n)
		}
		return "PMCCFILTR_EL0"
	}
	return ""
}
