package arm64

import (
	"slices"
	"sync"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// class says how KVM treats the accesses of userspace to a register.
type class uint8

const (
	classNone     class = iota // no register that KVM has
	classFeature               // a feature register, one for the VM
	classIdentity              // MIDR_EL1, REVIDR_EL1, AIDR_EL1
	classMPIDR
	classCSSELR
	classCLIDR
	classCCSIDR
	classPSCI
	classWorkaround // levels that are judged and not stored
	classBitmap
)

// classes gives the class of each register of the table, by place.
var classes = sync.OnceValue(func() *[arm64.NumRegisters]class {
	var table [arm64.NumRegisters]class
	for place := range arm64.Registers {
		e, system := arm64.ID(arm64.Registers[place].ID).Encoding()
		switch {
		case place == arm64.CTREL0, system && e.Op0 == 3 && e.Op1 == 0 && e.CRn == 0 && 1 <= e.CRm && e.CRm <= 7:
			table[place] = classFeature
		case arm64.CCSIDREL1Level0 <= place && place <= arm64.CCSIDREL1Level13:
			table[place] = classCCSIDR
		case arm64.SMCCCARCHWORKAROUND1 <= place && place <= arm64.SMCCCARCHWORKAROUND3:
			table[place] = classWorkaround
		case arm64.STDBMAP <= place && place <= arm64.VENDORHYPBMAP2:
			table[place] = classBitmap
		}
	}
	table[arm64.MIDREL1], table[arm64.REVIDREL1], table[arm64.AIDREL1] = classIdentity, classIdentity, classIdentity
	table[arm64.MPIDREL1], table[arm64.CSSELREL1], table[arm64.CLIDREL1] = classMPIDR, classCSSELR, classCLIDR
	table[arm64.PSCIVERSION] = classPSCI
	return &table
})

// located is a register of the table with its class.
type located struct {
	place int16
	class class
}

// space is the feature ID space, by spaceIndex; registers that the table does
// not have are classNone.
var space = sync.OnceValue(func() *[192]located {
	var table [192]located
	for _, e := range arm64.FeatureSpace() {
		if place, ok := arm64.PlaceOf(e.ID()); ok {
			table[spaceIndex(e)] = located{int16(place), classes()[place]}
		}
	}
	return &table
})

// spaceIndex numbers an encoding of the feature ID space, 0 to 191, as
// KVM_ARM_GET_REG_WRITABLE_MASKS does.
func spaceIndex(e arm64.Encoding) int {
	op1 := min(e.Op1, 2) // 0, 1 or 3
	return int(op1)<<6 | int(e.CRm)<<3 | int(e.Op2)
}

// place finds a register that the VM has by its id, and its class.
func (m *VM) place(id arm64.ID) (int, class) {
	if e, ok := id.Encoding(); ok && e.InFeatureSpace() {
		return m.placeOf(e)
	}
	place, ok := arm64.PlaceOf(id)
	if !ok || !m.view.Present.Has(place) {
		return 0, classNone
	}
	return place, classes()[place]
}

// placeOf is place for an encoding of the feature ID space.
func (m *VM) placeOf(e arm64.Encoding) (int, class) {
	l := &m.host.space[spaceIndex(e)]
	if l.class == classNone || !m.view.Present.Has(int(l.place)) {
		return 0, classNone
	}
	return int(l.place), l.class
}

// get is KVM_GET_ONE_REG.
func (m *VM) get(c *vcpu, id arm64.ID) (uint64, syscall.Errno) {
	place, class := m.place(id)
	switch class {
	case classNone:
		return m.getOther(c, id)
	case classMPIDR:
		return c.mpidr, 0
	case classCSSELR:
		return c.csselr, 0
	case classCLIDR:
		return c.clidr, 0
	case classCCSIDR:
		return c.ccsidr[place-arm64.CCSIDREL1Level0], 0
	case classWorkaround:
		return m.workaround(place), 0
	case classFeature:
		if m.keptFromUser(place) {
			return 0, syscall.ENOENT
		}
	}
	return m.values[place], 0
}

// keptFromUser reports whether a feature register is kept from userspace: such are not listed
// (Linux 5.2, arch/arm64/kvm/sys_regs.c, sve_id_visibility).
func (m *VM) keptFromUser(place int) bool {
	id := arm64.ID(arm64.Registers[place].ID)
	return !slices.ContainsFunc(m.host.profile.Listings(), func(l kernel.Listing) bool { return l.Has(id) && m.lists(&l, id) })
}

// set is KVM_SET_ONE_REG.
func (m *VM) set(c *vcpu, id arm64.ID, value uint64) syscall.Errno {
	place, class := m.place(id)
	switch class {
	case classNone:
		return m.setOther(c, id, value)
	case classFeature:
		if m.keptFromUser(place) {
			return syscall.ENOENT
		}
		return m.setFeature(place, value)
	case classIdentity:
		return m.setIdentity(place, value)
	case classMPIDR:
		c.mpidr = value
	case classCSSELR:
		c.csselr = value
	case classCLIDR:
		return m.setCLIDR(c, value)
	case classCCSIDR:
		return m.setCCSIDR(c, place-arm64.CCSIDREL1Level0, value)
	case classPSCI:
		return m.setPSCI(value)
	case classWorkaround:
		return m.setWorkaround(place, value)
	case classBitmap:
		return m.setBitmap(place, value)
	}
	return 0
}

// ignoresAArch32 reports whether a register is one that describes AArch32 on a
// host without it, and whose writes are then ignored.
func (h *Host) ignoresAArch32(place int) bool {
	return h.profile.IgnoresAArch32(place) && !h.aarch32()
}

// setFeature writes a feature register, in KVM's order: writes that are ignored,
// values that the register's own setter refuses, values that it replaces, the
// freeze, and only then what the limit allows (Linux 7.2,
// arch/arm64/kvm/sys_regs.c, kvm_sys_reg_set_user and set_id_reg).
func (m *VM) setFeature(place int, value uint64) syscall.Errno {
	profile := m.host.profile
	if m.host.ignoresAArch32(place) {
		return 0
	}
	first, end := arm64.SlotsOf(place)
	fits := (value^m.view.Values[place])&arm64.RestMask(place) == 0
	for slot := first; slot < end; slot++ {
		field := &arm64.Registers[place].Fields[arm64.Slots[slot].Field]
		v := field.Get(value)
		if profile.Refused(slot).Has(v) || (m.kvm.EL2 && profile.RefusedWithEL2(slot).Has(v)) {
			return syscall.EINVAL
		}
		fits = fits && m.takes[slot].Has(v)
		switch {
		case m.zero[slot].Has(v):
			value &^= field.Mask()
		case profile.StoresLimit(slot, m.kvm).Has(v):
			value = field.Put(value, field.Get(m.view.Values[place]))
		}
	}
	switch {
	case m.ran && profile.Frozen(place):
		if value != m.values[place] {
			return syscall.EBUSY
		}
	case !fits:
		return syscall.EINVAL
	}
	m.values[place] = value
	return 0
}

// midrBits are the bits of MIDR_EL1 that a VMM may choose.
const midrBits = 0xffff_ffff

// setIdentity writes MIDR_EL1, REVIDR_EL1 or AIDR_EL1.
func (m *VM) setIdentity(place int, value uint64) syscall.Errno {
	switch {
	case value == m.values[place]:
	case !m.identity:
		return syscall.EINVAL
	case m.ran:
		return syscall.EBUSY
	case place == arm64.MIDREL1 && value&^midrBits != 0:
		return syscall.EINVAL
	default:
		m.values[place] = value
	}
	return 0
}

// clidrBits are the bits of CLIDR_EL1 that are not RES0.
const clidrBits = 0x7fff_ffff_ffff

// setCLIDR writes CLIDR_EL1, at any time. It must not promise that no cleaning
// is needed where the host says that it is.
func (m *VM) setCLIDR(c *vcpu, value uint64) syscall.Errno {
	if !m.host.profile.Fabricated(arm64.CLIDREL1) {
		if value != c.clidr {
			return syscall.EINVAL
		}
		return 0
	}
	hosts := m.host.hardware.Values[arm64.CTREL0]
	if value&^clidrBits != 0 || effectiveCTR(hosts, value) != hosts {
		return syscall.EINVAL
	}
	c.clidr = value
	return 0
}

// setCCSIDR writes the geometry of one cache, at any time. Its lines must not be
// smaller than the host's smallest.
func (m *VM) setCCSIDR(c *vcpu, level int, value uint64) syscall.Errno {
	value &= 0xffff_ffff
	if !m.host.profile.Fabricated(arm64.CCSIDREL1Level0) {
		if value != c.ccsidr[level] {
			return syscall.EINVAL
		}
		return 0
	}
	if value&7 < m.view.Values[arm64.CCSIDREL1Level0+level]&7 {
		return syscall.EINVAL
	}
	c.ccsidr[level] = value
	return 0
}
