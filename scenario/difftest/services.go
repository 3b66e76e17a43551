package difftest

import (
	"errors"
	"fmt"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/scenario"
	"github.com/guise-project/guise/vm"
)

// services compares what is set at VM level beside registers: the SMCCC filter,
// vector lengths, a second initialisation, the vGIC; and what hypercalls answer
// for every value of every bitmap.
func (d *differ) services(setups []guise.Setup) error {
	for _, setup := range setups {
		d.progress("services of %s", setup.Name())
		for _, script := range serviceScripts(&setup) {
			if err := d.script(setup, script); err != nil {
				return err
			}
		}
		if runnable(&setup) {
			if err := d.bitmaps(setup); err != nil {
				return err
			}
		}
	}
	return nil
}

// runnable reports whether probe programs can run in a VM of the setup; vCPUs
// with EL2 run only with a vGICv3.
func runnable(setup *guise.Setup) bool {
	return !setup.Has(guise.FeatureEL2) || setup.VGIC == 3
}

// script does steps in a new VM of two vCPUs.
func (d *differ) script(setup guise.Setup, steps []scenario.Step) error {
	p, err := d.pair(setup, 2)
	if err != nil || p == nil {
		return err
	}
	defer p.close()
	for _, step := range steps {
		if _, _, err := p.do(step); err != nil {
			return err
		}
		p.remember(step)
	}
	return nil
}

func filter(base, count uint32, action uint8) scenario.Step {
	return scenario.Step{Verb: scenario.Filter, Base: base, Count: count, Action: action}
}

func serviceScripts(setup *guise.Setup) [][]scenario.Step {
	enter := scenario.Step{Verb: scenario.Enter}
	finalize := scenario.Step{Verb: scenario.Finalize}
	second := func(s scenario.Step) scenario.Step { s.VCPU = 1; return s }
	scripts := [][]scenario.Step{
		{
			filter(0x8600_0000, 1, 1), filter(0x8600_0000, 1, 1), filter(0x8600_0000, 1, 2),
			filter(0x8600_0001, 0, 0), filter(0, 0, 0), filter(0xffff_ffff, 0xffff_ffff, 0), filter(0xffff_ffff, 2, 0),
			filter(0x8600_0001, 1, 3), filter(0x8600_0001, 1, 0xff), filter(0x8000_8000, 1, 1), filter(0xc000_0000, 1, 1),
			filter(0x7fff_ffff, 1, 2), filter(0x7fff_ffff, 2, 2), filter(0x8400_0000, 32, 0), filter(0x8400_001f, 1, 1),
			finalize, second(finalize), enter, filter(0x8700_0000, 1, 1), filter(0x8400_0000, 1, 3),
		},
		{
			{Verb: scenario.VGIC}, get(arm64.IDAA64PFR0EL1), get(arm64.IDPFR1EL1), {Verb: scenario.VGIC},
			finalize, enter, get(arm64.IDAA64PFR0EL1), get(arm64.IDPFR1EL1), get(arm64.IDAA64PFR2EL1),
		},
		{
			set(arm64.IDAA64PFR0EL1, 0), finalize, enter, {Verb: scenario.VGIC}, get(arm64.IDAA64PFR0EL1),
			{Verb: scenario.Reinit, Features: setup.Features}, get(arm64.IDAA64PFR0EL1),
		},
		{
			// What belongs to the VM is seen through both vCPUs, what belongs to
			// a vCPU is not; neither changes by a second initialisation.
			set(arm64.MPIDREL1, 0x1234_5678), second(get(arm64.MPIDREL1)),
			set(arm64.CLIDREL1, 0), set(arm64.CLIDREL1, 0x0200_0023), second(get(arm64.CLIDREL1)),
			set(arm64.CCSIDREL1Level0, 0x1234_5672), second(get(arm64.CCSIDREL1Level0)),
			set(arm64.STDBMAP, 0), second(get(arm64.STDBMAP)),
			set(arm64.PSCIVERSION, 2), second(get(arm64.PSCIVERSION)),
			{Verb: scenario.Reinit, Features: setup.Features},
			get(arm64.MPIDREL1), get(arm64.CLIDREL1), get(arm64.CCSIDREL1Level0), get(arm64.STDBMAP), get(arm64.PSCIVERSION),
			second(finalize), second(enter), get(arm64.STDBMAP), set(arm64.STDBMAP, 1), set(arm64.PSCIVERSION, 0x1_0000), get(arm64.PSCIVERSION),
			second(scenario.Step{Verb: scenario.Reinit, Features: setup.Features}), get(arm64.STDBMAP), second(get(arm64.MPIDREL1)),
		},
		{
			// A second initialisation with other features.
			{Verb: scenario.Reinit, Features: []guise.Feature{guise.FeaturePMU}},
			{Verb: scenario.Reinit, Features: []guise.Feature{guise.FeatureAArch32}},
			{Verb: scenario.Reinit, Features: []guise.Feature{guise.FeatureEL2}},
			{Verb: scenario.Reinit}, get(arm64.IDAA64DFR0EL1),
		},
	}
	if setup.Has(guise.FeatureSVE) && (!setup.Protected || len(setup.Features) == 1) {
		for lengths := range uint64(18) {
			scripts = append(scripts, []scenario.Step{
				{Verb: scenario.Lengths, Value: lengths}, finalize, {Verb: scenario.Lengths, Value: lengths}, {Verb: scenario.List},
			})
		}
	}
	return scripts
}

// bitmaps makes every SMCCC call under every value of every bitmap.
func (d *differ) bitmaps(setup guise.Setup) error {
	if len(setup.Features) > 0 || len(setup.Capabilities) > 0 || setup.VGIC != 0 {
		return nil // the bitmaps know nothing of features
	}
	for _, place := range []int{arm64.STDBMAP, arm64.STDHYPBMAP, arm64.VENDORHYPBMAP, arm64.VENDORHYPBMAP2, arm64.PSCIVERSION} {
		register := &arm64.Registers[place]
		var values []uint64
		if place == arm64.PSCIVERSION {
			for _, v := range register.Fields[0].Values {
				values = append(values, v.Value)
			}
		} else {
			for v := range register.Named() + 1 {
				values = append(values, v)
			}
		}
		for _, value := range values {
			if err := d.bitmap(setup, place, value); err != nil {
				return err
			}
		}
	}
	for _, f := range []scenario.Step{filter(0x8400_0000, 0x60, 1), filter(0x8600_0000, 2, 1), filter(0x1_0000, 0x7000_0000, 1)} {
		if err := d.guestAfter(setup, []scenario.Step{f}, probe.ServiceCalls()); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) bitmap(setup guise.Setup, place int, value uint64) error {
	return d.guestAfter(setup, []scenario.Step{set(place, value)}, probe.ServiceCalls())
}

// guestAfter runs a program in a VM to which something was done before.
func (d *differ) guestAfter(setup guise.Setup, before []scenario.Step, program *probe.Program) error {
	p, err := d.pair(setup, 1)
	if err != nil || p == nil {
		return err
	}
	defer p.close()
	for _, step := range before {
		if _, _, err := p.do(step); err != nil {
			return err
		}
		p.remember(step)
	}
	_, _, err = p.do(scenario.Step{Verb: scenario.Guest, Ops: program.Ops})
	if errors.Is(err, vm.ErrNotSupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", program.Name, err)
	}
	return nil
}
