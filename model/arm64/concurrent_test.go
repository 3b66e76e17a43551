package arm64

import (
	"sync"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/vm"
)

// TestHostsAreUsedConcurrently: many goroutines capture, prove and apply on one host
// and get what one alone gets. The race detector looks on in CI.
func TestHostsAreUsedConcurrently(t *testing.T) {
	setups := []guise.Setup{{VGIC: 3}, {Features: []guise.Feature{guise.FeaturePMU}, VGIC: 3}}
	capture := func(host *Host) *guise.Capture {
		c, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: setups})
		if err != nil {
			t.Error(err)
			return nil
		}
		return c
	}
	alone, err := Open("7.2/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	one := capture(alone)
	result, err := guise.Baseline([]*guise.Capture{one}, nil)
	if err != nil || result.Contract == nil {
		t.Fatalf("%+v, %v", result, err)
	}
	shared, err := Open("7.2/neoverse-n1") // nothing was asked of it yet
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if c := capture(shared); c != nil && c.ViewDigest() != one.ViewDigest() {
				t.Error("a capture beside others is another")
			}
		})
		all.Go(func() {
			if proof, err := vm.Prove(t.Context(), shared, result.Contract, vm.ProveOptions{}); err != nil || proof.Verdict() == guise.No {
				t.Errorf("%+v, %v", proof, err)
			}
		})
		all.Go(func() {
			machine, _, err := vm.Apply(t.Context(), shared, result.Contract, 2)
			if err != nil {
				t.Error(err)
				return
			}
			if err := machine.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
