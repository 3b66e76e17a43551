package guise

import (
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// moveEnd is one of the two hosts of a move.
type moveEnd struct {
	capture *Capture
	setup   *CapturedSetup
	known   []*kernel.Profile
}

// profiles are the kernels that the host may run: those of the version that its offers
// were assumed of, or of its release, or, where nobody knows that one, every one that is
// known.
func (e *moveEnd) profiles() []*kernel.Profile {
	if e.known != nil {
		return e.known
	}
	release := e.capture.Host.Kernel
	if e.setup.Accepts == Assumed {
		release = e.setup.AssumedKernel
	}
	if version, err := kernel.ParseVersion(release); err == nil {
		if e.known, err = kernel.Possible(version); err == nil && !e.known[0].Extrapolates() {
			return e.known
		}
	}
	e.known = nil
	for _, version := range kernel.Known {
		possible, err := kernel.Possible(version)
		if err != nil {
			panic(err) // a version that is known has a profile
		}
		e.known = append(e.known, possible...)
	}
	return e.known
}

// tried reports whether every value was written to the host.
func (e *moveEnd) tried() bool { return e.setup.Offers != nil && e.setup.Accepts != Assumed }

// reply is what a host makes of a value that a VMM writes before the first run.
type reply struct {
	taken Verdict
	// seen are the values that a guest may then see.
	seen isa.Set
}

// and is a reply of which it is not known whether it is this or the other.
func (r reply) and(other reply) reply {
	if r.taken != other.taken {
		r.taken = Unknown
	}
	r.seen |= other.seen
	return r
}

// field says what the host makes of a value of a field. silicon: its CPU is the one on
// which the value was seen.
func (e *moveEnd) field(slot int, member uint64, silicon bool) reply {
	var derived reply
	for i, p := range e.profiles() {
		r := e.fieldUnder(p, slot, member, silicon)
		if i == 0 {
			derived = r
		} else {
			derived = derived.and(r)
		}
	}
	if !e.tried() {
		return derived
	}
	shows := e.setup.Offers.Set(slot).Has(member)
	switch {
	case shows && derived.taken == No && e.byVGIC(slot):
		// The first run makes it so; nobody can write it.
		return derived
	case shows:
		return reply{Yes, isa.Only(member)}
	case derived.taken != No && derived.seen == isa.Only(member):
		// The kernel that is known would show it, and this host did not.
		return reply{Unknown, isa.Only(member)}
	}
	return derived
}

// byVGIC reports whether the interrupt controller decides a field on some kernel that the
// host may run.
func (e *moveEnd) byVGIC(slot int) bool {
	return slices.ContainsFunc(e.profiles(), func(p *kernel.Profile) bool {
		follows, cleared := p.VGICSets(slot)
		return follows || cleared
	})
}

// fieldUnder is what a kernel makes of a value of a field.
func (e *moveEnd) fieldUnder(p *kernel.Profile, slot int, member uint64, silicon bool) reply {
	kvm, place := e.setup.KernelVM(), int(arm64.Slots[slot].Register)
	limit, known := arm64.Slots[slot].Extract(e.setup.View.Values[place])
	if !known {
		return reply{Unknown, isa.Only(member)}
	}
	if p.IgnoresAArch32(place) {
		switch has, told := kernel.HasAArch32(&e.setup.View, kvm); {
		case !told:
			return reply{Unknown, isa.Only(member) | isa.Only(limit)}
		case !has:
			return reply{Yes, isa.Only(limit)}
		}
	}
	follows, cleared := p.VGICSets(slot)
	taken := p.Takes(slot, limit, kvm)
	switch {
	case !taken.Has(member) && p.StoresZero(slot, member).Has(member) && silicon:
		return reply{Yes, isa.Only(0)}
	case !taken.Has(member) && p.StoresZero(slot, member).Has(member):
		return reply{Unknown, isa.Only(0)} // taken where it is what the CPU has
	case !taken.Has(member):
		return reply{taken: No}
	case follows && kvm.VGIC != 0:
		return reply{Yes, isa.Only(limit)}
	case (follows || cleared) && kvm.VGIC == 0, member != limit && p.StoresZero(slot, limit).Has(member):
		return reply{Yes, isa.Only(0)}
	case member != limit && p.StoresLimit(slot, kvm).Has(member):
		return reply{Yes, isa.Only(limit)}
	}
	return reply{Yes, isa.Only(member)}
}

// rest says whether the host takes what a register has outside fields that are judged
// one by one, and whether a guest then sees the host's own. chosen: the identity of
// the VM may be.
func (e *moveEnd) rest(place int, value uint64, chosen bool) (taken Verdict, own bool) {
	view := &e.setup.View
	if (value^view.Values[place])&arm64.RestMask(place) == 0 {
		return Yes, false
	}
	identity := slices.Contains(identityRegisters, place)
	if identity && !chosen {
		return No, false
	}
	if !arm64.TakesWhole(place, value, view) {
		return No, false
	}
	for i, p := range e.profiles() {
		under := No
		if p.Fabricated(place) || identity && p.IdentityWritable() {
			under = Yes
		}
		if p.IgnoresAArch32(place) {
			switch has, told := kernel.HasAArch32(view, e.setup.KernelVM()); {
			case !told:
				under = Unknown
			case !has:
				under, own = Yes, true
			}
		}
		if i == 0 {
			taken = under
		} else if under != taken {
			taken = Unknown
		}
	}
	if e.tried() && !own {
		_, free := e.setup.Offers.Rest(place)
		switch {
		case free:
			return Yes, false
		case taken == Yes:
			return Unknown, false
		}
	}
	return taken, own
}

// has says whether the host has a register that it lists, where the VM's ID registers
// hold the given values: some registers are there only with the feature.
func (e *moveEnd) has(id arm64.ID, values *arm64.View) Verdict {
	if e.setup.Listed == nil {
		return Unknown
	}
	if _, listed := slices.BinarySearch(e.setup.Listed, id); !listed {
		return No
	}
	var there, gone bool
	for _, p := range e.profiles() {
		if listedWith(p, id, values) {
			there = true
		} else {
			gone = true
		}
	}
	switch {
	case there && gone:
		return Unknown
	case gone:
		return No
	}
	return Yes
}

// listedWith reports whether a kernel goes on listing a register where ID registers hold
// the given values; true for what it does not list at all.
func listedWith(p *kernel.Profile, id arm64.ID, values *arm64.View) bool {
	failed := false
	for i := range p.Listings() {
		l := &p.Listings()[i]
		if !l.Has(id) {
			continue
		}
		fails := slices.ContainsFunc(l.When, func(when kernel.Condition) bool {
			place, field, ok := when.Field()
			return ok && values.Present.Has(place) && arm64.Registers[place].Field(field).Get(values.Values[place]) == 0
		})
		if !fails {
			return true
		}
		failed = true
	}
	return !failed
}
