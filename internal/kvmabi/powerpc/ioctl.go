// Package powerpc holds KVM's userspace ABI on powerpc where it differs from
// other architectures: request numbers, whose direction and size fields have
// other widths there, and what only KVM on POWER has. Numbers that every
// architecture shares, such as those of capabilities, keep one value.
package powerpc

import "fmt"

// Direction says which way an ioctl's argument travels, as powerpc's
// <asm/ioctl.h> encodes it: 3 bits at the top, where none has a bit of its own.
type Direction uint8

// Directions of an ioctl request.
const (
	None  Direction = 1
	Read  Direction = 2 // the kernel writes
	Write Direction = 4 // the kernel reads
)

// Fields of a request number on powerpc: 8 bits number, 8 bits type, 13 bits
// size, 3 bits direction.
const (
	typeShift      = 8
	sizeShift      = 16
	directionShift = 29
	ioctlType      = 0xae // KVMIO
)

// Request is an ioctl request number on powerpc.
type Request uint32

// Requests on /dev/kvm, a VM or a vCPU.
const (
	CreateVM            Request = 0x2000ae01
	CheckExtension      Request = 0x2000ae03
	GetVCPUMmapSize     Request = 0x2000ae04
	CreateVCPU          Request = 0x2000ae41
	SetUserMemoryRegion Request = 0x8020ae46
	Run                 Request = 0x2000ae80
	GetRegs             Request = 0x4188ae81
	SetRegs             Request = 0x8188ae82
	EnableCap           Request = 0x8068aea3
	GetOneReg           Request = 0x8010aeab
	SetOneReg           Request = 0x8010aeac
	ConfigureV3MMU      Request = 0x8010aeaf
	GetCPUChar          Request = 0x4020aeb1
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
	{CreateVM, "KVM_CREATE_VM", None, 0x01, 0},
	{CheckExtension, "KVM_CHECK_EXTENSION", None, 0x03, 0},
	{GetVCPUMmapSize, "KVM_GET_VCPU_MMAP_SIZE", None, 0x04, 0},
	{CreateVCPU, "KVM_CREATE_VCPU", None, 0x41, 0},
	{SetUserMemoryRegion, "KVM_SET_USER_MEMORY_REGION", Write, 0x46, 32},
	{Run, "KVM_RUN", None, 0x80, 0},
	{GetRegs, "KVM_GET_REGS", Read, 0x81, RegsSize},
	{SetRegs, "KVM_SET_REGS", Write, 0x82, RegsSize},
	{EnableCap, "KVM_ENABLE_CAP", Write, 0xa3, 104},
	{GetOneReg, "KVM_GET_ONE_REG", Write, 0xab, 16},
	{SetOneReg, "KVM_SET_ONE_REG", Write, 0xac, 16},
	{ConfigureV3MMU, "KVM_PPC_CONFIGURE_V3_MMU", Write, 0xaf, 16},
	{GetCPUChar, "KVM_PPC_GET_CPU_CHAR", Read, 0xb1, 32},
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

// VMTypeHV is the argument of KVM_CREATE_VM for a VM under KVM-HV
// (KVM_VM_PPC_HV).
const VMTypeHV = 1

// Capabilities.
const (
	CapPAPR     = 68  // KVM_CAP_PPC_PAPR: enabled on a vCPU
	CapNestedHV = 160 // KVM_CAP_PPC_NESTED_HV: enabled on a VM
)

// CapabilityRow names a capability.
type CapabilityRow struct {
	Number uint32
	Name   string // the kernel's spelling
}

// Capabilities lists the capabilities that KVM on POWER answers and that change
// what a guest may have or how a VM is made, in ascending order
// (include/uapi/linux/kvm.h).
var Capabilities = []CapabilityRow{
	{CapPAPR, "KVM_CAP_PPC_PAPR"},
	{132, "KVM_CAP_PPC_HTM"},
	{134, "KVM_CAP_PPC_MMU_RADIX"},
	{135, "KVM_CAP_PPC_MMU_HASH_V3"},
	{146, "KVM_CAP_PPC_FWNMI"},
	{147, "KVM_CAP_PPC_SMT_POSSIBLE"},
	{151, "KVM_CAP_PPC_GET_CPU_CHAR"},
	{CapNestedHV, "KVM_CAP_PPC_NESTED_HV"},
	{181, "KVM_CAP_PPC_SECURE_GUEST"},
	{194, "KVM_CAP_PPC_DAWR1"},
	{204, "KVM_CAP_PPC_RPT_INVALIDATE"},
	{210, "KVM_CAP_PPC_AIL_MODE_3"},
}

// Flags of KVM_PPC_CONFIGURE_V3_MMU.
const (
	MMUv3Radix = 1 // KVM_PPC_MMUV3_RADIX
	MMUv3GTSE  = 2 // KVM_PPC_MMUV3_GTSE
)

// Registers of KVM_GET_ONE_REG and KVM_SET_ONE_REG.
const (
	RegArchCompat uint64 = 0x10200000000000b7 // KVM_REG_PPC_ARCH_COMPAT, 32 bits
	RegLPCR64     uint64 = 0x10300000000000b5 // KVM_REG_PPC_LPCR_64
)

// Exit reasons that an L1 of the tests can cause.
const (
	ExitUnknown       = 0
	ExitFailEntry     = 9
	ExitIntr          = 10
	ExitInternalError = 17
	ExitPAPRHcall     = 19
)

// Offsets within struct kvm_run, in bytes.
const (
	RunImmediateExit = 1
	RunExitReason    = 8
	// For ExitPAPRHcall.
	RunHcallNumber = 32
	RunHcallReturn = 40
	RunHcallArgs   = 48 // nine of them
)

// Offsets within struct kvm_regs, in bytes; every register has 8 but the last.
const (
	RegsPC      = 0
	RegsMSR     = 40
	RegsGPR     = 136
	RegsSize    = 392
	RegsGPRSize = 8
)
