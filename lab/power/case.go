// Package power puts the model of nested POWER guests (model/power) to real
// kernels. A small VMM (lab/power/vmm) runs in a powernv host of the lab and
// makes a VM whose guest, L1, is five instructions: it registers a partition
// table and enters L2 with H_ENTER_NESTED; L2 does what a Case asks. What comes
// back is compared with the model field by field, and the real registers are
// read through QEMU's monitor while L2 spins.
package power

import (
	isapower "github.com/guise-project/guise/isa/power"
	model "github.com/guise-project/guise/model/power"
)

// Case is one H_ENTER_NESTED on a VM of its own.
type Case struct {
	Name string
	// BigEndian is the byte order of L1 and L2.
	BigEndian bool
	// Level is the architecture level L1 is held at, 0 for the host's.
	Level isapower.Level
	// Structure and MSR are what L1 hands over; the structure's version field
	// counts, whether or not it is one that exists.
	Structure isapower.State
	MSR       uint64
	// Code is what L2 executes, from CodeAddress on.
	Code []uint32
	// NoTable leaves the partition table unregistered; TableAddress is where it
	// is registered otherwise, 0 for where it is.
	NoTable      bool
	TableAddress uint64
	// StructureAddress is what L1 passes, 0 for where the structure is.
	StructureAddress uint64
	// Spin says that L2 does not leave by itself: the watchdog ends it, after
	// the real registers were read.
	Spin bool

	// Events are what the model is told happens, Enter excluded. AfterCall is
	// where L2 stands after its hypercall, NIP where it stands when it leaves
	// otherwise.
	Events         []model.Event `json:"-"`
	AfterCall, NIP uint64        `json:"-"`
	// NotTestable says why the lab cannot put this case to its host, "" where
	// it can.
	NotTestable string `json:"-"`
}

// Host is what a case may depend on.
type Host struct {
	Generation *model.Generation
	Permitted  model.Permitted
	Level      isapower.Level
}

// Addresses in the guest-real memory of L1 and of L2, for the VMM.
const (
	MemorySize    = 64 << 20
	L1Code        = 0x10000
	L1Table       = 0x20000
	L1Structure   = 0x30000
	L1Regs        = 0x31000
	L1Tree        = 0x40000
	L2Memory      = 16 << 20
	L2Size        = 2 << 20
	CodeAddress   = 0x1000 // in L2
	L2Processes   = 0x10000
	L2Tree        = 0x20000
	PartitionLPID = 1
)

// Result is what the VMM saw of a Case.
type Result struct {
	Name string
	// Error is a failure of the VMM or of KVM, "" for none.
	Error string
	// R3 is what the hypercall returned.
	R3 int64
	// TableR3 is what H_SET_PARTITION_TABLE returned.
	TableR3 int64
	// Watchdog says that a signal ended L2.
	Watchdog bool
	// Structure and Regs are L1's memory afterwards, in its byte order.
	Structure, Regs []byte
	// L1LPCR is L1's own, read with KVM_GET_ONE_REG.
	L1LPCR uint64
}

// Report is everything the VMM brings back.
type Report struct {
	Results []Result
	// CPUChar is what KVM_PPC_GET_CPU_CHAR says: character, behaviour and the
	// masks of both.
	CPUChar [4]uint64
	// Compat maps levels to whether KVM_REG_PPC_ARCH_COMPAT takes them.
	Compat map[string]bool
	// Capabilities are the answers of KVM_CHECK_EXTENSION.
	Capabilities map[string]int
}
