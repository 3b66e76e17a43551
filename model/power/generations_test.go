package power

import (
	"fmt"
	"testing"

	isapower "github.com/guise-project/guise/isa/power"
)

func TestGenerations(t *testing.T) {
	for _, c := range []struct{ version, want, basis string }{
		{"4.20", "5.10", ""}, {"5.4", "5.10", ""}, {"5.10", "5.10", ""}, {"5.10.223", "5.10", ""},
		{"5.11", "5.10", "inferred"}, {"5.13", "5.12", "inferred"}, {"5.14", "5.14", "inferred"}, {"5.15", "5.15", "inferred"},
		{"5.18", "5.15", "inferred"}, {"6.1", "5.19", ""}, {"6.3", "5.19", "inferred"}, {"6.6", "6.4", "inferred"}, {"6.12.107", "6.4", ""}, {"6.13", "6.13", "inferred"}, {"7.2", "6.13", ""}, {"7.3", "6.13", ""},
		{"7.4", "6.13", "extrapolated"}, {"ideal", "ideal", ""}, {"v3-2", "v3-2", ""},
	} {
		g, basis, err := FindGeneration(c.version)
		if err != nil || g.Name != c.want || basis[:min(len(basis), len(c.basis))] != c.basis || (basis == "") != (c.basis == "") {
			t.Errorf("%s: %v, %q, %v; want %s, %q", c.version, g, basis, err, c.want, c.basis)
		}
	}
	for _, bad := range []string{"", "4.19", "ideal2", "6", "6.x", "6.-1"} {
		if g, _, err := FindGeneration(bad); err == nil || g != nil {
			t.Errorf("%q was taken", bad)
		}
	}
	names := map[string]bool{}
	for i := range Generations {
		g := &Generations[i]
		if names[g.Name] || g.About == "" || len(g.Changes) == 0 {
			t.Errorf("%s: not unique, or says nothing", g.Name)
		}
		names[g.Name] = true
		changed := map[Rule]bool{}
		for _, c := range g.Changes {
			if changed[c.Rule] || c.Evidence == "" {
				t.Errorf("%s: %v changed twice or without evidence", g.Name, c.Rule)
			}
			changed[c.Rule] = true
			if g.Base != "" && mustFind(t, g.Base).rules[c.Rule] == c.Choice {
				t.Errorf("%s: %v is no change", g.Name, c.Rule)
			}
			if !choicesOf(c.Rule)[c.Choice] {
				t.Errorf("%s: %v cannot be %v", g.Name, c.Rule, c.Choice)
			}
		}
	}
	for r := range ruleCount {
		if ruleNames[r] == "" {
			t.Errorf("rule %d has no name", r)
		}
	}
	for c := range choiceCount {
		if choiceNames[c] == "" {
			t.Errorf("choice %d has no name", c)
		}
	}
	for d := range didCount {
		if fmt.Sprint(d) == "" {
			t.Errorf("outcome %d has no name", d)
		}
	}
}

// choicesOf lists what a rule can be decided to.
func choicesOf(r Rule) map[Choice]bool {
	set := func(choices ...Choice) map[Choice]bool {
		m := map[Choice]bool{}
		for _, c := range choices {
			m[c] = true
		}
		return m
	}
	switch r {
	case RuleVersions:
		return set(VersionOneOnly, VersionsToTwo)
	case RuleWriteBack:
		return set(SizeFixed, SizeByVersion, SizeBySwappedVersion)
	case RuleSwappedPCR:
		return set(ReservedBitsAdded, NotChanged)
	case RuleMask:
		return set(ToWhatL1HasNow, ToWhatIsPermitted, ToWhatIsLoadedOnly)
	case RuleLPCR:
		return set(MaskOnly, MaskFilter, MaskFilterLPES)
	case RulePCR:
		return set(NothingOfL1, L1sOwn)
	case RuleReturnedHFSCR:
		return set(ReturnReal, ReturnWritten, ReturnImplemented)
	case RuleReturnedCause:
		return set(CauseAlways, CauseOnFacility, CauseClearedOnHid)
	case RuleReturnedBreakpoints, RuleReturnedLPCR:
		return set(ReturnReal, ReturnWritten)
	case RuleLazy:
		return set(LazyNone, LazyLinux, LazyAll)
	case RulePrefix:
		return set(NotPermitted, StayPermitted)
	case RuleLevel:
		return set(StayPermitted, AreHidden)
	case RuleDirectEmulated:
		return set(Emulate)
	}
	return set(Forward, ForwardBare, Illegal, Program, Load, Emulate, FailCall, Impossible)
}

func TestLevel(t *testing.T) {
	for name, want := range map[string]uint64{"7.2": 0x219f, "ideal": 0x019f} {
		if got := mustFind(t, name).At(power10, isapower.Level207); got.Available != want || got.Emulated != isapower.MSGP {
			t.Errorf("%s at 2.07: %+v, want %#x", name, got, want)
		}
	}
	if got := mustFind(t, "ideal").At(power10, isapower.Level206); got.Available != isapower.FP|isapower.VECVSX || got.Emulated != 0 {
		t.Errorf("ideal at 2.06: %+v", got)
	}
}

// TestPermitted holds hfscr_permitted as it was read through QEMU's monitor.
func TestPermitted(t *testing.T) {
	for _, c := range []struct {
		kernel string
		host   isapower.Level
		want   uint64
	}{
		{"6.1", isapower.Level31, 0x019f},
		{"6.12", isapower.Level31, 0x219f},
		{"7.2", isapower.Level31, 0x219f},
		{"7.2", isapower.Level30, 0x019f},
	} {
		if got := mustFind(t, c.kernel).Permitted(c.host, false); got != c.want {
			t.Errorf("%s on %v: %#x, want %#x", c.kernel, c.host, got, c.want)
		}
	}
}

// TestWhatRestrictingLeaves: which generations let L1 read back the
// restriction of other registers than HFSCR.
func TestWhatRestrictingLeaves(t *testing.T) {
	const lpcr = ^uint64(0)
	for _, c := range []struct {
		generation         string
		dawrx, ciabr, lpcr uint64
	}{
		{"5.10", 0x3b, 0x5678, lpcr},
		{"5.12", 0x3b, 0x5678, lpcr},
		{"v3-1", 0x3f, 0x567b, lpcr},
		{"5.14", 0x3b, 0x5678, 0x0070000007d6fc1f},
		{"5.15", 0x3f, 0x567b, lpcr},
		{"7.2", 0x3f, 0x567b, lpcr},
		{"ideal", 0x3f, 0x567b, lpcr},
	} {
		g, s := mustFind(t, c.generation), NewState(isapower.Level31, power10)
		if g.Rule(RuleVersions) == VersionOneOnly {
			s.Structure[isapower.StateVersion] = 1
		}
		s.Structure[isapower.StateDAWRX0], s.Structure[isapower.StateCIABR], s.Structure[isapower.StateLPCR] = 0x3f, 0x567b, lpcr
		s = Step(g, power10, &s, Event{Kind: Enter}).State
		v := Step(g, power10, &s, Event{Kind: Exit, Value: 0xc00}).State.Structure
		if v[isapower.StateDAWRX0] != c.dawrx || v[isapower.StateCIABR] != c.ciabr || v[isapower.StateLPCR] != c.lpcr {
			t.Errorf("%s: dawrx0 %#x, ciabr %#x, lpcr %#x; want %#x, %#x, %#x", c.generation,
				v[isapower.StateDAWRX0], v[isapower.StateCIABR], v[isapower.StateLPCR], c.dawrx, c.ciabr, c.lpcr)
		}
	}
}
