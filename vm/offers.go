package vm

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// findOffers finds what the host takes and a guest then sees.
//
// Every value of every field is written in a VM that has not run, and read
// back: what is accepted and stored as something else is no offer. Then more
// VMs tell what becomes of a value when a vCPU runs, since KVM changes some
// fields only then (ID_AA64PFR0_EL1.GIC) and a protected guest sees registers
// that userspace cannot reach: one is left as it was, one is given another value
// of every field, and a field that came out other than it went in is tried value
// by value, each in a VM of its own.
func (c *capturer) findOffers() error {
	view := &c.result.View
	sets := make([]isa.Set, arm64.NumSlots)
	for slot := range sets {
		if !view.Present.Has(int(arm64.Slots[slot].Register)) {
			continue
		}
		var err error
		if sets[slot], err = c.trySlot(slot); err != nil {
			return err
		}
	}
	var free arm64.Places
	for place := range arm64.Registers {
		if !view.Present.Has(place) || !arm64.Registers[place].Whole {
			continue
		}
		changes, err := c.tryWhole(place)
		if err != nil {
			return err
		}
		if changes {
			free.Add(place)
		}
	}
	untouched, err := c.seen(nil, true)
	if err != nil {
		return err
	}
	if err := c.afterRun(sets, untouched); err != nil {
		return err
	}
	c.guestsOwn(sets, untouched)
	offers := &arm64.Offers{}
	offers.FromView(view)
	for slot, set := range sets {
		if set != 0 {
			offers.PutSet(slot, set)
		}
	}
	for place := range arm64.Registers {
		if free.Has(place) && !c.own.Present.Has(place) {
			offers.Free(place)
		}
	}
	c.result.Offers = offers
	return nil
}

// guestsOwn corrects the view where a guest reads registers other than
// userspace does. In a protected VM that is its whole view. In an ordinary one
// it is what KVM does not stand in for (CTR_EL0 before Linux 6.11, which a guest
// reads from the CPU): there a guest sees what it sees, whatever is written.
func (c *capturer) guestsOwn(sets []isa.Set, untouched *arm64.View) {
	own := &c.own
	if c.setup.Protected {
		own = untouched
		// A guest reads CTR_EL0 from the CPU while it is as KVM made it.
		c.narrow(sets, untouched, func(place int) bool {
			return !kernel.HeldByHypervisor(place) && own.Values[place] != c.result.View.Values[place]
		})
	}
	for place := range arm64.Registers {
		if own.Present.Has(place) {
			c.result.View.Put(place, own.Values[place])
		}
	}
	if !c.setup.Protected {
		c.narrow(sets, own, func(int) bool { return true })
	}
}

// narrow leaves the fields of the registers that a guest sees in its own way only
// the values that it sees.
func (c *capturer) narrow(sets []isa.Set, own *arm64.View, wanted func(place int) bool) {
	for slot := range sets {
		place := int(arm64.Slots[slot].Register)
		if member, known := arm64.Slots[slot].Extract(own.Values[place]); known && own.Present.Has(place) && wanted(place) {
			sets[slot] = isa.Only(member)
		}
	}
}

// refusal reports whether an error is KVM's "no" to a value, rather than a
// failure to ask.
func refusal(err error) bool {
	var refused *RegisterError
	return errors.As(err, &refused) && (refused.Errno == syscall.EINVAL || refused.Errno == syscall.EPERM || refused.Errno == syscall.ENOENT)
}

// write writes a register and reports whether it was taken and reads back as
// written. For a register whose values are judged and not stored, being taken
// is all there is to see.
func write(machine VM, id arm64.ID, value uint64, floor bool) (taken bool, err error) {
	err = machine.Set(0, id, value)
	if refusal(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if floor {
		return true, nil
	}
	now, err := machine.Get(0, id)
	return now == value, err
}

// members returns how many values a slot can hold.
func members(slot int) uint64 {
	_, field := arm64.Slots[slot].Describe()
	if arm64.Slots[slot].Coded {
		return uint64(len(field.Values))
	}
	return 1 << field.Width
}

// trySlot tries every value of a field.
func (c *capturer) trySlot(slot int) (isa.Set, error) {
	register, field := arm64.Slots[slot].Describe()
	id := arm64.ID(register.ID)
	limit := c.result.View.Values[arm64.Slots[slot].Register]
	var set isa.Set
	changed := false
	for member := range members(slot) {
		value := field.Put(limit, arm64.Slots[slot].Value(member))
		if value == limit {
			set |= isa.Only(member)
			continue
		}
		taken, err := write(c.scratch, id, value, field.Order == isa.Floor)
		if err != nil {
			return 0, err
		}
		if taken {
			set |= isa.Only(member)
			changed = true
		}
	}
	if !changed {
		return set, nil
	}
	return set, c.restore(id, limit)
}

// restore writes back the value a new VM has.
func (c *capturer) restore(id arm64.ID, limit uint64) error {
	if err := c.scratch.Set(0, id, limit); err != nil {
		return fmt.Errorf("what the host showed it does not take back: %w", err)
	}
	return nil
}

// tryWhole finds whether a register that is compared whole can be changed at
// all: whether any of its fields takes a value one higher or one lower.
func (c *capturer) tryWhole(place int) (free bool, err error) {
	register := &arm64.Registers[place]
	limit := c.result.View.Values[place]
	for i := range register.Fields {
		field := &register.Fields[i]
		for _, step := range []uint64{1, ^uint64(0)} {
			value := field.Put(limit, field.Get(limit)+step)
			taken, err := write(c.scratch, arm64.ID(register.ID), value, false)
			if err != nil {
				return false, err
			}
			if taken {
				return true, c.restore(arm64.ID(register.ID), limit)
			}
		}
	}
	return false, nil
}

// afterRun removes from the sets what a guest does not see.
func (c *capturer) afterRun(stored []isa.Set, untouched *arm64.View) error {
	choice := make([]int, len(stored))
	for slot := range stored {
		choice[slot] = c.another(slot, stored[slot], untouched)
	}
	written, err := c.seen(choice, false)
	if err != nil {
		return err
	}
	for slot := range stored {
		place := int(arm64.Slots[slot].Register)
		_, field := arm64.Slots[slot].Describe()
		if stored[slot] == 0 || field.Order == isa.Floor || !untouched.Present.Has(place) {
			continue
		}
		limit, known := arm64.Slots[slot].Extract(c.result.View.Values[place])
		alone, knownAlone := arm64.Slots[slot].Extract(untouched.Values[place])
		if !known || !knownAlone {
			continue
		}
		wrote, saw := limit, alone
		if choice[slot] >= 0 {
			wrote = uint64(choice[slot])
			saw, _ = arm64.Slots[slot].Extract(written.Values[place])
		}
		if alone == limit && saw == wrote {
			continue
		}
		// What is seen whatever is written is all that can be had; so it is where
		// the only other value to write is the one that is seen.
		set := isa.Only(alone)
		if saw != alone {
			if set, err = c.trySeen(slot, stored[slot], limit, alone); err != nil {
				return err
			}
		}
		stored[slot] = set
	}
	return nil
}

// another chooses a value to write into a field that tells whether writing it
// makes a difference to a guest: best one that is neither the limit nor what a
// guest sees where nobody wrote, else any but the limit; -1 where there is none.
func (c *capturer) another(slot int, stored isa.Set, untouched *arm64.View) int {
	place := arm64.Slots[slot].Register
	limit, _ := arm64.Slots[slot].Extract(c.result.View.Values[place])
	alone, _ := arm64.Slots[slot].Extract(untouched.Values[place])
	others := stored &^ isa.Only(limit)
	if best := others &^ isa.Only(alone); best != 0 {
		others = best
	}
	if others == 0 {
		return -1
	}
	return int(others.Values()[0])
}

// trySeen tries the stored values of a field that a run changes, each in a VM
// of its own. alone is what a guest sees where nobody wrote.
func (c *capturer) trySeen(slot int, stored isa.Set, limit, alone uint64) (isa.Set, error) {
	var set isa.Set
	for _, member := range stored.Values() {
		saw := alone
		if member != limit {
			choice := make([]int, arm64.NumSlots)
			for i := range choice {
				choice[i] = -1
			}
			choice[slot] = int(member)
			view, err := c.seen(choice, false)
			if err != nil {
				return 0, err
			}
			saw, _ = arm64.Slots[slot].Extract(view.Values[arm64.Slots[slot].Register])
		}
		if saw == member {
			set |= isa.Only(member)
		}
	}
	if set == 0 {
		set = isa.Only(alone)
	}
	return set, nil
}

// seen makes a VM, writes the chosen member of each slot (-1 leaves it alone),
// runs it and returns what a guest sees. With hardware, what only a guest can
// read is put into the capture as well.
func (c *capturer) seen(choice []int, hardware bool) (_ *arm64.View, err error) {
	machine, err := c.host.NewVM(c.ctx, c.setup, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	for place := range arm64.Registers {
		if choice == nil || !c.result.View.Present.Has(place) {
			continue
		}
		value := c.result.View.Values[place]
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			if choice[slot] >= 0 {
				_, field := arm64.Slots[slot].Describe()
				value = field.Put(value, arm64.Slots[slot].Value(uint64(choice[slot])))
			}
		}
		if value == c.result.View.Values[place] {
			continue
		}
		if err := machine.Set(0, arm64.ID(arm64.Registers[place].ID), value); err != nil && !refusal(err) {
			return nil, err
		}
	}
	view := &arm64.View{}
	interrupter, canInterrupt := machine.(Interrupter)
	if canInterrupt && !c.setup.Protected && !(hardware && c.canLook()) {
		if err := interrupter.RunNothing(0); !errors.Is(err, syscall.EINTR) {
			return nil, err
		}
		return view, readRegisters(machine, 0, view)
	}
	if !c.canLook() {
		return view, readRegisters(machine, 0, view)
	}
	trace, err := look(c.ctx, machine, 0)
	if err != nil {
		return nil, err
	}
	if hardware {
		seenBy(trace, &c.result.View, func(place int) bool { return arm64.Registers[place].Scope == isa.Hardware })
	}
	if c.setup.Protected {
		seenBy(trace, view, ContractRegister)
		return view, nil
	}
	if err := readRegisters(machine, 0, view); err != nil {
		return nil, err
	}
	if hardware {
		c.own = arm64.View{}
		seenBy(trace, &c.own, func(place int) bool { return view.Present.Has(place) && !cacheDescription(place) })
		for place := range arm64.Registers {
			if c.own.Values[place] == view.Values[place] {
				c.own.Present.Remove(place)
			}
		}
	}
	return view, nil
}

// canLook reports whether a guest of the setup can read what a capture has: not
// one in AArch32, which reads halves of some registers, and not one at EL2 without a vGICv3, which KVM 7.2 makes and then
// never lets run.
func (c *capturer) canLook() bool {
	return !c.setup.Has(guise.FeatureAArch32) && (!c.setup.Has(guise.FeatureEL2) || c.setup.VGIC == 3)
}
