package main

import (
	"fmt"

	"github.com/guise-project/guise"
)

// checkCommand judges hosts against a contract, or against a VM that uses
// everything the first host offers.
type checkCommand struct {
	Contract     string   `arg:"" help:"A contract, - for standard input, or a host: then a VM that uses everything it offers."`
	Hosts        []string `arg:"" name:"host" help:"Capture or fleet files, - for standard input, or catalogue names."`
	AssumeKernel string   `placeholder:"VERSION" help:"Derive what hosts take from this kernel's profile where it was not tried."`
	For          string   `placeholder:"VMM" help:"Add what this VMM does with the contract, and what comes of its moves between the hosts: qemu, qemu@VERSION, firecracker, or any."`
	JSON         bool     `help:"Print the answer as JSON."`
	Verbose      bool     `short:"v" help:"List every finding."`
}

func (c *checkCommand) Run(s *session) (int, error) {
	arguments := hostArguments{Hosts: c.Hosts, AssumeKernel: c.AssumeKernel}
	contract, err := c.contract(s)
	if err != nil {
		return 0, err
	}
	captures, err := arguments.load(s)
	if err != nil {
		return 0, err
	}
	vmms := []guise.VMM{guise.VMMNone}
	if c.For != "" {
		if vmms, err = vmmsNamed(c.For); err != nil {
			return 0, err
		}
	}
	verdicts := make([]guise.HostVerdict, len(captures))
	for i, capture := range captures {
		verdicts[i] = checkFor(contract, capture, vmms)
	}
	moves, err := c.moves(contract, captures, vmms)
	if err != nil {
		return 0, &inputError{err}
	}
	status := statusOf(max(worstVerdict(verdicts), worstOutcome(moves)))
	if c.JSON {
		answer := verdictsJSON(verdicts)
		for i := range answer {
			for j := range moves {
				if moves[j].From == answer[i].Host {
					answer[i].Moves = append(answer[i].Moves, moveDocument(&moves[j]))
				}
			}
		}
		return status, s.printJSON(answer)
	}
	for i := range verdicts {
		if i > 0 {
			fmt.Fprintln(s.stdout)
		}
		c.print(s, &verdicts[i])
	}
	c.printMoves(s, contract, captures, moves)
	return status, nil
}

// checkFor is the worst of what VMMs make of a contract on a host.
func checkFor(contract *guise.Contract, capture *guise.Capture, vmms []guise.VMM) guise.HostVerdict {
	var worst guise.HostVerdict
	for i, vmm := range vmms {
		if v := guise.Check(contract, capture, vmm); i == 0 || v.Verdict > worst.Verdict {
			worst = v
		}
	}
	return worst
}

// moves says what comes of moves between the hosts where a VMM was named; of one host
// alone there is none.
func (c *checkCommand) moves(contract *guise.Contract, captures []*guise.Capture, vmms []guise.VMM) ([]guise.Move, error) {
	if c.For == "" {
		return nil, nil
	}
	if contract.Power != nil {
		return nil, fmt.Errorf("--for %s: %s is of POWER, where no VMM's moves are known", c.For, contract.Name)
	}
	return guise.Moves(contract, captures, "", vmms, nil)
}

// printMoves says what comes of the moves: of two in full, of more in a matrix.
func (c *checkCommand) printMoves(s *session, contract *guise.Contract, captures []*guise.Capture, moves []guise.Move) {
	if len(moves) == 0 {
		return
	}
	fmt.Fprintln(s.stdout)
	printMoves(s, contract, captures, moves, c.Verbose)
}

// contract reads the contract, or makes the one of a VM that uses everything
// one host offers.
func (c *checkCommand) contract(s *session) (*guise.Contract, error) {
	contract, captures, err := s.reader.open(c.Contract).subject()
	if contract != nil || err != nil {
		return contract, err
	}
	arguments := hostArguments{AssumeKernel: c.AssumeKernel}
	if err := arguments.assume(captures); err != nil {
		return nil, err
	}
	if len(captures) != 1 {
		return nil, &inputError{fmt.Errorf("%s: has %d hosts; want a contract or one host", c.Contract, len(captures))}
	}
	result, err := guise.Baseline(captures, nil)
	if err != nil {
		return nil, &inputError{err}
	}
	if result.Contract == nil {
		return nil, &inputError{fmt.Errorf("%s: has no contract even by itself: %s", c.Contract, result.Findings[0].Name())}
	}
	return result.Contract, nil
}

// checkHeadline says in one sentence whether a host takes a contract.
func checkHeadline(v *guise.HostVerdict) (claim, more string) {
	counts := map[guise.Verdict]int{}
	for i := range v.Findings {
		counts[v.Findings[i].Verdict]++
	}
	switch v.Verdict {
	case guise.No:
		more = count(counts[guise.No], "point") + " against it"
		if open := counts[guise.Unknown]; open > 0 {
			more += fmt.Sprintf(", and %d not known", open)
		}
		return v.Host + " does not take the contract", more
	case guise.Unknown:
		return "unknown", fmt.Sprintf("whether %s takes the contract rests on %s", v.Host, count(counts[guise.Unknown], "point"))
	}
	if remarks := counts[guise.Yes]; remarks > 0 {
		more = count(remarks, "remark")
	}
	return v.Host + " takes the contract", more
}

// print writes one host's verdict for a person.
func (c *checkCommand) print(s *session, v *guise.HostVerdict) {
	claim, more := checkHeadline(v)
	s.headline(v.Verdict, claim, more)
	findings := v.Findings
	if !c.Verbose && len(findings) > 2*mostFields {
		findings = findings[:2*mostFields]
	}
	if len(findings) > 0 {
		fmt.Fprintln(s.stdout)
		findingTable(s.stdout, findings, c.AssumeKernel != "")
		if hidden := len(v.Findings) - len(findings); hidden > 0 {
			fmt.Fprintf(s.stdout, "  ... and %s (-v)\n", count(hidden, "more"))
		}
		fmt.Fprintln(s.stdout)
	}
	printBasis(s, v.RestsOn, nil, nil)
}
