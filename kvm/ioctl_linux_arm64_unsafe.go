//go:build linux && arm64

package kvm

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
)

// call makes an ioctl whose argument is a number. It repeats what a signal
// interrupted, except KVM_RUN, whose EINTR has a meaning.
func (h *Host) call(fd int, request kvmabi.Request, argument uint64) (int, syscall.Errno) {
	defer h.count()()
	for {
		result, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
		if errno != syscall.EINTR || request == kvmabi.Run {
			return int(result), errno
		}
	}
}

// callWith is call for a request that takes a structure.
func callWith[T any](h *Host, fd int, request kvmabi.Request, argument *T) (int, syscall.Errno) {
	defer h.count()()
	for {
		result, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(argument)))
		if errno != syscall.EINTR {
			return int(result), errno
		}
	}
}

// oneReg makes KVM_GET_ONE_REG or KVM_SET_ONE_REG with value as the register.
func (h *Host) oneReg(fd int, request kvmabi.Request, id arm64.ID, value []byte) syscall.Errno {
	_, errno := callWith(h, fd, request, &kvmabi.OneReg{ID: uint64(id), Addr: unsafe.Pointer(unsafe.SliceData(value))})
	return errno
}

// oneRegWord is oneReg for a register of up to 64 bits. KVM reads and writes
// as many bytes as the id says, at the address; arm64 hosts here are
// little-endian, so the low bytes are the value.
func (h *Host) oneRegWord(fd int, request kvmabi.Request, id arm64.ID, value *uint64) syscall.Errno {
	_, errno := callWith(h, fd, request, &kvmabi.OneReg{ID: uint64(id), Addr: unsafe.Pointer(value)})
	return errno
}

// regList makes KVM_GET_REG_LIST; list[0] holds the room for ids and then
// their number, the ids follow.
func (h *Host) regList(fd int, list []uint64) syscall.Errno {
	_, errno := callWith(h, fd, kvmabi.GetRegList, &list[0])
	return errno
}

// mapMemory gives the guest memory at a guest-physical address.
func (h *Host) mapMemory(fd int, slot uint32, base uint64, memory []byte) syscall.Errno {
	_, errno := callWith(h, fd, kvmabi.SetUserMemoryRegion, &kvmabi.UserMemoryRegion{
		Slot: slot, GuestPhysAddr: base, MemorySize: uint64(len(memory)),
		UserspaceAddr: unsafe.Pointer(unsafe.SliceData(memory)),
	})
	return errno
}

// copyTags makes KVM_ARM_MTE_COPY_TAGS and returns how many bytes of guest memory
// it came to.
func (h *Host) copyTags(fd int, base, size uint64, tags []byte, direction uint64) (int, syscall.Errno) {
	return callWith(h, fd, kvmabi.MTECopyTags, &kvmabi.CopyMTETags{
		GuestPhys: base, Length: size, Addr: unsafe.Pointer(unsafe.SliceData(tags)), Flags: direction,
	})
}

// writableMasks makes KVM_ARM_GET_REG_WRITABLE_MASKS.
func (h *Host) writableMasks(fd int, index uint32, reserved [13]uint32, masks *[kvmabi.FeatureIDRangeSize]uint64) syscall.Errno {
	_, errno := callWith(h, fd, kvmabi.GetRegWritableMasks, &kvmabi.RegMaskRange{Addr: unsafe.Pointer(masks), Range: index, Reserved: reserved})
	return errno
}

// attribute makes KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR or
// KVM_HAS_DEVICE_ATTR; value may be nil.
func attribute[T any](h *Host, fd int, request kvmabi.Request, group uint32, attr uint64, value *T) syscall.Errno {
	_, errno := callWith(h, fd, request, &kvmabi.DeviceAttribute{Group: group, Attr: attr, Addr: unsafe.Pointer(value)})
	return errno
}

// runArea is the structure at the head of a vCPU's mapping.
func runArea(mapping []byte) *kvmabi.RunArea {
	return (*kvmabi.RunArea)(unsafe.Pointer(unsafe.SliceData(mapping)))
}

// kick makes the thread leave KVM_RUN: SIGURG is the signal Go's runtime
// itself sends to threads, and takes without effect.
func kick(thread int) {
	_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGURG)
}
