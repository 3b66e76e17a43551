package arm64

import "fmt"

// cores names processor cores by the Implementer and PartNum of MIDR_EL1.
var cores = map[uint64]string{
	0x41_d03: "Cortex-A53", 0x41_d04: "Cortex-A35", 0x41_d05: "Cortex-A55", 0x41_d07: "Cortex-A57",
	0x41_d08: "Cortex-A72", 0x41_d09: "Cortex-A73", 0x41_d0a: "Cortex-A75", 0x41_d0b: "Cortex-A76",
	0x41_d0c: "Neoverse N1", 0x41_d40: "Neoverse V1", 0x41_d47: "Cortex-A710", 0x41_d49: "Neoverse N2",
	0x41_d4f: "Neoverse V2", 0x41_d84: "Neoverse V3", 0x46_001: "A64FX", 0xc0_ac3: "AmpereOne",
}

// CoreName names the core that a MIDR_EL1 value identifies, with variant and
// revision: "Neoverse N1 r3p1"; "" for one that is not known.
func CoreName(midr uint64) string {
	name := cores[midr>>24<<12|midr>>4&0xfff]
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s r%dp%d", name, midr>>20&15, midr&15)
}
