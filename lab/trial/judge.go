package trial

import (
	"fmt"

	"github.com/guise-project/guise/vm"
)

// Disagreement is an answer that was not predicted.
type Disagreement struct {
	Host  string
	Asked string // the contract or setup that the value was tried on
	// Name is the register and field, "" where it is about a whole contract.
	Name           string
	Value          uint64
	Predicted, Got string
}

func (d *Disagreement) String() string {
	return fmt.Sprintf("%s: %s: %s = %#x: predicted %s, got %s", d.Host, d.Asked, d.Name, d.Value, d.Predicted, d.Got)
}

// Judge holds the hosts' answers against what was predicted. The answers stand
// in the order of the captures and of Questions.
func (p *Plan) Judge(answers [][]vm.Answer) (Counts, []Disagreement, error) {
	j := &judge{plan: p, answers: answers, counts: p.counts}
	if len(answers) != len(p.hosts) {
		return j.counts, nil, fmt.Errorf("%d hosts answered, %d were asked", len(answers), len(p.hosts))
	}
	for host := range p.hosts {
		if len(answers[host]) != len(p.hosts[host].questions) {
			return j.counts, nil, fmt.Errorf("%s: %d answers to %d questions", p.captures[host].Name, len(answers[host]), len(p.hosts[host].questions))
		}
		for question := range p.hosts[host].questions {
			j.question(host, question)
		}
	}
	for i := range p.raises {
		j.raise(&p.raises[i])
	}
	return j.counts, j.found, nil
}

// judge is Judge under way.
type judge struct {
	plan    *Plan
	answers [][]vm.Answer
	counts  Counts
	found   []Disagreement
}

func (j *judge) disagree(host int, asked, name string, value uint64, predicted, got string) {
	j.found = append(j.found, Disagreement{j.plan.captures[host].Name, asked, name, value, predicted, got})
}

// question judges the answer to one question.
func (j *judge) question(host, question int) {
	e, q, a := &j.plan.hosts[host].expected[question], &j.plan.hosts[host].questions[question], &j.answers[host][question]
	if a.NotMade != "" {
		j.disagree(host, e.title, "", 0, "a VM", a.NotMade)
		return
	}
	for i := range a.Refusals {
		r := &a.Refusals[i]
		got := vm.ErrnoName(r.Errno)
		if r.Errno == 0 {
			got = fmt.Sprintf("stored as %#x", r.There)
		}
		j.disagree(host, e.title, r.Name(), r.Wanted, "taken", got)
	}
	for i := range a.Changed {
		r := &a.Changed[i]
		j.disagree(host, e.title, r.Name(), r.Wanted, "shown", fmt.Sprintf("shown as %#x after the first run", r.There))
	}
	if len(a.Refusals) > 0 {
		return
	}
	if len(a.Writes) != len(q.Writes) {
		j.disagree(host, e.title, "", 0, fmt.Sprintf("%d answers to single values", len(q.Writes)), fmt.Sprintf("%d", len(a.Writes)))
		return
	}
	for i := range q.Writes {
		w, got := &q.Writes[i], &a.Writes[i]
		if !got.Taken(w.Value) {
			j.counts.Refusals++
		}
		if !e.said[i].agrees(w.Value, got) {
			j.disagree(host, e.title, w.Name(), w.Value, e.said[i].String(), got.String())
		}
	}
}

// raise judges that no contract could show more: one member does not take the
// value.
func (j *judge) raise(r *raise) {
	for _, m := range r.members {
		a := &j.answers[m.host][m.question]
		if m.write >= len(a.Writes) {
			return // the contract was refused, which is a disagreement by itself
		}
		if !a.Writes[m.write].Taken(r.write.Value) {
			return
		}
	}
	if r.withheld {
		j.counts.Withheld++
		return
	}
	j.disagree(r.members[0].host, r.title, r.write.Name(), r.write.Value, "refused by a member", "taken by all")
}
