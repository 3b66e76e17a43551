package arm64

import (
	"fmt"
	"syscall"
)

// pmuInterrupt is PPI 7 (Arm Base System Architecture), which vCPUs get that nobody gave
// one.
const pmuInterrupt = 23

// The interrupts that a vGIC has beside those that software generates.
const (
	firstPPI = 16
	firstSPI = 32
	lastSPI  = 1019
)

// LeaveIncomplete leaves it to the user to complete vCPUs.
func (m *VM) LeaveIncomplete() { m.incomplete = true }

// SetPMUInterrupt gives a vCPU's PMU its interrupt: one PPI for all vCPUs, or an SPI of
// its own for each (Linux, arch/arm64/kvm/pmu-emul.c, kvm_arm_pmu_v3_set_attr).
func (m *VM) SetPMUInterrupt(vcpu int, interrupt int32) error {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return err
	}
	if errno := m.pmuInterruptErrno(c, interrupt); errno != 0 {
		return refusedCall("KVM_SET_DEVICE_ATTR", fmt.Sprintf("interrupt of vCPU %d's PMU", vcpu), errno)
	}
	c.pmuInterrupt = interrupt
	return nil
}

func (m *VM) pmuInterruptErrno(c *vcpu, interrupt int32) syscall.Errno {
	switch {
	case !m.kvm.PMU:
		return syscall.ENODEV
	case c.pmuReady:
		return syscall.EBUSY
	case m.kvm.VGIC == 0, interrupt < firstPPI, interrupt > lastSPI, m.taken(interrupt):
		return syscall.EINVAL
	case c.pmuInterrupt != 0:
		return syscall.EBUSY
	}
	return 0
}

// taken reports whether the interrupts of other PMUs forbid one.
func (m *VM) taken(interrupt int32) bool {
	for i := range m.vcpus {
		other := m.vcpus[i].pmuInterrupt
		if other != 0 && (interrupt < firstSPI) != (other == interrupt) {
			return true
		}
	}
	return false
}

// InitPMU initialises a vCPU's PMU.
func (m *VM) InitPMU(vcpu int) error {
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return err
	}
	var errno syscall.Errno
	switch {
	case !m.kvm.PMU:
		errno = syscall.ENODEV
	case c.pmuReady:
		errno = syscall.EBUSY
	case m.kvm.VGIC != 0 && c.pmuInterrupt == 0:
		errno = syscall.ENXIO
	default:
		c.pmuReady = true
		return nil
	}
	return refusedCall("KVM_SET_DEVICE_ATTR", fmt.Sprintf("initialisation of vCPU %d's PMU", vcpu), errno)
}
