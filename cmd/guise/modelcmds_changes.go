package main

import (
	"fmt"

	"github.com/guise-project/guise/kernel"
)

// modelChangesCommand prints the change log between two kernels.
type modelChangesCommand struct {
	From string `arg:"" help:"A kernel version, as 6.1."`
	To   string `arg:"" help:"A kernel version, as 7.2."`
	JSON bool   `name:"json" help:"Print the entries as JSON."`
}

type changeJSON struct {
	When    string `json:"when"`
	Subject string `json:"subject,omitzero"`
	Text    string `json:"text"`
	Settled bool   `json:"settled"`
	// SourceOnly: no CPU of the lab has it.
	SourceOnly bool `json:"sourceOnly,omitzero"`
}

func (c *modelChangesCommand) Run(s *session) (int, error) {
	var versions [2]kernel.Version
	for i, text := range []string{c.From, c.To} {
		v, err := kernel.ParseVersion(text)
		if err == nil {
			_, err = kernel.Possible(v)
		}
		if err != nil {
			return 0, &inputError{err}
		}
		versions[i] = v
	}
	from, to := versions[0], versions[1]
	if from.Compare(to) > 0 {
		from, to = to, from
	}
	entries := kernel.Between(from, to)
	status := statusYes
	if len(entries) > 0 {
		status = statusNo
	}
	if c.JSON {
		return status, s.printJSON(changesJSON(entries))
	}
	if len(entries) == 0 {
		fmt.Fprintf(s.stdout, "Linux %v and %v are the same to guests: no entry of the change log lies between them\n", from, to)
		return status, nil
	}
	fmt.Fprintf(s.stdout, "Linux %v and %v are not the same to guests: %s of the change log\n\n", from, to, countEntries(len(entries)))
	rows := [][]string{{"release", "what", ""}}
	unsettled := 0
	for _, e := range entries {
		when := e.When
		if !e.Settled {
			when += " ?"
			unsettled++
		}
		rows = append(rows, []string{when, dashed(e.Subject), marked(e)})
	}
	columns(s.stdout, rows)
	if unsettled > 0 {
		fmt.Fprintf(s.stdout, "\nnot known: whether one of the two has the %s marked with ?\n", countEntries(unsettled))
	}
	if to.Compare(kernel.Newest) > 0 {
		fmt.Fprintf(s.stdout, "\nLinux %v is newer than all that are known (%v): what it changes is not in the log\n", to, kernel.Newest)
	}
	return status, nil
}

// marked is what an entry says, and that nobody saw it.
func marked(e kernel.Entry) string {
	if e.SourceOnly {
		return e.Text + " (read in source only)"
	}
	return e.Text
}

func countEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
