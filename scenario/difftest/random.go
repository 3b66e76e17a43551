package difftest

import (
	"slices"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/scenario"
)

// sequenceLength is how many random steps one VM is put through.
const sequenceLength = 60

// sequences does random steps on VMs of random setups until the number of
// operations asked for is reached, and shrinks what shows a disagreement.
func (d *differ) sequences(setups []guise.Setup) error {
	done := 0
	for sequence := 0; done < d.options.Operations && len(setups) > 0; sequence++ {
		if sequence%20 == 0 {
			d.progress("random operations: %d of %d", done, d.options.Operations)
		}
		setup := setups[d.random.IntN(len(setups))]
		steps := make([]scenario.Step, sequenceLength)
		for i := range steps {
			steps[i] = d.step(&setup)
		}
		n, failed, err := d.play(setup, steps)
		if err != nil {
			return err
		}
		done += n
		if failed {
			if err := d.shrink(setup, steps[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// play does the steps in a new VM, up to the first disagreement. It returns how
// many it did and whether the last one showed a disagreement.
func (d *differ) play(setup guise.Setup, steps []scenario.Step) (done int, failed bool, err error) {
	p, err := d.pair(setup, 2)
	if err != nil || p == nil {
		return len(steps), false, err
	}
	defer p.close()
	for i := range steps {
		_, agreed, err := p.do(steps[i])
		if err != nil {
			return i, false, err
		}
		if !agreed {
			return i + 1, true, nil
		}
		p.remember(steps[i])
	}
	return len(steps), false, nil
}

// shrink drops steps as long as a disagreement remains, and reports the
// shortest scenario in place of the one that was found.
func (d *differ) shrink(setup guise.Setup, steps []scenario.Step) error {
	differing, kept := d.report.Differing, d.kept[d.suite]
	known := slices.Clone(d.report.Disagreements)
	compared := d.report.Comparisons[d.suite]
	for size := len(steps) / 2; size >= 1; {
		shorter := false
		for at := 0; at+size <= len(steps); {
			candidate := slices.Concat(steps[:at], steps[at+size:])
			n, failed, err := d.play(setup, candidate)
			if err != nil {
				return err
			}
			if failed {
				steps, shorter = candidate[:n], true
			} else {
				at += size
			}
		}
		if !shorter {
			size /= 2
		}
	}
	// What was counted while shrinking does not count.
	d.report.Comparisons[d.suite], d.report.Differing, d.report.Disagreements = compared, differing, known
	if kept >= maxDisagreements || kept == 0 {
		return nil
	}
	// The short scenario takes the place of the long one.
	d.kept[d.suite] = kept - 1
	d.report.Disagreements = known[:len(known)-1]
	d.report.Differing--
	_, _, err := d.play(setup, steps)
	return err
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
	case choice < 87:
		return scenario.Step{Verb: scenario.List, VCPU: vcpu}
	case choice < 89:
		return scenario.Step{Verb: scenario.Enter, VCPU: vcpu}
	case choice < 91:
		return scenario.Step{Verb: scenario.VGIC}
	case choice < 93:
		return scenario.Step{Verb: scenario.Finalize, VCPU: vcpu}
	case choice < 95:
		return scenario.Step{Verb: scenario.Reinit, VCPU: vcpu, Features: d.features(setup)}
	case choice < 98:
		return filter(d.function(), d.random.Uint32N(4), [...]uint8{0, 1, 3}[d.random.IntN(3)])
	case runnable(setup):
		return scenario.Step{Verb: scenario.Guest, VCPU: vcpu, Ops: d.ops()}
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
func (d *differ) ops() []probe.Op {
	all := probe.Join("random", probe.FeatureSpace(), probe.ServiceCalls()).Ops
	var ops []probe.Op
	for range 8 {
		op := all[d.random.IntN(len(all))]
		if !slices.ContainsFunc(ops, func(o probe.Op) bool { return o.Kind == op.Kind && o.Name == op.Name }) {
			ops = append(ops, op)
		}
	}
	return ops
}
