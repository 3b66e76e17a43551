package guest

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// It looks as if (QEMU 10.0.2; seen, not confirmed in its source)
// QEMU saves the registers of a CPU's hypervisor timers, but not that a timer
// runs (target/arm/machine.c has the physical and the virtual one only). A
// kernel that runs at EL2 (VHE) takes its ticks from one of those: restored, it
// waits for an interrupt that never comes, and sets its timer again only for
// what is due earlier than what it waits for (kernel/time/hrtimer.c,
// hrtimer_reprogram). Nothing is due earlier than 1970.

// wakeTimers has every CPU's kernel set its timer again. It must itself not
// wait for time to pass.
func wakeTimers() error {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return err
	}
	cpus, err := parseCPUs(string(text))
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() {
		// The thread ends with the goroutine that locked it, and with it the
		// tie to one CPU.
		runtime.LockOSThread()
		for _, cpu := range cpus {
			if err := wakeTimer(cpu); err != nil {
				failed <- fmt.Errorf("timer of CPU %d: %w", cpu, err)
				return
			}
		}
		failed <- nil
	}()
	return <-failed
}

// wakeTimer moves to a CPU and sets a timer there that is long due: the kernel
// keeps a timer on the CPU that sets it while that has work.
func wakeTimer(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	defer unix.Close(fd)
	due := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &due, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	// To close the timer at once would take it back before it was due.
	_, err = unix.Read(fd, make([]byte, 8))
	return os.NewSyscallError("read", err)
}

// setClock sets the time of day.
func setClock(nanoseconds int64) error {
	now := unix.NsecToTimeval(nanoseconds)
	return os.NewSyscallError("settimeofday", unix.Settimeofday(&now))
}

// parseCPUs reads a list of CPUs as sysfs prints it: "0-1,4".
func parseCPUs(text string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("list of CPUs %q: %w", text, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("list of CPUs %q: %w", text, err)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
