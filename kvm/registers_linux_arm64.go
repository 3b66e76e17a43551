package kvm

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// refusedRegister makes the error of a refused register access.
func refusedRegister(op string, id arm64.ID, value uint64, errno syscall.Errno) error {
	name := registerName(id)
	return &vm.RegisterError{Op: op, ID: id, Name: name, Value: value, Errno: errno, Hint: hintFor(op, name, errno)}
}

// Get reads a register of up to 64 bits.
func (m *machine) Get(index int, id arm64.ID) (uint64, error) {
	v, err := m.vcpuAt(index)
	if err != nil {
		return 0, err
	}
	if id.Size() > 8 {
		return 0, fmt.Errorf("%s: has %d bytes; GetWide reads it", registerName(id), id.Size())
	}
	var value uint64
	if errno := m.host.oneRegWord(v.fd, kvmabi.GetOneReg, id, &value); errno != 0 {
		return 0, refusedRegister("get", id, 0, errno)
	}
	return value, nil
}

// Set writes a register of up to 64 bits.
func (m *machine) Set(index int, id arm64.ID, value uint64) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	if id.Size() > 8 {
		return fmt.Errorf("%s: has %d bytes; SetWide writes it", registerName(id), id.Size())
	}
	if errno := m.host.oneRegWord(v.fd, kvmabi.SetOneReg, id, &value); errno != 0 {
		return refusedRegister("set", id, value, errno)
	}
	return nil
}

// GetWide reads a register of any size.
func (m *machine) GetWide(index int, id arm64.ID, value []byte) error {
	return m.wide(index, "get", kvmabi.GetOneReg, id, value)
}

// SetWide writes a register of any size.
func (m *machine) SetWide(index int, id arm64.ID, value []byte) error {
	return m.wide(index, "set", kvmabi.SetOneReg, id, value)
}

func (m *machine) wide(index int, op string, request kvmabi.Request, id arm64.ID, value []byte) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	if len(value) != id.Size() {
		return fmt.Errorf("%s: %d bytes; the register has %d", registerName(id), len(value), id.Size())
	}
	if errno := m.host.oneReg(v.fd, request, id, value); errno != 0 {
		return refusedRegister(op, id, 0, errno)
	}
	return nil
}

// List returns the ids of KVM_GET_REG_LIST in ascending order.
func (m *machine) List(index int) ([]arm64.ID, error) {
	v, err := m.vcpuAt(index)
	if err != nil {
		return nil, err
	}
	// A list that is too short is answered with E2BIG and the number of ids.
	list := make([]uint64, 1)
	errno := m.host.regList(v.fd, list)
	if errno == unix.E2BIG {
		list = append(list, make([]uint64, list[0])...)
		errno = m.host.regList(v.fd, list)
	}
	if errno != 0 {
		hint := ""
		if errno == unix.EPERM {
			hint = "the vCPU has SVE; KVM_ARM_VCPU_FINALIZE comes first"
		}
		return nil, m.refused(kvmabi.GetRegList, fmt.Sprintf("vCPU %d", index), errno, false, hint)
	}
	ids := make([]arm64.ID, list[0])
	for i := range ids {
		ids[i] = arm64.ID(list[1+i])
	}
	slices.Sort(ids)
	return ids, nil
}

// Finalize finalises SVE.
func (m *machine) Finalize(index int) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	feature := int32(kvmabi.VCPUSVE)
	if _, errno := callWith(m.host, v.fd, kvmabi.VCPUFinalize, &feature); errno != 0 {
		hint := ""
		switch errno {
		case unix.EPERM:
			hint = "SVE is finalised already"
		case unix.EINVAL:
			hint = "the vCPU was made without SVE"
		}
		return m.refused(kvmabi.VCPUFinalize, fmt.Sprintf("SVE of vCPU %d", index), errno, false, hint)
	}
	v.finalised = true
	return nil
}

// Reinit initialises the vCPU again, with the features given. The kernel keeps
// ID registers and resets the rest.
func (m *machine) Reinit(index int, features []guise.Feature) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	bits, err := featureBits(features)
	if err != nil {
		return err
	}
	init := kvmabi.InitVCPU{Target: v.init.Target}
	init.Features[0] = bits
	if _, errno := callWith(m.host, v.fd, kvmabi.VCPUInit, &init); errno != 0 {
		return m.refused(kvmabi.VCPUInit, fmt.Sprintf("vCPU %d again, with features %q", index, features), errno, false,
			"the vCPUs of a VM share their features; make a new VM")
	}
	v.init = init
	return nil
}

// rewind puts a vCPU into its reset state, with a further KVM_ARM_VCPU_INIT.
// That takes back what userspace or a guest wrote to the vCPU's own registers of
// the guest's view, too: MPIDR_EL1 up to Linux 6.1, CSSELR_EL1 on every version.
// Nobody asked for that: these are put back.
func (m *machine) rewind(index int) error {
	kept := [...]arm64.ID{arm64.ID(arm64.Registers[arm64.MPIDREL1].ID), arm64.ID(arm64.Registers[arm64.CSSELREL1].ID)}
	var values [len(kept)]uint64
	for i, id := range kept {
		var err error
		if values[i], err = m.Get(index, id); err != nil {
			return err
		}
	}
	v := m.vcpus[index]
	if _, errno := callWith(m.host, v.fd, kvmabi.VCPUInit, &v.init); errno != 0 {
		return m.refused(kvmabi.VCPUInit, fmt.Sprintf("vCPU %d again", index), errno, false, "")
	}
	for i, id := range kept {
		if err := m.Set(index, id, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// MaskRanges returns the bitmap of ranges KVM_ARM_GET_REG_WRITABLE_MASKS knows.
func (m *machine) MaskRanges() (uint64, error) {
	value, err := m.CheckCapability(uint32(kvmabi.CapSupportedMaskRanges))
	return uint64(value), err
}

// WritableMasks returns the reported masks of a range.
func (m *machine) WritableMasks(index uint32) ([kvmabi.FeatureIDRangeSize]uint64, error) {
	return m.AskMasks(index, [13]uint32{})
}

// AskMasks is WritableMasks with words in the reserved fields.
func (m *machine) AskMasks(index uint32, reserved [13]uint32) ([kvmabi.FeatureIDRangeSize]uint64, error) {
	var masks [kvmabi.FeatureIDRangeSize]uint64
	if errno := m.host.writableMasks(m.fd, index, reserved, &masks); errno != 0 {
		return masks, m.refused(kvmabi.GetRegWritableMasks, fmt.Sprintf("range %d", index), errno,
			errno == unix.EINVAL || errno == unix.ENOTTY, "reported from Linux 6.7 on")
	}
	return masks, nil
}

// CheckCapability asks KVM_CHECK_EXTENSION of this VM.
func (m *machine) CheckCapability(number uint32) (int, error) {
	value, errno := m.host.call(m.fd, kvmabi.CheckExtension, uint64(number))
	if errno != 0 {
		return 0, m.refused(kvmabi.CheckExtension, kvmabi.Capability(number).String(), errno, false, "")
	}
	return value, nil
}

// Filter installs an SMCCC filter.
func (m *machine) Filter(base, count uint32, action uint8) error {
	filter := kvmabi.SMCCCFilter{Base: base, Functions: count, Action: action}
	errno := attribute(m.host, m.fd, kvmabi.SetDeviceAttr, kvmabi.VMSMCCCControl, kvmabi.VMSMCCCFilter, &filter)
	if errno == 0 {
		return nil
	}
	// Kernels without filters answer EINVAL, as do those with filters to a bad
	// one.
	known := attribute[uint64](m.host, m.fd, kvmabi.HasDeviceAttr, kvmabi.VMSMCCCControl, kvmabi.VMSMCCCFilter, nil) == 0
	hint := ""
	switch {
	case !known:
		hint = "filters came with Linux 6.4"
	case errno == unix.EEXIST:
		hint = "an earlier filter covers some of the functions, or they are of SMCCC itself (0x80000000 and 0xc0000000 on)"
	case errno == unix.EBUSY:
		hint = "a vCPU has run; filters are installed before"
	}
	return m.refused(kvmabi.SetDeviceAttr, fmt.Sprintf("SMCCC filter of %d functions from %#x", count, base), errno, !known, hint)
}
