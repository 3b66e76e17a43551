package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/vm/move"
)

// rehearseCommand moves a VM between two real kernels under QEMU.
type rehearseCommand struct {
	Contract string   `arg:"" placeholder:"CONTRACT" help:"Contract of the VM that is moved, - for standard input."`
	From     string   `required:"" placeholder:"KERNEL/CPU" help:"The host it leaves: 7.2/neoverse-n1."`
	To       string   `required:"" placeholder:"KERNEL/CPU" help:"The host it goes to."`
	For      string   `default:"guise" placeholder:"VMM" help:"Restore in the order of a VMM: guise, qemu or qemu@VERSION."`
	Filter   []string `placeholder:"BASE:COUNT:ACTION" help:"Install an SMCCC filter: handle, deny or forward."`
	JSON     bool     `name:"json" help:"Print what became of the VM as a document; where its contract was refused, the proof of that."`
	labHost
}

// Names of files inside lab hosts.
const (
	rehearsedContract = "contract.json"
	rehearsedState    = "vm.state"
	rehearsedArrival  = "arrival.json"
	rehearsedCapture  = "capture.json"
	rehearsedProof    = "proof.json"
)

func (c *rehearseCommand) Run(s *session) (int, error) {
	data, err := s.reader.read(c.Contract)
	if err != nil {
		return 0, &inputError{err}
	}
	contract, err := guise.ReadContract(c.Contract, data)
	if err != nil {
		return 0, &inputError{err}
	}
	vmm, err := restorer(c.For)
	if err != nil {
		return 0, err
	}
	from, err := c.endpoint("--from", c.From)
	if err != nil {
		return 0, &inputError{err}
	}
	to, err := c.endpoint("--to", c.To)
	if err != nil {
		return 0, &inputError{err}
	}
	if err := arm64Only(c.Contract, contract.Arch()); err != nil {
		return 0, err
	}
	if err := move.CanMove(&contract.Setup); err != nil {
		return 0, fmt.Errorf("%s: %w", c.Contract, err)
	}
	save := []string{"vm", "save", rehearsedContract, "-o", rehearsedState}
	for _, filter := range c.Filter {
		save = append(save, "--filter", filter)
	}
	saved, err := c.half(s, from, save, rehearsedContract, data, rehearsedState)
	if errors.Is(err, errNotWritten) {
		return c.refused(s, from, data)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.From, err)
	}
	state, err := move.ReadState(c.From+":"+rehearsedState, saved)
	if err != nil {
		return 0, err
	}
	arrived, err := c.half(s, to, []string{"vm", "restore", rehearsedState, "--for", string(vmm), "-o", rehearsedArrival}, rehearsedState, saved, rehearsedArrival)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.To, err)
	}
	arrival, err := move.ReadArrival(c.To+":"+rehearsedArrival, arrived)
	if err != nil {
		return 0, err
	}
	if c.JSON {
		if _, err := s.stdout.Write(arrived); err != nil {
			return 0, err
		}
	} else if err := printArrival(s.stdout, state, arrival); err != nil {
		return 0, err
	}
	if err := c.prediction(s, from, to, contract, arrival, vmm); err != nil {
		return 0, err
	}
	if arrival.Arrived() {
		return statusYes, nil
	}
	return statusNo, nil
}

// endpoint reads KERNEL/CPU. The kernel may be a path: the CPU is what follows
// the last slash.
func (c *rehearseCommand) endpoint(flag, text string) (lab.Host, error) {
	i := strings.LastIndexByte(text, '/')
	if i <= 0 || i == len(text)-1 {
		return lab.Host{}, fmt.Errorf("%s %s: want KERNEL/CPU, as 6.12/neoverse-n1", flag, text)
	}
	return c.host(text[:i], text[i+1:]), nil
}

// half runs guise in a lab host with one file, and brings another one back. A
// status of 1 is an answer like 0. The host of a VM is booted, never restored: a move is
// between kernels that have run.
func (c *rehearseCommand) half(s *session, host lab.Host, args []string, name string, content []byte, output string) ([]byte, error) {
	host.Fresh = true
	return c.inside(s, host, args, name, content, output)
}

// inside is half in a host that may be restored from a snapshot.
func (c *rehearseCommand) inside(s *session, host lab.Host, args []string, name string, content []byte, output string) ([]byte, error) {
	job := lab.Job{Args: args, Outputs: []string{output}, Env: unwatched}
	if name != "" {
		job.Files = []lab.File{{Path: name, Content: content}}
	}
	s.tidy()
	result, err := lab.Run(s.ctx, host, job)
	if err != nil {
		return nil, labError(err)
	}
	if result.Status == statusNo && result.Signal == 0 && len(result.Files) == 0 {
		return nil, errNotWritten
	}
	if result.Status > statusNo || result.Signal != 0 || len(result.Files) != 1 {
		return nil, fmt.Errorf("guise %s: status %d: %s", strings.Join(args, " "), result.Status, bytes.TrimSpace(result.Stderr))
	}
	return result.Files[0].Content, nil
}

// errNotWritten says that a host answered no and had nothing to bring back.
var errNotWritten = errors.New("the answer is no, and nothing was written")

// refused says what the host that the VM was to leave does not take of the
// contract, as guise prove there says it.
func (c *rehearseCommand) refused(s *session, from lab.Host, contract []byte) (int, error) {
	data, err := c.half(s, from, []string{"prove", rehearsedContract, "-o", rehearsedProof}, rehearsedContract, contract, rehearsedProof)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.From, err)
	}
	proof, err := guise.ReadProof(c.From+":"+rehearsedProof, data)
	if err != nil {
		return 0, err
	}
	if c.JSON {
		_, err = s.stdout.Write(data)
		return statusOf(proof.Verdict()), err
	}
	out := shown(s.stdout)
	err = (&proveCommand{Contract: c.Contract}).print(out, proof)
	return statusOf(proof.Verdict()), errors.Join(err, out.Flush())
}

// prediction captures both hosts and says whether guise moves foresees what happened.
func (c *rehearseCommand) prediction(s *session, from, to lab.Host, contract *guise.Contract, arrival *move.Arrival, vmm guise.VMM) error {
	var ends [2]*guise.Capture
	for i, host := range []lab.Host{from, to} {
		name := []string{c.From, c.To}[i]
		data, err := c.inside(s, host, []string{"capture", "--setup", contract.Setup.Key(), "-o", rehearsedCapture}, "", nil, rehearsedCapture)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if ends[i], err = guise.ReadCapture(name, data); err != nil {
			return err
		}
	}
	foretold, err := guise.MoveOne(contract, ends[0], ends[1], "", vmm)
	if err != nil {
		return err
	}
	foreseen, unforeseen := move.Foreseen(&foretold, arrival)
	for _, line := range foreseen {
		fmt.Fprintf(s.stderr, "foreseen: %s\n", line)
	}
	for _, line := range unforeseen {
		fmt.Fprintf(s.stderr, "not foreseen: %s\n", line)
	}
	if len(unforeseen) > 0 {
		return errors.New("guise moves and the kernel disagree; please report this with the contract and captures of both hosts")
	}
	return nil
}
