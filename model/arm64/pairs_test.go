package arm64

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// catalogueByCPU loads every capture of the catalogue, by the machine that it was
// made on.
func catalogueByCPU(t *testing.T) map[string][]*guise.Capture {
	t.Helper()
	machines := map[string][]*guise.Capture{}
	for _, name := range catalog.Names() {
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(capture.Setups) == 0 {
			continue
		}
		machine, _, _ := strings.Cut(name, "@")
		machines[machine] = append(machines[machine], capture)
	}
	return machines
}

// TestForecastOverTheCatalogue: between any two captures of one machine, what is
// forecast as known is what the other capture shows, and a move that is forecast
// is one that the other capture's offers take, and back.
func TestForecastOverTheCatalogue(t *testing.T) {
	pairs, known, unknown, moves := 0, 0, 0, 0
	for machine, captures := range catalogueByCPU(t) {
		for _, from := range captures {
			for _, to := range captures {
				if from == to {
					continue
				}
				version, err := kernel.ParseVersion(to.Host.Kernel)
				if err != nil {
					t.Fatal(err)
				}
				f, err := Predict(from, version)
				if err != nil {
					t.Fatal(err)
				}
				pairs++
				for i := range f.Setups {
					truth := to.Setup(f.Setups[i].Setup.Key())
					if truth == nil || f.Setups[i].Made == guise.No {
						continue
					}
					k, u, m := checkAgainstCapture(t, machine, from, to, &f.Setups[i], truth)
					known, unknown, moves = known+k, unknown+u, moves+m
				}
			}
		}
	}
	testenv.Figure(t, "forecasts between every two captures of one machine, fingerprints of real ones among them: %d pairs, %d values known and right, %d unknown; %d moves of values judged", pairs, known, unknown, moves)
	if pairs < 100 || known < 30_000 {
		t.Errorf("%d pairs with %d known values: too few", pairs, known)
	}
}

func checkAgainstCapture(t *testing.T, machine string, from, to *guise.Capture, f *SetupForecast, truth *guise.CapturedSetup) (known, unknown, moves int) {
	t.Helper()
	before := from.Setup(f.Setup.Key())
	report := func(name string, format string, args ...any) {
		t.Helper()
		t.Errorf("%s, %s to %s, %s: %s "+format, append([]any{machine, from.Host.Kernel, to.Host.Kernel, f.Setup.Name(), name}, args...)...)
	}
	for i := range f.Fields {
		field := &f.Fields[i]
		place := int(arm64.Slots[field.Slot].Register)
		name := arm64.Slots[field.Slot].Name()
		is, there := arm64.Slots[field.Slot].Extract(truth.View.Values[place])
		if !truth.View.Present.Has(place) || !there {
			continue
		}
		if !field.Known() {
			unknown++
		} else {
			known++
		}
		if explained(machine, name, from) || explained(machine, name, to) {
			continue
		}
		if !field.Then.Has(is) {
			report(name, "is %d, forecast %v", is, field.Then)
		}
		if truth.Offers != nil && field.Taken != guise.Unknown {
			moves++
			if got := truth.Offers.Set(field.Slot).Has(field.Now); got != (field.Taken == guise.Yes) {
				report(name, "%d is taken: %v, forecast %v (of %v, then %v)", field.Now, got, field.Taken, truth.Offers.Set(field.Slot), field.Then)
			}
		}
		if before.Offers != nil && field.Back != guise.Unknown {
			moves++
			if got := before.Offers.Set(field.Slot).Has(is); got != (field.Back == guise.Yes) {
				report(name, "%d is taken back: %v, forecast %v (of %v)", is, got, field.Back, before.Offers.Set(field.Slot))
			}
		}
	}
	for _, w := range f.Whole {
		if !w.Known {
			unknown++
			continue
		}
		known++
		if truth.View.Present.Has(w.Place) && truth.View.Values[w.Place] != w.Then && !explained(machine, arm64.Registers[w.Place].Name, to) {
			report(arm64.Registers[w.Place].Name, "is %#x, forecast %#x", truth.View.Values[w.Place], w.Then)
		}
	}
	return known, unknown, moves
}
