package difftest

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
	model "github.com/guise-project/guise/model/arm64"
)

func open(t testing.TB, name string) *model.Host {
	t.Helper()
	host, err := model.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// TestSameHostsAgree: two of the same model do not differ in anything.
func TestSameHostsAgree(t *testing.T) {
	for _, name := range []string{"5.10/cortex-a53", "6.12/max+mte", "7.2/max,kvm-arm.mode=nested", "7.1/neoverse-v1,kvm-arm.mode=protected"} {
		report, err := Run(t.Context(), open(t, name), open(t, name), Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, suite := range AllSuites {
			if report.Comparisons[suite] == 0 {
				t.Errorf("%s: %s compared nothing", name, suite)
			}
		}
		if report.Differing != 0 {
			t.Errorf("%s: %d of %d differ: %+v", name, report.Differing, report.Total(), report.Disagreements[0])
		}
	}
}

// TestDifferencesAreFound, by the suite that is there to find them, and shrunk
// by the random one.
func TestDifferencesAreFound(t *testing.T) {
	for _, c := range []struct {
		a, b     string
		suite    Suite
		scenario string // part of one
	}{
		{"6.12/neoverse-n1", "6.12/neoverse-v1", Setups, "vm sve"},
		{"6.12/neoverse-n1", "6.18/neoverse-n1", Setups, "list"},
		{"6.12/neoverse-n1", "6.18/neoverse-n1", Sweep, "set ID_AA64PFR0_EL1"},
		{"6.1/neoverse-n1", "6.12/neoverse-n1", GuestSuite, "guest smc"},
		{"6.1/neoverse-n1", "6.12/neoverse-n1", Services, "filter"},
		{"6.1/neoverse-n1", "6.12/neoverse-n1", Random, "vm "},
		{"7.1/max,kvm-arm.mode=protected", "7.2/max,kvm-arm.mode=protected", GuestSuite, "protected"},
	} {
		report, err := Run(t.Context(), open(t, c.a), open(t, c.b), Options{Seed: 1, Operations: 500})
		if err != nil {
			t.Fatal(err)
		}
		found, longest := false, 0
		for _, d := range report.Disagreements {
			found = found || d.Suite == c.suite && strings.Contains(d.Scenario, c.scenario)
			if d.Suite == Random {
				longest = max(longest, strings.Count(d.Scenario, "\n"))
			}
		}
		if !found {
			t.Errorf("%s and %s: %s found nothing with %q", c.a, c.b, c.suite, c.scenario)
		}
		if c.suite == Random && longest > 12 {
			t.Errorf("the longest random scenario has %d lines: not shrunk", longest)
		}
	}
}

// BenchmarkSweep: the exhaustive sweep of one host on the model; aim, under a
// second.
func BenchmarkSweep(b *testing.B) {
	host := open(b, "7.2/neoverse-v1")
	for b.Loop() {
		report, err := Run(b.Context(), host, host, Options{Seed: 1, Operations: -1, Setups: []guise.Setup{{}}})
		if err != nil || report.Differing != 0 {
			b.Fatal(err, report.Differing)
		}
		b.ReportMetric(float64(report.Total()), "results")
	}
}
