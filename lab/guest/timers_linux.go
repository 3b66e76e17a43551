package guest

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// QEMU saves the registers of a CPU's hypervisor timer, but not that the timer
// runs (target/arm/machine.c has the physical and the virtual one only). A
// kernel that runs at EL2 (VHE) takes its ticks from that timer: restored, it
// waits for an interrupt that never comes, on every CPU. It must be made to
// program its timers again, and it does that when the time of day passes a
// moment for which a timer of that clock is set (kernel/time/hrtimer.c,
// clock_was_set). So each CPU gets such a timer, for a moment that never comes
// by itself, and after a restore the clock is set beyond it and back.

// farMoment is when those timers are due: later than any clock shows, and
// within what the kernel takes for a time of day.
var farMoment = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// armTimers sets a timer of the time of day on each CPU. They stay set as long
// as this process lives.
func armTimers() error {
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
			if err := armTimer(cpu); err != nil {
				failed <- fmt.Errorf("timer on CPU %d: %w", cpu, err)
				return
			}
		}
		failed <- nil
	}()
	return <-failed
}

// armTimer sets the timer on one CPU: the kernel keeps a timer where it was
// set, while that CPU has work.
func armTimer(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	due := unix.ItimerSpec{Value: unix.NsecToTimespec(farMoment.UnixNano())}
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &due, nil))
}

// setClock sets the time of day, and on its way has every CPU program its
// timers again.
func setClock(nanoseconds int64) error {
	for _, moment := range []int64{farMoment.Add(time.Second).UnixNano(), nanoseconds} {
		now := unix.NsecToTimeval(moment)
		if err := unix.Settimeofday(&now); err != nil {
			return os.NewSyscallError("settimeofday", err)
		}
	}
	return nil
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
