package tracing_test

import (
	"testing"

	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestOnKernels runs this package's tests on real kernels.
func TestOnKernels(t *testing.T) {
	hosts := lab.Hosts(lab.Host{}, []string{"5.10", "6.1", "6.12", "6.18", "7.2"}, []string{"cortex-a53"})
	labtest.OnHosts(t, labtest.Everyday(t, hosts, "6.12/cortex-a53"))
}
