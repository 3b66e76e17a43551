package vm

import (
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// What a contract wants and nobody need write: what a guest sees of it where nobody
// does.

// unasked is what a host serves every guest in place of a hypercall bitmap that it does
// not have, as far as the version of its kernel tells; 0 of all else.
func (a *applier) unasked(place int) uint64 {
	describer, ok := a.host.(Describer)
	if !ok || !firmware(place) {
		return 0
	}
	facts, err := describer.Describe()
	if err != nil {
		return 0
	}
	version, err := kernel.ParseVersion(facts.Kernel)
	if err != nil {
		return 0
	}
	bits, _ := kernel.ServedUnasked(version, place)
	return bits
}

// withoutWriting puts into a refused value, in place of what a guest sees where
// nobody writes, what the host shows: that need not be written, and cannot be.
// Before Linux 6.11 guests read CTR_EL0 from the CPU, and userspace is shown what
// the kernel has made of all CPUs; 6.16 shows a VM without an interrupt controller
// a GIC field that its first run clears.
func (a *applier) withoutWriting(place int, wanted, limit uint64) uint64 {
	alone := a.seenAlone()
	if !alone.Present.Has(place) {
		return wanted
	}
	for _, part := range parts(place, wanted, limit) {
		field := arm64.Registers[place].Field(part.Field)
		switch {
		case part.Field == "" && alone.Values[place] == wanted:
			return limit
		case part.Field != "" && field != nil && field.Get(alone.Values[place]) == part.Wanted:
			wanted = field.Put(wanted, part.There)
		}
	}
	return wanted
}

// seenAlone is what a guest sees of the feature ID space in a VM to which nobody
// wrote; empty where that cannot be had.
func (a *applier) seenAlone() *arm64.View {
	if a.alone != nil {
		return a.alone
	}
	a.alone = &arm64.View{}
	machine, err := a.host.NewVM(a.ctx, a.done.Setup, 1)
	if err != nil {
		return a.alone
	}
	defer machine.Close()
	program := probe.FeatureSpace()
	if a.done.Setup.State() == probe.AArch32 {
		program = probe.FeatureSpace32()
	}
	trace, err := machine.Run(a.ctx, 0, program)
	if err != nil {
		return a.alone
	}
	for i := range trace.Records {
		record := &trace.Records[i]
		if place, _, ok := registerOf(record); ok && record.Outcome == probe.Completed && !cacheDescription(place) {
			a.alone.Put(place, record.Values[0])
		}
	}
	return a.alone
}
