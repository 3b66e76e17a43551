package tracing_test

import (
	"testing"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs this package's tests on real kernels.
func TestOnKernels(t *testing.T) {
	if labtest.Inside() {
		return
	}
	for _, kernel := range []string{"5.10", "6.1", "6.12", "6.18", "7.2"} {
		host := lab.Host{Kernel: kernel, CPU: "cortex-a53"}
		t.Run(host.Name(), func(t *testing.T) {
			t.Parallel()
			labtest.RunPackage(t, host)
		})
	}
}
