package power

import isapower "github.com/guise-project/guise/isa/power"

// Level is one hypervisor of a tower, with the guest hypervisor above it in
// the place of L1: State.Structure lies in that guest's memory.
type Level struct {
	Generation *Generation
	Permitted  Permitted
	State      State
}

// Tower is hypervisors on top of each other, L0 first. Tower[k] runs
// hypervisor k+1 as its guest; the last one's guest hypervisor runs the guest
// at the top, which uses facilities. The same table applies at each level: what
// a hypervisor finds right for the real register, it writes into the structure
// that it hands to the hypervisor below.
type Tower []Level

// Step lets one event happen to the guest at the top (or, for Enter, has its
// hypervisor enter it) and returns the outcomes in the order in which
// hypervisors acted, each with the number of the hypervisor. It changes the
// tower. Events that happen to a guest hypervisor itself (DirectUse, Release)
// are for Step on one Level.
func (t Tower) Step(event Event) []TowerOutcome {
	var outcomes []TowerOutcome
	if event.Kind == Enter {
		return t.enter(outcomes, len(t)-1)
	}
	// Each pass loads a facility at one level at least, so that there are no
	// more passes than levels, and one in which the event gets through.
	for range len(t) + 1 {
		acted := 0
		out := t.step(0, event)
		outcomes = append(outcomes, TowerOutcome{0, out})
		for out.Did == Returned && acted+1 < len(t) {
			up := t.reflect(acted, out.R3, event)
			acted++
			out = t.step(acted, up)
			outcomes = append(outcomes, TowerOutcome{acted, out})
		}
		if acted == 0 || out.Did != Loaded && out.Did != Emulated {
			return outcomes
		}
		t.handDown(acted)
		outcomes = t.enter(outcomes, acted-1)
		if out.Did == Emulated {
			return outcomes
		}
	}
	return outcomes
}

// TowerOutcome is what one hypervisor of a tower did.
type TowerOutcome struct {
	Hypervisor int
	Outcome
}

func (t Tower) step(k int, event Event) Outcome {
	out := Step(t[k].Generation, t[k].Permitted, &t[k].State, event)
	t[k].State = out.State
	return out
}

// enter has hypervisors k down to 0 enter the top guest, each with what the
// one above it loaded.
func (t Tower) enter(outcomes []TowerOutcome, k int) []TowerOutcome {
	for ; k >= 0; k-- {
		out := t.step(k, Event{Kind: Enter})
		outcomes = append(outcomes, TowerOutcome{k, out})
		if out.Did != Entered {
			return outcomes
		}
		if k > 0 {
			t.handDown(k)
		}
	}
	return outcomes
}

// handDown writes what hypervisor k holds for real into the structure that it
// hands to the hypervisor below.
func (t Tower) handDown(k int) {
	below := &t[k-1].State
	for _, row := range RegisterRules {
		if row.Entry != NotLoaded && row.Entry != LoadedOffset && row.Entry != LoadedExpiry {
			below.Structure[row.Field] = t[k].State.Real[row.Field]
		}
	}
	below.MSR = t[k].State.RealMSR
}

// reflect takes what hypervisor k gave back into what hypervisor k+1 holds for
// real, and returns what happened in its eyes.
func (t Tower) reflect(k int, r3 int64, event Event) Event {
	view, above := &t[k].State.Structure, &t[k+1].State
	for _, row := range RegisterRules {
		if row.Return == Current || row.Return == Counted {
			above.Real[row.Field] = view[row.Field]
		}
	}
	above.RealMSR = t[k].State.MSR
	switch r3 {
	case isapower.VectorHFacility:
		return Event{Kind: Unavailable, Cause: isapower.Cause(view[isapower.StateHFSCR]), Value: event.Value}
	case isapower.VectorHEAI:
		return Event{Kind: IllegalInstruction, Value: view[isapower.StateHEIR]}
	case isapower.VectorHDSI:
		return Event{Kind: DataFault, Address: view[isapower.StateHDAR], Syndrome: view[isapower.StateHDSISR], Value: view[isapower.StateASDR]}
	case isapower.VectorHISI:
		return Event{Kind: InstructionFault, Value: view[isapower.StateASDR]}
	}
	return Event{Kind: Exit, Value: uint64(r3)}
}
