package main

import (
	"fmt"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// diffCommand compares two hosts.
type diffCommand struct {
	A            string `arg:"" help:"A capture file, - for standard input, or a catalogue name."`
	B            string `arg:"" help:"A capture file, - for standard input, or a catalogue name."`
	AssumeKernel string `placeholder:"VERSION" help:"Derive what hosts take from this kernel's profile where it was not tried."`
	JSON         bool   `help:"Print the answer as JSON."`
	Verbose      bool   `short:"v" help:"List every register that only one host lists."`
}

func (c *diffCommand) Run(s *session) (int, error) {
	arguments := hostArguments{Hosts: []string{c.A, c.B}, AssumeKernel: c.AssumeKernel}
	captures, err := arguments.load(s)
	if err != nil {
		return 0, err
	}
	if len(captures) != 2 {
		return 0, &inputError{fmt.Errorf("%s and %s: hold %d hosts; want two", c.A, c.B, len(captures))}
	}
	diff, err := guise.Diff(captures[0], captures[1])
	if err != nil {
		return 0, &inputError{err}
	}
	status := statusNo
	if diff.Same() {
		status = statusYes
	}
	if c.JSON {
		return status, s.printJSON(diffJSON(diff))
	}
	c.print(s, captures[0].Name, captures[1].Name, diff)
	return status, nil
}

// print writes the differences for a person, those that nobody can change
// first.
func (c *diffCommand) print(s *session, a, b string, diff *guise.DiffResult) {
	if diff.Same() {
		s.headline(guise.Yes, fmt.Sprintf("%s and %s show a guest the same", a, b), inSetup(diff))
	} else {
		s.headline(guise.No, fmt.Sprintf("%s and %s differ in %s", a, b, differencesText(diff)), inSetup(diff))
		fmt.Fprintln(s.stdout)
	}
	short := shortNames([]string{a, b})
	rows := [][]string{{"", short[a], short[b], "more", "who can make them equal", "what it means in a guest"}}
	for _, settled := range []bool{false, true} {
		for i := range diff.Differences {
			d := &diff.Differences[i]
			if (d.Who == "a VMM") == settled {
				rows = append(rows, []string{d.Name(), d.A, d.B, map[string]string{"a": short[a], "b": short[b]}[d.More], d.Who, d.Means})
			}
		}
	}
	if len(rows) > 1 {
		columns(s.stdout, rows, 1, 2)
		fmt.Fprintln(s.stdout)
	}
	c.printLists(s, a, diff.OnlyA)
	c.printLists(s, b, diff.OnlyB)
	if len(diff.Capabilities) > 0 {
		c.printCapabilities(s, short[a], short[b], diff.Capabilities)
	}
	for _, move := range []struct {
		from, to string
		verdict  *guise.HostVerdict
	}{{a, b, &diff.AToB}, {b, a, &diff.BToA}} {
		claim, more := moveHeadline(move.verdict, move.from, move.to)
		s.headline(move.verdict.Verdict, claim, more)
	}
	notKnown := diff.NotKnown
	if !diff.ListsKnown {
		notKnown = append(notKnown, "which registers they list")
	}
	printBasis(s, diff.AToB.RestsOn, notKnown, nil)
}

// because names the first objects that stand in the way of a move.
func because(v *guise.HostVerdict) string {
	var names []string
	for i := range v.Findings {
		if v.Findings[i].Verdict == v.Verdict && v.Verdict != guise.Yes {
			names = append(names, v.Findings[i].Name())
		}
	}
	if names == nil {
		return ""
	}
	return elide(names, 3)
}

// moveHeadline says whether a VM that uses everything one host offers could move,
// and what stands in the way.
func moveHeadline(v *guise.HostVerdict, from, to string) (claim, more string) {
	switch vm := "a VM that uses everything of " + from; v.Verdict {
	case guise.Yes:
		return fmt.Sprintf("%s can move to %s", vm, to), ""
	case guise.No:
		return fmt.Sprintf("%s cannot move to %s", vm, to), because(v)
	default:
		return "unknown", joined(fmt.Sprintf("whether %s can move to %s", vm, to), because(v))
	}
}

// differencesText counts what differs: values, and registers that one host lists.
func differencesText(diff *guise.DiffResult) string {
	if n := len(diff.Differences); n > 0 {
		return count(n, "place")
	}
	return count(len(diff.OnlyA)+len(diff.OnlyB), "register") + " of their lists"
}

// inSetup names the setup that a comparison is about.
func inSetup(diff *guise.DiffResult) string {
	if diff.Setup == "any" {
		return "in VMs of any setup"
	}
	return "in VMs of setup " + diff.Setup
}

func (c *diffCommand) printLists(s *session, host string, ids []arm64.ID) {
	if len(ids) == 0 {
		return
	}
	var names []string
	for _, id := range ids {
		names = append(names, guise.NameOf(id))
	}
	most := 4
	if c.Verbose {
		most = len(names)
	}
	fmt.Fprintf(s.stdout, "only %s lists %s: %s\n", host, count(len(names), "register"), elide(names, most))
}

func (c *diffCommand) printCapabilities(s *session, a, b string, capabilities []guise.CapabilityDifference) {
	var answers []string
	for _, d := range capabilities {
		answers = append(answers, fmt.Sprintf("%s %d/%d", d.Name, d.A, d.B))
	}
	most := 4
	if c.Verbose {
		most = len(answers)
	}
	fmt.Fprintf(s.stdout, "%s and %s answer KVM_CHECK_EXTENSION differently for %d: %s\n", a, b, len(answers), elide(answers, most))
}

type capabilityJSON struct {
	Name string `json:"name"`
	A    int64  `json:"a"`
	B    int64  `json:"b"`
}

type differenceJSON struct {
	Register string    `json:"register"`
	Field    string    `json:"field,omitzero"`
	A        valueJSON `json:"a"`
	B        valueJSON `json:"b"`
	More     string    `json:"more,omitzero"`
	Who      string    `json:"who,omitzero"`
	Means    string    `json:"means,omitzero"`
}

type diffAnswer struct {
	Same        bool             `json:"same"`
	Setup       string           `json:"setup"`
	Differences []differenceJSON `json:"differences"`
	OnlyA       []string         `json:"listedOnlyByA"`
	OnlyB       []string         `json:"listedOnlyByB"`
	// Capabilities is empty where one of the hosts was not asked.
	Capabilities []capabilityJSON `json:"capabilities"`
	AToB         hostVerdictJSON  `json:"aToB"`
	BToA         hostVerdictJSON  `json:"bToA"`
	NotKnown     []string         `json:"notKnown"`
}

func diffJSON(d *guise.DiffResult) diffAnswer {
	answer := diffAnswer{
		Same: d.Same(), Setup: d.Setup, OnlyA: idTexts(d.OnlyA), OnlyB: idTexts(d.OnlyB), NotKnown: d.NotKnown,
		AToB: verdictsJSON([]guise.HostVerdict{d.AToB})[0], BToA: verdictsJSON([]guise.HostVerdict{d.BToA})[0],
		Differences: []differenceJSON{}, Capabilities: []capabilityJSON{},
	}
	for _, capability := range d.Capabilities {
		answer.Capabilities = append(answer.Capabilities, capabilityJSON(capability))
	}
	for _, difference := range d.Differences {
		answer.Differences = append(answer.Differences, differenceJSON{
			difference.Register, difference.Field, typed(difference.Register, difference.A), typed(difference.Register, difference.B),
			difference.More, difference.Who, difference.Means,
		})
	}
	return answer
}

func idTexts(ids []arm64.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = idText(id)
	}
	return texts
}
