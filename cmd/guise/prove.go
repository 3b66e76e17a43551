package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/kvm/power"
	"github.com/guise-project/guise/lab/guest"
	"github.com/guise-project/guise/vm"
)

// proveCommand gives a VM a contract and has a guest look.
type proveCommand struct {
	Contract string     `arg:"" optional:"" placeholder:"CONTRACT" help:"Contract to prove, - for standard input."`
	AsIs     bool       `help:"No contract: does a guest see what userspace reads?"`
	Setup    string     `default:"base/vgic0" placeholder:"SETUP" help:"With --as-is, the VM to look at, as pmu+sve/vgic3."`
	Output   outputFile `short:"o" placeholder:"FILE" help:"Leave a proof document."`
	Device   string     `default:"/dev/kvm" help:"KVM's device."`
	VCPUs    int        `name:"vcpus" default:"1" help:"How many vCPUs look, one after the other."`
	JSON     bool       `name:"json" help:"Print the proof document."`
	Traps    bool       `default:"true" negatable:"" help:"Ask the kernel's tracepoints who answered the guest; needs tracefs, mostly root."`
	Verbose  bool       `short:"v" help:"Say what was found to be so, too, and what it took."`
}

func (c *proveCommand) Run(s *session) (int, error) {
	contract, options, err := c.input(s)
	if err != nil {
		return 0, &inputError{err}
	}
	started := time.Now()
	proof, ioctls, err := c.look(s, contract, options)
	if err != nil {
		return 0, hinted(err)
	}
	elapsed := time.Since(started)
	proof.Made = guise.Occasion{At: started.UTC().Format(time.RFC3339), By: "guise " + versionText()}
	proof.Host.Emulator = os.Getenv(guest.HostVariable)
	if c.Output != "" {
		if err := s.writeDocument(c.Output, proof.Marshal()); err != nil {
			return 0, err
		}
	}
	switch {
	case c.Output == "-":
	case c.JSON:
		err = s.writeDocument("", proof.Marshal())
	default:
		err = c.print(s.stdout, proof)
	}
	if c.Verbose {
		line := fmt.Sprintf("guise: looked in %s", elapsed.Round(10*time.Microsecond))
		if ioctls > 0 {
			line += fmt.Sprintf(", %d ioctls", ioctls)
		}
		fmt.Fprintln(s.stderr, line)
	}
	return statusOf(proof.Verdict()), err
}

// look makes the proof, on a host of either architecture. ioctls is 0 where they
// were not counted.
func (c *proveCommand) look(s *session, contract *guise.Contract, options vm.ProveOptions) (proof *guise.Proof, ioctls uint64, err error) {
	if contract != nil && contract.Arch() == guise.ArchPower {
		proof, err = power.Prove(s.ctx, c.Device, contract)
		return proof, 0, err
	}
	if power.Here {
		return nil, 0, &inputError{errors.New("want a contract of POWER hosts: this is one")}
	}
	host, err := openKVM(c.Device)
	if err != nil {
		return nil, 0, err
	}
	defer host.Close()
	s.tidy()
	if proof, err = vm.Prove(s.ctx, host, contract, options); err != nil {
		return nil, 0, err
	}
	if counter, ok := host.(vm.Counter); ok {
		ioctls = counter.Ioctls()
	}
	return proof, ioctls, nil
}

// input reads the contract, or the setup to look at.
func (c *proveCommand) input(s *session) (*guise.Contract, vm.ProveOptions, error) {
	options := vm.ProveOptions{VCPUs: c.VCPUs, Traps: c.Traps}
	if c.VCPUs < 1 {
		return nil, options, fmt.Errorf("--vcpus %d: want at least 1", c.VCPUs)
	}
	if c.AsIs == (c.Contract != "") {
		return nil, options, &hintedError{fmt.Errorf("want a contract, or --as-is"), "guise prove contract.json"}
	}
	if c.AsIs {
		setup, err := parseSetup(c.Setup)
		options.Setup = setup
		return nil, options, err
	}
	contract, err := s.reader.contract(c.Contract)
	return contract, options, err
}

// headline says in one sentence what the proof is of, and whether it holds.
func (c *proveCommand) headline(proof *guise.Proof) string {
	who, what := "a guest", "the contract "+c.Contract
	if c.Contract == "" {
		who, what = "a guest of setup "+proof.Setup.Key(), "what userspace reads"
	}
	switch proof.Verdict() {
	case guise.Yes:
		return fmt.Sprintf("%s sees %s", who, what)
	case guise.No:
		if proof.Trace == nil && proof.Power == nil {
			return "the host does not take " + what
		}
		return fmt.Sprintf("%s does not see %s", who, what)
	}
	return joined("unknown", fmt.Sprintf("whether %s sees %s", who, what))
}

// print says what the proof found.
func (c *proveCommand) print(w io.Writer, proof *guise.Proof) error {
	fmt.Fprintf(w, "%s (%s)\n", c.headline(proof), strings.TrimSpace("Linux "+proof.Host.Kernel+" "+proof.Host.Mode))
	rows := [][]string{{"", "wanted", "there", ""}}
	hints := []string{}
	counts := map[guise.Kind]int{}
	for i := range proof.Findings {
		f := &proof.Findings[i]
		if f.Verdict == guise.Yes && !c.Verbose {
			counts[f.Kind]++
			continue
		}
		there := ""
		if len(f.Hosts) > 0 {
			there = f.Hosts[0].Value
		}
		rows = append(rows, []string{f.Name(), f.Wanted, there, f.Rests})
		if f.Mend != "" && !slices.Contains(hints, f.Mend) {
			hints = append(hints, f.Mend)
		}
	}
	if len(rows) > 1 {
		fmt.Fprintln(w)
		columns(w, rows)
	}
	switch power := proof.Power; {
	case proof.Trace != nil:
		fmt.Fprintf(w, "\nrests on: %d operations of a guest at EL%d\n", len(proof.Trace.Records), proof.Trace.EL)
	case power != nil && power.Level != 0:
		fmt.Fprintf(w, "\nrests on: %s of a guest at level %v, and %d facilities used by a guest of its own\n",
			count(len(power.Instructions), "instruction"), power.Level, len(power.Facilities))
	default:
		fmt.Fprintln(w, "\nno guest looked: the host did not take the contract")
	}
	printTraps(w, proof)
	for _, kind := range []guise.Kind{guise.KindInstruction, guise.KindStopped, guise.KindUnguarded, guise.KindUserspace, guise.KindList} {
		if counts[kind] > 0 {
			fmt.Fprintf(w, "%s (-v)\n", fmt.Sprintf(notes[kind], counts[kind]))
		}
	}
	for _, hint := range hints {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
	return nil
}

// notes say what findings that are no fault amount to.
var notes = map[guise.Kind]string{
	guise.KindInstruction: "told, not stopped: %d features that the guest is told it has none of still run",
	guise.KindStopped:     "stopped: %d features that the guest is told it has none of do not run",
	guise.KindUnguarded:   "not guarded: %d statements of the contract rest on what the CPU answers by itself",
	guise.KindUserspace:   "%d registers read otherwise by userspace than the guest sees them",
	guise.KindList:        "%d registers differ from the contract's list, which matters to QEMU",
}
