package kvmabi

import (
	"structs"
	"unsafe"
)

// OneReg is struct kvm_one_reg. Addr points to a value of the size that ID
// names, in the host's byte order.
type OneReg struct {
	_    structs.HostLayout
	ID   uint64
	Addr unsafe.Pointer
}

// UserMemoryRegion is struct kvm_userspace_memory_region.
type UserMemoryRegion struct {
	_             structs.HostLayout
	Slot          uint32
	Flags         uint32
	GuestPhysAddr uint64
	MemorySize    uint64
	UserspaceAddr unsafe.Pointer
}

// DeviceAttribute is struct kvm_device_attr.
type DeviceAttribute struct {
	_     structs.HostLayout
	Flags uint32
	Group uint32
	Attr  uint64
	Addr  unsafe.Pointer
}

// RegMaskRange is struct reg_mask_range. Addr points to
// FeatureIDRangeSize words.
type RegMaskRange struct {
	_        structs.HostLayout
	Addr     unsafe.Pointer
	Range    uint32
	Reserved [13]uint32
}

// CopyMTETags is struct kvm_arm_copy_mte_tags.
type CopyMTETags struct {
	_         structs.HostLayout
	GuestPhys uint64
	Length    uint64
	Addr      unsafe.Pointer
	Flags     uint64
	Reserved  [2]uint64
}

// Values of CopyMTETags.Flags.
const (
	TagsToGuest   = 0
	TagsFromGuest = 1
)
