package kvm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/vm"
)

const cpuDirectory = "/sys/devices/system/cpu"

// Describe returns what the machine says of itself.
func (h *Host) Describe() (guise.HostFacts, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return guise.HostFacts{}, fmt.Errorf("uname: %w", err)
	}
	facts := guise.HostFacts{
		Kernel:   unix.ByteSliceToString(name.Release[:]),
		Mode:     hypervisorMode(),
		PageSize: os.Getpagesize(),
	}
	cores, err := h.Cores()
	if err != nil {
		return guise.HostFacts{}, err
	}
	for _, core := range cores {
		facts.CPUs = append(facts.CPUs, core.CPU)
	}
	return facts, nil
}

// hypervisorMode returns kvm-arm.mode: what the kernel was told to be, or else
// what its log says it became; "" where neither can be read.
func hypervisorMode() string {
	if line, err := os.ReadFile("/proc/cmdline"); err == nil {
		for word := range strings.FieldsSeq(string(line)) {
			if mode, ok := strings.CutPrefix(word, "kvm-arm.mode="); ok {
				return mode
			}
		}
	}
	return modeOfLog(kernelLog())
}

// modeOfLog finds KVM's word on its mode in a kernel log
// (arch/arm64/kvm/arm.c, kvm_arm_init; the words are the same from 5.10 on).
func modeOfLog(log string) string {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "kvm [") || !strings.Contains(line, "mode initialized successfully") {
			continue
		}
		switch {
		case strings.Contains(line, "Protected"):
			return "protected"
		case strings.Contains(line, "+NV") || strings.Contains(line, "nested"):
			return "nested"
		case strings.Contains(line, "nVHE") || strings.Contains(line, "Hyp "):
			return "nvhe"
		case strings.Contains(line, "VHE"):
			return "vhe"
		}
	}
	return ""
}

// kernelLog reads what is in the kernel's log now, or nothing where the user
// may not.
func kernelLog() string {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil {
		return ""
	}
	log := make([]byte, size)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, log)
	if err != nil {
		return ""
	}
	return string(log[:n])
}

// Cores groups the machine's CPUs by their identification registers. CPUs that
// are offline have none and are left out.
func (h *Host) Cores() ([]vm.CoreKind, error) {
	directories, err := filepath.Glob(filepath.Join(cpuDirectory, "cpu[0-9]*"))
	if err != nil {
		return nil, err
	}
	numbers := make([]int, 0, len(directories))
	for _, directory := range directories {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(directory), "cpu")); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var kinds []vm.CoreKind
	for _, n := range numbers {
		midr, err := identification(n, "midr_el1")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		revidr, err2 := identification(n, "revidr_el1")
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(kinds, func(k vm.CoreKind) bool { return k.CPU.MIDR == midr && k.CPU.REVIDR == revidr })
		if i < 0 {
			i = len(kinds)
			kinds = append(kinds, vm.CoreKind{CPU: guise.HostCPU{MIDR: midr, REVIDR: revidr}})
		}
		kinds[i].CPU.Count++
		kinds[i].CPUs = append(kinds[i].CPUs, n)
	}
	return kinds, nil
}

func identification(cpu int, register string) (uint64, error) {
	path := filepath.Join(cpuDirectory, fmt.Sprintf("cpu%d/regs/identification", cpu), register)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseUint(strings.TrimSpace(string(text)), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no register value", path, text)
	}
	return value, nil
}

// Pin ties the calling goroutine, and with it all its ioctls, to the CPUs.
func (h *Host) Pin(cpus []int) (release func() error, err error) {
	runtime.LockOSThread()
	var before, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	for _, cpu := range cpus {
		wanted.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("CPUs %v: sched_setaffinity: %w", cpus, err)
	}
	return func() error {
		defer runtime.UnlockOSThread()
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			return fmt.Errorf("sched_setaffinity: %w", err)
		}
		return nil
	}, nil
}
