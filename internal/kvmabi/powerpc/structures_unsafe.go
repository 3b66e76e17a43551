package powerpc

import (
	"structs"
	"unsafe"
)

// OneReg is struct kvm_one_reg. Addr points to a value of the size that ID
// names.
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

// EnableCapability is struct kvm_enable_cap.
type EnableCapability struct {
	_     structs.HostLayout
	Cap   uint32
	Flags uint32
	Args  [4]uint64
	_     [64]byte
}

// Regs is struct kvm_regs.
type Regs struct {
	_                         structs.HostLayout
	PC, CR, CTR, LR, XER, MSR uint64
	SRR0, SRR1, PID           uint64
	SPRG                      [8]uint64
	GPR                       [32]uint64
}

// MMUv3 is struct kvm_ppc_mmuv3_cfg.
type MMUv3 struct {
	_            structs.HostLayout
	Flags        uint64
	ProcessTable uint64 // the second doubleword of a partition table entry
}

// CPUChar is struct kvm_ppc_cpu_char: what the firmware says about speculative
// execution, and which bits of that it knows.
type CPUChar struct {
	_                            structs.HostLayout
	Character, Behaviour         uint64
	CharacterMask, BehaviourMask uint64
}
