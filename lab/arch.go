package lab

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// architecture is what differs between the architectures of the lab.
type architecture struct {
	// debian and flavour are Debian's names of the architecture and of its
	// standard kernel.
	debian, flavour string
	// emulator is QEMU's program, emulatorPackage Debian's package of it.
	emulator, emulatorPackage string
	machine                   string
	options                   []string
	defaultCPU                string
	console                   string
	// channelBus is the PCI bus of the channel on boards that have buses of
	// their own only where QEMU's defaults are left on; "" elsewhere.
	channelBus string
	// arguments are what QEMU needs besides.
	arguments []string
	memory    int
	// snapshots: QEMU can save and restore the board's state.
	snapshots bool
}

var architectures = map[string]architecture{
	"arm64": {
		debian: "arm64", flavour: "arm64",
		emulator: "qemu-system-aarch64", emulatorPackage: "qemu-system-arm",
		machine: "virt",
		// Without virtualization=on the CPU has no EL2 and the kernel no KVM.
		options:    []string{"virtualization=on", "gic-version=3"},
		defaultCPU: "max",
		console:    "ttyAMA0",
		memory:     512,
		snapshots:  true,
	},
	"ppc64le": {
		debian: "ppc64el", flavour: "powerpc64le",
		emulator: "qemu-system-ppc64", emulatorPackage: "qemu-system-ppc",
		machine: "powernv10",
		console: "hvc0",
		// powernv makes its PCI host bridges by default, or not at all.
		channelBus: "pcie.0",
		arguments:  []string{"-vga", "none", "-nic", "none", "-monitor", "none"},
		memory:     2048,
	},
}

func architectureOf(name string) (architecture, error) {
	if name == "" {
		name = "arm64"
	}
	a, ok := architectures[name]
	if !ok {
		known := slices.Sorted(maps.Keys(architectures))
		return a, fmt.Errorf("lab: architecture %s: the lab has %s", name, strings.Join(known, ", "))
	}
	return a, nil
}

// withDefaults fills in what the caller left out.
func (h Host) withDefaults() (Host, architecture, error) {
	a, err := architectureOf(h.Arch)
	if err != nil {
		return h, a, err
	}
	if h.Arch == "" {
		h.Arch = "arm64"
	}
	if h.Machine == "" {
		h.Machine = a.machine
	}
	if h.CPU == "" {
		h.CPU = a.defaultCPU
	}
	if h.Memory == 0 {
		h.Memory = a.memory
	}
	if h.CPUs == 0 {
		h.CPUs = 1
	}
	if h.Limit == 0 {
		h.Limit = defaultLimit
	}
	return h, a, nil
}

// Name is the host in a word, "6.12/neoverse-v1", with what sets it apart.
func (h Host) Name() string {
	name := h.Kernel[strings.LastIndex(h.Kernel, "/")+1:]
	if h.Machine != "" && h.Machine != architectures[cmp.Or(h.Arch, "arm64")].machine {
		name += "/" + h.Machine
	}
	if h.CPU != "" {
		name += "/" + h.CPU
	}
	return strings.Join(slices.Concat([]string{name}, h.Options, h.Append), ",")
}
