package kvmabi

import "fmt"

// Direction says which way an ioctl's argument travels, as <asm-generic/ioctl.h>
// encodes it. The kernel itself is lax about it: KVM_GET_ONE_REG is a "write".
type Direction uint8

// Directions of an ioctl request.
const (
	None  Direction = 0
	Write Direction = 1 // _IOW: userspace writes, the kernel reads
	Read  Direction = 2 // _IOR
)

// ioctlType is KVMIO, the type byte of every KVM request.
const ioctlType = 0xae

// Request is an ioctl request number.
type Request uint32

// Requests on /dev/kvm, a VM or a vCPU. The names are the kernel's, in Go's
// spelling; Requests gives the kernel's own.
const (
	// On /dev/kvm.
	GetAPIVersion   Request = 0xae00
	CreateVM        Request = 0xae01
	CheckExtension  Request = 0xae03
	GetVCPUMmapSize Request = 0xae04

	// On a VM.
	CreateVCPU          Request = 0xae41
	SetUserMemoryRegion Request = 0x4020ae46
	IRQLine             Request = 0x4008ae61
	EnableCap           Request = 0x4068aea3
	PreferredTarget     Request = 0x8020aeaf
	MTECopyTags         Request = 0x8030aeb4
	SetCounterOffset    Request = 0x4010aeb5
	GetRegWritableMasks Request = 0x8040aeb6
	CreateDevice        Request = 0xc00caee0

	// On a VM, a vCPU or a device.
	SetDeviceAttr Request = 0x4018aee1
	GetDeviceAttr Request = 0x4018aee2
	HasDeviceAttr Request = 0x4018aee3

	// On a vCPU.
	Run           Request = 0xae80
	GetMPState    Request = 0x8004ae98
	SetMPState    Request = 0x4004ae99
	GetVCPUEvents Request = 0x8040ae9f
	SetVCPUEvents Request = 0x4040aea0
	GetOneReg     Request = 0x4010aeab
	SetOneReg     Request = 0x4010aeac
	VCPUInit      Request = 0x4020aeae
	GetRegList    Request = 0xc008aeb0
	VCPUFinalize  Request = 0x4004aec2
)

// RequestRow is what a request number is made of.
type RequestRow struct {
	Request   Request
	Name      string // the kernel's spelling
	Direction Direction
	Number    uint8
	Size      uint16 // of the argument structure, 0 where the argument is an integer
}

// Requests lists every request of this package.
var Requests = []RequestRow{
	{GetAPIVersion, "KVM_GET_API_VERSION", None, 0x00, 0},
	{CreateVM, "KVM_CREATE_VM", None, 0x01, 0},
	{CheckExtension, "KVM_CHECK_EXTENSION", None, 0x03, 0},
	{GetVCPUMmapSize, "KVM_GET_VCPU_MMAP_SIZE", None, 0x04, 0},
	{CreateVCPU, "KVM_CREATE_VCPU", None, 0x41, 0},
	{SetUserMemoryRegion, "KVM_SET_USER_MEMORY_REGION", Write, 0x46, 32},
	{IRQLine, "KVM_IRQ_LINE", Write, 0x61, 8},
	{EnableCap, "KVM_ENABLE_CAP", Write, 0xa3, 104},
	{PreferredTarget, "KVM_ARM_PREFERRED_TARGET", Read, 0xaf, 32},
	{MTECopyTags, "KVM_ARM_MTE_COPY_TAGS", Read, 0xb4, 48},
	{SetCounterOffset, "KVM_ARM_SET_COUNTER_OFFSET", Write, 0xb5, 16},
	{GetRegWritableMasks, "KVM_ARM_GET_REG_WRITABLE_MASKS", Read, 0xb6, 64},
	{CreateDevice, "KVM_CREATE_DEVICE", Read | Write, 0xe0, 12},
	{SetDeviceAttr, "KVM_SET_DEVICE_ATTR", Write, 0xe1, 24},
	{GetDeviceAttr, "KVM_GET_DEVICE_ATTR", Write, 0xe2, 24},
	{HasDeviceAttr, "KVM_HAS_DEVICE_ATTR", Write, 0xe3, 24},
	{Run, "KVM_RUN", None, 0x80, 0},
	{GetMPState, "KVM_GET_MP_STATE", Read, 0x98, 4},
	{SetMPState, "KVM_SET_MP_STATE", Write, 0x99, 4},
	{GetVCPUEvents, "KVM_GET_VCPU_EVENTS", Read, 0x9f, 64},
	{SetVCPUEvents, "KVM_SET_VCPU_EVENTS", Write, 0xa0, 64},
	{GetOneReg, "KVM_GET_ONE_REG", Write, 0xab, 16},
	{SetOneReg, "KVM_SET_ONE_REG", Write, 0xac, 16},
	{VCPUInit, "KVM_ARM_VCPU_INIT", Write, 0xae, 32},
	{GetRegList, "KVM_GET_REG_LIST", Read | Write, 0xb0, 8},
	{VCPUFinalize, "KVM_ARM_VCPU_FINALIZE", Write, 0xc2, 4},
}

// String gives the kernel's name of the request.
func (r Request) String() string {
	for i := range Requests {
		if Requests[i].Request == r {
			return Requests[i].Name
		}
	}
	return fmt.Sprintf("ioctl %#x", uint32(r))
}
