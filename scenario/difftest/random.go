package difftest

import (
	"slices"
	"sync"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/scenario"
)

// sequenceLength is how many random steps one VM is put through. VMs whose vCPUs
// have EL2 take kernels seconds to minutes to tear down (Linux 7.2 walks each
// shadow stage 2 from one end of its addresses to the other), so that there are
// few of them, with more steps.
const (
	sequenceLength    = 60
	sequenceLengthEL2 = 600
	maxSequencesEL2   = 2
)

// sequences does random steps on VMs of random setups until the number of
// operations asked for is reached, and shrinks what shows a disagreement.
func (d *differ) sequences(accepted []guise.Setup) error {
	r := d.report
	for len(accepted) > 0 && r.Operations < d.options.Operations {
		if r.Sequences%20 == 0 {
			d.progress("random operations: %d of %d", r.Operations, d.options.Operations)
		}
		c, before := d.sequence(accepted), d.mark()
		done, failed, err := d.play(c)
		if err != nil {
			return err
		}
		// Making the VM is an operation, too.
		r.Sequences, r.Operations = r.Sequences+1, r.Operations+1+done
		if failed {
			if err := d.shrink(c.upTo(done), before); err != nil {
				return err
			}
		}
	}
	return nil
}

// course is a VM and what is done to it.
type course struct {
	setup guise.Setup
	steps []scenario.Step
}

// upTo is the course with its first steps only.
func (c course) upTo(steps int) course {
	c.steps = c.steps[:steps]
	return c
}

// sequence makes a random course.
func (d *differ) sequence(accepted []guise.Setup) course {
	c := course{setup: d.setup(accepted)}
	length := sequenceLength
	if c.setup.Has(guise.FeatureEL2) {
		length = sequenceLengthEL2
	}
	for range length {
		c.steps = append(c.steps, d.step(&c.setup))
	}
	return c
}

// setup draws a setup from those accepted, with a vGICv3 or a chosen identity at
// times. Most of what is accepted has a 32-bit EL1 or EL2, and there guests do
// not look around, so that these are drawn less.
func (d *differ) setup(accepted []guise.Setup) guise.Setup {
	const redraws = 3
	s := accepted[d.random.IntN(len(accepted))]
	for range redraws {
		if runnable(&s) {
			break
		}
		s = accepted[d.random.IntN(len(accepted))]
	}
	if s.Has(guise.FeatureEL2) {
		if d.sequencesEL2 >= maxSequencesEL2 {
			s = guise.Setup{} // which every host has
		} else {
			d.sequencesEL2++
		}
	}
	if s.VGIC == 0 && d.random.IntN(4) == 0 {
		s.VGIC = 3
	}
	if s.Capabilities == nil && d.random.IntN(6) == 0 {
		s.Capabilities = []string{chosenIdentity}
	}
	return s
}

// play does the steps in a new VM, up to the first disagreement. It returns how
// many it did and whether the last one showed a disagreement.
func (d *differ) play(c course) (done int, failed bool, err error) {
	differing := d.report.Differing
	p, err := d.pair(c.setup, 2)
	if err != nil || p == nil {
		return 0, d.report.Differing > differing, err
	}
	defer p.close()
	for i := range c.steps {
		_, agreed, err := p.do(c.steps[i])
		if err != nil {
			return i, false, err
		}
		if !agreed {
			return i + 1, true, nil
		}
		p.remember(c.steps[i])
	}
	return len(c.steps), false, nil
}

// step makes a random step that fits the setup.
func (d *differ) step(setup *guise.Setup) scenario.Step {
	places := registers()
	place := places[d.random.IntN(len(places))]
	vcpu := d.random.IntN(2)
	choice := d.random.IntN(100)
	switch {
	case choice < 55:
		s := set(place, d.value(place))
		s.VCPU = vcpu
		return s
	case choice < 84:
		s := get(place)
		for s.ID == id(arm64.CSSELREL1) {
			s = get(places[d.random.IntN(len(places))])
		}
		s.VCPU = vcpu
		return s
	case choice < 86:
		return scenario.Step{Verb: scenario.List, VCPU: vcpu}
	case choice < 87:
		return scenario.Step{Verb: scenario.Masks, Value: d.random.Uint64N(2)}
	case choice < 88:
		return scenario.Step{Verb: scenario.Enter, VCPU: vcpu}
	case choice < 90:
		return scenario.Step{Verb: scenario.VGIC}
	case choice < 91:
		return scenario.Step{Verb: scenario.Finalize, VCPU: vcpu}
	case choice < 93 && setup.Has(guise.FeatureSVE):
		return scenario.Step{Verb: scenario.Lengths, VCPU: vcpu, Value: 1<<d.random.IntN(18) - 1}
	case choice < 95:
		return scenario.Step{Verb: scenario.Reinit, VCPU: vcpu, Features: d.features(setup)}
	case choice < 97:
		return filter(d.function(), d.random.Uint32N(4), [...]uint8{0, 1, 3}[d.random.IntN(3)])
	case runnable(setup):
		return scenario.Step{Verb: scenario.Guest, VCPU: vcpu, Ops: d.ops(setup)}
	}
	return get(arm64.IDAA64PFR0EL1)
}

// value is a value for a register: near its limit as the model's host has it,
// which random bits would hardly ever be.
func (d *differ) value(place int) uint64 {
	now := d.limit(place)
	register := &arm64.Registers[place]
	if len(register.Fields) == 0 || d.random.IntN(10) == 0 {
		return now ^ 1<<d.random.IntN(int(register.Bits))
	}
	for range 1 + d.random.IntN(3) {
		field := &register.Fields[d.random.IntN(len(register.Fields))]
		v := field.Get(now)
		switch d.random.IntN(4) {
		case 0:
			v--
		case 1:
			v++
		case 2:
			v = 0
		default:
			v = d.random.Uint64()
		}
		now = field.Put(now, v)
	}
	return now
}

// limit is what the model shows a plain VM.
func (d *differ) limit(place int) uint64 {
	machine, err := d.model.NewVM(d.ctx, guise.Setup{}, 1)
	if err != nil {
		return 0
	}
	defer machine.Close()
	value, _ := machine.Get(0, id(place))
	return value
}

// features are those of the setup, or others.
func (d *differ) features(setup *guise.Setup) []guise.Feature {
	if d.random.IntN(2) == 0 {
		return setup.Features
	}
	var features []guise.Feature
	for _, f := range guise.Features {
		if f != guise.FeatureMTE && d.random.IntN(4) == 0 {
			features = append(features, f)
		}
	}
	return features
}

// function is the number of an SMCCC function, mostly one that KVM serves.
func (d *differ) function() uint32 {
	services := probe.Services
	return services[d.random.IntN(len(services))].Function + d.random.Uint32N(3) - 1
}

// ops are a few operations of a guest.
func (d *differ) ops(setup *guise.Setup) []probe.Op {
	const most = 8
	all := looks()[setup.State()]
	var ops []probe.Op
	for range most {
		op := all[d.random.IntN(len(all))]
		if !slices.ContainsFunc(ops, func(o probe.Op) bool { return o.Kind == op.Kind && o.Name == op.Name }) {
			ops = append(ops, op)
		}
	}
	return ops
}

// looks are all operations of the programs that guests run to look.
var looks = sync.OnceValue(func() map[probe.State][]probe.Op {
	all := map[probe.State][]probe.Op{}
	for _, setup := range []guise.Setup{{}, {Features: []guise.Feature{guise.FeatureAArch32}}} {
		all[setup.State()] = probe.Join("random", programs(&setup)...).Ops
	}
	return all
})
