package difftest

import (
	"flag"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

var (
	seed       = flag.Uint64("seed", 0, "seed of random choices, to repeat a run; 0 draws one for each host, and it is printed")
	operations = flag.Int("operations", 10_000, "random operations for each host")
)

// compareArguments compare all that there is; the setups are looked at in any
// case.
func compareArguments(name string) []string {
	arguments := []string{"model", "compare", "--as", name, "--quiet", "--json",
		"--seed", strconv.FormatUint(*seed, 10), "--operations", strconv.Itoa(*operations)}
	for _, suite := range AllSuites {
		if suite != Setups {
			arguments = append(arguments, "--suite", string(suite))
		}
	}
	return arguments
}

// TestModelAgainstKernels: the model and real kernels, result by result. One
// boot a host. What kernels do otherwise than one would think the model does too
// (docs/findings.md), so that nothing may differ.
func TestModelAgainstKernels(t *testing.T) {
	var hosts []lab.Host
	for _, cpu := range []string{"cortex-a53", "cortex-a72", "neoverse-n1", "neoverse-v1", "a64fx", "max"} {
		for _, kernel := range []string{"5.10", "6.1", "6.12", "6.18", "7.2"} {
			hosts = append(hosts, lab.Host{Kernel: kernel, CPU: cpu})
		}
	}
	hosts = append(hosts,
		lab.Host{Kernel: "7.2", CPU: "max", Options: []string{"mte=on"}},
		lab.Host{Kernel: "7.2", CPU: "max", Append: []string{"kvm-arm.mode=nested"}},
		lab.Host{Kernel: "6.18", CPU: "neoverse-n2", Append: []string{"kvm-arm.mode=nested"}}, // FEAT_NV2, no FEAT_FGT
		lab.Host{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"arm64.nosve"}},
		lab.Host{Kernel: "6.12", CPU: "a64fx", Append: []string{"id_aa64pfr0.sve=0"}},
		lab.Host{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
	)
	everyday := labtest.Everyday(t, hosts, "5.10/cortex-a72", "6.18/cortex-a53", "6.18/neoverse-n2,kvm-arm.mode=nested", "7.2/neoverse-v1,kvm-arm.mode=protected")
	for _, host := range everyday {
		name := host.Name()
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			if testenv.Late(t, "not begun") {
				return
			}
			host.Limit, host.Fresh = 10*time.Minute, true
			started := time.Now()
			result := labtest.Run(t, host, lab.Job{Args: compareArguments(name)})
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
			if report.Operations < *operations {
				t.Errorf("%d random operations, want %d", report.Operations, *operations)
			}
			testenv.Figure(t, "%s (%s): %d results, %d differ; %d random operations in %d VMs; %d guest operations not modelled; seed %d; %v", name, result.Release,
				report.Total(), report.Differing, report.Operations, report.Sequences, report.NotModelled, report.Seed, time.Since(started).Round(time.Second))
		})
	}
}
