package move

import (
	"testing"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs the live tests on real kernels.
func TestOnKernels(t *testing.T) {
	labtest.OnHosts(t, []lab.Host{
		{Kernel: "5.10", CPU: "neoverse-n1"},
		{Kernel: "6.12", CPU: "max", Options: []string{"mte=on"}},
		{Kernel: "7.2", CPU: "a64fx"},
		{Kernel: "6.18", CPU: "cortex-a53", Options: []string{"gic-version=2"}},
	}, "-test.run=Live")
}
