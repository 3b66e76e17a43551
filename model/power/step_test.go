package power

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	isapower "github.com/guise-project/guise/isa/power"
)

func mustFind(t testing.TB, name string) *Generation {
	t.Helper()
	g, _, err := FindGeneration(name)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const (
	clrbhrb = 0x7c00035c
	msgsndp = 0x7c00191c
	mtebbhr = 0x7c64cba6
)

var power10 = Permitted{Available: 0x219f, Emulated: isapower.MSGP}
var power9 = Permitted{Available: 0x019f, Emulated: isapower.MSGP}

// TestWorkedExamples holds values that were observed on real kernels ("O"),
// read in their source ("S") or calculated ("C").
func TestWorkedExamples(t *testing.T) {
	use := func(cause uint8, word uint64) Event { return Event{Kind: Use, Cause: cause, Value: word} }
	syscall := Event{Kind: Exit, Value: isapower.VectorSystemCall}
	for _, c := range []struct {
		name       string
		generation string
		level      isapower.Level
		permitted  Permitted
		lazy       uint64
		v          uint64
		event      Event
		real       uint64
		did        Did
		r3         int64
		after      uint64 // V as L1 reads it; for an L2 that still runs, R
		heir       uint64
	}{
		{"1 O", "7.2", isapower.Level31, power10, 0, 0x00ffffffffffffff, syscall, 0x219f, Returned, 0xc00, 0x00ffffffffffffff, 0},
		{"2 O", "7.2", isapower.Level31, power10, 0, 0xabffffffffffffff, syscall, 0xab0000000000219f, Returned, 0xc00, 0xabffffffffffffff, 0},
		{"3 O", "6.12", isapower.Level31, power10, 0, 0x0affffffffffffff, Event{Kind: Tick}, 0x0a0000000000219f, Ran, 0, 0x0a0000000000219f, 0},
		{"3 O", "7.2", isapower.Level31, power10, 0, 0x0affffffffffffff, Event{Kind: Tick}, 0x0a0000000000219f, Ran, 0, 0x0a0000000000219f, 0},
		{"4 O", "7.2", isapower.Level30, power9, 0, 0x0affffffffffffff, Event{Kind: Tick}, 0x0a0000000000019f, Ran, 0, 0x0a0000000000019f, 0},
		{"5 O", "7.2", isapower.Level31, power10, 0, 0x77ffffffffffffef, use(4, clrbhrb), 0x770000000000218f, Returned, 0xf80, 0x04ffffffffffffef, 0},
		{"5 O", "6.12", isapower.Level31, power10, 0, 0x77ffffffffffffef, use(4, clrbhrb), 0x770000000000218f, Returned, 0xf80, 0x04ffffffffffffef, 0},
		{"6 O", "7.2", isapower.Level31, power10, 0, 0x7700000000000000, use(4, clrbhrb), 0x7700000000000000, Returned, 0xf80, 0x0400000000000000, 0},
		{"7 O", "7.2", isapower.Level31, power10, 0, 0x10, use(4, clrbhrb), 0x10, Ran, 0, 0x10, 0},
		{"8 O", "7.2", isapower.Level31, power10, 0, 0x77ffffffffffffff, use(10, msgsndp), 0x770000000000219f, Returned, 0xf80, 0x0affffffffffffff, 0},
		{"9 O", "7.2", isapower.Level31, power10, 0, 0x00fffffffffffbff, use(10, msgsndp), 0x219f, Returned, 0xf80, 0x0afffffffffffbff, 0},
		{"10 S", "6.12", isapower.Level31, power10, 0, 0x77ffffffffffffff, use(10, msgsndp), 0x770000000000219f, Returned, 0xe40, 0x77ffffffffffffff, msgsndp},
		{"10 O", "6.12", isapower.Level31, power10, 0, 0x77ffffffffffffff, Event{Kind: Signal}, 0x770000000000219f, Returned, 0, 0x77ffffffffffffff, 0},
		{"11 C", "ideal", isapower.Level31, power10, 0, 0x77ffffffffffffff, use(10, msgsndp), 0x770000000000219f, Emulated, 0, 0x770000000000219f, 0},
		{"12 C", "ideal", isapower.Level31, power9, 0, 0x25bf, use(13, 0x0600000038600001), 0x019f, Returned, 0xe40, 0x059f, 0x0600000038600001},
		{"13 C", "ideal", isapower.Level31, power9, isapower.EBB, 0x019f, use(7, mtebbhr), 0x011f, Loaded, 0, 0x019f, 0},
		{"14 C", "ideal", isapower.Level31, power9, isapower.EBB, 0x011f, use(7, mtebbhr), 0x011f, Returned, 0xf80, 0x070000000000011f, 0},
		{"no TM O", "7.2", isapower.Level31, power10, 0, 0x7700000000000020, use(5, 0x7c00051d), 0x7700000000000000, Returned, 0xe40, 0x7700000000000020, 0x7c00051d},
		{"no prefixes O", "7.2", isapower.Level30, power9, 0, 0x7700000000002000, use(13, 0x0600000038600001), 0x7700000000000000, Returned, 0xe40, 0x7700000000002000, 0x06000000},
		{"15 S", "5.10", isapower.Level30, power9, 0, 0x00ffffffffffffff, syscall, 0x019f, Returned, 0xc00, 0x019f, 0},
	} {
		t.Run(c.name+" "+c.generation, func(t *testing.T) {
			g := mustFind(t, c.generation)
			s := NewState(c.level, c.permitted)
			if g.Rule(RuleVersions) == VersionOneOnly {
				s.Structure[isapower.StateVersion] = 1
			}
			s.L1.Loaded &^= c.lazy
			s.Structure[isapower.StateHFSCR] = c.v
			entered := Step(g, c.permitted, &s, Event{Kind: Enter})
			if entered.Did != Entered {
				t.Fatalf("entry: %v, r3 %d", entered.Did, entered.R3)
			}
			if r := entered.State.Real[isapower.StateHFSCR]; r != c.real {
				t.Errorf("R is %#x, want %#x", r, c.real)
			}
			out := Step(g, c.permitted, &entered.State, c.event)
			if out.Did != c.did || out.R3 != c.r3 {
				t.Errorf("%v with r3 %#x, want %v with %#x", out.Did, out.R3, c.did, c.r3)
			}
			after := out.State.Structure[isapower.StateHFSCR]
			if out.State.Running {
				after = out.State.Real[isapower.StateHFSCR]
			}
			if after != c.after {
				t.Errorf("afterwards %#x, want %#x", after, c.after)
			}
			if heir := out.State.Structure[isapower.StateHEIR]; heir != c.heir {
				t.Errorf("heir is %#x, want %#x", heir, c.heir)
			}
		})
	}
}

// TestRegistersOnEntryAndReturn holds every register of the table against
// values written down apart from it; real ones marked O were read through
// QEMU's monitor on 6.1, 6.12 and 7.2.
func TestRegistersOnEntryAndReturn(t *testing.T) {
	type row struct {
		field                 isapower.StateField
		written, real, change uint64 // change: what L2 makes of it, 0 for nothing
		returned              uint64
	}
	rows := []row{
		{isapower.StateVersion, 2, 0, 0, 2},
		{isapower.StateLPID, 1, 0, 0, 1},
		{isapower.StateVCPUToken, 3, 0, 0, 3},
		{isapower.StateLPCR, ^uint64(0), 0x0070000007d6fc1f, 0, ^uint64(0)},
		{isapower.StatePCR, 0xe, 0x0fffffffffffffef, 0, 0xe},
		{isapower.StateAMOR, 0x55, ^uint64(0), 0, 0x55}, // O
		{isapower.StateDPDES, 0, 0, 1, 1},
		{isapower.StateHFSCR, 0xff, 0x9f, 0, 0xff},
		{isapower.StateTBOffset, 0x1000, 0x1000 + 0x77, 0, 0x1000},
		{isapower.StateDAWR0, 0x1111, 0x1111, 0, 0x1111}, // O
		{isapower.StateDAWRX0, 0x3f, 0x3b, 0, 0x3f},      // O
		{isapower.StateCIABR, 0x567b, 0x5678, 0, 0x567b}, // O
		{isapower.StateHDECExpiry, 1 << 40, 1<<40 - 0x77, 0, 1 << 40},
		{isapower.StatePURR, 10, 10, 0, 15},
		{isapower.StateSPURR, 20, 20, 0, 25},
		{isapower.StateIC, 30, 30, 0, 35},
		{isapower.StateVTB, 40, 40, 0, 45},
		{isapower.StateHDAR, 0x33, 0, 0, 0x33},   // O
		{isapower.StateHDSISR, 0x44, 0, 0, 0x44}, // O
		{isapower.StateHEIR, 0x55, 0, 0, 0x55},
		{isapower.StateASDR, 0x66, 0, 0, 0x66}, // O
		{isapower.StateSRR0, 1, 1, 101, 101},
		{isapower.StateSRR1, 2, 2, 102, 102},
		{isapower.StateSPRG0, 3, 3, 103, 103},
		{isapower.StateSPRG1, 4, 4, 104, 104},
		{isapower.StateSPRG2, 5, 5, 0, 5},
		{isapower.StateSPRG3, 6, 6, 106, 106},
		{isapower.StatePIDR, 7, 7, 107, 107},
		{isapower.StateCFAR, 8, 8, 108, 108},
		{isapower.StatePPR, 9, 9, 109, 109},
		{isapower.StateDAWR1, 0x2222, 0x2222, 0, 0x2222},
		{isapower.StateDAWRX1, 0x27, 0x23, 0, 0x27},
	}
	if len(rows) != len(isapower.StateLayout) {
		t.Fatalf("%d rows for %d fields", len(rows), len(isapower.StateLayout))
	}
	for _, name := range []string{"5.15", "6.13"} {
		g := mustFind(t, name)
		s := NewState(isapower.Level31, power10)
		s.L1.TBOffset = 0x77
		s.L1.PURR = 1000
		s.MSR = isapower.MSRHV | isapower.MSRSF
		for _, r := range rows {
			s.Structure[r.field] = r.written
		}
		in := Step(g, power10, &s, Event{Kind: Enter})
		if in.Did != Entered {
			t.Fatalf("%s: %v %d", name, in.Did, in.R3)
		}
		if want := isapower.MSRSF | isapower.MSRME; in.State.RealMSR != want {
			t.Errorf("%s: real MSR %#x, want %#x: HV off, ME on", name, in.State.RealMSR, want)
		}
		for _, r := range rows {
			if got := in.State.Real[r.field]; got != r.real {
				t.Errorf("%s: real %v is %#x, want %#x", name, r.field, got, r.real)
			}
		}
		state := in.State
		for _, r := range rows {
			if r.change != 0 {
				out := Step(g, power10, &state, Event{Kind: Write, Field: r.field, Value: r.change})
				if out.Did != Ran {
					t.Errorf("%s: L2 could not write %v", name, r.field)
				}
				state = out.State
			}
		}
		state = Step(g, power10, &state, Event{Kind: Tick, Value: 5}).State
		out := Step(g, power10, &state, Event{Kind: Exit, Value: 0xc00})
		for _, r := range rows {
			if got := out.State.Structure[r.field]; got != r.returned {
				t.Errorf("%s: returned %v is %#x, want %#x", name, r.field, got, r.returned)
			}
		}
		if out.State.MSR != isapower.MSRSF|isapower.MSRME {
			t.Errorf("%s: returned MSR %#x", name, out.State.MSR)
		}
		if out.State.L1.PURR != 1005 {
			t.Errorf("%s: L1's PURR %d, want 1005", name, out.State.L1.PURR)
		}
		if out.State.Running || out.State.Real != (isapower.State{}) {
			t.Errorf("%s: L2's registers are still there", name)
		}
	}
	// Of the fields with a changed value, those that L2 does not own.
	g, s := mustFind(t, "6.13"), NewState(isapower.Level31, power10)
	s = Step(g, power10, &s, Event{Kind: Enter}).State
	for _, f := range []isapower.StateField{isapower.StateHFSCR, isapower.StateLPCR, isapower.StatePCR, isapower.StateAMOR, isapower.StateCIABR} {
		if out := Step(g, power10, &s, Event{Kind: Write, Field: f, Value: 1}); out.Did != Nothing || out.State != s {
			t.Errorf("L2 wrote %v", f)
		}
	}
}

func TestReturnedOnFaults(t *testing.T) {
	fields := []isapower.StateField{isapower.StateHDAR, isapower.StateHDSISR, isapower.StateASDR, isapower.StateHEIR}
	for _, c := range []struct {
		event Event
		r3    int64
		want  []uint64 // in the order of fields
	}{
		{Event{Kind: DataFault, Address: 0x1000, Syndrome: 0x40020000, Value: 0x9000}, 0xe00, []uint64{0x1000, 0x40020000, 0x9000, 4}},
		{Event{Kind: InstructionFault, Syndrome: 0x40000000, Value: 0x9000}, 0xe20, []uint64{1, 2, 0x9000, 4}},
		{Event{Kind: IllegalInstruction, Value: 0x7c00051d}, 0xe40, []uint64{1, 2, 3, 0x7c00051d}},
		{Event{Kind: Exit, Value: 0x500}, 0x500, []uint64{1, 2, 3, 4}},
	} {
		g, s := mustFind(t, "6.13"), NewState(isapower.Level31, power10)
		for i, f := range fields {
			s.Structure[f] = uint64(i + 1)
		}
		s = Step(g, power10, &s, Event{Kind: Enter}).State
		out := Step(g, power10, &s, c.event)
		if out.R3 != c.r3 {
			t.Errorf("%v: r3 %#x, want %#x", c.event.Kind, out.R3, c.r3)
		}
		for i, f := range fields {
			if got := out.State.Structure[f]; got != c.want[i] {
				t.Errorf("%v: %v is %#x, want %#x", c.event.Kind, f, got, c.want[i])
			}
		}
	}
}

// TestLPCR: real values of an L1 with 0x004000000454f41f, those of 6.1 and
// later observed (QEMU has no bit 2).
func TestLPCR(t *testing.T) {
	for _, c := range []struct {
		generation string
		asked      uint64
		real       uint64
	}{
		{"5.10", 0, 0x000000000454f413},
		{"5.10", ^uint64(0), 0x0070000007d6fe1f},
		{"5.15", 0, 0x000000000454f413},
		{"5.15", ^uint64(0), 0x0070000007d6fc1f},
		{"6.1", 0, 0x000000000454f41f},
		{"7.2", 0, 0x000000000454f41f},
		{"7.2", ^uint64(0), 0x0070000007d6fc1f},
		{"7.2", 0x0000000001000000, 0x000000000454f41f}, // AIL 2 is none
		{"7.2", 0x0000000001800000, 0x0000000005d4f41f},
	} {
		g, s := mustFind(t, c.generation), NewState(isapower.Level31, power10)
		if g.Rule(RuleVersions) == VersionOneOnly {
			s.Structure[isapower.StateVersion] = 1
		}
		s.Structure[isapower.StateLPCR] = c.asked
		if got := Step(g, power10, &s, Event{Kind: Enter}).State.Real[isapower.StateLPCR]; got != c.real {
			t.Errorf("%s, asked %#x: %#x, want %#x", c.generation, c.asked, got, c.real)
		}
	}
	g, s := mustFind(t, "7.2"), NewState(isapower.Level31, power10)
	s.Machine.RadixPrefetchBug = true
	s.Structure[isapower.StateLPCR] = isapower.LPCRAIL
	if got := Step(g, power10, &s, Event{Kind: Enter}).State.Real[isapower.StateLPCR]; got&isapower.LPCRAIL != 0 {
		t.Errorf("AIL %#x with the prefetch bug", got)
	}
}

// TestMSRBelongsToL2 but for HV and ME.
func TestMSRBelongsToL2(t *testing.T) {
	g, s := mustFind(t, "7.2"), NewState(isapower.Level31, power10)
	s = Step(g, power10, &s, Event{Kind: Enter}).State
	out := Step(g, power10, &s, Event{Kind: Write, Field: isapower.StateFields, Value: isapower.MSRHV | isapower.MSRPR})
	if out.Did != Ran || out.State.RealMSR != isapower.MSRPR|isapower.MSRME {
		t.Errorf("%v, %#x", out.Did, out.State.RealMSR)
	}
	out = Step(g, power10, &out.State, Event{Kind: InstructionFault, Syndrome: 0x40000000})
	if out.State.MSR != isapower.MSRPR|isapower.MSRME|0x40000000 {
		t.Errorf("returned %#x", out.State.MSR)
	}
}

func TestVersionOneHasNoSecondWatchpoint(t *testing.T) {
	g, s := mustFind(t, "7.2"), NewState(isapower.Level31, power10)
	s.Structure[isapower.StateVersion] = 1
	s.Structure[isapower.StateDAWR1], s.Structure[isapower.StateDAWRX1] = 0x1000, 0x23 // beyond the structure's end
	out := Step(g, power10, &s, Event{Kind: Enter})
	if out.Did != Entered || out.State.Real[isapower.StateDAWR1] != 0 || out.State.Real[isapower.StateDAWRX1] != 0 {
		t.Errorf("%v: DAWR1 %#x, DAWRX1 %#x", out.Did, out.State.Real[isapower.StateDAWR1], out.State.Real[isapower.StateDAWRX1])
	}
}

// TestEntryErrors holds the codes observed on 6.1.176, 6.12.107 and 7.2.11,
// and 5.10's from its source; each case also breaks everything that is checked
// later, so that the order shows.
func TestEntryErrors(t *testing.T) {
	breaks := []struct {
		name     string
		breakIt  func(*State)
		code     int64
		code510  int64
		together bool // may be broken while a later check is asked
	}{
		{"no partition table", func(s *State) { s.L1.PartitionTableEntries = 0 }, 3, 3, true},
		{"L1 transactional", func(s *State) { s.L1.MSR |= isapower.MSRTST }, -5, -5, true},
		{"unreadable", func(s *State) { s.Unreadable = true }, -4, -4, true},
		{"version 3", func(s *State) { s.Structure[isapower.StateVersion] = 3 }, -4, -55, true},
		{"version 0x100000002", func(s *State) { s.Structure[isapower.StateVersion] = 0x100000002 }, -55, -55, true},
		{"vcpu_token", func(s *State) { s.Structure[isapower.StateVCPUToken] = 2048 }, -4, -4, true},
		{"L2 suspended", func(s *State) { s.MSR |= isapower.MSRTSS }, -5, -5, true},
		{"lpid 300 of 256", func(s *State) { s.Structure[isapower.StateLPID] = 300 }, -4, -4, true},
	}
	for _, name := range []string{"5.10", "5.12", "v3-1", "v3-2", "5.14", "5.15", "5.19", "6.13", "ideal"} {
		g := mustFind(t, name)
		for i, b := range breaks {
			for _, more := range []bool{false, true} {
				s := NewState(isapower.Level31, power10)
				if g.Rule(RuleVersions) == VersionOneOnly {
					s.Structure[isapower.StateVersion] = 1
				}
				if more {
					for j := len(breaks) - 1; j > i; j-- {
						breaks[j].breakIt(&s)
					}
				}
				b.breakIt(&s)
				want := b.code
				if name == "5.10" {
					want = b.code510
				}
				out := Step(g, power10, &s, Event{Kind: Enter})
				if out.Did != Refused || out.R3 != want || out.State != s {
					t.Errorf("%s, %s, more %v: %v with %d, want refused with %d and nothing changed", name, b.name, more, out.Did, out.R3, want)
				}
			}
		}
	}
	// What is not an error.
	g := mustFind(t, "7.2")
	for name, change := range map[string]func(*State){
		"vcpu_token 2047":            func(s *State) { s.Structure[isapower.StateVCPUToken] = 2047 },
		"L1 suspended, L2 suspended": func(s *State) { s.L1.MSR |= isapower.MSRTSS; s.MSR |= isapower.MSRTSS },
		"lpid 255":                   func(s *State) { s.Structure[isapower.StateLPID] = 255 },
		"version 1":                  func(s *State) { s.Structure[isapower.StateVersion] = 1 },
	} {
		s := NewState(isapower.Level31, power10)
		change(&s)
		if out := Step(g, power10, &s, Event{Kind: Enter}); out.Did != Entered {
			t.Errorf("%s: %v with %d", name, out.Did, out.R3)
		}
	}
	// Every check has a row, once.
	seen := map[Check]bool{}
	for _, row := range Checks {
		if seen[row.Check] || row.About == "" || isapower.ReturnNames[row.Code] == "" {
			t.Errorf("check %d: twice, or incomplete: %+v", row.Check, row)
		}
		seen[row.Check] = true
	}
	if len(seen) != int(checkCount) {
		t.Errorf("%d of %d checks have a row", len(seen), checkCount)
	}
}

func TestExpiredTimerReturnsAtOnce(t *testing.T) {
	g, s := mustFind(t, "7.2"), NewState(isapower.Level31, power10)
	s.TimeBase, s.L1.TBOffset = 100, 50
	s.Structure[isapower.StateHDECExpiry] = 150
	s.Structure[isapower.StateHFSCR] = 0x77ffffffffffffff
	out := Step(g, power10, &s, Event{Kind: Enter})
	if out.Did != Returned || out.R3 != 0x980 || out.State.Structure[isapower.StateHFSCR] != 0x77ffffffffffffff {
		t.Errorf("%v with %#x, V %#x", out.Did, out.R3, out.State.Structure[isapower.StateHFSCR])
	}
	s.Structure[isapower.StateHDECExpiry] = 151
	if out := Step(g, power10, &s, Event{Kind: Enter}); out.Did != Entered {
		t.Errorf("one tick before: %v with %#x", out.Did, out.R3)
	}
}

// TestOtherByteOrder: a big-endian L1 on a little-endian L0.
func TestOtherByteOrder(t *testing.T) {
	for _, c := range []struct {
		generation string
		r3         int64
		pcr        uint64
		hfscr      uint64
	}{
		{"5.10", 0xc00, 0xe | isapower.PCRReserved | 0xe1ffffffffffff0f, 0x019f}, // C
		{"6.1", -10, 0xe, 0x00ffffffffffffff},                                    // O
		{"6.12", -10, 0xe, 0x00ffffffffffffff},                                   // O
		{"7.2", -10, 0xe, 0x00ffffffffffffff},                                    // O
		{"ideal", 0xc00, 0xe, 0x059f},
	} {
		g, s := mustFind(t, c.generation), NewState(isapower.Level30, power9)
		s.L1.MSR &^= isapower.MSRLE
		s.Structure[isapower.StateVersion] = 1
		s.Structure[isapower.StatePCR] = 0xe
		s.Structure[isapower.StateHFSCR] = 0x00ffffffffffffff
		in := Step(g, power9, &s, Event{Kind: Enter})
		if in.Did != Entered || in.State.Real[isapower.StateHFSCR] != 0x19f {
			t.Fatalf("%s: %v %d", c.generation, in.Did, in.R3)
		}
		in = Step(g, power9, &in.State, Event{Kind: Write, Field: isapower.StateSPRG0, Value: 0x99})
		out := Step(g, power9, &in.State, Event{Kind: Exit, Value: 0xc00})
		got := out.State.Structure
		if out.Did != Returned || out.R3 != c.r3 || got[isapower.StatePCR] != c.pcr || got[isapower.StateHFSCR] != c.hfscr {
			t.Errorf("%s: %v r3 %d, pcr %#x, hfscr %#x; want r3 %d, %#x, %#x", c.generation, out.Did, out.R3,
				got[isapower.StatePCR], got[isapower.StateHFSCR], c.r3, c.pcr, c.hfscr)
		}
		if lost := got[isapower.StateSPRG0] != 0x99; lost != (c.r3 == -10) {
			t.Errorf("%s: what L2 wrote is lost: %v", c.generation, lost)
		}
		if out.State.Running {
			t.Errorf("%s: L2 still runs", c.generation)
		}
	}
}

func TestDirectUse(t *testing.T) {
	permitted := Permitted{Available: 0x219f, Emulated: isapower.MSGP}
	for _, c := range []struct {
		generation string
		lazy       uint64
		cause      uint8
		did        Did
	}{
		{"5.10", 0, 10, Emulated},
		{"5.10", isapower.PM, 3, Interrupted},
		{"6.1", 0, 10, Emulated},
		{"6.1", isapower.PM, 3, Loaded},
		{"6.1", isapower.EBB, 7, Loaded},
		{"6.1", isapower.TAR, 8, Interrupted},
		{"6.1", 0, 8, Ran},
		{"6.1", 0, 5, Interrupted},
		{"ideal", isapower.TAR, 8, Loaded},
		{"ideal", 0, 5, Interrupted},
		{"ideal", 0, 9, Interrupted},
	} {
		g, s := mustFind(t, c.generation), NewState(isapower.Level31, permitted)
		s.L1.Loaded &^= c.lazy
		out := Step(g, permitted, &s, Event{Kind: DirectUse, Cause: c.cause})
		if out.Did != c.did {
			t.Errorf("%s, cause %d, lazy %#x: %v, want %v", c.generation, c.cause, c.lazy, out.Did, c.did)
		}
		if out.Did == Interrupted && (out.Vector != 0x700 || out.SRR1 != 0x80000) {
			t.Errorf("%s, cause %d: interrupt %#x with %#x", c.generation, c.cause, out.Vector, out.SRR1)
		}
		if (out.Did == Loaded) != (out.State.L1.Loaded != s.L1.Loaded) {
			t.Errorf("%s, cause %d: %v, loaded %#x", c.generation, c.cause, out.Did, out.State.L1.Loaded)
		}
	}
}

func TestEventsOutOfPlaceDoNothing(t *testing.T) {
	g, s := mustFind(t, "7.2"), NewState(isapower.Level31, power10)
	running := Step(g, power10, &s, Event{Kind: Enter}).State
	for kind := range eventCount {
		if kind == Enter || kind == DirectUse || kind == Release {
			if out := Step(g, power10, &running, Event{Kind: kind, Value: ^uint64(0)}); out.Did != Nothing || out.State != running {
				t.Errorf("%v while L2 runs: %v", kind, out.Did)
			}
			continue
		}
		if out := Step(g, power10, &s, Event{Kind: kind}); out.Did != Nothing || out.State != s {
			t.Errorf("%v while L1 runs: %v", kind, out.Did)
		}
	}
}

func TestStepDoesNotChangeItsInput(t *testing.T) {
	g, s := mustFind(t, "ideal"), NewState(isapower.Level31, power10)
	before := s
	Step(g, power10, &s, Event{Kind: Enter})
	if diff := cmp.Diff(before, s); diff != "" {
		t.Error(diff)
	}
}
