package kvmabi

import (
	"encoding/binary"
	"fmt"
	"structs"
)

// MPState is struct kvm_mp_state.
type MPState struct {
	_     structs.HostLayout
	State uint32
}

// Values of MPState.State that arm64 knows.
const (
	MPStateRunnable  = 0
	MPStateStopped   = 5
	MPStateSuspended = 10
)

// IRQLevel is struct kvm_irq_level.
type IRQLevel struct {
	_     structs.HostLayout
	IRQ   uint32
	Level uint32
}

// Fields of IRQLevel.IRQ on arm64.
const (
	IRQTypeShift = 24
	IRQVCPUShift = 16

	IRQTypeCPU = 0
	IRQTypeSPI = 1
	IRQTypePPI = 2
)

// EnableCapability is struct kvm_enable_cap.
type EnableCapability struct {
	_          structs.HostLayout
	Capability uint32
	Flags      uint32
	Args       [4]uint64
	_          [64]byte
}

// InitVCPU is struct kvm_vcpu_init.
type InitVCPU struct {
	_        structs.HostLayout
	Target   uint32
	Features [7]uint32
}

// CounterOffset is struct kvm_arm_counter_offset.
type CounterOffset struct {
	_        structs.HostLayout
	Offset   uint64
	Reserved uint64
}

// NewDevice is struct kvm_create_device.
type NewDevice struct {
	_     structs.HostLayout
	Type  uint32
	FD    uint32 // out
	Flags uint32
}

// Device types: KVM_DEV_TYPE_ARM_VGIC_V2 and _V3.
const (
	DeviceVGICv2 = 5
	DeviceVGICv3 = 7
)

// VCPUEvents is struct kvm_vcpu_events of arm64.
type VCPUEvents struct {
	_              structs.HostLayout
	SErrorPending  uint8
	SErrorHasESR   uint8
	ExtDABTPending uint8
	_              [5]byte
	SErrorESR      uint64
	_              [12]uint32
}

// vcpuEventsSize is the size of VCPUEvents in bytes.
const vcpuEventsSize = 64

// Bytes returns the structure as the kernel has it in memory.
func (e *VCPUEvents) Bytes() []byte {
	data := make([]byte, vcpuEventsSize)
	data[0], data[1], data[2] = e.SErrorPending, e.SErrorHasESR, e.ExtDABTPending
	binary.LittleEndian.PutUint64(data[8:], e.SErrorESR)
	return data
}

// FromBytes is the inverse of Bytes. Bytes that no kernel has given a meaning
// must be 0.
func (e *VCPUEvents) FromBytes(data []byte) error {
	if len(data) != vcpuEventsSize {
		return fmt.Errorf("vCPU events: %d bytes; want %d", len(data), vcpuEventsSize)
	}
	*e = VCPUEvents{SErrorPending: data[0], SErrorHasESR: data[1], ExtDABTPending: data[2], SErrorESR: binary.LittleEndian.Uint64(data[8:])}
	if string(e.Bytes()) != string(data) {
		return fmt.Errorf("vCPU events: % x has bytes of no known meaning", data)
	}
	return nil
}

// SMCCCFilter is struct kvm_smccc_filter.
type SMCCCFilter struct {
	_         structs.HostLayout
	Base      uint32
	Functions uint32
	Action    uint8
	Pad       [15]uint8
}

// Actions of SMCCCFilter.
const (
	FilterHandle        = 0
	FilterDeny          = 1
	FilterForwardToUser = 2
)

// RegListHead is struct kvm_reg_list without its flexible array: N ids follow
// it in memory.
type RegListHead struct {
	_ structs.HostLayout
	N uint64
}
