// Package vm holds the small interfaces that everything able to make a VM
// implements, the live kernel (package kvm) and the reference model
// (package model/arm64) alike, and what can be done on any of them: Capture,
// Apply and Prove.
package vm

import (
	"context"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// Host makes VMs. A Host is safe for concurrent use.
type Host interface {
	// String names the host for messages: "kvm", "model:6.12/neoverse-v1".
	String() string
	// NewVM makes a VM of the setup with the given number of vCPUs (at least
	// 1), each initialised; SVE is not yet finalised. It returns an error that
	// wraps ErrNotSupported where the host cannot make such a VM.
	NewVM(ctx context.Context, setup guise.Setup, vcpus int) (VM, error)
	// Close releases the host.
	Close() error
}

// Describer is a Host that knows the machine it is on.
type Describer interface {
	// Describe returns the facts of a capture that do not depend on a setup.
	// What the machine does not tell stays zero.
	Describe() (guise.HostFacts, error)
}

// CoreKind is the CPUs of a host that are alike.
type CoreKind struct {
	CPU  guise.HostCPU
	CPUs []int // Linux's numbers, ascending
}

// Pinner is a Host on a machine with CPUs of its own, which may be unlike.
type Pinner interface {
	// Cores returns the kinds of CPU, the one with the lowest number first.
	Cores() ([]CoreKind, error)
	// Pin ties the calling goroutine to the CPUs until release is called on
	// the same goroutine.
	Pin(cpus []int) (release func() error, err error)
}

// Counter is a Host that counts what it asks of the kernel.
type Counter interface {
	// Ioctls returns how many ioctls were made so far.
	Ioctls() uint64
}

// VM is one virtual machine. It must not be used from two goroutines at once.
// An error that KVM gave is a *RegisterError or wraps a syscall.Errno.
type VM interface {
	// Get reads a register of up to 64 bits through one vCPU.
	Get(vcpu int, id arm64.ID) (uint64, error)
	// Set writes a register of up to 64 bits through one vCPU.
	Set(vcpu int, id arm64.ID, value uint64) error
	// Run has the vCPU execute a probe program to its end and returns what the
	// guest saw, one record for each operation. It finalises SVE where that
	// was not done, and counts as the first run.
	Run(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, error)
	// Close drops the VM and all it holds. It is called once.
	Close() error
}

// Lister is a VM that can list its registers (KVM_GET_REG_LIST).
type Lister interface {
	// List returns the ids in ascending order. It fails with EPERM while SVE
	// is not finalised.
	List(vcpu int) ([]arm64.ID, error)
}

// Knower is a VM of a model, which takes registers of which it does not know what
// KVM does with them.
type Knower interface {
	// Knows reports whether the outcome of an access to a register that was not
	// refused is KVM's: the value that Get gave, or, of a write, that KVM takes it.
	Knows(vcpu int, id arm64.ID, write bool) bool
}

// WideRegisters is a VM with registers wider than 64 bits: V, Z and P
// registers and the SVE vector lengths.
type WideRegisters interface {
	// GetWide fills value, whose length must be id.Size().
	GetWide(vcpu int, id arm64.ID, value []byte) error
	SetWide(vcpu int, id arm64.ID, value []byte) error
}

// Finalizer is a VM whose SVE vCPUs must be finalised (KVM_ARM_VCPU_FINALIZE).
type Finalizer interface {
	Finalize(vcpu int) error
}

// Completer is a VM whose vCPUs can be completed by its user. Unless that is asked for, SVE
// is finalised, and the PMU given its interrupt and initialised, on the way into a vCPU's
// first run.
type Completer interface {
	// LeaveIncomplete has Run and RunNothing complete nothing from then on.
	LeaveIncomplete()
	// SetPMUInterrupt gives the PMU of a vCPU its interrupt
	// (KVM_ARM_VCPU_PMU_V3_IRQ), a PPI or an SPI.
	SetPMUInterrupt(vcpu int, interrupt int32) error
	// InitPMU initialises the PMU of a vCPU (KVM_ARM_VCPU_PMU_V3_INIT).
	InitPMU(vcpu int) error
}

// Interrupter is a VM whose vCPU can be entered and left at once
// (KVM_RUN with immediate_exit), which freezes its ID registers.
type Interrupter interface {
	// RunNothing returns EINTR where the kernel did as it should.
	RunNothing(vcpu int) error
}

// Reinitializer is a VM whose vCPU can be initialised again
// (a second KVM_ARM_VCPU_INIT) with the features given.
type Reinitializer interface {
	Reinit(vcpu int, features []guise.Feature) error
}

// MaskReporter is a VM that reports which bits of feature ID registers can be
// written (KVM_ARM_GET_REG_WRITABLE_MASKS). What it reports is recorded and
// never believed.
type MaskReporter interface {
	// MaskRanges returns KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, 0 where there
	// is none.
	MaskRanges() (uint64, error)
	// WritableMasks returns the 192 masks of a range.
	WritableMasks(rangeIndex uint32) ([192]uint64, error)
}

// MaskAsker is a MaskReporter that can be asked with words in the fields of
// struct reg_mask_range that are reserved, as a VMM of a later interface would.
type MaskAsker interface {
	AskMasks(rangeIndex uint32, reserved [13]uint32) ([192]uint64, error)
}

// Filterer is a VM whose SMCCC calls can be filtered (KVM_ARM_VM_SMCCC_FILTER).
type Filterer interface {
	// Filter installs an action (0 handle, 1 deny, 2 forward to userspace)
	// for count function ids from base.
	Filter(base, count uint32, action uint8) error
}

// GICMaker is a VM in which an in-kernel interrupt controller can be made
// after its vCPUs.
type GICMaker interface {
	// MakeVGIC creates and initialises a vGICv3.
	MakeVGIC() error
}

// TrapObserver is a VM that can tell which operations of a guest's program came
// to the hypervisor.
type TrapObserver interface {
	// RunObserved is Run. That it cannot tell is no error: the Traps, which are
	// there where the trace is, say why.
	RunObserved(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, *probe.Traps, error)
}

// TagMover is a VM whose guest memory has allocation tags (FEAT_MTE2) that can
// be read and written: one byte for each 16 bytes of memory, of which the lower
// four bits are the tag. base and the memory's size are multiples of the host's
// page size.
type TagMover interface {
	Tags(base, size uint64) ([]byte, error)
	SetTags(base uint64, tags []byte) error
}

// CapabilityChecker tells the value of a KVM capability
// (KVM_CHECK_EXTENSION).
type CapabilityChecker interface {
	// CheckCapability returns 0 where the kernel does not know the number.
	CheckCapability(number uint32) (int, error)
}

// Access is a guest's load or store at an address without memory.
type Access struct {
	Address uint64
	Data    []byte // what is stored, or to be filled with what is loaded
	Write   bool
}

// VGICRegister is one piece of the state of an in-kernel interrupt controller:
// a device attribute (Linux, Documentation/virt/kvm/devices/arm-vgic-v3.rst).
type VGICRegister struct {
	Group uint32
	Attr  uint64
	Value uint64
}

// Movable is a VM whose guest can be stopped on its way and whose whole state
// can be read and written: what moving it takes.
type Movable interface {
	VM
	Lister
	WideRegisters
	// AddMemory gives the guest size bytes of zeroed memory. The memory stays
	// valid until Close.
	AddMemory(base, size uint64) ([]byte, error)
	// Start readies a vCPU in its reset state to run from entry.
	Start(vcpu int, entry uint64) error
	// Resume runs a vCPU until handle says stop. The access that stopped it is
	// completed, so that the vCPU's registers are those after it.
	Resume(ctx context.Context, vcpu int, handle func(*Access) (stop bool, err error)) error
	// Events and MPState are opaque to all but the kernel.
	Events(vcpu int) ([]byte, error)
	SetEvents(vcpu int, events []byte) error
	MPState(vcpu int) (uint32, error)
	SetMPState(vcpu int, state uint32) error
	// VGICState reads the interrupt controller, in the order in which it is to
	// be written; it is empty where there is none.
	VGICState() ([]VGICRegister, error)
	SetVGICState(state []VGICRegister) error
	// SetLine sets the level of shared peripheral interrupt id, 32 or more.
	SetLine(id uint32, high bool) error
}
