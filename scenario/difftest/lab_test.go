package difftest

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

var random = flag.Bool("random", false, "put random sequences to the kernels too; what differs is a scenario to look into")

// suites are those a host is put to. A nested host's guest suite outlasts any
// limit: each of its SME probes is a line on the kernel's log.
func suites(h *lab.Host) []string {
	var flags []string
	for _, suite := range AllSuites {
		nested := slices.Contains(h.Append, "kvm-arm.mode=nested")
		if suite == Setups || (suite == Random && !*random) || (nested && suite != Sweep) {
			continue
		}
		flags = append(flags, "--suite", string(suite))
	}
	return flags
}

// TestModelAgainstKernels: the model and real kernels, result by result. One
// boot a host. What kernels do otherwise than one would think the model does too
// (docs/findings.md), so that nothing may differ.
func TestModelAgainstKernels(t *testing.T) {
	if labtest.Inside() {
		return
	}
	var hosts []lab.Host
	for _, cpu := range []string{"cortex-a53", "cortex-a72", "neoverse-n1", "neoverse-v1", "a64fx", "max"} {
		for _, kernel := range []string{"5.10", "6.1", "6.12", "6.18", "7.2"} {
			hosts = append(hosts, lab.Host{Kernel: kernel, CPU: cpu})
		}
	}
	hosts = append(hosts,
		lab.Host{Kernel: "7.2", CPU: "max", Options: []string{"mte=on"}},
		lab.Host{Kernel: "7.2", CPU: "max", Append: []string{"kvm-arm.mode=nested"}},
		lab.Host{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"arm64.nosve"}},
		lab.Host{Kernel: "6.12", CPU: "a64fx", Append: []string{"id_aa64pfr0.sve=0"}},
		lab.Host{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
	)
	for _, host := range hosts {
		name := host.Kernel + "/" + modelName(&host)
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			host.Limit, host.Fresh = 10*time.Minute, true
			started := time.Now()
			arguments := slices.Concat([]string{"model", "compare", "--as", name, "--quiet", "--json"}, suites(&host))
			result := labtest.Run(t, host, lab.Job{Args: arguments})
			var report Report
			if err := json.Unmarshal(result.Stdout, &report); err != nil {
				t.Fatalf("%v: %s%s", err, result.Stdout, result.Stderr)
			}
			if result.Status > 1 {
				t.Fatalf("status %d: %s", result.Status, result.Stderr)
			}
			for _, d := range report.Disagreements {
				t.Errorf("%s, setup %s: the kernel: %s; the model: %s\n%s", d.Suite, d.Setup, d.Kernel, d.Model, d.Scenario)
			}
			t.Logf("%s (%s): %d results, %d differ; %d guest operations not modelled; seed %d; %v", name, result.Release, report.Total(), report.Differing, report.NotModelled, report.Seed, time.Since(started).Round(time.Second))
		})
	}
}

// modelName names the model of a lab host.
func modelName(h *lab.Host) string {
	name := h.CPU
	for _, option := range h.Options {
		if option == "mte=on" {
			name += "+mte"
		}
	}
	return strings.Join(append([]string{name}, h.Append...), ",")
}
