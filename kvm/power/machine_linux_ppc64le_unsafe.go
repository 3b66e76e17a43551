//go:build linux && ppc64le

package power

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi/powerpc"
	isapower "github.com/guise-project/guise/isa/power"
	"github.com/guise-project/guise/vm"
)

// machine is a VM with one vCPU, and the memory they share with us.
type machine struct {
	vm, vcpu int
	memory   memory
	run      []byte
}

func ioctl(fd int, request powerpc.Request, argument uintptr) (int, error) {
	return call(request, func() (uintptr, syscall.Errno) {
		r, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), argument)
		return r, errno
	})
}

func ioctlPointer(fd int, request powerpc.Request, argument unsafe.Pointer) error {
	_, err := call(request, func() (uintptr, syscall.Errno) {
		r, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
		return r, errno
	})
	return err
}

// call makes a system call and makes it again where a signal interrupted it,
// except KVM_RUN, whose EINTR has a meaning.
func call(request powerpc.Request, try func() (uintptr, syscall.Errno)) (int, error) {
	for {
		switch r, errno := try(); {
		case errno == 0:
			return int(r), nil
		case errno != syscall.EINTR || request == powerpc.Run:
			return 0, &vm.CallError{Call: request.String(), Subject: "kvm", Errno: errno}
		}
	}
}

// newMachine makes a VM held at a level of the architecture (0: the host's),
// with nesting enabled where that is asked for.
func (h *Host) newMachine(level isapower.Level, nested bool) (_ *machine, err error) {
	m := &machine{vm: -1, vcpu: -1}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if m.vm, err = ioctl(h.fd, powerpc.CreateVM, powerpc.VMTypeHV); err != nil {
		return nil, err
	}
	if m.memory, err = unix.Mmap(-1, 0, MemorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS); err != nil {
		return nil, err
	}
	region := powerpc.UserMemoryRegion{MemorySize: MemorySize, UserspaceAddr: unsafe.Pointer(&m.memory[0])}
	if err = ioctlPointer(m.vm, powerpc.SetUserMemoryRegion, unsafe.Pointer(&region)); err != nil {
		return nil, err
	}
	if nested {
		enable := powerpc.EnableCapability{Cap: powerpc.CapNestedHV, Args: [4]uint64{1}}
		if err = ioctlPointer(m.vm, powerpc.EnableCap, unsafe.Pointer(&enable)); err != nil {
			return nil, err
		}
	}
	if m.vcpu, err = ioctl(m.vm, powerpc.CreateVCPU, 0); err != nil {
		return nil, err
	}
	papr := powerpc.EnableCapability{Cap: powerpc.CapPAPR}
	if err = ioctlPointer(m.vcpu, powerpc.EnableCap, unsafe.Pointer(&papr)); err != nil {
		return nil, err
	}
	if level != 0 {
		if err = m.hold(level); err != nil {
			return nil, err
		}
	}
	size, err := ioctl(h.fd, powerpc.GetVCPUMmapSize, 0)
	if err != nil {
		return nil, err
	}
	m.run, err = unix.Mmap(m.vcpu, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return m, err
}

// close releases the VM. What fails then is of no use to anybody.
func (m *machine) close() {
	if m.run != nil {
		_ = unix.Munmap(m.run)
	}
	if m.vcpu >= 0 {
		_ = unix.Close(m.vcpu)
	}
	if m.vm >= 0 {
		_ = unix.Close(m.vm)
	}
	if m.memory != nil {
		_ = unix.Munmap(m.memory)
	}
}

// hold holds the VM at a level of the architecture.
func (m *machine) hold(level isapower.Level) error {
	compat := isapower.Levels[level-1].LogicalPVR
	return m.oneReg(powerpc.SetOneReg, powerpc.RegArchCompat, unsafe.Pointer(&compat))
}

// level returns the level that the VM is held at, 0 where it is at the host's.
func (m *machine) level() (isapower.Level, error) {
	var compat uint32
	if err := m.oneReg(powerpc.GetOneReg, powerpc.RegArchCompat, unsafe.Pointer(&compat)); err != nil {
		return 0, err
	}
	for _, row := range isapower.Levels {
		if row.LogicalPVR == compat {
			return row.Level, nil
		}
	}
	return 0, nil
}

func (m *machine) oneReg(request powerpc.Request, id uint64, value unsafe.Pointer) error {
	return ioctlPointer(m.vcpu, request, unsafe.Pointer(&powerpc.OneReg{ID: id, Addr: value}))
}

func (m *machine) lpcr() (value uint64, err error) {
	err = m.oneReg(powerpc.GetOneReg, powerpc.RegLPCR64, unsafe.Pointer(&value))
	return value, err
}

func (m *machine) setLPCR(value uint64) error {
	return m.oneReg(powerpc.SetOneReg, powerpc.RegLPCR64, unsafe.Pointer(&value))
}

// translate has KVM translate for L1's own programs with the table at
// L1Processes.
func (m *machine) translate() error {
	configuration := powerpc.MMUv3{Flags: powerpc.MMUv3Radix | powerpc.MMUv3GTSE, ProcessTable: valid | L1Processes}
	return ioctlPointer(m.vm, powerpc.ConfigureV3MMU, unsafe.Pointer(&configuration))
}

func (m *machine) regs() (r powerpc.Regs, err error) {
	err = ioctlPointer(m.vcpu, powerpc.GetRegs, unsafe.Pointer(&r))
	return r, err
}

func (m *machine) setRegs(r *powerpc.Regs) error {
	return ioctlPointer(m.vcpu, powerpc.SetRegs, unsafe.Pointer(r))
}

func (m *machine) characteristics() (isapower.Characteristics, error) {
	var c powerpc.CPUChar
	err := ioctlPointer(m.vm, powerpc.GetCPUChar, unsafe.Pointer(&c))
	return isapower.Characteristics{Character: c.Character, Behaviour: c.Behaviour, CharacterMask: c.CharacterMask, BehaviourMask: c.BehaviourMask}, err
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
