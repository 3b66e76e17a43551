package arm64

import (
	"encoding/binary"
	"fmt"
	"math/bits"
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
	var value [8]byte
	copy(value[:], c.others[id])
	return binary.LittleEndian.Uint64(value[:]), 0
}

func (m *VM) setOther(c *vcpu, id arm64.ID, value uint64) syscall.Errno {
	if errno := m.other(c, id); errno != 0 {
		return errno
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
