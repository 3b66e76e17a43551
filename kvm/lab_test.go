package kvm

import (
	"testing"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs this package's tests on real kernels.
func TestOnKernels(t *testing.T) {
	hosts := []lab.Host{
		{Kernel: "5.10", CPU: "neoverse-n1"},
		{Kernel: "5.10", CPU: "cortex-a72"},
		{Kernel: "6.1", CPU: "neoverse-v1"},
		{Kernel: "6.12", CPU: "max"},
		{Kernel: "6.18", CPU: "neoverse-v1"},
		{Kernel: "6.18", CPU: "a64fx"},
		{Kernel: "7.2", CPU: "cortex-a53"},
		{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}},
		{Kernel: "7.2", CPU: "max", Options: []string{"mte=on"}, Append: []string{"kvm-arm.mode=nested"}},
	}
	for _, host := range labtest.Everyday(t, hosts, "6.1/neoverse-v1", "7.2/neoverse-v1,kvm-arm.mode=protected") {
		t.Run(host.Name(), func(t *testing.T) {
			t.Parallel()
			if testenv.Late(t, "not begun") {
				return
			}
			labtest.RunPackage(t, host, "-model="+host.Name())
		})
	}
}
