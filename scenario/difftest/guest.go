package difftest

import (
	"slices"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/scenario"
	"github.com/guise-project/guise/vm"
)

// guest has guests look: at VMs as they were made, and at VMs in which every
// field was lowered as far as it goes.
func (d *differ) guest(setups []guise.Setup) error {
	for _, setup := range setups {
		if setup.Has(guise.FeatureEL2) {
			for _, s := range []guise.Setup{setup, fullest(setup, setups)} {
				if err := d.guestEL2(s); err != nil {
					return err
				}
			}
			continue
		}
		if !runnable(&setup) {
			continue
		}
		d.progress("guests of %s", setup.Name())
		for _, program := range programs(&setup) {
			if err := d.guestAfter(setup, nil, program); err != nil {
				return err
			}
		}
		lowest, err := d.lowest(d.kernel, setup)
		if err != nil {
			return err
		}
		for _, program := range programsLowered(&setup) {
			if err := d.guestAfter(setup, lowest, program); err != nil {
				return err
			}
		}
	}
	return nil
}

// fullest is a setup with the features of the others beside its own, but for
// 32-bit EL1.
func fullest(setup guise.Setup, others []guise.Setup) guise.Setup {
	full := setup
	full.Features = nil
	for _, feature := range guise.Features {
		has := func(s guise.Setup) bool { return s.Has(feature) }
		if feature != guise.FeatureAArch32 && (setup.Has(feature) || slices.ContainsFunc(others, has)) {
			full.Features = append(full.Features, feature)
		}
	}
	return full
}

// guestEL2 has a guest at EL2 look in two VMs and no more, each of which a kernel
// may take seconds to tear down: one as it was made, and one lowered and with
// calls denied. Both have the vGICv3 without which no vCPU with EL2 runs.
func (d *differ) guestEL2(setup guise.Setup) error {
	setup.VGIC = 3
	d.progress("guests at EL2 of %s", setup.Name())
	program := probe.Join("all", programs(&setup)...)
	if err := d.guestAfter(setup, nil, program); err != nil {
		return err
	}
	before, err := d.lowest(d.model, setup) // which saves a VM of the kernel's
	if err != nil {
		return err
	}
	return d.guestAfter(setup, append(before, filter(0x8600_0000, 2, 1)), program)
}

// lowest finds writes that lower every field of the feature registers to the
// least that a host takes.
func (d *differ) lowest(host vm.Host, setup guise.Setup) ([]scenario.Step, error) {
	machine, err := host.NewVM(d.ctx, setup, 1)
	if err != nil {
		return nil, nil // compared elsewhere
	}
	defer machine.Close()
	var steps []scenario.Step
	for _, place := range registers() {
		e, system := id(place).Encoding()
		if !system || e.Op1 != 0 || e.CRm == 0 {
			continue
		}
		value, err := machine.Get(0, id(place))
		if err != nil {
			continue
		}
		changed := false
		for i := range arm64.Registers[place].Fields {
			field := &arm64.Registers[place].Fields[i]
			if field.Width > 4 || field.Get(value) == 0 {
				continue
			}
			for v := range field.Get(value) {
				if machine.Set(0, id(place), field.Put(value, v)) == nil {
					value, changed = field.Put(value, v), true
					break
				}
			}
		}
		if changed {
			steps = append(steps, set(place, value))
		}
	}
	return steps, nil
}
