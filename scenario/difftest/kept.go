package difftest

import (
	"slices"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/scenario"
)

// keptRegisters writes to every register that a VM lists and the table of the guest's view
// does not have, one after the other, and then reads all of them: what is kept is
// there whole, and nothing that was written to another. Registers beyond 64 bits
// are left out, and PSTATE: some values turn the vCPU to AArch32.
func (d *differ) keptRegisters(setups []guise.Setup) error {
	for _, setup := range setups {
		d.progress("registers kept for %s", setup.Name())
		p, err := d.pair(setup, 1)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		err = p.keep()
		p.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pair) keep() error {
	if p.setup.Has(guise.FeatureSVE) {
		if err := p.each(scenario.Step{Verb: scenario.Finalize}); err != nil {
			return err
		}
	}
	listed, err := (&scenario.Step{Verb: scenario.List}).Do(p.d.ctx, p.kernel)
	if err != nil || listed.Missing {
		return err
	}
	ids := slices.DeleteFunc(listed.Values, func(value uint64) bool {
		_, seen := arm64.PlaceOf(arm64.ID(value))
		const pstate = 0x6030_0000_0010_0042
		return seen || value == pstate || arm64.ID(value).Size() > 8
	})
	for _, all := range []uint64{0, ^uint64(0)} {
		var steps []scenario.Step
		for _, id := range ids {
			bits := uint(8 * arm64.ID(id).Size())
			step := scenario.Step{Verb: scenario.Set, ID: arm64.ID(id), Value: (p.d.random.Uint64() | all) & (1<<bits - 1)}
			steps = append(steps, step)
		}
		for _, id := range ids {
			steps = append(steps, scenario.Step{Verb: scenario.Get, ID: arm64.ID(id)})
		}
		if err := p.each(steps...); err != nil {
			return err
		}
	}
	return nil
}

// each does steps, one after the other.
func (p *pair) each(steps ...scenario.Step) error {
	for _, step := range steps {
		if _, _, err := p.do(step); err != nil {
			return err
		}
		p.remember(step)
	}
	return nil
}
