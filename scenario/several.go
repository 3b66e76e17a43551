package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/vm"
)

// RunOnAny runs a script on each of the hosts that one may be: the same machine
// under each kernel that its version leaves open, oldest first, as
// model/arm64.OpenAny gives them. name is the host's, for all of them. A line that
// comes out as it must on all has passed, one that does on none has failed, and
// any other is not settled. trace, where not nil, is told each line once, with all
// that came of it. Errors are as those of Run.
func (s *Script) RunOnAny(ctx context.Context, name string, hosts []vm.Host, trace func(text string)) (*Outcome, error) {
	if len(hosts) == 0 {
		return nil, fmt.Errorf("%s: there is no host to run on", name)
	}
	if len(hosts) == 1 {
		outcome, err := s.Run(ctx, hosts[0], trace)
		if outcome != nil {
			outcome.Host = name
		}
		return outcome, err
	}
	merged := merger{lines: map[int]*mergedLine{}}
	outcome := &Outcome{Script: s.Name, Host: name, Failures: []Failure{}}
	skipped := 0
	for _, host := range hosts {
		r, err := s.run(ctx, host, nil)
		if err != nil {
			return outcome, err
		}
		outcome.Left = max(outcome.Left, r.outcome.Left)
		if r.outcome.Skipped != "" {
			outcome.Skipped = r.outcome.Skipped
			skipped++
		}
		merged.add(r)
	}
	if skipped > 0 && skipped < len(hosts) {
		outcome.Skipped += fmt.Sprintf(" (in %d of the %d kernels that %s may be)", skipped, len(hosts), name)
	}
	merged.settle(outcome, trace)
	return outcome, nil
}

// merger puts together what became of a script's lines on several hosts.
type merger struct {
	lines map[int]*mergedLine
}

// mergedLine is a line that was judged on at least one of the hosts: conditions
// may hold on some and not on others.
type mergedLine struct {
	judgement
	passed, failed bool
	got, told      []Got
}

func (m *merger) add(r *runner) {
	for _, j := range r.judged {
		l := m.lines[j.line]
		if l == nil {
			l = &mergedLine{judgement: j}
			m.lines[j.line] = l
		}
		switch version := r.version.String(); {
		case j.left:
			l.told = noted(l.told, version, j.told)
			continue
		default:
			l.got, l.told = noted(l.got, version, j.got), noted(l.told, version, j.told)
		}
		if j.want == j.got {
			l.passed = true
		} else {
			l.failed, l.want = true, j.want
		}
	}
}

// noted are results with one more, in the order of the kernels.
func noted(results []Got, kernel, got string) []Got {
	if n := len(results); n == 0 || results[n-1].Kernel != kernel {
		results = append(results, Got{Kernel: kernel})
	}
	last := &results[len(results)-1]
	if !slices.Contains(last.Words, got) {
		last.Words = append(last.Words, got)
	}
	return results
}

// changes are what a line gave, each time that it changes.
func changes(results []Got) []Got {
	return slices.CompactFunc(results, func(a, b Got) bool {
		return slices.Equal(slices.Sorted(slices.Values(a.Words)), slices.Sorted(slices.Values(b.Words)))
	})
}

func (m *merger) settle(outcome *Outcome, trace func(text string)) {
	for _, l := range m.inOrder() {
		if trace != nil {
			trace(fmt.Sprintf("%-60s %s", l.text, Results(changes(l.told))))
		}
		if !l.passed && !l.failed {
			continue // left on all
		}
		outcome.Checked++
		results := changes(l.got)
		switch {
		case !l.failed:
			outcome.Passed++
		case !l.passed:
			outcome.Failures = append(outcome.Failures, Failure{l.line, l.text, l.want, Results(results)})
		default:
			outcome.NotSettled = append(outcome.NotSettled, Unsettled{l.line, l.text, l.want, results})
		}
	}
}

func (m *merger) inOrder() []*mergedLine {
	numbers := make([]int, 0, len(m.lines))
	for number := range m.lines {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	lines := make([]*mergedLine, len(numbers))
	for i, number := range numbers {
		lines[i] = m.lines[number]
	}
	return lines
}

// Results says in words what a line gave: "EINVAL; from 6.8.12 on: done".
func Results(results []Got) string {
	var parts []string
	for i, r := range results {
		words := strings.Join(r.Words, " or ")
		if i > 0 {
			words = "from " + r.Kernel + " on: " + words
		}
		parts = append(parts, words)
	}
	return strings.Join(parts, "; ")
}
