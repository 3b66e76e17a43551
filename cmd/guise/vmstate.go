package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/lab/guest"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/move"
)

// vmCommand is the two halves of a move.
type vmCommand struct {
	Save    vmSaveCommand    `cmd:"" help:"Make a VM under a contract, give it live state, and write it to a file."`
	Restore vmRestoreCommand `cmd:"" help:"Make the VM of a file again, run it on, and have its guest compare."`
}

type vmSaveCommand struct {
	Contract string     `arg:"" placeholder:"CONTRACT" help:"Contract of the VM, - for standard input."`
	Output   outputFile `short:"o" required:"" placeholder:"FILE" help:"Where to write the VM's state."`
	VCPUs    int        `name:"vcpus" default:"2" help:"How many vCPUs the VM has."`
	Filter   []string   `placeholder:"BASE:COUNT:ACTION" help:"Install an SMCCC filter: handle, deny or forward."`
	Device   string     `default:"/dev/kvm" help:"KVM's device."`
}

func (c *vmSaveCommand) Run(s *session) (int, error) {
	options := move.SaveOptions{VCPUs: c.VCPUs}
	if c.VCPUs < 1 || c.VCPUs > 8 {
		return 0, &inputError{fmt.Errorf("--vcpus %d: want 1 to 8", c.VCPUs)}
	}
	for _, text := range c.Filter {
		filter, err := parseFilter(text)
		if err != nil {
			return 0, &inputError{err}
		}
		options.Filters = append(options.Filters, filter)
	}
	contract, err := s.reader.contract(c.Contract)
	if err != nil {
		return 0, err
	}
	if err := arm64Only(c.Contract, contract.Arch()); err != nil {
		return 0, err
	}
	if err := move.CanMove(&contract.Setup); err != nil {
		return 0, fmt.Errorf("%s: %w", c.Contract, err)
	}
	host, err := openKVM(c.Device)
	if err != nil {
		return 0, err
	}
	defer host.Close()
	state, err := move.Save(s.ctx, host, contract, options)
	var refused *vm.ApplyError
	if errors.As(err, &refused) {
		printRefused(s, refused)
		return statusNo, nil
	}
	if err != nil {
		return 0, hinted(err)
	}
	state.Made = guise.Occasion{At: time.Now().UTC().Format(time.RFC3339), By: "guise " + versionText()}
	state.Host.Emulator = os.Getenv(guest.HostVariable)
	document, err := state.Marshal()
	if err != nil {
		return 0, err
	}
	if err := s.write(c.Output, document, 0o600); err != nil {
		return 0, err
	}
	fmt.Fprintf(s.stderr, "guise: %d vCPUs with %d registers: %s\n", len(state.VCPUs), len(state.VCPUs[0].Registers), c.Output)
	return statusYes, nil
}

// printRefused says what a host does not take of a contract.
func printRefused(s *session, refused *vm.ApplyError) {
	s.headline(guise.No, fmt.Sprintf("%s does not take the contract %s", refused.Host, refused.Contract), "")
	fmt.Fprintln(s.stdout)
	rows := [][]string{{"", "wanted", "there", ""}}
	var hints []string
	for i := range refused.Refusals {
		r := &refused.Refusals[i]
		why := "was accepted and stored otherwise"
		if r.Errno != 0 {
			why = r.Errno.Error()
		}
		wanted, there := r.Texts()
		rows = append(rows, []string{r.Name(), wanted, there, why})
		if r.Hint != "" && !slices.Contains(hints, r.Hint) {
			hints = append(hints, r.Hint)
		}
	}
	columns(s.stdout, rows, 1, 2)
	for _, hint := range hints {
		s.hint("%s", hint)
	}
}

// filterActions are the words for what a filter does with a call.
var filterActions = map[string]uint8{
	"handle": kvmabi.FilterHandle, "deny": kvmabi.FilterDeny, "forward": kvmabi.FilterForwardToUser,
}

// parseFilter reads BASE:COUNT:ACTION.
func parseFilter(text string) (move.Filter, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return move.Filter{}, fmt.Errorf("--filter %s: want BASE:COUNT:ACTION, as 0x86000001:1:deny", text)
	}
	base, err := strconv.ParseUint(parts[0], 0, 32)
	if err != nil {
		return move.Filter{}, fmt.Errorf("--filter %s: %s is no function identifier", text, parts[0])
	}
	count, err := strconv.ParseUint(parts[1], 0, 32)
	if err != nil || count == 0 {
		return move.Filter{}, fmt.Errorf("--filter %s: %s is no number of functions", text, parts[1])
	}
	action, ok := filterActions[parts[2]]
	if !ok {
		return move.Filter{}, fmt.Errorf("--filter %s: %s: want handle, deny or forward", text, parts[2])
	}
	return move.Filter{Base: uint32(base), Count: uint32(count), Action: action}, nil
}

type vmRestoreCommand struct {
	State  string     `arg:"" placeholder:"FILE" help:"What guise vm save wrote, - for standard input."`
	For    string     `default:"guise" placeholder:"VMM" help:"Restore in the order of a VMM: guise gives the VM the contract and writes the rest, qemu or qemu@VERSION compares lists and writes everything."`
	Output outputFile `short:"o" placeholder:"FILE" help:"Leave a document of what became of the VM."`
	JSON   bool       `name:"json" help:"Print that document."`
	Device string     `default:"/dev/kvm" help:"KVM's device."`
}

func (c *vmRestoreCommand) Run(s *session) (int, error) {
	vmm, err := restorer(c.For)
	if err != nil {
		return 0, err
	}
	data, err := s.reader.readFor(c.State, "the state of a VM")
	if err != nil {
		return 0, err
	}
	state, err := move.ReadState(c.State, data)
	if err != nil {
		return 0, &inputError{err}
	}
	host, err := openKVM(c.Device)
	if err != nil {
		return 0, err
	}
	defer host.Close()
	arrival, err := move.Restore(s.ctx, host, state, vmm)
	if err != nil {
		return 0, hinted(err)
	}
	arrival.Host.Emulator = os.Getenv(guest.HostVariable)
	document, err := arrival.Marshal()
	if err != nil {
		return 0, err
	}
	if c.Output != "" {
		if err := s.writeDocument(c.Output, document); err != nil {
			return 0, err
		}
	}
	switch {
	case c.Output == "-":
	case c.JSON:
		err = s.writeDocument("", document)
	default:
		err = printArrival(s.stdout, state, arrival)
	}
	if arrival.Arrived() {
		return statusYes, err
	}
	return statusNo, err
}

// restorer is a VMM in whose order states are restored.
func restorer(name string) (guise.VMM, error) {
	vmm, err := guise.ParseVMM(name)
	if err == nil && vmm != guise.VMMGuise && !vmm.ComparesLists() {
		err = fmt.Errorf("states are not restored as %s does it; want guise, qemu or qemu@VERSION", name)
	}
	if err != nil {
		return "", &inputError{fmt.Errorf("--for: %w", err)}
	}
	return vmm, nil
}

// printArrival says what became of a VM.
func printArrival(w io.Writer, state *move.State, arrival *move.Arrival) error {
	way := fmt.Sprintf("Linux %s to Linux %s", plain.Line(state.Host.Kernel), plain.Line(arrival.Host.Kernel))
	switch {
	case arrival.Arrived():
		fmt.Fprintf(w, "the VM moved from %s, and its guest missed nothing\n", way)
	case arrival.Looked > 0:
		fmt.Fprintf(w, "the VM moved from %s, but its guest missed what it had\n\n", way)
	default:
		fmt.Fprintf(w, "the VM could not be moved from %s\n\n", way)
	}
	var hints []string
	for i := range arrival.Contract {
		r := &arrival.Contract[i]
		fmt.Fprintf(w, "  %s\n", plain.Line(r.String()))
		if r.Hint != "" && !slices.Contains(hints, r.Hint) {
			hints = append(hints, r.Hint)
		}
	}
	for _, r := range arrival.Refused {
		why := "not listed here"
		if r.Errno != 0 {
			why = r.Errno.Error()
		}
		fmt.Fprintf(w, "  vCPU %d: %s = %#x: %s\n", r.VCPU, plain.Line(r.Name), r.Value, why)
	}
	for i := range arrival.Differences {
		fmt.Fprintf(w, "  %s\n", plain.Line(arrival.Differences[i].String()))
	}
	if len(arrival.Left) > 0 {
		names := make([]string, len(arrival.Left))
		for i, id := range arrival.Left {
			names[i] = guise.NameOf(id)
		}
		fmt.Fprintf(w, "\nleft behind, as the new host has no such register: %s\n", strings.Join(names, ", "))
	}
	for _, hint := range hints {
		fmt.Fprintf(w, "hint: %s\n", plain.Line(hint))
	}
	return nil
}
