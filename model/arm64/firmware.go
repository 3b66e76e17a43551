package arm64

import (
	"slices"
	"syscall"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// setPSCI writes the PSCI version, at any time, to one that the kernel
// implements. 0.1 is for vCPUs without KVM_ARM_VCPU_PSCI_0_2, which nobody
// makes here.
func (m *VM) setPSCI(value uint64) syscall.Errno {
	_, field := arm64.Slots[psciSlot].Describe()
	place := slices.IndexFunc(field.Values, func(v isa.Value) bool { return v.Value == value })
	if place < 0 || !m.takes[psciSlot].Has(uint64(place)) {
		return syscall.EINVAL
	}
	m.values[arm64.PSCIVERSION] = value
	return 0
}

var psciSlot, _ = arm64.SlotsOf(arm64.PSCIVERSION)

// Levels and flag of SMCCC_ARCH_WORKAROUND_2.
const (
	workaround2Available   = 2
	workaround2NotRequired = 3
	workaround2Enabled     = 1 << 4
)

// workaround is the level of a workaround register.
func (m *VM) workaround(place int) uint64 {
	hw := m.host.hardware
	if place != arm64.SMCCCARCHWORKAROUND2 || !m.host.profile.Does(kernel.LooksAtGuestSSBS) {
		return m.values[place]
	}
	ssbs := arm64.Registers[arm64.IDAA64PFR1EL1].Field("SSBS").Get(m.values[arm64.IDAA64PFR1EL1])
	if hw.SpectreV4 == kernel.Unaffected || (hw.SpectreV4 == kernel.Mitigated && ssbs == 0) {
		return workaround2NotRequired
	}
	return 0
}

// setWorkaround judges a level against the kernel's own. Nothing is stored.
func (m *VM) setWorkaround(place int, value uint64) syscall.Errno {
	level := m.workaround(place)
	if place != arm64.SMCCCARCHWORKAROUND2 {
		if value > 15 || value > level {
			return syscall.EINVAL
		}
		return 0
	}
	wanted := value & 15
	switch {
	case value&^(15|workaround2Enabled) != 0,
		value&workaround2Enabled != 0 && wanted != workaround2Available,
		wanted > workaround2NotRequired,
		wanted >= workaround2Available && level < workaround2NotRequired:
		return syscall.EINVAL
	}
	return 0
}

// setBitmap writes a hypercall bitmap: any of the bits that the kernel knows,
// until a vCPU has run.
func (m *VM) setBitmap(place int, value uint64) syscall.Errno {
	switch {
	case value&^arm64.Registers[place].Named() != 0:
		return syscall.EINVAL
	case m.ran && m.host.profile.Frozen(place) && value != m.values[place]:
		return syscall.EBUSY
	}
	m.values[place] = value
	return 0
}
