package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/vm/move"
)

// rehearseCommand moves a VM between two real kernels under QEMU.
type rehearseCommand struct {
	Contract string   `arg:"" placeholder:"CONTRACT" help:"Contract of the VM that is moved, - for standard input."`
	From     string   `required:"" placeholder:"KERNEL/CPU" help:"The host it leaves: 7.2/neoverse-n1."`
	To       string   `required:"" placeholder:"KERNEL/CPU" help:"The host it goes to."`
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
	arrived, err := c.half(s, to, []string{"vm", "restore", rehearsedState, "-o", rehearsedArrival}, rehearsedState, saved, rehearsedArrival)
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
	if err := c.prediction(s, to, contract, arrival); err != nil {
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
// status of 1 is an answer like 0. The host is booted, never restored: a move is
// between kernels that have run.
func (c *rehearseCommand) half(s *session, host lab.Host, args []string, name string, content []byte, output string) ([]byte, error) {
	job := lab.Job{Args: args, Outputs: []string{output}, Env: unwatched}
	if name != "" {
		job.Files = []lab.File{{Path: name, Content: content}}
	}
	host.Fresh = true
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

// prediction captures the target and says whether guise check foresaw what
// happened.
func (c *rehearseCommand) prediction(s *session, to lab.Host, contract *guise.Contract, arrival *move.Arrival) error {
	data, err := c.half(s, to, []string{"capture", "--setup", contract.Setup.Key(), "-o", rehearsedCapture}, "", nil, rehearsedCapture)
	if err != nil {
		return fmt.Errorf("%s: %w", c.To, err)
	}
	capture, err := guise.ReadCapture(c.To, data)
	if err != nil {
		return err
	}
	foreseen, unforeseen := compareWithCheck(contract, capture, arrival)
	for _, line := range foreseen {
		fmt.Fprintf(s.stderr, "foreseen: %s\n", line)
	}
	for _, line := range unforeseen {
		fmt.Fprintf(s.stderr, "not foreseen: %s\n", line)
	}
	if len(unforeseen) > 0 {
		return errors.New("guise check and the kernel disagree; please report this with the contract and the capture")
	}
	return nil
}

// compareWithCheck holds what a host refused against what guise check says of
// it: both must name the same fields. A value that is refused is EINVAL, a
// register that is not there ENOENT. What the check left open it did not
// foresee, and did not get wrong.
func compareWithCheck(contract *guise.Contract, capture *guise.Capture, arrival *move.Arrival) (foreseen, unforeseen []string) {
	predicted, open := map[string]syscall.Errno{}, map[string]bool{}
	verdict := guise.Check(contract, capture, guise.VMMNone)
	for i := range verdict.Findings {
		f := &verdict.Findings[i]
		open[f.Name()] = open[f.Name()] || f.Verdict == guise.Unknown
		if f.Verdict != guise.No {
			continue
		}
		predicted[f.Name()] = syscall.EINVAL
		if f.Kind == guise.KindList || len(f.Hosts) > 0 && strings.Contains(f.Hosts[0].Value, "no such register") {
			predicted[f.Name()] = syscall.ENOENT
		}
	}
	happened := map[string]syscall.Errno{}
	for i := range arrival.Contract {
		happened[arrival.Contract[i].Name()] = arrival.Contract[i].Errno
	}
	for _, r := range arrival.Refused {
		happened[r.Name] = r.Errno
	}
	for name, errno := range happened {
		switch wanted, ok := predicted[name]; {
		case open[name]:
			foreseen = append(foreseen, name+" was left open")
		case !ok:
			unforeseen = append(unforeseen, fmt.Sprintf("%s was refused (%v)", name, errno))
		case errno != 0 && errno != wanted:
			unforeseen = append(unforeseen, fmt.Sprintf("%s was refused with %v, not %v", name, errno, wanted))
		case errno == 0:
			foreseen = append(foreseen, name+" is accepted and shown otherwise")
		default:
			foreseen = append(foreseen, fmt.Sprintf("%s is refused (%v)", name, wanted))
		}
	}
	for name := range predicted {
		if _, ok := happened[name]; ok {
			continue
		}
		register, _, _ := strings.Cut(name, ".")
		switch {
		case slices.ContainsFunc(arrival.Differences, func(d move.Difference) bool { return strings.HasSuffix(d.What, " "+register) }):
			foreseen = append(foreseen, name+" is taken, and a guest sees another value")
		case arrival.Looked == 0 && len(happened) > 0:
			// Nobody looked, as something else was refused.
		default:
			unforeseen = append(unforeseen, name+" was taken")
		}
	}
	slices.Sort(foreseen)
	slices.Sort(unforeseen)
	return foreseen, unforeseen
}
