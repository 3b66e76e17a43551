package vm_test

import (
	"testing"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs the live tests on real kernels.
func TestOnKernels(t *testing.T) {
	labtest.OnHosts(t, []lab.Host{
		{Kernel: "5.10", CPU: "neoverse-n1"},
		{Kernel: "6.1", CPU: "neoverse-v1"},
		{Kernel: "6.12", CPU: "cortex-a53"},
		{Kernel: "6.18", CPU: "neoverse-v1"},
		{Kernel: "7.2", CPU: "a64fx"},
		{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
	}, "-test.run=Live")
}
