// Package kvmabi holds KVM's userspace ABI for arm64 as data: ioctl requests,
// the structures they take, capabilities, vCPU features, exit reasons, device
// attributes and the ids of the registers that are not system registers.
//
// It makes no system call and is the same on every platform. Numbers and
// layouts are those of Linux include/uapi/linux/kvm.h and
// arch/arm64/include/uapi/asm/kvm.h; the kernel never changes one that it has
// released. Sizes hold where a pointer has 64 bits, as it has wherever
// KVM/arm64 runs.
//
// An address that the kernel reads out of a structure stays an unsafe.Pointer
// (structures_unsafe.go), never an integer: the memory stays reachable and the
// runtime can follow it when a stack moves.
package kvmabi
