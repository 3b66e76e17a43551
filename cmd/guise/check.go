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
	For          string   `enum:",qemu,firecracker" default:"" placeholder:"VMM" help:"Add what this VMM does with the contract: qemu or firecracker."`
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
	verdicts := make([]guise.HostVerdict, len(captures))
	for i, capture := range captures {
		verdicts[i] = guise.Check(contract, capture, guise.VMM(c.For))
	}
	if c.JSON {
		return worstStatus(verdicts), s.printJSON(verdictsJSON(verdicts))
	}
	for i := range verdicts {
		if i > 0 {
			fmt.Fprintln(s.stdout)
		}
		c.print(s, &verdicts[i])
	}
	return worstStatus(verdicts), nil
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
