// Package kvm is the live backend: it makes VMs through /dev/kvm on Linux on
// arm64. Everywhere else it builds, and Open says what can be used instead.
//
// # Threads
//
// A Host is safe for concurrent use, a VM is not. Every ioctl runs on the
// thread of the caller, so that a caller tied to certain CPUs (see Pin) reads
// what KVM says there; KVM_RUN locks the caller to its thread for as long as it
// lasts, since KVM ties a vCPU to the thread that runs it.
//
// # Errors
//
// What the kernel refuses is a *vm.RegisterError or a *vm.CallError, with the
// errno and, where something mends it, a hint.
package kvm

// DefaultPath is where Linux has KVM.
const DefaultPath = "/dev/kvm"
