package power

import (
	"math/bits"

	isapower "github.com/guise-project/guise/isa/power"
)

// Step returns what one event does to an L1 under a generation of L0. It is a
// pure function: it changes nothing it is given, and allocates nothing.
func Step(g *Generation, permitted Permitted, state *State, event Event) (out Outcome) {
	out.State = *state
	step(g, &permitted, &out, &event)
	return out
}

func step(g *Generation, permitted *Permitted, out *Outcome, event *Event) {
	s := &out.State
	switch event.Kind {
	case Enter:
		enter(g, permitted, out)
		return
	case DirectUse:
		directUse(g, permitted, out, event)
		return
	case Release:
		if !s.Running {
			s.L1.Loaded &^= event.Value & lazyMask(g.rules[RuleLazy])
			out.Did = Ran
		}
		return
	}
	if !s.Running {
		return
	}
	switch event.Kind {
	case Use:
		bit := isapower.CauseBit(event.Cause)
		switch {
		case isapower.Hidden(s.Machine.Level)&bit != 0:
			// The machine has no such instruction, whatever HFSCR says. One that
			// knows no prefixes sees the prefix as an instruction of its own.
			if prefix := event.Value >> 32; prefix != 0 {
				event.Value = prefix
			}
			leave(g, permitted, out, isapower.VectorHEAI, event)
		case s.Real[isapower.StateHFSCR]&bit != 0:
			out.Did = Ran
		default:
			unavailable(g, permitted, out, event)
		}
	case Unavailable:
		unavailable(g, permitted, out, event)
	case Write:
		if event.Field == isapower.StateFields {
			s.RealMSR = (event.Value | isapower.MSRME) &^ isapower.MSRHV
			out.Did = Ran
		} else if writable[event.Field] {
			s.Real[event.Field] = event.Value
			out.Did = Ran
		}
	case Tick:
		s.Real[isapower.StatePURR] += event.Value
		s.Real[isapower.StateSPURR] += event.Value
		s.Real[isapower.StateIC] += event.Value
		s.Real[isapower.StateVTB] += event.Value
		out.Did = Ran
	case DataFault:
		leave(g, permitted, out, isapower.VectorHDSI, event)
	case InstructionFault:
		// HSRR1 holds MSR and the fault's bits; KVM as L1 looks for them in the
		// msr it is given.
		s.RealMSR |= event.Syndrome
		leave(g, permitted, out, isapower.VectorHISI, event)
	case IllegalInstruction:
		leave(g, permitted, out, isapower.VectorHEAI, event)
	case Exit:
		leave(g, permitted, out, int64(event.Value), event)
	case Signal:
		leave(g, permitted, out, isapower.HSuccess, event)
	}
}

// class is what a facility is to L1 at the moment.
func class(permitted *Permitted, loaded, bit uint64) Rule {
	switch {
	case permitted.Emulated&bit != 0:
		return RuleEmulatedOff
	case permitted.Available&bit == 0:
		return RuleHiddenOff
	case loaded&bit == 0:
		return RuleLazyOff
	}
	return RuleDirectOff
}

// unavailable answers a hypervisor facility unavailable interrupt taken in L2.
func unavailable(g *Generation, permitted *Permitted, out *Outcome, event *Event) {
	s := &out.State
	bit := isapower.CauseBit(event.Cause)
	rule := class(permitted, s.L1.Loaded, bit)
	if s.Structure[isapower.StateHFSCR]&bit != 0 {
		rule++ // the rows are in pairs: off in V, on in V
	}
	out.Rule, out.Answer = rule, g.rules[rule]
	switch out.Answer {
	case Forward:
		s.Real[isapower.StateHFSCR] = isapower.WithCause(s.Real[isapower.StateHFSCR], event.Cause)
		leave(g, permitted, out, isapower.VectorHFacility, event)
	case ForwardBare:
		// The cause that the hardware recorded stays with L0.
		leave(g, permitted, out, isapower.VectorHFacility, event)
	case Illegal:
		leave(g, permitted, out, isapower.VectorHEAI, event)
	case Program:
		// Queued as a priority, so without the flags that say why.
		out.Vector = isapower.VectorProgram
		leave(g, permitted, out, isapower.VectorHFacility, event)
	case FailCall:
		// The discussion names no return code; H_AUTHORITY stands for one.
		leave(g, permitted, out, isapower.HAuthority, event)
	case Load:
		s.L1.Loaded |= bit
		s.Real[isapower.StateHFSCR] |= bit
		out.Did = Loaded
	case Emulate:
		out.Did = Emulated
	default:
		out.Did = Faulty
	}
}

// directUse answers an instruction of a facility that L1 executes itself.
func directUse(g *Generation, permitted *Permitted, out *Outcome, event *Event) {
	s := &out.State
	if s.Running {
		return
	}
	bit := isapower.CauseBit(event.Cause)
	switch class(permitted, s.L1.Loaded, bit) {
	case RuleDirectOff:
		if isapower.Hidden(s.Machine.Level)&bit == 0 {
			out.Did = Ran
			return
		}
	case RuleEmulatedOff:
		if g.rules[RuleDirectEmulated] == Emulate {
			out.Did, out.Answer = Emulated, Emulate
			return
		}
	case RuleLazyOff:
		if lazyMask(g.rules[RuleLazy])&bit != 0 {
			s.L1.Loaded |= bit
			out.Did, out.Answer = Loaded, Load
			return
		}
	}
	out.Did = Interrupted
	out.Vector, out.SRR1 = isapower.VectorProgram, isapower.SRR1Illegal
}

// enter is H_ENTER_NESTED: the checks, then the real registers.
func enter(g *Generation, permitted *Permitted, out *Outcome) {
	s := &out.State
	if s.Running {
		return
	}
	if code := check(g, s); code != isapower.HSuccess {
		out.Did, out.R3 = Refused, code
		return
	}
	written := &s.Structure
	real := &s.Real
	*real = *written
	for _, f := range notLoaded {
		real[f] = 0
	}
	for i := range loaded {
		row := &loaded[i]
		real[row.Field] = load(g, permitted, s, row.Entry, written[row.Field])
	}
	if written[isapower.StateVersion] == 1 {
		real[isapower.StateDAWR1], real[isapower.StateDAWRX1] = 0, 0
	}
	s.RealMSR = (s.MSR | isapower.MSRME) &^ isapower.MSRHV
	s.Running = true
	if s.TimeBase >= real[isapower.StateHDECExpiry] {
		leave(g, permitted, out, isapower.VectorHypervisorDecrement, &Event{})
		return
	}
	out.Did = Entered
}

// leave takes L2 off the CPU: what L1 finds in its structures, and r3.
func leave(g *Generation, permitted *Permitted, out *Outcome, r3 int64, event *Event) {
	s := &out.State
	real := &s.Real
	s.L1.PURR += real[isapower.StatePURR] - s.Structure[isapower.StatePURR]
	s.L1.SPURR += real[isapower.StateSPURR] - s.Structure[isapower.StateSPURR]
	s.L1.IC += real[isapower.StateIC] - s.Structure[isapower.StateIC]
	s.L1.VTB += real[isapower.StateVTB] - s.Structure[isapower.StateVTB]
	s.L1.MSR &^= isapower.MSRTS
	if s.RealMSR&isapower.MSRTS != 0 {
		s.L1.MSR |= isapower.MSRTSS // L1 goes on suspended where L2 was transactional
	}
	s.Running = false
	out.Did, out.R3 = Returned, r3
	swapped := s.swapped()
	if swapped && g.rules[RuleWriteBack] == SizeBySwappedVersion {
		// The size is looked up after the version was swapped to L1's order,
		// where it is none that exists (Linux 6.1 to 7.3, observed).
		out.R3 = isapower.HAuthority
		*real, s.RealMSR = isapower.State{}, 0
		return
	}
	view := &s.Structure
	for _, f := range current {
		view[f] = real[f]
	}
	for i := range returned {
		row := &returned[i]
		view[row.Field] = giveBack(g, permitted, s, row, r3, out.Answer)
	}
	if r3 == isapower.VectorHDSI || r3 == isapower.VectorHISI || r3 == isapower.VectorHEAI {
		for i := range faulted {
			row := &faulted[i]
			view[row.Field] = giveBackFault(s, row, r3, event)
		}
	}
	if swapped && g.rules[RuleSwappedPCR] == ReservedBitsAdded {
		view[isapower.StatePCR] |= isapower.PCRReserved | bits.ReverseBytes64(isapower.PCRReserved)
	}
	s.MSR = s.RealMSR
	*real, s.RealMSR = isapower.State{}, 0
}
