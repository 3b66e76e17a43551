package difftest

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/scenario"
	"github.com/guise-project/guise/vm"
)

// difference is one disagreement within a step's results.
type difference struct {
	step          *scenario.Step
	kernel, model string
}

type differences struct {
	compared, notModelled int
	found                 []difference
}

func (d *differences) add(step *scenario.Step, kernel, model string) {
	d.found = append(d.found, difference{step, kernel, model})
}

// compare holds the results of a step against each other.
func compare(step *scenario.Step, k, m *scenario.Result) *differences {
	d := &differences{compared: 1}
	if k.Errno != m.Errno {
		d.add(step, errnoText(k.Errno), errnoText(m.Errno))
		return d
	}
	if k.Errno != 0 {
		return d
	}
	switch step.Verb {
	case scenario.List:
		d.compared = len(k.Values)
		compareLists(d, step, k.Values, m.Values)
	case scenario.Guest:
		d.compared = 0
		compareTraces(d, step, k.Trace, m.Trace)
	default:
		for i := range k.Values {
			if k.Values[i] != m.Values[i] {
				d.add(step, fmt.Sprintf("%#x", k.Values[i]), fmt.Sprintf("%#x", m.Values[i]))
			}
		}
	}
	return d
}

func compareLists(d *differences, step *scenario.Step, k, m []uint64) {
	for _, id := range k {
		if _, found := slices.BinarySearch(m, id); !found {
			d.add(step, "lists "+arm64.ID(id).String(), "does not")
		}
	}
	for _, id := range m {
		if _, found := slices.BinarySearch(k, id); !found {
			d.add(step, "does not", "lists "+arm64.ID(id).String())
		}
	}
}

func compareTraces(d *differences, step *scenario.Step, k, m *probe.Trace) {
	if k.EL != m.EL {
		one := scenario.Step{Verb: scenario.Guest, VCPU: step.VCPU, Ops: step.Ops[:1]}
		d.add(&one, fmt.Sprintf("runs at EL%d", k.EL), fmt.Sprintf("runs at EL%d", m.EL))
	}
	for i := range step.Ops {
		kr, mr := &k.Records[i], &m.Records[i]
		if mr.Outcome == probe.NotRun {
			d.notModelled++
			continue
		}
		d.compared++
		one := scenario.Step{Verb: scenario.Guest, VCPU: step.VCPU, Ops: step.Ops[i : i+1]}
		if kt, mt := recordText(kr, &step.Ops[i]), recordText(mr, &step.Ops[i]); kt != mt {
			d.add(&one, kt, mt)
		}
	}
}

// recordText is what a record says that can be compared. What an instruction
// computes is not: the model says whether it runs.
func recordText(r *probe.Record, op *probe.Op) string {
	switch r.Outcome {
	case probe.Completed:
		if op.Varies || op.Kind == probe.Execute {
			return "completed"
		}
		return fmt.Sprintf("%#x", r.Values[:r.Count])
	case probe.Exception:
		return "exception, " + probe.ExplainSyndrome(r.Syndrome)
	}
	return r.Outcome.String()
}

func errnoText(errno syscall.Errno) string {
	if errno == 0 {
		return "done"
	}
	return scenario.ErrnoName(errno)
}

// refusal is what a host says to a setup: the errno, and where it was given.
func refusal(err error) string {
	var errno syscall.Errno
	var call *vm.CallError
	switch {
	case err == nil:
		return "made"
	case errors.As(err, &call):
		return call.Call + ": " + scenario.ErrnoName(call.Errno)
	case errors.As(err, &errno):
		return scenario.ErrnoName(errno)
	}
	return err.Error()
}
