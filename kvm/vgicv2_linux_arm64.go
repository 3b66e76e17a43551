package kvm

import (
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/vm"
)

// The state of a vGICv2, in the order of writing (Arm IHI 0048, chapter 4; Linux,
// Documentation/virt/kvm/devices/arm-vgic.rst). GICD_IIDR comes first: having
// written it, userspace may write groups. The registers of private interrupts
// are each vCPU's own.
var (
	vgicV2Shared = []vgicRange{
		{0x008, 0x00c, 4},                       // GICD_IIDR
		{0x000, 0x004, 4},                       // GICD_CTLR
		{0x084, 0x080 + vgicInterrupts/8, 4},    // GICD_IGROUPR
		{0xc08, 0xc00 + vgicInterrupts/4, 4},    // GICD_ICFGR
		{0x400 + 32, 0x400 + vgicInterrupts, 4}, // GICD_IPRIORITYR
		{0x800 + 32, 0x800 + vgicInterrupts, 4}, // GICD_ITARGETSR
		{0x104, 0x100 + vgicInterrupts/8, 4},    // GICD_ISENABLER
		{0x204, 0x200 + vgicInterrupts/8, 4},    // GICD_ISPENDR
		{0x304, 0x300 + vgicInterrupts/8, 4},    // GICD_ISACTIVER
	}
	vgicV2Private = []vgicRange{
		{0x080, 0x084, 4},      // GICD_IGROUPR0
		{0xc04, 0xc08, 4},      // GICD_ICFGR1
		{0x400, 0x400 + 32, 4}, // GICD_IPRIORITYR
		{0x100, 0x104, 4},      // GICD_ISENABLER0
		{vgicV2PendingPrivate, vgicV2PendingPrivate + 4, 4}, // GICD_ISPENDR0
		{0x300, 0x304, 4}, // GICD_ISACTIVER0
		{0xf20, 0xf30, 4}, // GICD_SPENDSGIR
	}
	vgicV2CPU = []vgicRange{
		{0x00, 0x0c, 4}, // GICC_CTLR, GICC_PMR, GICC_BPR
		{0x1c, 0x20, 4}, // GICC_ABPR
		{0xd0, 0xe0, 4}, // GICC_APR
	}
)

const (
	// vgicV2PendingPrivate is GICD_ISPENDR0, of which the software generated
	// interrupts are left to GICD_SPENDSGIR: written here, KVM takes the vCPU
	// itself for their sender.
	vgicV2PendingPrivate = 0x200
	vgicV2Software       = 0xffff
)

// vgicV2Attributes are all attributes of a vGICv2's state.
func (m *machine) vgicV2Attributes() []vm.VGICRegister {
	var state []vm.VGICRegister
	for _, r := range vgicV2Shared {
		state = r.add(state, kvmabi.VGICGroupDistRegs, 0)
	}
	for index := range m.vcpus {
		vcpu := uint64(index) << kvmabi.VGICAffinityShift
		for _, r := range vgicV2Private {
			state = r.add(state, kvmabi.VGICGroupDistRegs, vcpu)
		}
		for _, r := range vgicV2CPU {
			state = r.add(state, kvmabi.VGICGroupCPURegs, vcpu)
		}
	}
	return state
}
