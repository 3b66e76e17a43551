package kvm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

const (
	// debugDirectory is where KVM shows its VMs, one directory each, named
	// after the thread that made it and the descriptor it has there.
	debugDirectory = "/sys/kernel/debug/kvm"
	procDirectory  = "/proc"
)

// Running is the registers of a VM that runs now, as debugfs shows them.
type Running struct {
	// Name is that of the VM's directory: "1234-12".
	Name string
	// Contract holds the registers that are one per VM. What debugfs does not
	// tell is not in it: hypercall bitmaps and the PSCI version, caches, vector
	// lengths.
	Contract *guise.Contract
}

// RunningVMs returns the VMs of a process, whoever it is, by their names. It
// reads debugfs, for which one must be root; kernels show registers there from
// Linux 6.9 on.
func RunningVMs(pid int) ([]Running, error) {
	return runningVMs(os.DirFS(debugDirectory), os.DirFS(procDirectory), pid)
}

func runningVMs(debug, proc fs.FS, pid int) ([]Running, error) {
	threads, err := fs.ReadDir(proc, strconv.Itoa(pid)+"/task")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("process %d: there is none", pid)
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, thread := range threads {
		made, err := fs.Glob(debug, thread.Name()+"-*")
		if err != nil {
			return nil, err
		}
		names = append(names, made...)
	}
	if len(names) == 0 {
		return nil, missingVM(debug, pid)
	}
	slices.Sort(names)
	var running []Running
	for _, name := range names {
		path := filepath.ToSlash(filepath.Join(name, "idregs"))
		text, err := fs.ReadFile(debug, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w: this kernel does not show registers there; Linux 6.9 and later do", path, vm.ErrNotSupported)
		}
		if err != nil {
			return nil, err
		}
		contract, err := parseIDRegisters(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if contract == nil {
			continue // no vCPU has been made yet
		}
		contract.Name = name
		running = append(running, Running{name, contract})
	}
	if len(running) == 0 {
		return nil, fmt.Errorf("process %d: its VMs have no vCPU yet", pid)
	}
	return running, nil
}

// missingVM says why a process has no VM to be seen.
func missingVM(debug fs.FS, pid int) error {
	if _, err := fs.Stat(debug, "."); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w; debugfs must be mounted, and is for root alone", debugDirectory, err)
	}
	return fmt.Errorf("process %d has no VM; ls %s shows which have", pid, debugDirectory)
}

// parseIDRegisters reads the file idregs: a register and its value a line. It
// returns nil for an empty file.
func parseIDRegisters(text string) (*guise.Contract, error) {
	c := &guise.Contract{}
	for line := range strings.Lines(text) {
		name, digits, ok := strings.Cut(line, ":")
		value, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
		name = strings.TrimSpace(name)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q: want a register and its value in hex", strings.TrimSpace(line))
		}
		if err := putShown(c, name, value); err != nil {
			return nil, err
		}
	}
	if c.View.Present == (arm64.Places{}) && len(c.Extra) == 0 {
		return nil, nil
	}
	c.Setup = setupOf(&c.View)
	c.Complete(func(id arm64.ID) bool {
		_, known := arm64.PlaceOf(id)
		e, system := id.Encoding()
		return system && e.Op1 == 0 && e.CRm == 0 && !known
	})
	return c, nil
}

// putShown puts one line into a contract. Names have the kernel's own prefix,
// SYS_ID_AA64PFR0_EL1; encodings nobody allocated are written S3_0_0_4_3 there,
// without the C of CRn and CRm.
func putShown(c *guise.Contract, name string, value uint64) error {
	name = strings.TrimPrefix(name, "SYS_")
	if parts := strings.Split(name, "_"); len(parts) == 5 && strings.HasPrefix(name, "S3_") {
		name = fmt.Sprintf("%s_%s_C%s_C%s_%s", parts[0], parts[1], parts[2], parts[3], parts[4])
	}
	place, known := arm64.Place(name)
	switch {
	case known && vm.ContractRegister(place):
		c.View.Put(place, value)
	case known:
	default:
		e, err := arm64.ParseEncoding(name)
		if err != nil {
			// A register that this version of guise has no name for.
			return fmt.Errorf("%s is not known to this version of guise", name)
		}
		if c.Extra == nil {
			c.Extra = map[arm64.ID]uint64{}
		}
		c.Extra[e.ID()] = value
	}
	return nil
}

// shownBy says which field being other than 0 shows that a VM was made with a
// feature.
var shownBy = []struct {
	feature guise.Feature
	place   int
	fields  []string
}{
	{guise.FeatureMTE, arm64.IDAA64PFR1EL1, []string{"MTE"}},
	{guise.FeaturePAuth, arm64.IDAA64ISAR1EL1, []string{"APA", "API", "GPA", "GPI"}},
	{guise.FeaturePAuth, arm64.IDAA64ISAR2EL1, []string{"APA3", "GPA3"}},
	{guise.FeaturePMU, arm64.IDAA64DFR0EL1, []string{"PMUVer"}},
	{guise.FeatureSVE, arm64.IDAA64PFR0EL1, []string{"SVE"}},
}

// setupOf finds how a VM was made from what its registers show. EL2 and a
// 32-bit EL1 they do not show.
func setupOf(view *arm64.View) guise.Setup {
	setup := guise.Setup{}
	for _, row := range shownBy {
		for _, field := range row.fields {
			if arm64.Registers[row.place].Field(field).Get(view.Values[row.place]) != 0 && !setup.Has(row.feature) {
				setup.Features = append(setup.Features, row.feature)
			}
		}
	}
	if arm64.Registers[arm64.IDAA64PFR0EL1].Field("GIC").Get(view.Values[arm64.IDAA64PFR0EL1]) != 0 {
		setup.VGIC = 3
	}
	return setup
}
