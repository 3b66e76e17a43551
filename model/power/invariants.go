package power

import (
	"fmt"

	isapower "github.com/guise-project/guise/isa/power"
)

// Violation is an invariant that one event broke.
type Violation struct {
	// Invariant is I1 to I6:
	//
	//	I1  the cause field changes only with exit 0xf80, and then to that cause
	//	I2  L1 is never told of a cause that is hidden from it
	//	I3  hidden bits read 0
	//	I4  nothing is on in the real HFSCR that is hidden, emulated or not loaded
	//	I5  L2 is not given what L1 did not ask for or may not have itself
	//	I6  L1 finds what it wrote, and no interrupt for what it turned on
	Invariant string
	How       string
}

// Violations returns the invariants that an event broke, given the state
// before it and what Step found. It shares no rule with Step: it looks only at
// what is permitted and at what L1 wrote. That laziness cannot be seen, the
// rest of I6, takes two histories to find out.
func Violations(g *Generation, permitted Permitted, before *State, event Event, out *Outcome) []Violation {
	var found []Violation
	note := func(invariant, format string, args ...any) {
		found = append(found, Violation{invariant, fmt.Sprintf(format, args...)})
	}
	hidden := ^(permitted.Available | permitted.Emulated) &^ isapower.CauseMask
	written := before.Structure[isapower.StateHFSCR]
	seen := out.State.Structure[isapower.StateHFSCR]
	if out.Did == Returned && out.R3 != isapower.HAuthority {
		want := isapower.Cause(written)
		if out.R3 == isapower.VectorHFacility {
			want = event.Cause
			bit := isapower.CauseBit(want)
			if hidden&bit != 0 && isapower.Cause(seen) == want {
				note("I2", "L1 is told of cause %d, which is hidden from it", want)
			}
			if written&bit != 0 {
				note("I6", "L1 gets an interrupt with cause %d, which it had turned on", want)
			}
		}
		if got := isapower.Cause(seen); got != want {
			note("I1", "the cause is %#x after exit %#x, want %#x", got, out.R3, want)
		}
		if seen&hidden != 0 {
			note("I3", "hidden bits %#x read 1", seen&hidden)
		}
		if (seen^written)&^isapower.CauseMask&^hidden != 0 {
			note("I6", "L1 wrote %#x and reads %#x", written, seen)
		}
	}
	if facility := event.Kind == Use || event.Kind == Unavailable; facility && out.Did == Returned && out.R3 < 0 &&
		written&isapower.CauseBit(event.Cause) != 0 && !before.swapped() {
		note("I6", "H_ENTER_NESTED fails for cause %d, which L1 had turned on", event.Cause)
	}
	if !out.State.Running {
		return found
	}
	real := &out.State.Real
	off := hidden | permitted.Emulated
	if g.Rule(RuleMask) != ToWhatIsPermitted {
		off |= permitted.Available &^ out.State.L1.Loaded
	} // else L0 loads all that V asks for when L2 is entered
	if real[isapower.StateHFSCR]&off != 0 {
		note("I4", "%#x is on though nothing of L2 is there", real[isapower.StateHFSCR]&off)
	}
	if proxy := real[isapower.StateHFSCR] &^ written &^ isapower.CauseMask; proxy != 0 {
		note("I5", "HFSCR %#x is on though L1 did not ask", proxy)
	}
	if gone := before.L1.PCR &^ real[isapower.StatePCR]; gone != 0 {
		note("I5", "L2 runs without L1's PCR bits %#x", gone)
	}
	if real[isapower.StateDAWRX0]&isapower.DAWRXHyper != 0 || real[isapower.StateDAWRX1]&isapower.DAWRXHyper != 0 ||
		real[isapower.StateCIABR]&isapower.CIABRLevel == isapower.CIABRHyper {
		note("I5", "a breakpoint matches in hypervisor state")
	}
	if (real[isapower.StateLPCR]^before.L1.LPCR)&^isapower.LPCRNested != 0 || real[isapower.StateAMOR] != before.L1.AMOR {
		note("I5", "LPCR or AMOR beyond what L1 may set")
	}
	if out.State.RealMSR&isapower.MSRHV != 0 {
		note("I5", "L2 runs as a hypervisor")
	}
	return found
}
