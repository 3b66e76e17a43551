// Package trial puts what guise computes to real kernels.
//
// A Plan is made from captures: it computes baselines, and turns each into
// questions for the hosts it is about, with the answers that are predicted. A
// contract is to be taken by every member, and each of its fields one step
// higher to be refused by one of them; where there is no contract, each value
// that stands against one is to be refused, with the errno that is predicted.
// The same question is put to a host once, whoever asks it. Judge holds the
// answers against the predictions.
package trial

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// Plan is what is to be put to hosts, and what they should answer. It is not
// safe for concurrent use while it is added to.
type Plan struct {
	captures []*guise.Capture
	hosts    []hostPlan
	raises   []raise
	counts   Counts
}

// hostPlan is what is to be put to one host.
type hostPlan struct {
	questions []vm.Question
	places    map[string]int // of questions, by what makes them the same
	expected  []expected     // of the questions
}

// expected is what is predicted of one question.
type expected struct {
	title  string
	writes map[vm.Write]int // their places in the question
	said   []prediction     // of the writes
}

// raise is a field of a contract one step higher, on each member.
type raise struct {
	title   string
	write   vm.Write
	members []raised
	// withheld: all members take the value, and a baseline does not choose it
	// because one of them shows less by itself.
	withheld bool
}

// raised is where the answer of one member stands.
type raised struct{ host, question, write int }

// Counts are how much was asked and how it came out.
type Counts struct {
	Groups       int // of hosts, for which a baseline was computed
	Contracts    int // that were found, among them those with fields that vary
	Mended       int // of those, with a policy that Mend found
	Applications int // contracts that were put to a host
	Raises       int // fields one step higher, contract by contract
	Withheld     int // of those, values that all take and one shows less than
	Conflicts    int // findings against a contract
	NotWritable  int // of those, about what no VMM can write
	Values       int // single values that were put to a host
	Refusals     int // of those, that were refused or not shown
}

func (c Counts) String() string {
	return fmt.Sprintf("%d groups, %d contracts (%d mended), %d applications, %d fields raised (%d withheld), %d conflicts (%d not writable), %d single values, %d refused",
		c.Groups, c.Contracts, c.Mended, c.Applications, c.Raises, c.Withheld, c.Conflicts, c.NotWritable, c.Values, c.Refusals)
}

// NewPlan makes a plan for the hosts of the captures, which have nothing to
// answer yet.
func NewPlan(captures []*guise.Capture) *Plan {
	p := &Plan{captures: captures, hosts: make([]hostPlan, len(captures))}
	for i := range p.hosts {
		p.hosts[i].places = map[string]int{}
	}
	return p
}

// Questions returns what is to be put to the host with that place.
func (p *Plan) Questions(host int) []vm.Question { return p.hosts[host].questions }

// Pairs returns every pair of n hosts.
func Pairs(n int) [][]int {
	var pairs [][]int
	for a := range n {
		for b := a + 1; b < n; b++ {
			pairs = append(pairs, []int{a, b})
		}
	}
	return pairs
}

// Subsets returns count random subsets of n hosts, of at least three members
// each: most are small, because large ones of unlike hosts have no contract.
func Subsets(n, count int, random *rand.Rand) [][]int {
	var subsets [][]int
	for range count {
		size := 3
		for size < n && random.IntN(2) == 0 {
			size++
		}
		subset := random.Perm(n)[:size]
		slices.Sort(subset)
		subsets = append(subsets, subset)
	}
	return subsets
}

// Add computes the baseline of a group of hosts under a policy, nil for none,
// and adds what follows from it. Where there is no contract and mend is true,
// so is the contract that the least change of the policy gives.
func (p *Plan) Add(group []int, policy *guise.Policy, mend bool) (*guise.BaselineResult, error) {
	captures := make([]*guise.Capture, len(group))
	for i, host := range group {
		captures[i] = p.captures[host]
	}
	result, err := guise.Baseline(captures, policy)
	if err != nil {
		return nil, err
	}
	p.counts.Groups++
	if result.Contract != nil {
		p.contract(group, result.Contract)
		return result, nil
	}
	for i := range result.Findings {
		p.conflict(group, result.Setup.Key(), &result.Findings[i])
	}
	if !mend {
		return result, nil
	}
	mended, err := guise.Mend(captures, policy, result)
	if err != nil {
		return nil, err
	}
	if mended != nil && mended.Result.Contract != nil {
		p.counts.Mended++
		p.contract(group, mended.Result.Contract)
	}
	return result, nil
}

// names lists the hosts of a group.
func (p *Plan) names(group []int) string {
	names := make([]string, len(group))
	for i, host := range group {
		names[i] = p.captures[host].Name
	}
	return strings.Join(names, ", ")
}

// contract has a contract applied by each member, and each field of it raised.
func (p *Plan) contract(group []int, contract *guise.Contract) {
	p.counts.Contracts++
	// Who a contract was made from and what its hosts list is nothing that is
	// applied: without it, contracts of many groups are the same.
	bare := *contract
	bare.Name, bare.MadeFrom, bare.Listed = "", nil, nil
	key, title := bare.Digest(), "contract of "+p.names(group)
	questions := make([]int, len(group))
	for i, host := range group {
		questions[i] = p.question(host, key, vm.Question{Contract: &bare}, title)
	}
	for slot := range arm64.Slots {
		place := int(arm64.Slots[slot].Register)
		register, field := arm64.Slots[slot].Describe()
		if !bare.View.Present.Has(place) || !vm.ContractRegister(place) || bare.Vary[place]&field.Mask() != 0 {
			continue
		}
		chosen, known := arm64.Slots[slot].Extract(bare.View.Values[place])
		if !known {
			continue
		}
		for _, value := range p.higher(group, bare.Setup.Key(), slot, chosen) {
			if p.decidedByCPU(group, bare.Setup.Key(), slot, value) {
				continue
			}
			r := raise{title: title, write: vm.Write{Register: register.Name, Field: field.Name, Value: arm64.Slots[slot].Value(value)}}
			takenByAll, exceeds := true, false
			for i, host := range group {
				setup := p.captures[host].Setup(bare.Setup.Key())
				limit, _ := arm64.Slots[slot].Extract(setup.View.Values[place])
				says := p.predict(host, setup, slot, value)
				takenByAll, exceeds = takenByAll && says.shown, exceeds || isa.Exceeds(field, value, limit)
				r.members = append(r.members, raised{host, questions[i], p.write(host, questions[i], r.write, says)})
			}
			r.withheld = takenByAll && exceeds
			p.counts.Raises++
			p.raises = append(p.raises, r)
		}
	}
}

// readFromCPU reports whether guests of a host read a register from the CPU,
// whatever userspace writes and reads.
func (p *Plan) readFromCPU(host, place int) bool {
	return place == arm64.CTREL0 && !p.profile(host).Does(kernel.TrapsCaches)
}

// decidedByCPU reports whether the CPU of a member keeps a value from its
// guests: nothing that is written tells.
func (p *Plan) decidedByCPU(group []int, key string, slot int, value uint64) bool {
	return slices.ContainsFunc(group, func(host int) bool {
		return p.readFromCPU(host, int(arm64.Slots[slot].Register)) && !p.captures[host].Setup(key).Offers.Set(slot).Has(value)
	})
}

// higher returns the value that is one step above the chosen one by the field's
// order, and the one that is the next above it that any member takes.
func (p *Plan) higher(group []int, key string, slot int, chosen uint64) []uint64 {
	_, field := arm64.Slots[slot].Describe()
	taken := isa.Set(0)
	for _, host := range group {
		taken |= p.captures[host].Setup(key).Offers.Set(slot)
	}
	all := isa.All(min(field.Width, 4))
	if arm64.Slots[slot].Coded {
		all = isa.Set(1)<<len(field.Values) - 1
	}
	var values []uint64
	for _, among := range []isa.Set{all, taken} {
		next, found := uint64(0), false
		for _, value := range among.Values() {
			if isa.Exceeds(field, value, chosen) && (!found || isa.Exceeds(field, next, value)) {
				next, found = value, true
			}
		}
		if found && !slices.Contains(values, next) {
			values = append(values, next)
		}
	}
	return values
}

// conflict has the values of a finding that stands against a contract put to
// its hosts: each host is given the others' values.
func (p *Plan) conflict(group []int, key string, f *guise.Finding) {
	if f.Verdict != guise.No {
		return
	}
	p.counts.Conflicts++
	place, ok := arm64.Place(f.Register)
	if !ok || !vm.ContractRegister(place) || len(f.Hosts) < 2 {
		p.counts.NotWritable++
		return
	}
	witnesses := slices.DeleteFunc(slices.Clone(group), func(host int) bool {
		return !slices.ContainsFunc(f.Hosts, func(v guise.HostValue) bool { return v.Host == p.captures[host].Name })
	})
	for _, host := range witnesses {
		for _, other := range witnesses {
			if other != host {
				p.foreign(host, other, key, place, f.Field)
			}
		}
	}
}

// foreign gives a host what another one shows of a register, or of a field.
func (p *Plan) foreign(host, other int, key string, place int, fieldName string) {
	register := &arm64.Registers[place]
	setup, theirs := p.captures[host].Setup(key), p.captures[other].Setup(key).View
	if !theirs.Present.Has(place) || p.readFromCPU(host, place) {
		return
	}
	question := p.question(host, "setup "+key, vm.Question{Setup: setup.Setup}, "setup "+key)
	if field := register.Field(fieldName); field != nil {
		write := vm.Write{Register: register.Name, Field: field.Name, Value: field.Get(theirs.Values[place])}
		if slot, ok := slotOf(place, field); ok {
			if value, known := arm64.Slots[slot].Extract(theirs.Values[place]); known {
				p.write(host, question, write, p.predict(host, setup, slot, value))
			}
			return
		}
		p.write(host, question, write, p.predictRest(host, setup, place, theirs.Values[place]&field.Mask()))
		return
	}
	rest := arm64.RestMask(place)
	value := setup.View.Values[place]&^rest | theirs.Values[place]&rest
	p.write(host, question, vm.Write{Register: register.Name, Value: value}, p.predictRest(host, setup, place, value))
}

// slotOf returns the slot of a field, and false for one that is compared whole.
func slotOf(place int, field *isa.Field) (int, bool) {
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		if _, f := arm64.Slots[slot].Describe(); f == field {
			return slot, true
		}
	}
	return 0, false
}

// question returns the place of a question among those of a host, which is
// added where it is new.
func (p *Plan) question(host int, key string, q vm.Question, title string) int {
	h := &p.hosts[host]
	at, ok := h.places[key]
	if !ok {
		at = len(h.questions)
		h.places[key] = at
		h.questions = append(h.questions, q)
		h.expected = append(h.expected, expected{title: title, writes: map[vm.Write]int{}})
		if q.Contract != nil {
			p.counts.Applications++
		}
	}
	return at
}

// write returns the place of a write in a question, to which it is added where
// it is new.
func (p *Plan) write(host, question int, w vm.Write, says prediction) int {
	e := &p.hosts[host].expected[question]
	at, ok := e.writes[w]
	if !ok {
		at = len(e.said)
		e.writes[w] = at
		e.said = append(e.said, says)
		q := &p.hosts[host].questions[question]
		q.Writes = append(q.Writes, w)
		p.counts.Values++
	}
	return at
}
