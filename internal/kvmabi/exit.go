package kvmabi

import (
	"encoding/binary"
	"fmt"
	"structs"
)

// ExitReason is why KVM_RUN came back to userspace (KVM_EXIT_*).
type ExitReason uint32

// Exit reasons that arm64 can give.
const (
	ExitUnknown       ExitReason = 0
	ExitHypercall     ExitReason = 3
	ExitDebug         ExitReason = 4
	ExitMMIO          ExitReason = 6
	ExitFailEntry     ExitReason = 9
	ExitIntr          ExitReason = 10
	ExitInternalError ExitReason = 17
	ExitSystemEvent   ExitReason = 24
	ExitArmNISV       ExitReason = 27
	ExitDirtyRingFull ExitReason = 31
	ExitMemoryFault   ExitReason = 39
	ExitArmSEA        ExitReason = 41
	ExitArmLDST64B    ExitReason = 42
)

// ExitReasons names the exit reasons that arm64 can give.
var ExitReasons = map[ExitReason]string{
	ExitUnknown:       "KVM_EXIT_UNKNOWN",
	ExitHypercall:     "KVM_EXIT_HYPERCALL",
	ExitDebug:         "KVM_EXIT_DEBUG",
	ExitMMIO:          "KVM_EXIT_MMIO",
	ExitFailEntry:     "KVM_EXIT_FAIL_ENTRY",
	ExitIntr:          "KVM_EXIT_INTR",
	ExitInternalError: "KVM_EXIT_INTERNAL_ERROR",
	ExitSystemEvent:   "KVM_EXIT_SYSTEM_EVENT",
	ExitArmNISV:       "KVM_EXIT_ARM_NISV",
	ExitDirtyRingFull: "KVM_EXIT_DIRTY_RING_FULL",
	ExitMemoryFault:   "KVM_EXIT_MEMORY_FAULT",
	ExitArmSEA:        "KVM_EXIT_ARM_SEA",
	ExitArmLDST64B:    "KVM_EXIT_ARM_LDST64B",
}

// String gives the kernel's name.
func (r ExitReason) String() string {
	if name, ok := ExitReasons[r]; ok {
		return name
	}
	return fmt.Sprintf("KVM_EXIT %d", uint32(r))
}

// Types of a system event.
const (
	SystemEventShutdown = 1
	SystemEventReset    = 2
	SystemEventCrash    = 3
	SystemEventSuspend  = 5
)

// HypercallSMC is set in Hypercall.Flags where the guest used SMC.
const HypercallSMC = 1

// RunArea is the head of struct kvm_run, which a vCPU's file descriptor maps.
type RunArea struct {
	_ structs.HostLayout
	// Control holds request_interrupt_window (byte 0) and immediate_exit
	// (byte 1); it is one word so that it can be stored atomically while
	// KVM_RUN is under way.
	Control    uint32
	_          uint32
	ExitReason ExitReason
	_          uint32
	_          [2]uint64
	exit       [256]byte
}

// ImmediateExit is RunArea.Control with immediate_exit set.
const ImmediateExit = 1 << 8

// MMIO is what a guest access to an address without memory holds.
type MMIO struct {
	Addr  uint64
	Data  [8]byte
	Len   uint32
	Write bool
}

// Value returns the written data as a number, least significant byte first, as
// a little-endian guest stores it.
func (m *MMIO) Value() uint64 {
	var data [8]byte
	copy(data[:], m.Data[:min(m.Len, 8)])
	return binary.LittleEndian.Uint64(data[:])
}

// MMIO decodes a KVM_EXIT_MMIO.
func (r *RunArea) MMIO() MMIO {
	m := MMIO{
		Addr:  binary.LittleEndian.Uint64(r.exit[0:]),
		Len:   binary.LittleEndian.Uint32(r.exit[16:]),
		Write: r.exit[20] != 0,
	}
	copy(m.Data[:], r.exit[8:16])
	return m
}

// PutMMIO stores what a guest's load shall read.
func (r *RunArea) PutMMIO(value uint64) { binary.LittleEndian.PutUint64(r.exit[8:], value) }

// Hypercall is an SMCCC call that a filter forwarded.
type Hypercall struct {
	Function uint64
	Flags    uint64
}

// Hypercall decodes a KVM_EXIT_HYPERCALL. The arguments stay in the vCPU's
// registers.
func (r *RunArea) Hypercall() Hypercall {
	return Hypercall{
		Function: binary.LittleEndian.Uint64(r.exit[0:]),
		Flags:    binary.LittleEndian.Uint64(r.exit[64:]),
	}
}

// SystemEvent is what a guest asked of the machine as a whole.
type SystemEvent struct {
	Type uint32
	Data []uint64
}

// SystemEvent decodes a KVM_EXIT_SYSTEM_EVENT.
func (r *RunArea) SystemEvent() SystemEvent {
	e := SystemEvent{Type: binary.LittleEndian.Uint32(r.exit[0:])}
	n := min(binary.LittleEndian.Uint32(r.exit[4:]), 16)
	for i := range n {
		e.Data = append(e.Data, binary.LittleEndian.Uint64(r.exit[8+8*i:]))
	}
	return e
}

// Describe says in a phrase why the vCPU stopped, for messages.
func (r *RunArea) Describe() string {
	switch r.ExitReason {
	case ExitMMIO:
		m := r.MMIO()
		what := "read from"
		if m.Write {
			what = "write to"
		}
		return fmt.Sprintf("%v: %d-byte %s %#x", r.ExitReason, m.Len, what, m.Addr)
	case ExitFailEntry:
		return fmt.Sprintf("%v: hardware reason %#x on cpu %d", r.ExitReason,
			binary.LittleEndian.Uint64(r.exit[0:]), binary.LittleEndian.Uint32(r.exit[8:]))
	case ExitSystemEvent:
		e := r.SystemEvent()
		return fmt.Sprintf("%v: type %d, data %#x", r.ExitReason, e.Type, e.Data)
	case ExitInternalError:
		return fmt.Sprintf("%v: suberror %d", r.ExitReason, binary.LittleEndian.Uint32(r.exit[0:]))
	case ExitArmNISV:
		return fmt.Sprintf("%v: syndrome %#x at guest-physical %#x", r.ExitReason,
			binary.LittleEndian.Uint64(r.exit[0:]), binary.LittleEndian.Uint64(r.exit[8:]))
	}
	return r.ExitReason.String()
}
