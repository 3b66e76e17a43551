package lab

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/guise-project/guise/lab/channel"
	"github.com/guise-project/guise/lab/guest"
)

// oldestQEMU is the first major version with every CPU model of the lab's
// matrix; 7.2 lacks several.
const oldestQEMU = 10

// emulator is a QEMU that was found.
type emulator struct {
	path    string
	version string // "10.0.2"
	// sandbox are the arguments of its system call filter, where it has one.
	sandbox []string
}

// sandboxArguments have QEMU refuse itself what no host of the lab needs: other
// programs, other users, scheduling, system calls out of use.
var sandboxArguments = []string{"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"}

// sandboxes are the emulators that were asked for their filter: path and version
// to arguments.
var sandboxes sync.Map

// sandboxOf returns what confines an emulator: nothing where it was built without
// a filter, or where the kernel has none. A machine of no board tells.
func sandboxOf(ctx context.Context, path, version string) []string {
	key := path + " " + version
	if known, ok := sandboxes.Load(key); ok {
		return known.([]string)
	}
	command := exec.CommandContext(ctx, path, append(slices.Clone(sandboxArguments),
		"-nodefaults", "-no-user-config", "-machine", "none", "-display", "none", "-S", "-monitor", "stdio")...)
	command.Stdin = strings.NewReader("quit\n")
	var arguments []string
	if err := command.Run(); err == nil {
		arguments = sandboxArguments
	}
	if ctx.Err() == nil {
		sandboxes.Store(key, arguments)
	}
	return arguments
}

var versionPattern = regexp.MustCompile(`^QEMU emulator version (\d+)((?:\.\d+)*)`)

// parseQEMUVersion reads what QEMU prints about itself.
func parseQEMUVersion(text string) (version string, major int, err error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return "", 0, fmt.Errorf("it says %q", firstLine(text))
	}
	major, err = strconv.Atoi(m[1])
	return m[1] + m[2], major, err
}

// findQEMU finds the emulator of an architecture, new enough.
func findQEMU(ctx context.Context, a architecture) (emulator, error) {
	hint := fmt.Sprintf("as root: apt-get install %[1]s; on Debian 12: apt-get install -t bookworm-backports %[1]s, with its backports among the package sources", a.emulatorPackage)
	path, err := exec.LookPath(a.emulator)
	if err != nil {
		return emulator{}, &MissingError{ErrNoQEMU, fmt.Sprintf("%s is not installed", a.emulator), hint}
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return emulator{}, &MissingError{ErrNoQEMU, fmt.Sprintf("%s --version: %v", path, err), hint}
	}
	version, major, err := parseQEMUVersion(string(out))
	if err != nil {
		return emulator{}, &MissingError{ErrNoQEMU, fmt.Sprintf("%s --version: %v", path, err), hint}
	}
	if major < oldestQEMU {
		return emulator{}, &MissingError{ErrNoQEMU, fmt.Sprintf("%s is %s, the lab needs %d or newer for its CPU models", path, version, oldestQEMU), hint}
	}
	return emulator{path, version, sandboxOf(ctx, path, version)}, nil
}

// File descriptors QEMU inherits: the channel and its control socket. Sockets
// without a name leave nothing behind in the file system.
const (
	channelFD = 3
	controlFD = 4
)

// machineArguments are what QEMU makes a host of, booted or restored. The
// digest of a snapshot covers them, so they must hold nothing that differs from
// run to run.
func machineArguments(h Host, a architecture) []string {
	var arguments []string
	channelDevice := "virtio-serial-pci"
	if a.channelBus == "" {
		arguments = append(arguments, "-nodefaults")
	} else {
		channelDevice += ",bus=" + a.channelBus
	}
	arguments = append(arguments,
		"-no-user-config", "-display", "none", "-no-reboot",
		"-machine", strings.Join(append([]string{h.Machine}, mergeOptions(a.options, h.Options)...), ","),
		"-accel", "tcg",
		"-smp", strconv.Itoa(h.CPUs),
		"-m", strconv.Itoa(h.Memory),
	)
	if h.CPU != "" {
		arguments = append(arguments, "-cpu", h.CPU)
	}
	arguments = append(arguments, a.arguments...)
	return append(arguments,
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=channel,fd=%d", channelFD),
		"-device", channelDevice,
		"-device", "virtserialport,chardev=channel,name="+channel.PortName,
		"-chardev", fmt.Sprintf("socket,id=control,fd=%d", controlFD), "-mon", "chardev=control,mode=control",
	)
}

// bootArguments are what QEMU boots a host with. A restored machine has all of
// it in its memory.
func bootArguments(h Host, a architecture, kernel, initramfs string) []string {
	return []string{
		"-kernel", kernel,
		"-initrd", initramfs,
		"-append", strings.Join(kernelParameters(h, a), " "),
	}
}

// kernelParameters are those of every lab host, then the host's own.
func kernelParameters(h Host, a architecture) []string {
	return slices.Concat([]string{
		"console=" + a.console, "quiet",
		// A panic ends QEMU (-no-reboot); an oops may have broken anything.
		"panic=-1", "oops=panic",
		guest.Parameter,
	}, h.Append)
}

// mergeOptions puts the host's options over those of the architecture, by key.
func mergeOptions(own, over []string) []string {
	merged := slices.Clone(own)
	for _, option := range over {
		key, _, _ := strings.Cut(option, "=")
		i := slices.IndexFunc(merged, func(o string) bool { k, _, _ := strings.Cut(o, "="); return k == key })
		if i >= 0 {
			merged[i] = option
		} else {
			merged = append(merged, option)
		}
	}
	return merged
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
