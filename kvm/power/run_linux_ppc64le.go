package power

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/internal/kvmabi/powerpc"
	isapower "github.com/guise-project/guise/isa/power"
)

// watchdogLimit is how long an L1 that leaves by itself may run: a busy host of
// the lab takes a hundredth of it.
const watchdogLimit = 30 * time.Second

// Run makes a VM whose L1 enters L2 once. limit is how long L2 may take; a
// signal ends it then.
func (h *Host) Run(n *Nested, limit time.Duration) (out Outcome, err error) {
	// Signals of the watchdog are for this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m, err := h.newMachine(n.Level, true)
	if err != nil {
		return out, err
	}
	defer m.close()
	if out.L1LPCR, err = m.lpcr(); err != nil {
		return out, err
	}
	m.memory.fill(n)
	if err := m.start(n); err != nil {
		return out, err
	}
	call := []uint64{isapower.HSetPartitionTable, L1Table}
	if n.TableAddress != 0 {
		call[1] = n.TableAddress
	}
	if !n.NoTable {
		if out.TableR3, _, err = m.hypercall(call, watchdogLimit); err != nil {
			return out, fmt.Errorf("H_SET_PARTITION_TABLE: %w", err)
		}
	}
	call = []uint64{isapower.HEnterNested, L1Structure, L1Regs}
	if n.StructureAddress != 0 {
		call[1] = n.StructureAddress
	}
	if out.R3, out.Watchdog, err = m.hypercall(call, limit); err != nil {
		return out, fmt.Errorf("H_ENTER_NESTED: %w", err)
	}
	out.Structure = append([]byte(nil), m.memory[L1Structure:L1Structure+isapower.StateSizeV2]...)
	out.Regs = append([]byte(nil), m.memory[L1Regs:L1Regs+isapower.RegsCCR+8]...)
	return out, nil
}

// start puts L1 at its first instruction.
func (m *machine) start(n *Nested) error {
	regs, err := m.regs()
	if err != nil {
		return err
	}
	regs.PC = L1Code
	regs.MSR = isapower.MSRSF | isapower.MSRME
	if !n.BigEndian {
		regs.MSR |= isapower.MSRLE
	}
	// The first round of L1's loop is thrown away: it asks at once.
	regs.GPR[3] = asked
	if err := m.setRegs(&regs); err != nil {
		return err
	}
	_, err = m.enter()
	if err == nil && m.exitReason() != powerpc.ExitPAPRHcall {
		err = fmt.Errorf("L1 did not start: exit reason %d", m.exitReason())
	}
	if err != nil {
		return err
	}
	// That was the call at the top of the loop; let L1 come to its question.
	*m.word(powerpc.RunHcallReturn) = 0
	_, err = m.enter()
	return err
}

// hypercall has L1 make a hypercall: what we return to its question goes to r3
// and on, and is the next call. watchdog is true where a signal had to end it.
func (m *machine) hypercall(call []uint64, limit time.Duration) (r3 int64, watchdog bool, err error) {
	if err := m.waits(); err != nil {
		return 0, false, err
	}
	for {
		*m.word(powerpc.RunHcallReturn) = call[0]
		for i, v := range call[1:] {
			*m.word(powerpc.RunHcallArgs + 8*i) = v
		}
		if watchdog, err = m.runUntilAsked(limit); err != nil {
			return 0, watchdog, err
		}
		regs, err := m.regs()
		if err != nil {
			return 0, watchdog, err
		}
		r3 = int64(regs.GPR[20])
		// 0 from H_ENTER_NESTED is a signal of somebody else's: L1 tries again.
		if call[0] != isapower.HEnterNested || r3 != 0 || watchdog {
			return r3, watchdog, nil
		}
	}
}

// waits returns an error unless L1 is at its question.
func (m *machine) waits() error {
	if m.exitReason() != powerpc.ExitPAPRHcall || *m.word(powerpc.RunHcallNumber) != asked {
		return fmt.Errorf("L1 does not wait: exit reason %d, hypercall %#x", m.exitReason(), *m.word(powerpc.RunHcallNumber))
	}
	return nil
}

// runUntilAsked runs L1 until it comes to its question.
func (m *machine) runUntilAsked(limit time.Duration) (watchdog bool, err error) {
	fired := watch(limit)
	for {
		interrupted, err := m.enter()
		if err != nil {
			return fired(), err
		}
		if !interrupted {
			break
		}
	}
	watchdog = fired()
	if m.exitReason() != powerpc.ExitPAPRHcall {
		err = fmt.Errorf("exit reason %d", m.exitReason())
	}
	return watchdog, err
}

// watch sends this thread a signal if it is not stopped in time. The function
// it returns stops it and says whether it fired.
func watch(limit time.Duration) (stop func() bool) {
	notified := make(chan os.Signal, 1)
	signal.Notify(notified, unix.SIGUSR1)
	thread := unix.Gettid()
	var fired, stopped atomic.Bool
	timer := time.AfterFunc(limit, func() {
		fired.Store(true)
		// A signal just before the thread enters the kernel would be lost.
		for !stopped.Load() {
			_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGUSR1)
			time.Sleep(10 * time.Millisecond)
		}
	})
	return func() bool {
		timer.Stop()
		stopped.Store(true)
		signal.Stop(notified)
		return fired.Load()
	}
}
