package power

// Interrupt vectors, as H_ENTER_NESTED returns them in r3 (Power ISA 3.1B book
// III, 7.5). KVM adds 2 to vectors that use HSRR0 and HSRR1 in places of its
// own; here they are plain.
const (
	VectorMachineCheck        = 0x200
	VectorDataStorage         = 0x300
	VectorExternal            = 0x500
	VectorProgram             = 0x700
	VectorDecrementer         = 0x900
	VectorHypervisorDecrement = 0x980
	VectorSystemCall          = 0xc00
	VectorHDSI                = 0xe00 // hypervisor data storage
	VectorHISI                = 0xe20 // hypervisor instruction storage
	VectorHEAI                = 0xe40 // hypervisor emulation assistance: an illegal instruction
	VectorHDoorbell           = 0xe80
	VectorHVirtualization     = 0xea0
	VectorFacility            = 0xf60
	VectorHFacility           = 0xf80 // hypervisor facility unavailable
)

// VectorNames gives the architecture's name of each vector.
var VectorNames = map[uint64]string{
	VectorMachineCheck:        "machine check",
	VectorDataStorage:         "data storage",
	VectorExternal:            "external",
	VectorProgram:             "program",
	VectorDecrementer:         "decrementer",
	VectorHypervisorDecrement: "hypervisor decrementer",
	VectorSystemCall:          "system call",
	VectorHDSI:                "hypervisor data storage",
	VectorHISI:                "hypervisor instruction storage",
	VectorHEAI:                "hypervisor emulation assistance",
	VectorHDoorbell:           "directed hypervisor doorbell",
	VectorHVirtualization:     "hypervisor virtualization",
	VectorFacility:            "facility unavailable",
	VectorHFacility:           "hypervisor facility unavailable",
}

// SRR1Illegal is the bit of SRR1 that says that a program interrupt was for an
// illegal instruction.
const SRR1Illegal uint64 = 0x80000

// Hypercalls of the nested interface, version 1.
const (
	HSetPartitionTable = 0xf800
	HEnterNested       = 0xf804
	HTLBInvalidate     = 0xf808
	HCopyToFromGuest   = 0xf80c
)

// Return codes of hypercalls (PAPR, "hcall return codes").
const (
	HSuccess      = 0
	HNotAvailable = 3
	HFunction     = -2
	HParameter    = -4
	HBadMode      = -5
	HAuthority    = -10
	HP2           = -55
)

// ReturnNames gives the PAPR name of each return code that the nested
// interface uses.
var ReturnNames = map[int64]string{
	HSuccess:      "H_SUCCESS",
	HNotAvailable: "H_NOT_AVAILABLE",
	HFunction:     "H_FUNCTION",
	HParameter:    "H_PARAMETER",
	HBadMode:      "H_BAD_MODE",
	HAuthority:    "H_AUTHORITY",
	HP2:           "H_P2",
}
