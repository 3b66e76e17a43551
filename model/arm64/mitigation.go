package arm64

import (
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// Parts of MIDR_EL1 that name a CPU design: implementer, architecture, part.
const midrDesign = 0xff0f_fff0

// Designs by MIDR_EL1, as the lists of proton-pack.c and cpufeature.c name them.
const (
	cortexA35     = 0x410f_d040
	cortexA53     = 0x410f_d030
	cortexA55     = 0x410f_d050
	cortexA57     = 0x410f_d070
	cortexA72     = 0x410f_d080
	cortexA73     = 0x410f_d090
	cortexA76     = 0x410f_d0b0
	neoverseN1    = 0x410f_d0c0
	cortexA77     = 0x410f_d0d0
	neoverseV1    = 0x410f_d400
	cortexA78     = 0x410f_d410
	cortexA78AE   = 0x410f_d420
	cortexX1      = 0x410f_d440
	cortexA510    = 0x410f_d460
	cortexA710    = 0x410f_d470
	cortexX2      = 0x410f_d480
	neoverseN2    = 0x410f_d490
	cortexA78C    = 0x410f_d4b0
	cortexX1C     = 0x410f_d4c0
	cortexA715    = 0x410f_d4d0
	cortexX3      = 0x410f_d4e0
	neoverseV2    = 0x410f_d4f0
	cortexA520    = 0x410f_d800
	cortexA720    = 0x410f_d810
	ampere1       = 0xc00f_ac30
	brahmaB53     = 0x420f_1000
	brcmVulcan    = 0x420f_5160
	thunderX2     = 0x430f_0af0
	carmel        = 0x4e0f_0040
	tsv110        = 0x480f_d010
	kryo2xxSilver = 0x510f_8010
	kryo3xxSilver = 0x510f_8030
	kryo4xxSilver = 0x510f_8050
	kryo4xxGold   = 0x510f_8040
	oryonX1       = 0x510f_0010
)

// Lists of designs that need no mitigation, or have one in the kernel itself
// (Linux 7.2, arch/arm64/kernel/proton-pack.c and cpufeature.c).
var (
	safeFromV2       = []uint64{cortexA35, cortexA53, cortexA55, brahmaB53, tsv110, kryo2xxSilver, kryo3xxSilver, kryo4xxSilver}
	safeFromV4       = []uint64{cortexA35, cortexA53, cortexA55, brahmaB53, kryo3xxSilver, kryo4xxSilver}
	safeFromMeltdown = []uint64{thunderX2, brcmVulcan, brahmaB53, cortexA35, cortexA53, cortexA55, cortexA57, cortexA72, cortexA73, tsv110, carmel, kryo2xxSilver, kryo3xxSilver, kryo4xxSilver}
	safeFromBHB      = []uint64{cortexA35, cortexA53, cortexA55, cortexA510, cortexA520, brahmaB53, kryo2xxSilver, kryo3xxSilver, kryo4xxSilver}
	// loopAgainstBHB: a loop of branches in the kernel is enough.
	loopAgainstBHB = []uint64{
		oryonX1, cortexA715, cortexA720, cortexA78, cortexA78AE, cortexA78C, cortexX1, cortexX1C, cortexA710,
		cortexX2, neoverseN2, neoverseV1, neoverseV2, cortexX3, cortexA76, cortexA77, neoverseN1, kryo4xxGold,
		ampere1, cortexA57, cortexA72,
	}
)

func listed(midr uint64, list []uint64) bool {
	for _, design := range list {
		if midr&midrDesign == design {
			return true
		}
	}
	return false
}

// Hardware is what the machine's kernel, of the given version, makes of it. A
// finding about a vulnerability is the worst of all CPUs.
func (m *Machine) Hardware(profile *kernel.Profile) (*kernel.Hardware, *Sanitised) {
	s := m.Sanitise(profile)
	hw := &kernel.Hardware{
		Values: s.Values, GICv3: m.GICv3, MeltdownSafe: true,
		SpectreV2: kernel.Unaffected, SpectreV4: kernel.Unaffected, SpectreBHB: kernel.Unaffected,
	}
	if !profile.Does(kernel.TrapsFeatures) {
		// Nothing is combined for guests, nor for userspace.
		hw.Values = m.registers(0)
		hw.Values[arm64.CTREL0] = m.CPUs[0].Registers[arm64.CTREL0]
	}
	for i := range m.CPUs {
		cpu := &m.CPUs[i]
		v2 := m.spectreV2(cpu)
		hw.SpectreV2 = min(hw.SpectreV2, v2)
		hw.SpectreV4 = min(hw.SpectreV4, m.spectreV4(cpu))
		hw.SpectreBHB = min(hw.SpectreBHB, m.spectreBHB(cpu, v2, profile))
		hw.MeltdownSafe = hw.MeltdownSafe && meltdownSafe(cpu)
	}
	return hw, s
}

func (c *CPU) field(place int, name string) uint64 {
	return arm64.Registers[place].Field(name).Get(c.Registers[place])
}

func (c *CPU) midr() uint64 { return c.Registers[arm64.MIDREL1] }

func (m *Machine) firmware(n int) kernel.Mitigation {
	if m.Firmware[n] {
		return kernel.Mitigated
	}
	return kernel.Vulnerable
}

func (m *Machine) spectreV2(c *CPU) kernel.Mitigation {
	if c.field(arm64.IDAA64PFR0EL1, "CSV2") != 0 || listed(c.midr(), safeFromV2) {
		return kernel.Unaffected
	}
	return m.firmware(1)
}

func (m *Machine) spectreV4(c *CPU) kernel.Mitigation {
	if listed(c.midr(), safeFromV4) {
		return kernel.Unaffected
	}
	if c.field(arm64.IDAA64PFR1EL1, "SSBS") != 0 {
		return kernel.Mitigated
	}
	return m.firmware(2)
}

func (m *Machine) spectreBHB(c *CPU, v2 kernel.Mitigation, profile *kernel.Profile) kernel.Mitigation {
	loop := listed(c.midr(), loopAgainstBHB)
	switch {
	case c.field(arm64.IDAA64PFR0EL1, "CSV2") >= 3 || listed(c.midr(), safeFromBHB):
		return kernel.Unaffected
	case !profile.Does(kernel.DoubtsBHB) && !loop:
		return kernel.Unaffected
	case v2 == kernel.Vulnerable:
		// The kernel does not mitigate one where it cannot mitigate the other.
		return kernel.Vulnerable
	case loop || c.field(arm64.IDAA64MMFR1EL1, "ECBHB") != 0 || c.field(arm64.IDAA64ISAR2EL1, "CLRBHB") != 0:
		return kernel.Mitigated
	}
	return m.firmware(3)
}

func meltdownSafe(c *CPU) bool {
	return c.field(arm64.IDAA64PFR0EL1, "CSV3") != 0 || listed(c.midr(), safeFromMeltdown)
}
