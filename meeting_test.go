package guise_test

import (
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// changed returns a host like another but for what change does to its first
// setup, whose offers are its own.
func changed(from *guise.Capture, name string, change func(s *guise.CapturedSetup, offers *arm64.Offers)) *guise.Capture {
	c := *from
	c.Name = name
	c.Setups = slices.Clone(from.Setups)
	s := &c.Setups[0]
	offers := *s.Offers
	s.Offers = &offers
	change(s, &offers)
	return &c
}

// TestLackOfACacheHidesNoConflict: two hosts that show different caches, which
// nobody can change, have no contract; a third that lacks the register gives
// them none.
func TestLackOfACacheHidesNoConflict(t *testing.T) {
	base := load(t, "graviton2@6.18")
	place := place("CCSIDR_EL1[2]")
	showing := func(name string, value uint64, free bool) *guise.Capture {
		return changed(base, name, func(s *guise.CapturedSetup, offers *arm64.Offers) {
			s.View.Put(place, value)
			shown := *offers
			shown.FromView(&s.View)
			offers.CopyAt(place, &shown)
			if free {
				offers.Free(place)
			}
		})
	}
	lacking := changed(base, "lacking", func(s *guise.CapturedSetup, offers *arm64.Offers) {
		s.View.Present.Remove(place)
		s.View.Values[place] = 0
		shown := *offers
		shown.FromView(&s.View)
		offers.CopyAt(place, &shown)
	})
	small, large, long := showing("small", 0x701fe01a, false), showing("large", 0x703fe01a, false), showing("long", 0x701fe01b, true)
	for _, test := range []struct {
		hosts []*guise.Capture
		want  guise.Verdict
	}{
		{[]*guise.Capture{small, large}, guise.No},
		{[]*guise.Capture{small, large, lacking}, guise.No},
		{[]*guise.Capture{lacking, large, small}, guise.No},
		{[]*guise.Capture{small, long}, guise.No}, // a shorter line than its own is refused by long
		{[]*guise.Capture{small, long, lacking}, guise.No},
		{[]*guise.Capture{small, lacking}, guise.Yes},
	} {
		result := baseline(t, nil, test.hosts...)
		if result.Verdict != test.want {
			t.Errorf("%d hosts from %s: %v, want %v: %+v", len(test.hosts), test.hosts[0].Name, result.Verdict, test.want, result.Findings)
		}
	}
	varied := baseline(t, &guise.Policy{Vary: []string{"CCSIDR_EL1[2]"}}, small, large, lacking)
	if varied.Verdict != guise.Yes {
		t.Errorf("left to each host: %v", varied.Findings)
	}
}
