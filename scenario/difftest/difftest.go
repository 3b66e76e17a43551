// Package difftest puts two hosts side by side, as a rule a real kernel and the
// reference model of it, does the same things to VMs of both, and reports every
// result in which they differ.
package difftest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/scenario"
	"github.com/guise-project/guise/vm"
)

// Options choose what to compare.
type Options struct {
	// Seed is that of every random choice; print it. Each suite draws from a
	// generator of its own, so that it can be repeated alone.
	Seed uint64
	// Operations is how many random operations to do; 0 stands for 10,000,
	// negative for none.
	Operations int
	// Full sweeps all registers in every setup. Otherwise setups after the first
	// sweep only what they show otherwise, and what they are about.
	Full bool
	// Setups are those to sweep; nil stands for each feature alone, all of
	// them together, a vGIC and a chosen identity, as far as the host has them.
	Setups []guise.Setup
	// Suites are those to run beside Setups; nil stands for all.
	Suites []Suite
	// Progress, where not nil, is told what is being compared.
	Progress func(what string)
}

// Suite names a part of the comparison.
type Suite string

const (
	// Setups: which setups are accepted, their register lists, and what they
	// show before anyone writes.
	Setups Suite = "setups"
	// Sweep writes every value of every field and every bit outside fields,
	// before the first run and after it.
	Sweep Suite = "sweep"
	// Services: hypercall bitmaps, firmware registers, the SMCCC filter.
	Services Suite = "services"
	// Kept writes what KVM only keeps for a vCPU, and reads it back.
	Kept Suite = "kept"
	// GuestSuite runs probe programs.
	GuestSuite Suite = "guest"
	// Random does random operations in random order.
	Random Suite = "random"
)

// AllSuites lists the suites in the order they run.
var AllSuites = []Suite{Setups, Sweep, Services, Kept, GuestSuite, Random}

// Disagreement is one result in which the hosts differ.
type Disagreement struct {
	Suite Suite  `json:"suite"`
	Setup string `json:"setup"`
	// Scenario is a script that shows it.
	Scenario string `json:"scenario"`
	Kernel   string `json:"kernel"`
	Model    string `json:"model"`
}

// Report is the outcome.
type Report struct {
	Kernel string `json:"kernel"`
	Model  string `json:"model"`
	Seed   uint64 `json:"seed"`
	// Comparisons counts results compared, by suite.
	Comparisons map[Suite]int `json:"comparisons"`
	// Differing counts those that differ; Disagreements holds the first of each
	// kind, some of each suite.
	Differing     int            `json:"differing"`
	Disagreements []Disagreement `json:"disagreements"`
	// NotModelled counts guest operations of which the model does not say what
	// comes of them.
	NotModelled int `json:"notModelled"`
	// Sequences and Operations count what the random suite did: VMs, and steps
	// taken on them.
	Sequences  int `json:"sequences"`
	Operations int `json:"operations"`
}

// Total is the number of results compared.
func (r *Report) Total() int {
	total := 0
	for _, n := range r.Comparisons {
		total += n
	}
	return total
}

const (
	maxDisagreements = 30 // of a suite
	// maxAlike is how many disagreements about one register, or of one verb,
	// are kept in one setup.
	maxAlike = 2
)

// differ is one comparison under way.
type differ struct {
	ctx           context.Context
	kernel, model vm.Host
	options       Options
	random        *rand.Rand
	report        *Report
	suite         Suite
	alike         map[string]int
	kept          map[Suite]int
	// shown is what the first setup showed, by place.
	shown map[int]uint64
	// sequencesEL2 counts random sequences on VMs with EL2.
	sequencesEL2 int
	// shrinkingEnds is when to stop shrinking.
	shrinkingEnds time.Time
}

// Run compares. An error means that a host could not be asked; what was found
// until then is in the report.
func Run(ctx context.Context, kernel, model vm.Host, options Options) (*Report, error) {
	if options.Operations == 0 {
		options.Operations = 10_000
	}
	d := &differ{
		ctx: ctx, kernel: kernel, model: model, options: options,
		report: &Report{Kernel: kernel.String(), Model: model.String(), Seed: options.Seed, Comparisons: map[Suite]int{}},
		alike:  map[string]int{}, kept: map[Suite]int{}, shown: map[int]uint64{},
	}
	accepted, err := d.setups()
	if err != nil {
		return d.report, err
	}
	setups := options.Setups
	if setups == nil {
		setups = choose(accepted)
	} else {
		accepted = setups
	}
	for i, run := range []struct {
		suite Suite
		do    func([]guise.Setup) error
	}{{Sweep, d.sweep}, {Services, d.services}, {Kept, d.keptRegisters}, {GuestSuite, d.guest}, {Random, d.sequences}} {
		if options.Suites != nil && !slices.Contains(options.Suites, run.suite) {
			continue
		}
		d.suite, d.random = run.suite, rand.New(rand.NewPCG(options.Seed, uint64(i)))
		if run.suite == Random {
			setups = accepted
		}
		if err := run.do(setups); err != nil {
			return d.report, fmt.Errorf("%s: %w", run.suite, err)
		}
	}
	return d.report, nil
}

func (d *differ) progress(format string, args ...any) {
	if d.options.Progress != nil {
		d.options.Progress(fmt.Sprintf(format, args...))
	}
}

// pair is the same VM on both hosts.
type pair struct {
	d             *differ
	setup         guise.Setup
	kernel, model vm.VM
	// wide: fields of many bits are tried with random values too.
	wide bool
	// past is what was done so far that may matter for what comes after.
	past []scenario.Step
}

// pair makes a VM of a setup on both hosts. It returns nil where both refuse,
// or one does, which is a disagreement.
func (d *differ) pair(setup guise.Setup, vcpus int) (*pair, error) {
	p := &pair{d: d, setup: setup}
	var kernelErr, modelErr error
	p.kernel, kernelErr = d.kernel.NewVM(d.ctx, setup, vcpus)
	p.model, modelErr = d.model.NewVM(d.ctx, setup, vcpus)
	d.report.Comparisons[d.suite]++
	if kernelErr == nil && modelErr == nil {
		return p, nil
	}
	if kernelErr == nil {
		_ = p.kernel.Close()
	}
	if modelErr == nil {
		_ = p.model.Close()
	}
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	if k, m := refusal(kernelErr), refusal(modelErr); k != m {
		p.disagree(nil, k, m)
	}
	return nil, nil
}

func (p *pair) close() {
	_ = p.kernel.Close()
	_ = p.model.Close()
}

// do takes a step on both VMs and compares. It returns what the kernel gave and
// whether the model agreed.
func (p *pair) do(step scenario.Step) (r scenario.Result, agreed bool, err error) {
	k, err := step.Do(p.d.ctx, p.kernel)
	if err != nil {
		return k, false, fmt.Errorf("%s: %w", p.d.kernel, err)
	}
	m, err := step.Do(p.d.ctx, p.model)
	if err != nil {
		return k, false, fmt.Errorf("%s: %w", p.d.model, err)
	}
	if k.Missing || m.Missing {
		return k, true, nil
	}
	differences := compare(&step, &k, &m)
	p.d.report.NotModelled += differences.notModelled
	p.d.report.Comparisons[p.d.suite] += differences.compared
	for _, x := range differences.found {
		p.disagree(x.step, x.kernel, x.model)
	}
	return k, len(differences.found) == 0, nil
}

// remember keeps a step for the scenarios of later disagreements.
func (p *pair) remember(step scenario.Step) { p.past = append(p.past, step) }

// script is what shows a disagreement: the VM, what was done, and the step.
func (p *pair) script(step *scenario.Step) string {
	lines := []string{scenario.VMLine(&p.setup)}
	for i := range p.past {
		lines = append(lines, p.past[i].String())
	}
	if step != nil {
		lines = append(lines, step.String())
	}
	return strings.Join(lines, "\n")
}

func (p *pair) disagree(step *scenario.Step, kernel, model string) {
	r := p.d.report
	r.Differing++
	if p.d.familiar(p.setup.Name(), step) {
		return
	}
	r.Disagreements = append(r.Disagreements, Disagreement{
		Suite: p.d.suite, Setup: p.setup.Name(), Scenario: p.script(step), Kernel: kernel, Model: model,
	})
}

// familiar reports whether enough disagreements of the kind are kept.
func (d *differ) familiar(setup string, step *scenario.Step) bool {
	if d.kept[d.suite] >= maxDisagreements {
		return true
	}
	key := string(d.suite) + " " + setup
	if step != nil {
		key += " " + step.Verb.String()
		switch step.Verb {
		case scenario.Get, scenario.Set:
			key += " " + step.ID.String()
		case scenario.Guest:
			key += " " + step.Ops[0].Kind.String() + " " + step.Ops[0].Name
		}
	}
	d.alike[key]++
	if d.alike[key] > maxAlike && d.suite != Random {
		return true
	}
	d.kept[d.suite]++
	return false
}

// programs are what guests of a setup run to look.
func programs(setup *guise.Setup) []*probe.Program {
	if setup.State() == probe.AArch32 {
		return []*probe.Program{probe.FeatureSpace32(), probe.Writes32(), probe.ServiceCalls32(), probe.Hardware32(), probe.Instructions32()}
	}
	return []*probe.Program{probe.FeatureSpace(), probe.Writes(), probe.ServiceCalls(), probe.Hardware(), probe.Instructions()}
}

// programsLowered are those of them that see what was lowered.
func programsLowered(setup *guise.Setup) []*probe.Program {
	if setup.State() == probe.AArch32 {
		return []*probe.Program{probe.FeatureSpace32(), probe.Hardware32(), probe.Instructions32()}
	}
	return []*probe.Program{probe.FeatureSpace(), probe.Hardware(), probe.Instructions()}
}
