//go:build linux && ppc64le

package main

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi/powerpc"
	isapower "github.com/guise-project/guise/isa/power"
	lab "github.com/guise-project/guise/lab/power"
)

// host is an open /dev/kvm.
type host struct{ kvm int }

// machine is a VM with one vCPU, and the memory they share with us.
type machine struct {
	vm, vcpu int
	memory   []byte
	run      []byte
}

func ioctl(fd int, request powerpc.Request, argument uintptr) (int, error) {
	r, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), argument)
	if errno != 0 {
		return 0, fmt.Errorf("%v: %w", request, errno)
	}
	return int(r), nil
}

func ioctlPointer(fd int, request powerpc.Request, argument unsafe.Pointer) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
	if errno != 0 {
		return fmt.Errorf("%v: %w", request, errno)
	}
	return nil
}

// newMachine makes a VM with nesting enabled, held at a level of the
// architecture (0: the host's).
func (h *host) newMachine(level isapower.Level) (_ *machine, err error) {
	m := &machine{vm: -1, vcpu: -1}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if m.vm, err = ioctl(h.kvm, powerpc.CreateVM, powerpc.VMTypeHV); err != nil {
		return nil, err
	}
	if m.memory, err = unix.Mmap(-1, 0, lab.MemorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS); err != nil {
		return nil, err
	}
	region := powerpc.UserMemoryRegion{MemorySize: lab.MemorySize, UserspaceAddr: unsafe.Pointer(&m.memory[0])}
	if err = ioctlPointer(m.vm, powerpc.SetUserMemoryRegion, unsafe.Pointer(&region)); err != nil {
		return nil, err
	}
	nested := powerpc.EnableCapability{Cap: powerpc.CapNestedHV, Args: [4]uint64{1}}
	if err = ioctlPointer(m.vm, powerpc.EnableCap, unsafe.Pointer(&nested)); err != nil {
		return nil, err
	}
	if m.vcpu, err = ioctl(m.vm, powerpc.CreateVCPU, 0); err != nil {
		return nil, err
	}
	papr := powerpc.EnableCapability{Cap: powerpc.CapPAPR}
	if err = ioctlPointer(m.vcpu, powerpc.EnableCap, unsafe.Pointer(&papr)); err != nil {
		return nil, err
	}
	if level != 0 {
		compat := isapower.Levels[level-1].LogicalPVR
		if err = m.setOneReg(powerpc.RegArchCompat, unsafe.Pointer(&compat)); err != nil {
			return nil, err
		}
	}
	size, err := ioctl(h.kvm, powerpc.GetVCPUMmapSize, 0)
	if err != nil {
		return nil, err
	}
	m.run, err = unix.Mmap(m.vcpu, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return m, err
}

func (m *machine) close() {
	if m.run != nil {
		unix.Munmap(m.run)
	}
	if m.vcpu >= 0 {
		unix.Close(m.vcpu)
	}
	if m.vm >= 0 {
		unix.Close(m.vm)
	}
	if m.memory != nil {
		unix.Munmap(m.memory)
	}
}

func (m *machine) setOneReg(id uint64, value unsafe.Pointer) error {
	return ioctlPointer(m.vcpu, powerpc.SetOneReg, unsafe.Pointer(&powerpc.OneReg{ID: id, Addr: value}))
}

func (m *machine) lpcr() (value uint64, err error) {
	err = ioctlPointer(m.vcpu, powerpc.GetOneReg, unsafe.Pointer(&powerpc.OneReg{ID: powerpc.RegLPCR64, Addr: unsafe.Pointer(&value)}))
	return value, err
}

func (m *machine) regs() (r powerpc.Regs, err error) {
	err = ioctlPointer(m.vcpu, powerpc.GetRegs, unsafe.Pointer(&r))
	return r, err
}

func (m *machine) setRegs(r *powerpc.Regs) error {
	return ioctlPointer(m.vcpu, powerpc.SetRegs, unsafe.Pointer(r))
}

func (m *machine) cpuChar() ([4]uint64, error) {
	var c powerpc.CPUChar
	err := ioctlPointer(m.vm, powerpc.GetCPUChar, unsafe.Pointer(&c))
	return [4]uint64{c.Character, c.Behaviour, c.CharacterMask, c.BehaviourMask}, err
}

// word is a value of kvm_run.
func (m *machine) word(offset int) *uint64 { return (*uint64)(unsafe.Pointer(&m.run[offset])) }

func (m *machine) exitReason() uint32 {
	return *(*uint32)(unsafe.Pointer(&m.run[powerpc.RunExitReason]))
}

// enter runs the vCPU until it exits to us. interrupted is true where a signal
// ended it.
func (m *machine) enter() (interrupted bool, err error) {
	_, err = ioctl(m.vcpu, powerpc.Run, 0)
	if errors.Is(err, unix.EINTR) {
		return true, nil
	}
	return false, err
}
