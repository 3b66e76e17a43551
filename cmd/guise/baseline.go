package main

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/progress"
)

// baselineCommand computes a contract, or says why there is none.
type baselineCommand struct {
	hostArguments
	policyFlags
	Output  outputFile `short:"o" placeholder:"FILE" help:"Write the contract to a file; - for standard output."`
	JSON    bool       `help:"Print the answer as JSON."`
	Verbose bool       `short:"v" help:"List the fields that are settled too."`
}

func (c *baselineCommand) Run(s *session) (int, error) {
	policy, err := c.policy(s)
	if err != nil {
		return 0, err
	}
	captures, err := c.load(s)
	if err != nil {
		return 0, err
	}
	task := progress.Start(s.ctx, "finding a contract for "+count(len(captures), "host"), 0, progress.Things)
	result, err := guise.Baseline(captures, policy)
	task.Done()
	if err != nil {
		return 0, &inputError{err}
	}
	if result.Contract != nil && c.Output != "" {
		if err := s.writeDocument(c.Output, result.Contract.Marshal()); err != nil {
			return 0, err
		}
	}
	switch {
	case c.JSON && c.Output != "-":
		return statusOf(result.Verdict), s.printJSON(baselineJSON(result))
	case c.Output == "-" && result.Contract != nil:
		return statusYes, nil
	}
	c.print(s, captures, policy, result)
	return statusOf(result.Verdict), nil
}

// print writes the answer for a person.
func (c *baselineCommand) print(s *session, captures []*guise.Capture, policy *guise.Policy, result *guise.BaselineResult) {
	identity, certain := splitFindings(result.Findings, guise.No)
	_, open := splitFindings(result.Findings, guise.Unknown)
	claim, more := baselineHeadline(len(captures), result)
	s.headline(result.Verdict, claim, more)
	fmt.Fprintln(s.stdout)
	findingTable(s.stdout, certain, c.AssumeKernel != "")
	identityTable(s.stdout, identity)
	if len(open) > 0 {
		if len(certain)+len(identity) > 0 {
			fmt.Fprintf(s.stdout, "\n  not known, %s:\n", count(len(open), "more point"))
		}
		c.printOpen(s, open)
	}
	if len(result.Findings) > 0 {
		fmt.Fprintln(s.stdout)
	}
	c.printSettled(s, result)
	printBasis(s, result.RestsOn, result.NotKnown, result.Notes)
	if result.Verdict == guise.Yes && c.Output == "" {
		s.hint("-o contract.json writes the contract")
	}
	c.printMends(s, captures, policy, result)
}

// baselineHeadline says in one sentence whether hosts have a contract, and for
// which VMs, or what stands in the way.
func baselineHeadline(hosts int, result *guise.BaselineResult) (claim, more string) {
	have := "have"
	if hosts == 1 {
		have = "has"
	}
	switch result.Verdict {
	case guise.Yes:
		if power := result.Contract.Power; power != nil {
			return fmt.Sprintf("%s %s a contract", count(hosts, "host"), have), fmt.Sprintf("for VMs held at level %v of the architecture", power.Level)
		}
		return fmt.Sprintf("%s %s a contract", count(hosts, "host"), have), "for VMs made with " + setupText(&result.Setup)
	case guise.Unknown:
		_, open := splitFindings(result.Findings, guise.Unknown)
		return "unknown", fmt.Sprintf("whether %s %s a contract rests on %s that no capture tells", count(hosts, "host"), have, count(len(open), "point"))
	}
	return "no contract", obstacles(result.Findings)
}

// obstacles says what kinds of things leave hosts without a contract, and how many
// of each there are.
func obstacles(findings []guise.Finding) string {
	counts := map[string]int{}
	for i := range findings {
		if f := &findings[i]; f.Verdict == guise.No {
			counts[obstacleOf(f)]++
		}
	}
	var words []string
	for _, o := range []struct{ kind, one, many string }{
		{obstacleField, "1 field has no value that every host takes", "%d fields have no value that every host takes"},
		{obstaclePolicy, "1 field cannot be as the policy wants it", "%d fields cannot be as the policy wants them"},
		{obstacleIdentity, "the hosts differ in identity and the policy gives none", "the hosts differ in identity and the policy gives none"},
		{obstacleGiven, "the identity cannot be given to every host", "the identity cannot be given to every host"},
		{obstacleSetup, "there is no VM that every host makes", "there is no VM that every host makes"},
		{obstacleLengths, "the hosts have no set of SVE vector lengths in common", "the hosts have no set of SVE vector lengths in common"},
	} {
		switch n := counts[o.kind]; {
		case n == 1:
			words = append(words, o.one)
		case n > 1 && strings.Contains(o.many, "%d"):
			words = append(words, fmt.Sprintf(o.many, n))
		case n > 1:
			words = append(words, o.many)
		}
	}
	return strings.Join(words, ", and ")
}

// What stands in the way of a contract.
const (
	obstacleField    = "field"
	obstaclePolicy   = "policy"
	obstacleIdentity = "identity"
	obstacleGiven    = "given identity"
	obstacleSetup    = "setup"
	obstacleLengths  = "lengths"
)

func obstacleOf(f *guise.Finding) string {
	switch f.Kind {
	case guise.KindPolicy:
		return obstaclePolicy
	case guise.KindIdentity:
		if f.Remedy.Code == guise.RemedyKernel {
			return obstacleGiven
		}
		return obstacleIdentity
	case guise.KindSetup:
		return obstacleSetup
	case guise.KindVectors:
		return obstacleLengths
	}
	return obstacleField
}

// setupText describes a setup in running text.
func setupText(setup *guise.Setup) string {
	var words []string
	if len(setup.Features) == 0 {
		words = append(words, "no optional feature")
	}
	for _, f := range setup.Features {
		words = append(words, string(f))
	}
	if setup.VGIC != 0 {
		words = append(words, fmt.Sprintf("a vGICv%d", setup.VGIC))
	} else {
		words = append(words, "no vGIC")
	}
	text := strings.Join(words, ", ")
	if setup.Protected {
		text += ", protected"
	}
	return text
}

// mostFields is how many fields of a long tail are shown without -v.
const mostFields = 10

// printOpen lists what is not known, folded unless asked for.
func (c *baselineCommand) printOpen(s *session, open []guise.Finding) {
	shown := open
	if !c.Verbose && len(shown) > mostFields {
		shown = shown[:mostFields]
	}
	findingTable(s.stdout, shown, c.AssumeKernel != "")
	if hidden := len(open) - len(shown); hidden > 0 {
		fmt.Fprintf(s.stdout, "  ... and %s (-v)\n", count(hidden, "more"))
	}
}

// printSettled says which fields go to a common value and what each host gives
// up.
func (c *baselineCommand) printSettled(s *session, result *guise.BaselineResult) {
	if len(result.Settled) == 0 {
		return
	}
	var gives []string
	for _, h := range result.GivesUp {
		if h.Count > 0 {
			gives = append(gives, fmt.Sprintf("%s %d", h.Host, h.Count))
		}
	}
	more := ""
	if result.Verdict == guise.No {
		more = "more "
	}
	verb := "differ and go"
	if len(result.Settled) == 1 {
		verb = "differs and goes"
	}
	fmt.Fprintf(s.stdout, "settled: %s %s to the lower value", count(len(result.Settled), more+"field"), verb)
	if len(gives) > 0 {
		gives[0] = strings.Replace(gives[0], " ", " gives up ", 1)
		fmt.Fprintf(s.stdout, "; %s", elide(gives, 4))
	}
	if !c.Verbose {
		fmt.Fprint(s.stdout, " (-v)")
	}
	fmt.Fprintln(s.stdout)
	if !c.Verbose {
		return
	}
	rows := [][]string{{"", "contract", "hosts"}}
	for _, f := range result.Settled {
		var hosts []string
		for _, v := range f.Hosts {
			hosts = append(hosts, v.Host+" "+v.Value)
		}
		row := []string{strings.TrimSuffix(f.Register+"."+f.Field, "."), settledText(&f), strings.Join(hosts, ", ")}
		if f.Rests != "" {
			row = append(row, "rests on "+f.Rests)
		}
		rows = append(rows, row)
	}
	columns(s.stdout, rows, 1)
}

// printBasis says what an answer rests on and what was not captured.
func printBasis(s *session, restsOn, notKnown, notes []string) {
	for _, line := range restsOn {
		fmt.Fprintf(s.stdout, "rests on: %s\n", line)
	}
	for _, line := range notKnown {
		fmt.Fprintf(s.stdout, "not known: %s\n", line)
	}
	for _, line := range notes {
		fmt.Fprintf(s.stdout, "note: %s\n", line)
	}
}

// printMends says what would give a contract.
func (c *baselineCommand) printMends(s *session, captures []*guise.Capture, policy *guise.Policy, result *guise.BaselineResult) {
	if result.Verdict == guise.Unknown {
		s.hint("guise capture on the hosts tries every value; --assume-kernel VERSION takes a profile's word")
	}
	if result.Verdict != guise.No || len(captures) < 2 {
		return
	}
	c.hintPools(s, captures, policy)
	mended, err := guise.Mend(captures, policy, result)
	if err != nil || mended == nil {
		return
	}
	gives := "gives a contract"
	if n := len(mended.Varies); n > 0 {
		gives = fmt.Sprintf("gives a contract; needs a VMM that leaves %s to the host", theseFields(n))
	}
	s.hint("%s\n      %s", flagsOf(mended.Remedies), gives)
}

// mostHinted is the number of hosts up to which pools are worth a line.
const mostHinted = 64

// hintPools says in one line which pools have a contract. It looks for them only
// where it can print them, and not for long.
func (c *baselineCommand) hintPools(s *session, captures []*guise.Capture, policy *guise.Policy) {
	if len(captures) > mostHinted {
		s.hint("guise pools divides the hosts into pools that have a contract")
		return
	}
	pools, err := guise.PoolsWithin(captures, policy, 1, guise.HintEffort)
	if err != nil || len(pools.Rungs) == 0 || len(pools.Alone) > 0 {
		return
	}
	var names []string
	for _, p := range pools.Rungs[0].Pools {
		names = append(names, "{"+strings.Join(p.Hosts, " ")+"}")
	}
	s.hint("%s: %s", count(len(names), "pool"), elide(names, 8))
}

func theseFields(n int) string {
	if n == 1 {
		return "that field"
	}
	return fmt.Sprintf("those %d fields", n)
}
