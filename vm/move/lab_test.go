package move

import (
	"testing"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs the live tests on real kernels.
func TestOnKernels(t *testing.T) {
	hosts := []lab.Host{
		{Kernel: "5.10", CPU: "neoverse-n1"},
		{Kernel: "6.12", CPU: "max", Options: []string{"mte=on"}},
		{Kernel: "7.2", CPU: "a64fx"},
		{Kernel: "6.18", CPU: "cortex-a53", Options: []string{"gic-version=2"}},
	}
	labtest.OnHosts(t, labtest.Everyday(t, hosts, "6.12/max,mte=on"), "-test.run=Live")
}
