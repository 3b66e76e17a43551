package arm64

import (
	"syscall"

	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// Actions of the SMCCC filter.
const (
	filterHandle  = 0
	filterDeny    = 1
	filterForward = 2
	filterActions = 3
)

// filterRange is what happens to the functions from first to last.
type filterRange struct {
	first, last uint32
	action      uint8
}

// filter is a VM's SMCCC filter; ranges never overlap. Once anything is
// installed, the calls of the Arm architecture are in it as handled.
type filter []filterRange

var reservedCalls = filter{{0x8000_0000, 0x8000_ffff, filterHandle}, {0xc000_0000, 0xc000_ffff, filterHandle}}

// Filter installs an action for count function ids from base.
func (m *VM) Filter(base, count uint32, action uint8) error {
	if errno := m.installFilter(base, count, action); errno != 0 {
		return &vm.CallError{Call: "KVM_ARM_VM_SMCCC_FILTER", Subject: "the SMCCC filter", Errno: errno, Lacking: !m.filters()}
	}
	return nil
}

// filters reports whether the VM can have a filter at all.
func (m *VM) filters() bool { return m.host.profile.Does(kernel.FiltersCalls) && !m.kvm.Protected }

func (m *VM) installFilter(base, count uint32, action uint8) syscall.Errno {
	profile := m.host.profile
	last := base + count - 1
	switch {
	case !m.filters(), action >= filterActions,
		count == 0 && profile.Does(kernel.RefusesEmptyFilter),
		last < base: // beyond the last function, or none
		return syscall.EINVAL
	case m.ran:
		return syscall.EBUSY
	}
	if m.filter == nil {
		m.filter = append(m.filter, reservedCalls...)
	}
	for _, r := range m.filter {
		if base <= r.last && r.first <= last {
			return syscall.EEXIST
		}
	}
	m.filter = append(m.filter, filterRange{base, last, action})
	return 0
}

// action says what becomes of a call.
func (f filter) action(function uint32) uint8 {
	for _, r := range f {
		if r.first <= function && function <= r.last {
			return r.action
		}
	}
	return filterHandle
}
