package arm64

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// observedCapture reads a file of testdata as a capture, with the setups that
// the kernel accepted.
func observedCapture(t *testing.T, file string) (*guise.Capture, string) {
	t.Helper()
	capture := &guise.Capture{}
	machine, skip := "", false
	lines(t, file, func(words []string) {
		switch words[0] {
		case "host":
			capture.Host.Kernel = words[1]
			machine = strings.Join(words[2:], " ")
			_, capture.Host.Mode, _ = strings.Cut(machine, "kvm-arm.mode=")
		case "setup":
			// Each feature alone, and three together: the others add nothing.
			if skip = strings.Contains(words[1], "+") && words[1] != "pauth+pmu+sve"; skip {
				return
			}
			s := guise.CapturedSetup{Setup: setupNamed(words[1])}
			if len(capture.Setups) > 0 {
				s.View = capture.Setups[0].View
			}
			capture.Setups = append(capture.Setups, s)
		case "refused":
		default:
			place, ok := arm64.PlaceOf(arm64.ID(hex(t, words[0])))
			if ok && !skip {
				capture.Setups[len(capture.Setups)-1].View.Put(place, hex(t, words[1]))
			}
		}
	})
	return capture, machine
}

// TestForecastIsNeverWrong: over every pair of kernels and every host that was
// observed under both, what is forecast as known is so, and what is not known
// includes what is so.
func TestForecastIsNeverWrong(t *testing.T) {
	files, _ := filepath.Glob("testdata/observed/*.txt")
	captures := map[string][]*guise.Capture{}
	for _, file := range files {
		c, machine := observedCapture(t, file)
		captures[machine] = append(captures[machine], c)
	}
	pairs, known, unknown := 0, 0, 0
	for machine, kernels := range captures {
		for _, from := range kernels {
			for _, to := range kernels {
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
					k, u := checkForecast(t, machine, from, to, &f.Setups[i])
					known, unknown = known+k, unknown+u
				}
			}
		}
	}
	t.Logf("%d pairs: %d fields forecast, %d unknown", pairs, known, unknown)
	if known == 0 || unknown*20 > known {
		t.Errorf("%d of %d fields are unknown: too many to be of use", unknown, known+unknown)
	}
}

func checkForecast(t *testing.T, machine string, from, to *guise.Capture, f *SetupForecast) (known, unknown int) {
	t.Helper()
	truth := to.Setup(f.Setup.Key())
	if truth == nil {
		return 0, 0
	}
	for i := range f.Fields {
		field := &f.Fields[i]
		place := int(arm64.Slots[field.Slot].Register)
		if !truth.View.Present.Has(place) {
			continue
		}
		is, _ := arm64.Slots[field.Slot].Extract(truth.View.Values[place])
		if !field.Then.Has(is) && !explained(machine, arm64.Slots[field.Slot].Name(), to) {
			t.Errorf("%s, %s to %s, %s: %s is %d, forecast %v", machine, from.Host.Kernel, to.Host.Kernel, f.Setup.Name(), arm64.Slots[field.Slot].Name(), is, field.Then)
		}
		if field.Known() {
			known++
		} else {
			unknown++
		}
	}
	for _, w := range f.Whole {
		if w.Known && truth.View.Present.Has(w.Place) && truth.View.Values[w.Place] != w.Then && !explained(machine, arm64.Registers[w.Place].Name, to) {
			t.Errorf("%s, %s to %s, %s: %s is %#x, forecast %#x", machine, from.Host.Kernel, to.Host.Kernel, f.Setup.Name(), arm64.Registers[w.Place].Name, truth.View.Values[w.Place], w.Then)
		}
	}
	return known, unknown
}

// backports are what Amazon's kernels and Firecracker do otherwise than upstream's
// kernels of the same version.
var backports = map[string]string{
	"graviton2 6.18 CLIDR_EL1":       "written by Firecracker from the host's sysfs",
	"graviton3 6.18 CLIDR_EL1":       "written by Firecracker from the host's sysfs",
	"graviton4 6.18 CLIDR_EL1":       "written by Firecracker from the host's sysfs",
	"graviton4 6.18 ID_PFR1_EL1.GIC": "Firecracker makes the vGIC before it initialises vCPUs, which sets the register to what the host has",
}

func explained(machine, name string, to *guise.Capture) bool {
	version, _ := kernel.ParseVersion(to.Host.Kernel)
	_, ok := backports[machine+" "+version.Series().String()+" "+name]
	return ok
}

// TestForecastOfGravitons: real hosts, under kernels with Amazon's backports.
func TestForecastOfGravitons(t *testing.T) {
	for _, machine := range []string{"graviton2", "graviton3", "graviton4"} {
		for _, pair := range [][2]string{{"5.10", "6.1"}, {"6.1", "6.18"}, {"5.10", "6.18"}, {"6.18", "6.1"}} {
			from, err := catalog.Load(machine + "@" + pair[0])
			if err != nil {
				t.Fatal(err)
			}
			to, err := catalog.Load(machine + "@" + pair[1])
			if err != nil {
				t.Fatal(err)
			}
			version, err := kernel.ParseVersion(to.Host.Kernel)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Predict(from, version)
			if err != nil {
				t.Fatal(err)
			}
			for i := range f.Setups {
				k, u := checkForecast(t, machine, from, to, &f.Setups[i])
				t.Logf("%s %s to %s, %s: %d fields forecast, %d unknown", machine, pair[0], pair[1], f.Setups[i].Setup.Name(), k, u)
			}
		}
	}
}
