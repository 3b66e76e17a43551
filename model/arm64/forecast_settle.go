package arm64

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// Settle replaces what is possible with what VMs on the hardware itself show, under
// each kernel that the later version may be. What these do not share stays unknown,
// and so do the fields of registers that the machine's description lacks
// (Machine.Unread) and what depends on them.
func (f *Forecast) Settle(ctx context.Context, machine *Machine) error {
	profiles, err := kernel.Possible(f.To)
	if err != nil {
		return err
	}
	profiles = kernel.Distinct(profiles, forecastBehaviours)
	f.Unread = machine.Unread(f.features())
	for i := range f.Setups {
		var hosts []*Host
		for _, filled := range machine.filled(&f.Setups[i]) {
			for _, profile := range profiles {
				host, err := NewHostOf(filled, profile)
				if err != nil {
					return err
				}
				hosts = append(hosts, host)
			}
		}
		possible, settled := f.Setups[i], false
		for _, host := range hosts {
			one := possible.clone()
			made, err := host.NewVM(ctx, f.SetupUnder(host, &one), 1)
			if one.Made != guise.Yes && errors.Is(err, vm.ErrNotSupported) {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s, setup %s: %w", host, one.Setup.Name(), err)
			}
			if err := errors.Join(one.settle(made, machine), made.Close()); err != nil {
				return err
			}
			if settled {
				f.Setups[i].widen(one)
			} else {
				f.Setups[i], settled = one, true
			}
		}
	}
	return nil
}

// features are the feature registers that a field of the forecast is of.
func (f *Forecast) features() arm64.Places {
	var places arm64.Places
	for i := range f.Setups {
		for j := range f.Setups[i].Fields {
			if place := int(arm64.Slots[f.Setups[i].Fields[j].Slot].Register); classes()[place] == classFeature {
				places.Add(place)
			}
		}
	}
	return places
}

// filled returns machines that the description fits: itself where it lacks nothing,
// else one that has 0 in the registers that it lacks and one that has there what the
// setup shows now. What they do not share depends on a register that nobody read.
func (m *Machine) filled(setup *SetupForecast) []*Machine {
	if !m.partial {
		return []*Machine{m}
	}
	cpu := m.CPUs[0]
	for _, f := range setup.Fields {
		place := int(arm64.Slots[f.Slot].Register)
		if _, field := arm64.Slots[f.Slot].Describe(); !cpu.given.Has(place) && !arm64.Slots[f.Slot].Coded {
			cpu.Registers[place] = field.Put(cpu.Registers[place], f.Now)
		}
	}
	shown := *m
	shown.CPUs = []CPU{cpu}
	return []*Machine{m, &shown}
}

// SetupUnder is a setup as a host with the later kernel makes it: without the
// capabilities that it lacks, and, where it is another kernel, of the default IPA
// size.
func (f *Forecast) SetupUnder(host *Host, setup *SetupForecast) guise.Setup {
	wanted := setup.Setup
	if f.From.Compare(f.To) != 0 || !host.Profile().Does(kernel.ChoosesIPASize) {
		wanted.IPABits = 0
	}
	if !host.Profile().IdentityWritable() {
		wanted.Capabilities = slices.DeleteFunc(slices.Clone(wanted.Capabilities), func(name string) bool { return name == "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS" })
	}
	return wanted
}

// clone is a copy that can be changed.
func (s *SetupForecast) clone() SetupForecast {
	c := *s
	c.Fields, c.Whole = slices.Clone(s.Fields), slices.Clone(s.Whole)
	c.Gone, c.New = slices.Clone(s.Gone), slices.Clone(s.New)
	return c
}

// settle replaces what is possible with what a VM of the setup shows, of registers
// that the machine's description has.
func (s *SetupForecast) settle(made vm.VM, machine *Machine) error {
	for i := range s.Fields {
		f := &s.Fields[i]
		if !machine.tells(int(arm64.Slots[f.Slot].Register)) {
			continue
		}
		id := arm64.ID(arm64.Registers[arm64.Slots[f.Slot].Register].ID)
		value, err := made.Get(0, id)
		if errors.Is(err, syscall.ENOENT) {
			// Perhaps a guest reads it all the same, from the CPU.
			var seen bool
			if value, seen = readRaw(made, id); !seen {
				continue
			}
			err = nil
		}
		if err != nil {
			return err
		}
		if member, known := arm64.Slots[f.Slot].Extract(value); known {
			f.Then = isa.Only(member)
		}
	}
	for i := range s.Whole {
		w := &s.Whole[i]
		if !machine.tells(w.Place) {
			continue
		}
		value, err := made.Get(0, arm64.ID(arm64.Registers[w.Place].ID))
		if errors.Is(err, syscall.ENOENT) {
			continue // it is no longer listed
		}
		if err != nil {
			return err
		}
		w.Then, w.Known = value, true
	}
	return nil
}

// tells reports whether the description tells what a guest is shown of a register:
// it has the register, or KVM does not take it from the CPU.
func (m *Machine) tells(place int) bool {
	switch classes()[place] {
	case classWorkaround:
		return m.tells(arm64.MIDREL1) && m.tells(arm64.IDAA64PFR0EL1)
	case classCLIDR, classCCSIDR:
		return m.tells(arm64.CTREL0) && (!m.partial || m.CPUs[0].given.Has(place))
	case classFeature, classIdentity:
		return !m.partial || m.CPUs[0].given.Has(place)
	}
	return true
}

// readRaw reads a register that userspace is not given and guests read untrapped.
func readRaw(made vm.VM, id arm64.ID) (uint64, bool) {
	m, ok := made.(*VM)
	e, system := id.Encoding()
	if !ok || !system || m.host.raw == nil {
		return 0, false
	}
	value, answer := m.Read(0, e)
	return value, answer == Value
}
