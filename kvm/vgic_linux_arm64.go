package kvm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/vm"
)

// Guest-physical places of the interrupt controller: those of QEMU's virt
// machine, which probe images keep clear of.
const (
	vgicDistributor   = 0x0800_0000
	vgicCPUInterface  = 0x0801_0000
	vgicRedistributor = 0x080a_0000

	// vgicInterrupts is the number of interrupt IDs: 32 private ones and 96
	// shared.
	vgicInterrupts = 128
)

// MakeVGIC creates and initialises a vGICv3.
func (m *machine) MakeVGIC() error { return m.makeVGIC(3) }

// vgicModel is what one version of the interrupt controller needs.
type vgicModel struct {
	device    uint32
	addresses []vgicAddress
}

// vgicAddress is one attribute of the address group.
type vgicAddress struct{ attr, address uint64 }

var vgicModels = map[int]vgicModel{
	2: {kvmabi.DeviceVGICv2, []vgicAddress{
		{kvmabi.VGICAddrTypeDistV2, vgicDistributor}, {kvmabi.VGICAddrTypeCPUV2, vgicCPUInterface},
	}},
	3: {kvmabi.DeviceVGICv3, []vgicAddress{
		{kvmabi.VGICAddrTypeDist, vgicDistributor}, {kvmabi.VGICAddrTypeRedist, vgicRedistributor},
	}},
}

func (m *machine) makeVGIC(version int) error {
	model, ok := vgicModels[version]
	if !ok {
		return fmt.Errorf("vGICv%d: %w: KVM makes versions 2 and 3", version, vm.ErrNotSupported)
	}
	subject := fmt.Sprintf("vGICv%d", version)
	device := kvmabi.NewDevice{Type: model.device}
	if _, errno := callWith(m.host, m.fd, kvmabi.CreateDevice, &device); errno != 0 {
		return m.refused(kvmabi.CreateDevice, subject, errno, errno == unix.ENODEV, "")
	}
	m.vgic = int(device.FD)
	interrupts := uint32(vgicInterrupts)
	if errno := attribute(m.host, m.vgic, kvmabi.SetDeviceAttr, kvmabi.VGICGroupNRIRQs, 0, &interrupts); errno != 0 {
		return m.refused(kvmabi.SetDeviceAttr, fmt.Sprintf("%s: %d interrupts", subject, interrupts), errno, false, "")
	}
	for _, place := range model.addresses {
		if errno := attribute(m.host, m.vgic, kvmabi.SetDeviceAttr, kvmabi.VGICGroupAddr, place.attr, &place.address); errno != 0 {
			return m.refused(kvmabi.SetDeviceAttr, fmt.Sprintf("%s: address %#x", subject, place.address), errno, false, "")
		}
	}
	if errno := attribute[uint64](m.host, m.vgic, kvmabi.SetDeviceAttr, kvmabi.VGICGroupControl, kvmabi.VGICControlInit, nil); errno != 0 {
		return m.refused(kvmabi.SetDeviceAttr, subject+": initialisation", errno, false, "")
	}
	m.setup.VGIC = version
	return nil
}
