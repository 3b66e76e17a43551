package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi/powerpc"
	isapower "github.com/guise-project/guise/isa/power"
	"github.com/guise-project/guise/vm"
)

// Here says whether this platform can have KVM-HV.
const Here = true

// Host is KVM-HV on this machine. It is safe for concurrent use until Close.
type Host struct{ fd int }

// Open opens KVM at path, DefaultPath where path is empty.
func Open(path string) (*Host, error) {
	if path == "" {
		path = DefaultPath
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return nil, &vm.CallError{Call: "open", Subject: path, Errno: errno, Lacking: errno == unix.ENOENT, Hint: openHint(errno)}
	}
	return &Host{fd: fd}, nil
}

// openHint says what mends a failure to open /dev/kvm.
func openHint(errno syscall.Errno) string {
	switch errno {
	case unix.ENOENT:
		return "the module kvm_hv is not loaded, or the machine has no hypervisor mode: modprobe kvm_hv; in the lab, guise lab run --module kvm_hv"
	case unix.EACCES, unix.EPERM:
		return "the user must be in the group that owns the device, mostly kvm"
	}
	return ""
}

// Close releases KVM.
func (h *Host) Close() error { return unix.Close(h.fd) }

// describe returns what the machine says of itself.
func (h *Host) describe() (guise.HostFacts, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return guise.HostFacts{}, fmt.Errorf("uname: %w", err)
	}
	facts := guise.HostFacts{
		Kernel: unix.ByteSliceToString(name.Release[:]), PageSize: os.Getpagesize(), Capabilities: map[string]int64{},
	}
	for _, row := range powerpc.Capabilities {
		value, err := ioctl(h.fd, powerpc.CheckExtension, uintptr(row.Number))
		if err != nil {
			return facts, fmt.Errorf("%s: %w", row.Name, err)
		}
		facts.Capabilities[row.Name] = int64(value)
	}
	return facts, nil
}

// nests says whether guests may be hypervisors.
func nests(facts *guise.HostFacts) bool { return facts.Capabilities["KVM_CAP_PPC_NESTED_HV"] > 0 }

// stuckLimit is how long a nested guest that does one thing may take.
const stuckLimit = 5 * time.Second

// Capture finds what KVM-HV at path can give a guest. Nested guests are run
// where the host allows them.
func Capture(ctx context.Context, path string) (*guise.Capture, error) {
	h, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	capture, err := h.capture()
	if err != nil || !nests(&capture.Host) {
		return capture, err
	}
	capture.Power.Facilities, err = h.facilities(ctx, 0)
	return capture, err
}

// capture finds what can be asked without nested guests.
func (h *Host) capture() (*guise.Capture, error) {
	facts, err := h.describe()
	if err != nil {
		return nil, err
	}
	p := &guise.PowerHost{Levels: map[isapower.Level]bool{}, Tried: map[string]bool{}}
	m, err := h.newMachine(0, false)
	if err != nil {
		return nil, err
	}
	defer m.close()
	if p.Characteristics, err = m.characteristics(); refused(err) {
		err = nil // kernels that do not tell: nothing is known
	}
	if err != nil {
		return nil, err
	}
	if p.Tried[isapower.TriedLargeDecrementer], err = m.takesLargeDecrementer(); err != nil {
		return nil, err
	}
	for _, row := range isapower.Levels {
		if p.Levels[row.Level], err = h.takes(row.Level); err != nil {
			return nil, err
		}
	}
	if p.PVR, err = h.readPVR(); err != nil {
		return nil, err
	}
	return &guise.Capture{Name: "kvm", Host: facts, Power: p}, nil
}

// refused reports whether an error is KVM's "no", rather than a failure to ask.
func refused(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENXIO)
}

// takesLargeDecrementer tries LPCR[LD].
func (m *machine) takesLargeDecrementer() (bool, error) {
	before, err := m.lpcr()
	if err != nil {
		return false, err
	}
	if err := m.setLPCR(before | isapower.LPCRLD); refused(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	after, err := m.lpcr()
	return after&isapower.LPCRLD != 0, err
}

// takes tries to hold a VM at a level.
func (h *Host) takes(level isapower.Level) (bool, error) {
	m, err := h.newMachine(0, false)
	if err != nil {
		return false, err
	}
	defer m.close()
	if err := m.hold(level); refused(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// facilities has a nested guest use each facility, with its bit off and on, under
// an L1 held at a level (0: the host's).
func (h *Host) facilities(ctx context.Context, level isapower.Level) (map[string]guise.FacilitySight, error) {
	sights := map[string]guise.FacilitySight{}
	for i := range isapower.Facilities {
		f := &isapower.Facilities[i]
		if !f.HFSCR {
			continue
		}
		var met [2]guise.FacilityOutcome
		for place, on := range []bool{false, true} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			n, ok := facilityCase(f, on, level)
			if !ok {
				return nil, fmt.Errorf("%s: no instruction uses it", f.Name)
			}
			out, err := h.Run(&n, stuckLimit)
			if err != nil {
				return nil, fmt.Errorf("HFSCR.%s: %w", f.Name, err)
			}
			met[place] = judge(&n, f, &out)
		}
		sights[f.Name] = guise.FacilitySight{Off: met[0], On: met[1]}
	}
	return sights, nil
}

// looker is an L1 that looks for itself.
type looker struct{ *machine }

// newLooker makes a VM held at a level, with L1's programs in it.
func (h *Host) newLooker(level isapower.Level) (*looker, error) {
	m, err := h.newMachine(level, false)
	if err != nil {
		return nil, err
	}
	m.memory.fillTables()
	m.memory.fillPrograms()
	if err := m.translate(); err != nil {
		m.close()
		return nil, err
	}
	return &looker{m}, nil
}

// look runs the program of that place, in problem state or with translation
// off, and returns L1's registers when it asks.
func (l *looker) look(place int, problemState bool, r14 uint64) (powerpc.Regs, error) {
	regs, err := l.regs()
	if err != nil {
		return regs, err
	}
	regs.PC = programAddress(place)
	regs.MSR = isapower.MSRSF | isapower.MSRME | isapower.MSRLE | isapower.MSRFP | isapower.MSRVEC | isapower.MSRVSX
	if problemState {
		regs.MSR |= isapower.MSRPR | isapower.MSRIR | isapower.MSRDR | isapower.MSREE
	}
	regs.GPR[14] = r14
	if err := l.setRegs(&regs); err != nil {
		return regs, err
	}
	stuck, err := l.runUntilAsked(stuckLimit)
	if err == nil {
		err = l.waits()
	}
	if err == nil && stuck {
		err = fmt.Errorf("a signal had to end it")
	}
	if err != nil {
		return regs, fmt.Errorf("program %d of the guest: %w", place, err)
	}
	return l.regs()
}

// Places of programs.
const (
	placePVR = iota
	placeFSCR
	placeDEC
	placeLadder
)

// pvr reads PVR as a guest does.
func (l *looker) pvr() (uint32, error) {
	regs, err := l.look(placePVR, false, 0)
	if err == nil && judgeProgram(regs.PC, regs.GPR[16]) != guise.InstructionCompleted {
		err = fmt.Errorf("PVR: the guest could not read it: it stopped at %#x", regs.PC)
	}
	return uint32(regs.GPR[14]), err
}

func (h *Host) readPVR() (uint32, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := h.newLooker(0)
	if err != nil {
		return 0, err
	}
	defer l.close()
	return l.pvr()
}

// Prove makes a VM at the contract's level and has its guest, and a guest of
// that, look.
func Prove(ctx context.Context, path string, contract *guise.Contract) (*guise.Proof, error) {
	h, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	capture, err := h.capture()
	if err != nil {
		return nil, err
	}
	proof := &guise.Proof{Contract: contract.Digest(), View: capture.ViewDigest(), Host: capture.Host, Power: &guise.PowerTrace{}}
	if contract.Power != nil && capture.Power.Levels[contract.Power.Level] {
		if err := h.trace(ctx, contract.Power.Level, capture, proof.Power); err != nil {
			return nil, err
		}
	}
	proof.Findings = guise.JudgePower(contract, capture, proof.Power)
	return proof, nil
}

// trace has guests look in VMs that are held at a level.
func (h *Host) trace(ctx context.Context, level isapower.Level, capture *guise.Capture, trace *guise.PowerTrace) error {
	if nests(&capture.Host) {
		var err error
		if trace.Facilities, err = h.facilities(ctx, level); err != nil {
			return err
		}
		capture.Power.Facilities = trace.Facilities
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := h.newLooker(level)
	if err != nil {
		return err
	}
	defer l.close()
	if trace.Level, err = l.level(); err != nil {
		return err
	}
	if trace.PVR, err = l.pvr(); err != nil {
		return err
	}
	// The guest's own FSCR must not be what stops its programs.
	var every uint64
	for i := range isapower.Facilities {
		if f := &isapower.Facilities[i]; f.FSCR {
			every |= f.Mask()
		}
	}
	if _, err := l.look(placeFSCR, false, every); err != nil {
		return err
	}
	trace.Instructions = map[string]guise.InstructionOutcome{}
	for i := range isapower.Ladder {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Problem state cannot mask interrupts: the decrementer's is put off.
		if _, err := l.look(placeDEC, false, 0x7fffffff); err != nil {
			return err
		}
		regs, err := l.look(placeLadder+i, true, 0)
		if err != nil {
			return err
		}
		trace.Instructions[isapower.Ladder[i].Mnemonic] = judgeProgram(regs.PC, regs.GPR[16])
	}
	return nil
}
