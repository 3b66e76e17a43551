package power

import (
	"testing"

	isapower "github.com/guise-project/guise/isa/power"
)

// oracle is the facts' tables written as plainly as can be, apart from the
// rules under test: what is real on entry, and what a facility interrupt with
// the cause gives.
func oracle(generation string, permitted Permitted, loadedNow, v uint64, cause uint8) (real uint64, did Did, r3 int64, after uint64) {
	const top = 0xff00000000000000
	var bit uint64
	if cause < 56 {
		bit = 1 << cause
	}
	inP, on, emulated, lazy := permitted.Available&bit != 0, v&bit != 0, permitted.Emulated&bit != 0, loadedNow&bit == 0
	withCause := v&^top | uint64(cause)<<56
	switch generation {
	case "5.10", "5.12", "5.14":
		real = v & (top | loadedNow)
		return real, Returned, 0xf80, real&^top | uint64(cause)<<56
	case "v3-1":
		return v & (top | loadedNow), Returned, 0xf80, withCause
	case "v3-2":
		if on {
			return v & (top | loadedNow), Returned, 0xf80, v &^ top
		}
		return v & (top | loadedNow), Returned, 0xf80, withCause
	case "5.15", "5.19", "6.4":
		if inP && !on {
			return v & (top | permitted.Available), Returned, 0xf80, withCause
		}
		return v & (top | permitted.Available), Returned, 0xe40, v
	case "6.13":
		return v & (top | permitted.Available), Returned, 0xf80, withCause
	}
	known := permitted.Available | permitted.Emulated
	view := v & (top | known)
	real = v & (top | loadedNow)
	rejected := generation == "ideal-bare" || generation == "ideal-fail"
	refuse := func() (uint64, Did, int64, uint64) {
		if generation == "ideal-bare" {
			return real, Returned, 0xf80, view
		}
		return real, Returned, -10, view
	}
	switch {
	case known&bit == 0: // A
		if rejected && on {
			return refuse()
		}
		return real, Returned, 0xe40, view
	case emulated: // E1, E2
		if rejected && on {
			return refuse()
		}
		if !on && generation == "ideal-forward-off" {
			return real, Returned, 0xf80, view&^top | uint64(cause)<<56
		}
		return real, Emulated, 0, v
	case !on: // B
		return real, Returned, 0xf80, view&^top | uint64(cause)<<56
	case lazy: // C
		if rejected {
			return refuse()
		}
		return real, Loaded, 0, v
	}
	return real, Faulty, 0, v // X
}

// TestSweep compares every combination of twelve HFSCR bits, cause and
// generation for eight permitted sets with the oracle: the ten facilities, a
// reserved bit and the bit that only FSCR has.
func TestSweep(t *testing.T) {
	bits := []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13}
	causes := []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 55, 56, 255}
	sets := []struct {
		permitted Permitted
		lazy      uint64
	}{
		{Permitted{Available: 0x219f, Emulated: 0x400}, 0},
		{Permitted{Available: 0x219f, Emulated: 0x400}, 0x88},
		{Permitted{Available: 0x019f, Emulated: 0x400}, 0},
		{Permitted{Available: 0x019f, Emulated: 0x400}, 0x80},
		{Permitted{Available: 0x01bf, Emulated: 0x400}, 0xa8},
		{Permitted{Available: 0x25bf, Emulated: 0}, 0x25bf},
		{Permitted{Available: 0, Emulated: 0x25bf}, 0},
		{Permitted{}, 0},
	}
	compared, disagreed := 0, 0
	for i := range Generations {
		g := &Generations[i]
		for _, set := range sets {
			s := NewState(isapower.Level30, set.permitted)
			if g.Rule(RuleVersions) == VersionOneOnly {
				s.Structure[isapower.StateVersion] = 1
			}
			s.L1.Loaded &^= set.lazy
			for pattern := range 1 << len(bits) {
				v := uint64(0x77) << 56
				for b, bit := range bits {
					v |= uint64(pattern>>b&1) << bit
				}
				s.Structure[isapower.StateHFSCR] = v
				entered := Step(g, set.permitted, &s, Event{Kind: Enter})
				for _, cause := range causes {
					real, did, r3, after := oracle(g.Name, set.permitted, s.L1.Loaded, v, cause)
					out := Step(g, set.permitted, &entered.State, Event{Kind: Unavailable, Cause: cause, Value: msgsndp})
					compared++
					if entered.State.Real[isapower.StateHFSCR] != real || out.Did != did || out.R3 != r3 ||
						out.State.Structure[isapower.StateHFSCR] != after {
						if disagreed++; disagreed < 10 {
							t.Errorf("%s, permitted %+v, loaded %#x, V %#x, cause %d: R %#x, %v, r3 %#x, V %#x; want %#x, %v, %#x, %#x",
								g.Name, set.permitted, s.L1.Loaded, v, cause, entered.State.Real[isapower.StateHFSCR], out.Did, out.R3,
								out.State.Structure[isapower.StateHFSCR], real, did, r3, after)
						}
					}
				}
			}
		}
	}
	t.Logf("%d combinations compared, %d disagree", compared, disagreed)
}

func TestStepAllocatesNothing(t *testing.T) {
	g, s := mustFind(t, "ideal"), NewState(isapower.Level31, power10)
	if n := testing.AllocsPerRun(1000, func() {
		in := Step(g, power10, &s, Event{Kind: Enter})
		sink = Step(g, power10, &in.State, Event{Kind: Use, Cause: 4, Value: clrbhrb})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var sink Outcome

func BenchmarkStep(b *testing.B) {
	for _, name := range []string{"6.13", "ideal"} {
		g, s := mustFind(b, name), NewState(isapower.Level31, power10)
		running := Step(g, power10, &s, Event{Kind: Enter}).State
		b.Run(name+"/enter", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = Step(g, power10, &s, Event{Kind: Enter})
			}
		})
		b.Run(name+"/unavailable", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = Step(g, power10, &running, Event{Kind: Unavailable, Cause: 4, Value: clrbhrb})
			}
		})
	}
}

// BenchmarkCopy is the floor: what it costs to copy a State into an Outcome
// and that to where it is wanted.
func BenchmarkCopy(b *testing.B) {
	s := NewState(isapower.Level31, power10)
	for b.Loop() {
		sink = copyOf(&s)
	}
}

//go:noinline
func copyOf(s *State) (out Outcome) {
	out.State = *s
	return out
}
