package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
	"github.com/guise-project/guise/scenario"
)

// TestConformanceOnKernels: every assertion of the suite holds on real kernels.
func TestConformanceOnKernels(t *testing.T) {
	hosts := []lab.Host{
		{Kernel: "5.10", CPU: "a64fx"},
		{Kernel: "6.1", CPU: "neoverse-n1"},
		{Kernel: "6.1", CPU: "cortex-a72"},
		{Kernel: "6.12", CPU: "neoverse-v1"},
		{Kernel: "6.18", CPU: "cortex-a53"},
		{Kernel: "7.2", CPU: "max"},
		{Kernel: "7.2", CPU: "max", Append: []string{"kvm-arm.mode=nested"}},
		{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
	}
	for _, host := range labtest.Everyday(t, hosts, "6.1/cortex-a72", "7.2/max,kvm-arm.mode=nested") {
		t.Run(strings.ReplaceAll(host.Name(), "/", "-"), func(t *testing.T) {
			t.Parallel()
			if testenv.Late(t, "not begun") {
				return
			}
			host.Limit = 5 * time.Minute // VMs with EL2 take seconds to be torn down
			result := labtest.Run(t, host, lab.Job{Args: []string{"model", "test", "--on", "kvm", "--json"}})
			var outcomes []scenario.Outcome
			if err := json.Unmarshal(result.Stdout, &outcomes); err != nil {
				t.Fatalf("%v: %s%s", err, result.Stdout, result.Stderr)
			}
			checked := 0
			for _, o := range outcomes {
				checked += o.Checked
				for _, f := range o.Failures {
					t.Errorf("%s: %s:%d: %s: want %s, got %s", result.Release, o.Script, f.Line, f.Text, f.Want, f.Got)
				}
			}
			if checked == 0 {
				t.Error("nothing was checked")
			}
			t.Logf("%s: %d assertions", result.Release, checked)
		})
	}
}
