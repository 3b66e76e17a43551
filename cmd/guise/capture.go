package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/progress"
	"github.com/guise-project/guise/kvm"
	"github.com/guise-project/guise/kvm/power"
	"github.com/guise-project/guise/lab/guest"
	"github.com/guise-project/guise/vm"
)

// captureCommand finds what KVM on this host can give a guest.
type captureCommand struct {
	Output outputFile `short:"o" placeholder:"FILE" help:"Write the capture to a file; standard output unless given."`
	Device string     `default:"/dev/kvm" help:"KVM's device."`
	VM     int        `name:"vm" placeholder:"PID" help:"Instead, write the contract that a running VM of this process has now, whoever its VMM is."`
	Setup  []string   `placeholder:"SETUP" help:"Capture these setups only, as base/vgic3 or pmu+sve/vgic0; every one the host accepts unless given."`
}

func (c *captureCommand) Run(s *session) (int, error) {
	if c.VM != 0 {
		return c.running(s)
	}
	options := vm.CaptureOptions{}
	for _, text := range c.Setup {
		setup, err := parseSetup(text)
		if err != nil {
			return 0, &inputError{err}
		}
		options.Setups = append(options.Setups, setup)
	}
	started := time.Now()
	captures, err := c.look(s, options)
	if err != nil {
		return 0, hinted(err)
	}
	for _, capture := range captures {
		capture.Captured = guise.Occasion{At: started.UTC().Format(time.RFC3339), By: "guise " + versionText()}
		capture.Host.Emulator = os.Getenv(guest.HostVariable)
	}
	toFile := c.Output != "" && c.Output != "-"
	switch {
	case len(captures) > 1 && !toFile:
		return 0, &hintedError{fmt.Errorf("this host has %d kinds of core; each has a capture of its own", len(captures)),
			"guise capture -o host.json writes host-0.json, host-1.json and so on"}
	case !toFile:
		return statusYes, s.writeDocument("", captures[0].Marshal())
	}
	paths := []string{string(c.Output)}
	if len(captures) > 1 {
		paths = corePaths(string(c.Output), len(captures))
	}
	if err := writeAll(paths, func(i int) []byte { return captures[i].Marshal() }); err != nil {
		return 0, err
	}
	for i, capture := range captures {
		if len(captures) > 1 {
			fmt.Fprintf(s.stderr, "guise: unlike cores: %d CPUs with MIDR_EL1 %#x in %s\n", capture.Host.CPUs[0].Count, capture.Host.CPUs[0].MIDR, paths[i])
		}
		what := count(len(capture.Setups), "setup")
		if capture.Power != nil {
			what = "this POWER host"
		}
		fmt.Fprintf(s.stderr, "guise: captured %s in %s: %s\n", what, time.Since(started).Round(time.Millisecond), paths[i])
	}
	return statusYes, nil
}

// corePaths gives each kind of core a file of its own: host-0.json and so on.
func corePaths(path string, n int) []string {
	ext := filepath.Ext(path)
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), i, ext)
	}
	return paths
}

// look captures this host, whatever its architecture.
func (c *captureCommand) look(s *session, options vm.CaptureOptions) ([]*guise.Capture, error) {
	if power.Here {
		if options.Setups != nil {
			return nil, &inputError{errors.New("--setup: hosts of this architecture have no setups")}
		}
		capture, err := power.Capture(s.ctx, c.Device)
		return []*guise.Capture{capture}, err
	}
	host, err := openKVM(c.Device)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	task := progress.Start(s.ctx, "trying setups", int64(len(options.Setups)), progress.Things)
	defer task.Done()
	options.Progress = task.Set
	return vm.CaptureCores(s.ctx, host, options)
}

// running writes the contract of a VM that runs now.
func (c *captureCommand) running(s *session) (int, error) {
	if c.VM < 0 {
		return 0, &inputError{fmt.Errorf("--vm %d: want a process identifier", c.VM)}
	}
	machines, err := kvm.RunningVMs(c.VM)
	if err != nil {
		return 0, hinted(err)
	}
	if len(machines) > 1 {
		names := make([]string, len(machines))
		for i := range machines {
			names[i] = machines[i].Name
		}
		return 0, fmt.Errorf("process %d has %d VMs, %s; one process is taken to have one", c.VM, len(machines), strings.Join(names, ", "))
	}
	contract := machines[0].Contract
	fmt.Fprintf(s.stderr, "guise: not told by the kernel: hypercall bitmaps, PSCI version, caches, vector lengths\n")
	return statusYes, s.writeDocument(c.Output, contract.Marshal())
}

// openKVM opens the live backend, with what can be done where there is none.
func openKVM(device string) (vm.Host, error) {
	host, err := kvm.Open(device)
	if err != nil {
		return nil, hinted(err)
	}
	return host, nil
}

// hinted adds the hint that an error of a backend carries.
func hinted(err error) error {
	hint := vm.HintOf(err)
	var own interface{ Hint() string }
	if hint == "" && errors.As(err, &own) {
		hint = own.Hint()
	}
	if hint == "" {
		return err
	}
	return &hintedError{err, hint}
}

// parseSetup reads a setup's key: features joined with "+" ("base" for none,
// "protected" among them), and "/vgic" with its version.
func parseSetup(text string) (guise.Setup, error) {
	var setup guise.Setup
	words, vgic, found := strings.Cut(text, "/vgic")
	version, err := strconv.Atoi(vgic)
	if found && (err != nil || version < 0 || version > 3 || version == 1) {
		return setup, fmt.Errorf("setup %q: vgic%s: want vgic0, vgic2 or vgic3", text, vgic)
	}
	setup.VGIC = version
	if words == "base" {
		return setup, nil
	}
	chosen := map[string]bool{}
	for word := range strings.SplitSeq(words, "+") {
		if chosen[word] {
			return setup, fmt.Errorf("setup %q: %s stands in it twice", text, word)
		}
		chosen[word] = true
		setup.Protected = setup.Protected || word == "protected"
		if word != "protected" && !slices.Contains(guise.Features, guise.Feature(word)) {
			return setup, fmt.Errorf("setup %q: %q: want some of %v and protected, joined with +, or base", text, word, guise.Features)
		}
	}
	// Documents list features in this order.
	for _, feature := range guise.Features {
		if chosen[string(feature)] {
			setup.Features = append(setup.Features, feature)
		}
	}
	return setup, nil
}
