package vm_test

import (
	"testing"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs the live tests on real kernels.
func TestOnKernels(t *testing.T) {
	hosts := []lab.Host{
		{Kernel: "5.10", CPU: "neoverse-n1"},
		{Kernel: "6.1", CPU: "neoverse-v1"},
		{Kernel: "6.12", CPU: "cortex-a53"},
		{Kernel: "6.18", CPU: "neoverse-v1"},
		{Kernel: "7.2", CPU: "a64fx"},
		{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
	}
	labtest.OnHosts(t, labtest.Everyday(t, hosts, "5.10/neoverse-n1", "6.18/neoverse-v1"), "-test.run=Live")
}
