package main

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// printJSON writes a value for programs: sorted keys, two spaces.
func (s *session) printJSON(value any) error {
	data, err := json.Marshal(value, json.Deterministic(true), jsontext.WithIndent("  "), json.FormatNilSliceAsNull(false))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "%s\n", data)
	return err
}

var verdictColours = map[guise.Verdict]text.Color{
	guise.Yes: text.FgGreen, guise.No: text.FgRed, guise.Unknown: text.FgYellow,
}

// headline writes the first line of an answer, a plain sentence: the claim, which
// holds the verdict and is coloured where that is wanted, and after a colon what
// more there is to say of it, if anything.
func (s *session) headline(v guise.Verdict, claim, more string) {
	if s.colours() {
		claim = verdictColours[v].EscapeSeq() + claim + text.Reset.EscapeSeq()
	}
	fmt.Fprintln(s.stdout, joined(claim, more))
}

// joined joins a claim and what more there is to say of it.
func joined(claim, more string) string {
	if more == "" {
		return claim
	}
	return claim + ": " + more
}

// statusOf is the exit status of a verdict.
func statusOf(v guise.Verdict) int {
	switch v {
	case guise.Yes:
		return statusYes
	case guise.No:
		return statusNo
	}
	return statusUnknown
}

// worstStatus folds the verdicts of many hosts: any no is no, then any unknown.
func worstStatus(verdicts []guise.HostVerdict) int {
	return statusOf(worstVerdict(verdicts))
}

func worstVerdict(verdicts []guise.HostVerdict) guise.Verdict {
	worst := guise.Yes
	for i := range verdicts {
		worst = max(worst, verdicts[i].Verdict)
	}
	return worst
}

// worstOutcome is the verdict on moves that are all to go on unchanged.
func worstOutcome(moves []guise.Move) guise.Verdict {
	worst := guise.Yes
	for i := range moves {
		worst = max(worst, moves[i].Outcome.Verdict())
	}
	return worst
}

// count writes a number with its noun: "1 field", "3 fields".
func count(n int, noun string) string {
	if n == 1 || noun == "more" {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// shortNames leaves out what all names share after an "@": hosts on one kernel
// are told apart without it.
func shortNames(names []string) map[string]string {
	short := make(map[string]string, len(names))
	common := ""
	for i, name := range names {
		_, version, found := strings.Cut(name, "@")
		if i == 0 {
			common = version
		}
		if !found || version != common || len(names) < 2 {
			common = ""
			break
		}
	}
	seen := map[string]bool{}
	for _, name := range names {
		cut := strings.TrimSuffix(name, "@"+common)
		if common == "" || seen[cut] {
			cut = name
		}
		seen[cut] = true
		short[name] = cut
	}
	return short
}

// elide cuts a list to its first entries and says how many more there are.
func elide(entries []string, most int) string {
	if len(entries) <= most {
		return strings.Join(entries, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(entries[:most], ", "), len(entries)-most)
}

// hint prints a hint to standard error.
func (s *session) hint(format string, args ...any) {
	fmt.Fprintf(s.stderr, "hint: "+format+"\n", args...)
}

// idText gives KVM's id of a register.
func idText(id arm64.ID) string { return fmt.Sprintf("0x%016x", uint64(id)) }
