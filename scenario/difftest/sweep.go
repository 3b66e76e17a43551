package difftest

import (
	"slices"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/scenario"
)

// sweptWidth is up to which width a field is tried with every value;
// randomValues is how many a wider one is given beside those at its limit.
const (
	sweptWidth   = 8
	randomValues = 256
)

// chosenIdentity lets MIDR_EL1, REVIDR_EL1 and AIDR_EL1 be chosen.
const chosenIdentity = "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"

// registers are the places of the registers that are compared: all of which a
// VM has a copy.
func registers() []int {
	var places []int
	for place := range arm64.Registers {
		switch place {
		case arm64.PMCREL0, arm64.PMCEID0EL0, arm64.PMCEID1EL0, arm64.ICCCTLREL1, arm64.CNTFRQEL0:
			continue // state of devices, not views of the CPU
		}
		places = append(places, place)
	}
	return places
}

func id(place int) arm64.ID { return arm64.ID(arm64.Registers[place].ID) }

func get(place int) scenario.Step { return scenario.Step{Verb: scenario.Get, ID: id(place)} }

func set(place int, value uint64) scenario.Step {
	return scenario.Step{Verb: scenario.Set, ID: id(place), Value: value}
}

// setups compares which setups the hosts accept, what they list and what they
// show. It returns those accepted.
func (d *differ) setups() ([]guise.Setup, error) {
	d.suite = Setups
	var accepted []guise.Setup
	for _, protected := range []bool{false, true} {
		for mask := range 1 << len(guise.Features) {
			setup := guise.Setup{Protected: protected}
			for i, f := range guise.Features {
				if mask>>i&1 != 0 {
					setup.Features = append(setup.Features, f)
				}
			}
			d.progress("setup %s", setup.Name())
			p, err := d.pair(setup, 1)
			if err != nil {
				return nil, err
			}
			if p == nil {
				if protected && mask == 0 {
					return accepted, nil // the host has no protected VMs at all
				}
				continue
			}
			accepted = append(accepted, setup)
			err = p.look()
			p.close()
			if err != nil {
				return nil, err
			}
		}
	}
	return accepted, nil
}

// look compares the list, every register and the capabilities of a VM as it was
// made.
func (p *pair) look() error {
	steps := []scenario.Step{{Verb: scenario.List}}
	if p.setup.Has(guise.FeatureSVE) {
		steps = append(steps, scenario.Step{Verb: scenario.Finalize}, scenario.Step{Verb: scenario.Finalize}, scenario.Step{Verb: scenario.List})
	}
	steps = append(steps, scenario.Step{Verb: scenario.Masks}, scenario.Step{Verb: scenario.Masks, Value: 1})
	for _, place := range registers() {
		if place != arm64.CSSELREL1 { // reset to what nobody knows
			steps = append(steps, get(place))
		}
	}
	for _, row := range kvmabi.Capabilities {
		steps = append(steps, scenario.Step{Verb: scenario.Capability, Value: uint64(row.Capability)})
	}
	for _, step := range steps {
		if _, _, err := p.do(step); err != nil {
			return err
		}
	}
	return nil
}

// choose picks the setups to sweep from those accepted: the plainest, each
// feature alone, the one with most features, one with a vGIC, and one whose
// identity can be chosen; and of protected VMs the same.
func choose(accepted []guise.Setup) []guise.Setup {
	var chosen []guise.Setup
	for _, protected := range []bool{false, true} {
		most, any := guise.Setup{}, false
		for _, s := range accepted {
			if s.Protected != protected {
				continue
			}
			any = true
			if len(s.Features) <= 1 {
				chosen = append(chosen, s)
			}
			if len(s.Features) > len(most.Features) && !s.Has(guise.FeatureAArch32) && !s.Has(guise.FeatureEL2) {
				most = s
			}
		}
		if len(most.Features) > 1 {
			chosen = append(chosen, most)
		}
		if any || !protected {
			chosen = append(chosen, guise.Setup{VGIC: 3, Protected: protected}, guise.Setup{Capabilities: []string{chosenIdentity}, Protected: protected})
		}
	}
	return append(chosen, chooseAArch32(accepted)...)
}

// chooseAArch32 picks what else is looked at in AArch32, whose guests KVM answers
// by tables of their own: the setup with most features, and it with a vGIC and a
// chosen identity.
func chooseAArch32(accepted []guise.Setup) []guise.Setup {
	most := guise.Setup{}
	for _, s := range accepted {
		if s.Has(guise.FeatureAArch32) && len(s.Features) > len(most.Features) {
			most = s
		}
	}
	if most.Features == nil {
		return nil
	}
	return []guise.Setup{most, {Features: most.Features, VGIC: 3, Capabilities: []string{chosenIdentity}}, {Features: most.Features, VGIC: 3}}
}

// sweep writes everything, before the first run and after it.
func (d *differ) sweep(setups []guise.Setup) error {
	for i, setup := range setups {
		p, err := d.pair(setup, 1)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		p.wide = i == 0
		d.progress("sweep of %s", setup.Name())
		err = p.sweep()
		if err == nil {
			err = p.enter()
		}
		if err == nil {
			err = p.sweep()
		}
		p.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// enter runs nothing, which freezes what a first run freezes.
func (p *pair) enter() error {
	steps := []scenario.Step{{Verb: scenario.Enter}}
	if p.setup.Has(guise.FeatureSVE) {
		steps = append(steps, scenario.Step{Verb: scenario.Finalize}, scenario.Step{Verb: scenario.Enter})
	}
	for _, step := range steps {
		if _, _, err := p.do(step); err != nil {
			return err
		}
		p.remember(step)
	}
	return nil
}

func (p *pair) sweep() error {
	// UNKNOWN after a reset, and cut to the CPU's bits by a run.
	if _, _, err := p.do(set(arm64.CSSELREL1, 0)); err != nil {
		return err
	}
	for _, place := range registers() {
		now, _, err := p.do(get(place))
		if err != nil {
			return err
		}
		if !p.due(place, &now) {
			continue
		}
		if now.Errno != 0 {
			// Not there: writing must say so too.
			if _, _, err := p.do(set(place, 0)); err != nil {
				return err
			}
			continue
		}
		for _, value := range p.values(place, now.Values[0]) {
			if err := p.try(place, now.Values[0], value); err != nil {
				return err
			}
		}
		// After all that was refused.
		if _, _, err := p.do(get(place)); err != nil {
			return err
		}
	}
	return nil
}

// due reports whether the setup's sweep includes a register.
func (p *pair) due(place int, now *scenario.Result) bool {
	if p.wide || p.d.options.Full {
		if p.wide && now.Errno == 0 {
			if _, again := p.d.shown[place]; !again {
				p.d.shown[place] = now.Values[0]
			}
		}
		return true
	}
	switch place {
	case arm64.IDAA64PFR0EL1, arm64.IDPFR1EL1, arm64.IDAA64PFR2EL1: // the vGIC's
		return true
	case arm64.MIDREL1, arm64.REVIDREL1, arm64.AIDREL1:
		return len(p.setup.Capabilities) > 0
	}
	shown, there := p.d.shown[place]
	return there != (now.Errno == 0) || there && shown != now.Values[0]
}

// values are what a register is tried with: every named field at every value it
// can hold, or where it is wide at those that tell and in the first setup at
// random ones, and every other bit flipped.
func (p *pair) values(place int, now uint64) []uint64 {
	register := &arm64.Registers[place]
	all := uint64(1)<<register.Bits - 1
	if register.Bits == 64 {
		all = ^uint64(0)
	}
	values := []uint64{now}
	for i := range register.Fields {
		for _, v := range p.fieldValues(&register.Fields[i], register.Fields[i].Get(now)) {
			values = append(values, register.Fields[i].Put(now, v))
		}
	}
	for bit := uint64(1); bit != 0 && bit <= all; bit <<= 1 {
		if register.Named()&bit == 0 {
			values = append(values, now^bit)
		}
	}
	return values
}

func (p *pair) fieldValues(field *isa.Field, now uint64) []uint64 {
	var values []uint64
	if field.Width <= sweptWidth {
		for v := range uint64(1) << field.Width {
			values = append(values, v)
		}
		return values
	}
	values = append(values, 0, now, now+1, now-1)
	for bit := range field.Width {
		values = append(values, now^1<<bit)
	}
	if p.wide {
		for range randomValues {
			values = append(values, p.d.random.Uint64())
		}
	}
	for _, named := range field.Values {
		values = append(values, named.Value)
	}
	mask := field.Mask() >> field.LSB
	for i := range values {
		values[i] &= mask
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// try writes a value, reads back what was taken, and puts the old one back.
func (p *pair) try(place int, old, value uint64) error {
	step := set(place, value)
	wrote, agreed, err := p.do(step)
	if err != nil {
		return err
	}
	if agreed && wrote.Errno != 0 {
		return nil
	}
	p.remember(step)
	now, same, err := p.do(get(place))
	if err == nil && (!agreed || !same || now.Errno != 0 || now.Values[0] != old) {
		_, _, err = p.do(set(place, old))
	}
	p.past = p.past[:len(p.past)-1]
	return err
}
