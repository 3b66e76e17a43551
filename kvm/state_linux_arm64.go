package kvm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// AddMemory gives the guest memory.
func (m *machine) AddMemory(base, size uint64) ([]byte, error) { return m.addMemory(base, size) }

// Start readies a vCPU to run from entry.
func (m *machine) Start(index int, entry uint64) error {
	if _, err := m.vcpuAt(index); err != nil {
		return err
	}
	return m.Set(index, kvmabi.CorePC, entry)
}

// Resume runs a vCPU until handle says stop.
func (m *machine) Resume(ctx context.Context, index int, handle func(*vm.Access) (stop bool, err error)) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	if err := m.prepare(index); err != nil {
		return err
	}
	v.ran = true
	if err := m.untilDone(ctx, index, handle); err != nil {
		return err
	}
	// KVM completes an access to an address without memory when the vCPU is
	// next entered; until then its PC is that of the access (Linux,
	// Documentation/virt/kvm/api.rst, 5, "kvm_run", KVM_EXIT_MMIO).
	if err := m.RunNothing(index); !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}

// Events reads KVM_GET_VCPU_EVENTS.
func (m *machine) Events(index int) ([]byte, error) {
	v, err := m.vcpuAt(index)
	if err != nil {
		return nil, err
	}
	var events kvmabi.VCPUEvents
	if _, errno := callWith(m.host, v.fd, kvmabi.GetVCPUEvents, &events); errno != 0 {
		return nil, m.refused(kvmabi.GetVCPUEvents, fmt.Sprintf("vCPU %d", index), errno, false, "")
	}
	return events.Bytes(), nil
}

// SetEvents writes what Events read.
func (m *machine) SetEvents(index int, data []byte) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	var events kvmabi.VCPUEvents
	if err := events.FromBytes(data); err != nil {
		return err
	}
	if _, errno := callWith(m.host, v.fd, kvmabi.SetVCPUEvents, &events); errno != 0 {
		return m.refused(kvmabi.SetVCPUEvents, fmt.Sprintf("vCPU %d", index), errno, false, "")
	}
	return nil
}

// MPState reads KVM_GET_MP_STATE.
func (m *machine) MPState(index int) (uint32, error) {
	v, err := m.vcpuAt(index)
	if err != nil {
		return 0, err
	}
	var state kvmabi.MPState
	if _, errno := callWith(m.host, v.fd, kvmabi.GetMPState, &state); errno != 0 {
		return 0, m.refused(kvmabi.GetMPState, fmt.Sprintf("vCPU %d", index), errno, false, "")
	}
	return state.State, nil
}

// SetMPState writes what MPState read.
func (m *machine) SetMPState(index int, value uint32) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	state := kvmabi.MPState{State: value}
	if _, errno := callWith(m.host, v.fd, kvmabi.SetMPState, &state); errno != 0 {
		return m.refused(kvmabi.SetMPState, fmt.Sprintf("vCPU %d", index), errno, false, "")
	}
	return nil
}

// SetLine sets the level of a shared peripheral interrupt.
func (m *machine) SetLine(id uint32, high bool) error {
	line := kvmabi.IRQLevel{IRQ: kvmabi.IRQTypeSPI<<kvmabi.IRQTypeShift | id}
	if high {
		line.Level = 1
	}
	if _, errno := callWith(m.host, m.fd, kvmabi.IRQLine, &line); errno != 0 {
		return m.refused(kvmabi.IRQLine, fmt.Sprintf("interrupt %d", id), errno, false, "")
	}
	return nil
}

// vgicRange is a run of registers of the vGICv3, one every step bytes.
type vgicRange struct{ first, end, step uint64 }

// What of a vGICv3 a VM without message-signalled interrupts takes along, in
// the order of writing (Arm IHI 0069, chapter 12; the kernel's
// arm-vgic-v3.rst). GICD_IIDR comes first: it chooses the revision that the
// rest is read by. The private interrupts of a distributor are in the
// redistributors.
var (
	vgicDistRegisters = []vgicRange{
		{0x0008, 0x000c, 4},                           // GICD_IIDR
		{0x0000, 0x0004, 4},                           // GICD_CTLR
		{0x0084, 0x0080 + vgicInterrupts/8, 4},        // GICD_IGROUPR
		{0x0c08, 0x0c00 + vgicInterrupts/4, 4},        // GICD_ICFGR
		{0x0420, 0x0400 + vgicInterrupts, 4},          // GICD_IPRIORITYR
		{0x6000 + 8*32, 0x6000 + 8*vgicInterrupts, 4}, // GICD_IROUTER, by halves
		{0x0104, 0x0100 + vgicInterrupts/8, 4},        // GICD_ISENABLER
		{0x0204, 0x0200 + vgicInterrupts/8, 4},        // GICD_ISPENDR
		{0x0304, 0x0300 + vgicInterrupts/8, 4},        // GICD_ISACTIVER
	}
	vgicRedistRegisters = []vgicRange{
		{0x0014, 0x0018, 4},          // GICR_WAKER
		{0x0070, 0x0080, 4},          // GICR_PROPBASER, GICR_PENDBASER
		{0x1_0080, 0x1_0084, 4},      // GICR_IGROUPR0
		{0x1_0c04, 0x1_0c08, 4},      // GICR_ICFGR1
		{0x1_0400, 0x1_0400 + 32, 4}, // GICR_IPRIORITYR
		{0x1_0100, 0x1_0104, 4},      // GICR_ISENABLER0
		{0x1_0200, 0x1_0204, 4},      // GICR_ISPENDR0
		{0x1_0300, 0x1_0304, 4},      // GICR_ISACTIVER0
		{0x0000, 0x0004, 4},          // GICR_CTLR
	}
	vgicLevelInfo = vgicRange{0, vgicInterrupts, 32}
)

// vgicCPURegisters are the CPU interface's registers. ICC_SRE_EL1 and
// ICC_CTLR_EL1 come before those whose layout they decide. Active priorities
// exist as far as the host has priority bits.
var vgicCPURegisters = []arm64.Encoding{
	{Op0: 3, CRn: 12, CRm: 12, Op2: 5}, // ICC_SRE_EL1
	{Op0: 3, CRn: 12, CRm: 12, Op2: 4}, // ICC_CTLR_EL1
	{Op0: 3, CRn: 4, CRm: 6, Op2: 0},   // ICC_PMR_EL1
	{Op0: 3, CRn: 12, CRm: 8, Op2: 3},  // ICC_BPR0_EL1
	{Op0: 3, CRn: 12, CRm: 12, Op2: 3}, // ICC_BPR1_EL1
	{Op0: 3, CRn: 12, CRm: 12, Op2: 6}, // ICC_IGRPEN0_EL1
	{Op0: 3, CRn: 12, CRm: 12, Op2: 7}, // ICC_IGRPEN1_EL1
	{Op0: 3, CRn: 12, CRm: 8, Op2: 4},  // ICC_AP0R0_EL1 to ICC_AP0R3_EL1
	{Op0: 3, CRn: 12, CRm: 8, Op2: 5},
	{Op0: 3, CRn: 12, CRm: 8, Op2: 6},
	{Op0: 3, CRn: 12, CRm: 8, Op2: 7},
	{Op0: 3, CRn: 12, CRm: 9, Op2: 0}, // ICC_AP1R0_EL1 to ICC_AP1R3_EL1
	{Op0: 3, CRn: 12, CRm: 9, Op2: 1},
	{Op0: 3, CRn: 12, CRm: 9, Op2: 2},
	{Op0: 3, CRn: 12, CRm: 9, Op2: 3},
}

// add adds the registers of a range.
func (r vgicRange) add(state []vm.VGICRegister, group uint32, vcpu uint64) []vm.VGICRegister {
	for offset := r.first; offset < r.end; offset += r.step {
		state = append(state, vm.VGICRegister{Group: group, Attr: vcpu | offset})
	}
	return state
}

// vgicAttributes are all attributes of the interrupt controller's state, in the
// order of writing.
func (m *machine) vgicAttributes() ([]vm.VGICRegister, error) {
	if m.setup.VGIC == 2 {
		return m.vgicV2Attributes(), nil
	}
	var state []vm.VGICRegister
	for _, r := range vgicDistRegisters {
		state = r.add(state, kvmabi.VGICGroupDistRegs, 0)
	}
	for index := range m.vcpus {
		mpidr, err := m.Get(index, arm64.Encoding{Op0: 3, Op2: 5}.ID())
		if err != nil {
			return nil, err
		}
		// Aff3 to Aff0 in bits 63 to 32; MPIDR_EL1 has Aff3 in bits 39 to 32.
		affinity := (mpidr&0xff_ffff | mpidr>>32&0xff<<24) << kvmabi.VGICAffinityShift
		for _, r := range vgicRedistRegisters {
			state = r.add(state, kvmabi.VGICGroupRedistRegs, affinity)
		}
		for _, e := range vgicCPURegisters {
			state = append(state, vm.VGICRegister{Group: kvmabi.VGICGroupCPUSysregs, Attr: affinity | uint64(e.ID())&0xffff})
		}
		state = vgicLevelInfo.add(state, kvmabi.VGICGroupLevelInfo, affinity)
	}
	return state, nil
}

// VGICState reads the interrupt controller.
func (m *machine) VGICState() ([]vm.VGICRegister, error) {
	if m.vgic < 0 {
		return nil, nil
	}
	state, err := m.vgicAttributes()
	if err != nil {
		return nil, err
	}
	for i := range state {
		r := &state[i]
		switch errno := attribute(m.host, m.vgic, kvmabi.GetDeviceAttr, r.Group, r.Attr, &r.Value); errno {
		case 0:
			if m.setup.VGIC == 2 && r.Group == kvmabi.VGICGroupDistRegs && r.Attr&0xffff_ffff == vgicV2PendingPrivate {
				r.Value &^= vgicV2Software
			}
		case unix.ENXIO, unix.EINVAL:
			r.Group = noGroup // an active priority register that the host has not
		default:
			return nil, m.refused(kvmabi.GetDeviceAttr, fmt.Sprintf("vGIC register %#x of group %d", r.Attr, r.Group), errno, false, "")
		}
	}
	return slices.DeleteFunc(state, func(r vm.VGICRegister) bool { return r.Group == noGroup }), nil
}

const noGroup = ^uint32(0)

// SetVGICState writes what VGICState read.
func (m *machine) SetVGICState(state []vm.VGICRegister) error {
	if m.vgic < 0 && len(state) > 0 {
		return fmt.Errorf("kvm: %d vGIC registers for a VM without a vGIC", len(state))
	}
	for _, r := range state {
		if errno := attribute(m.host, m.vgic, kvmabi.SetDeviceAttr, r.Group, r.Attr, &r.Value); errno != 0 {
			return m.refused(kvmabi.SetDeviceAttr, fmt.Sprintf("vGIC register %#x of group %d = %#x", r.Attr, r.Group, r.Value), errno, false, "")
		}
	}
	return nil
}
