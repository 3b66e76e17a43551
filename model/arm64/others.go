package arm64

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
)

// Parts of a register id (Documentation/virt/kvm/api.rst, 4.68).
const (
	idArchMask  = 0xff00_0000_0000_0000
	idArchArm64 = 0x6000_0000_0000_0000
	idKindMask  = 0x0000_0000_0fff_0000
	idCore      = 0x10 << 16
	idSVE       = 0x15 << 16
	// coreWords is the size of struct kvm_regs in 32-bit words.
	coreWords = 216
)

// Registers that the model only keeps are in KVM what userspace wrote, whole, and
// what they are before is not modelled. These are otherwise (tried on 5.10 to 7.2).
const (
	pstateID = 0x6030_0000_0010_0042 // KVM looks at the mode
	oslsrID  = 0x6030_0000_0013_808c // S2_0_C1_C1_4
)

// unlockedOSLSR is OSLSR_EL1 of a vCPU as it is made: there is an OS lock, and it is
// open.
const unlockedOSLSR = 8

// devices are the registers of timers and the PMU, by ranges of encodings: they run
// on, say whether a time has come, have two names, or keep a part of what is written.
var devices = [...][2]arm64.Encoding{
	{{Op0: 3, Op1: 0, CRn: 9, CRm: 14, Op2: 1}, {Op0: 3, Op1: 0, CRn: 9, CRm: 14, Op2: 2}},  // PMINTENSET_EL1, PMINTENCLR_EL1
	{{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 0}, {Op0: 3, Op1: 3, CRn: 9, CRm: 14, Op2: 3}},  // PMCR_EL0 to PMOVSSET_EL0
	{{Op0: 3, Op1: 3, CRn: 14, CRm: 0, Op2: 0}, {Op0: 3, Op1: 3, CRn: 14, CRm: 15, Op2: 7}}, // timers, PMEVCNTR<n>_EL0, PMEVTYPER<n>_EL0
}

// ofDevice reports whether a register is one of devices.
func ofDevice(e arm64.Encoding) bool {
	return slices.ContainsFunc(devices[:], func(span [2]arm64.Encoding) bool {
		return span[0].ID() <= e.ID() && e.ID() <= span[1].ID()
	})
}

// Knows implements vm.Knower. Of VMs with EL2 and of protected ones nothing is
// known but feature registers and the like: KVM masks registers of the former, and
// keeps those of the latter from userspace. Of VMs in AArch32 it keeps half.
func (m *VM) Knows(vcpu int, id arm64.ID, write bool) bool {
	if _, class := m.place(id); class != classNone {
		return true
	}
	c, err := m.vcpuAt(vcpu)
	switch {
	case err != nil || id == oslsrID:
		return true
	case m.kvm.EL2 || m.kvm.Protected || id == pstateID:
		return false
	case write:
		return true
	}
	e, system := id.Encoding()
	if m.kvm.AArch32 || system && ofDevice(e) {
		return false
	}
	_, written := c.others[id]
	return written
}

// setOSLSR: of OSLSR_EL1 a VMM chooses OSLK alone (since 5.18; Linux 6.12,
// arch/arm64/kvm/sys_regs.c, set_oslsr_el1).
func (m *VM) setOSLSR(c *vcpu, value uint64) syscall.Errno {
	const locked = 1 << 1
	now, _ := m.getOther(c, oslsrID)
	if (now^value)&^locked != 0 {
		return syscall.EINVAL
	}
	c.keep(oslsrID, binary.LittleEndian.AppendUint64(nil, value))
	return 0
}

// other judges an access to a register that the model only keeps.
func (m *VM) other(c *vcpu, id arm64.ID) syscall.Errno {
	switch {
	case uint64(id)&idArchMask != idArchArm64:
		return syscall.EINVAL
	case m.hasOther(id):
		if id&idKindMask == idSVE && !c.finalised && id != arm64.IDSVEVectorLengths {
			return syscall.EPERM
		}
		return 0
	case id&idKindMask == idCore && id&0xffff < coreWords:
		return syscall.EINVAL // no register starts there, or not of that size
	case id&idKindMask == idSVE && m.kvm.SVE:
		return syscall.EINVAL // not one of SVE's, or not of that size
	}
	return syscall.ENOENT
}

// hasOther reports whether the VM has the register.
func (m *VM) hasOther(id arm64.ID) bool {
	for i := range m.host.profile.Listings() {
		l := &m.host.profile.Listings()[i]
		offset := int64(id) - int64(l.First)
		step, count := int64(max(l.Step, 1)), int64(max(l.Count, 1))
		if offset >= 0 && offset%step == 0 && offset/step < count && m.lists(l, id) {
			return true
		}
	}
	return false
}

func (m *VM) getOther(c *vcpu, id arm64.ID) (uint64, syscall.Errno) {
	if errno := m.other(c, id); errno != 0 {
		return 0, errno
	}
	kept, written := c.others[id]
	if id == oslsrID && !written {
		return unlockedOSLSR, 0
	}
	var value [8]byte
	copy(value[:], kept)
	return binary.LittleEndian.Uint64(value[:]), 0
}

func (m *VM) setOther(c *vcpu, id arm64.ID, value uint64) syscall.Errno {
	if errno := m.other(c, id); errno != 0 {
		return errno
	}
	if id == oslsrID {
		return m.setOSLSR(c, value)
	}
	c.keep(id, binary.LittleEndian.AppendUint64(nil, value)[:id.Size()])
	return 0
}

func (c *vcpu) keep(id arm64.ID, value []byte) {
	if c.others == nil {
		c.others = map[arm64.ID][]byte{}
	}
	c.others[id] = value
}

// GetWide reads a register of any size.
func (m *VM) GetWide(vcpu int, id arm64.ID, value []byte) error {
	c, err := m.wide(vcpu, id, value)
	if err != nil {
		return err
	}
	clear(value)
	if id == arm64.IDSVEVectorLengths && m.kvm.SVE {
		binary.LittleEndian.PutUint16(value, c.lengths)
		return nil
	}
	if id.Size() <= 8 {
		v, errno := m.get(c, id)
		if errno != 0 {
			return refusedRegister("get", id, 0, errno)
		}
		copy(value, binary.LittleEndian.AppendUint64(nil, v))
		return nil
	}
	if errno := m.other(c, id); errno != 0 {
		return refusedRegister("get", id, 0, errno)
	}
	copy(value, c.others[id])
	return nil
}

// SetWide writes a register of any size.
func (m *VM) SetWide(vcpu int, id arm64.ID, value []byte) error {
	c, err := m.wide(vcpu, id, value)
	if err != nil {
		return err
	}
	var errno syscall.Errno
	switch {
	case id == arm64.IDSVEVectorLengths && m.kvm.SVE:
		errno = m.setLengths(c, value)
	case id.Size() <= 8:
		var v [8]byte
		copy(v[:], value)
		errno = m.set(c, id, binary.LittleEndian.Uint64(v[:]))
	default:
		if errno = m.other(c, id); errno == 0 {
			c.keep(id, append([]byte(nil), value...))
		}
	}
	if errno != 0 {
		return refusedRegister("set", id, 0, errno)
	}
	return nil
}

func (m *VM) wide(vcpu int, id arm64.ID, value []byte) (*vcpu, error) {
	c, err := m.vcpuAt(vcpu)
	if err == nil && len(value) != id.Size() {
		err = fmt.Errorf("%v: %d bytes; the register has %d", id, len(value), id.Size())
	}
	return c, err
}

// setLengths chooses the vector lengths: up to some maximum, those the host has,
// all of them (Linux, arch/arm64/kvm/guest.c, set_sve_vls).
func (m *VM) setLengths(c *vcpu, value []byte) syscall.Errno {
	if c.finalised {
		return syscall.EPERM
	}
	for _, b := range value[2:] {
		if b != 0 {
			return syscall.EINVAL
		}
	}
	lengths := binary.LittleEndian.Uint16(value)
	upTo := uint16(1)<<bits.Len16(lengths) - 1
	if lengths == 0 || lengths != m.host.sanitised.VectorLengths&upTo {
		return syscall.EINVAL
	}
	c.lengths = lengths
	return 0
}
