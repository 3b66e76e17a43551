package guise_test

import (
	"fmt"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// distinct returns n hosts with views of their own: they show 0 to 2 in fields
// that every host can lower, and one of pools values in a field that none can.
func distinct(t testing.TB, n, pools int) []*guise.Capture {
	t.Helper()
	base := load(t, "graviton2@6.18")
	slots := plainSlots(12)
	captures := make([]*guise.Capture, n)
	for i := range captures {
		c := *base
		setup := base.Setups[0]
		offers := *setup.Offers
		rest := i
		for _, slot := range slots {
			register, field := int(arm64.Slots[slot].Register), &arm64.Registers[arm64.Slots[slot].Register].Fields[arm64.Slots[slot].Field]
			limit := uint64(rest % 3)
			setup.View.Put(register, field.Put(setup.View.Values[register], limit))
			offers.PutSet(slot, isa.Range(0, limit))
			rest /= 3
		}
		setup.View.Put(arm64.REVIDREL1, uint64(i%pools))
		var shown arm64.Offers
		shown.FromView(&setup.View)
		offers.CopyAt(arm64.REVIDREL1, &shown)
		setup.Offers, setup.Accepts, setup.AssumedKernel = &offers, guise.Tried, ""
		c.Name, c.Setups = fmt.Sprintf("h%05d", i), []guise.CapturedSetup{setup}
		captures[i] = &c
	}
	return captures
}

// BenchmarkPools shows how pools grow with the number of distinct views: the
// kinds that matter are as many as there are pools.
func BenchmarkPools(b *testing.B) {
	for _, n := range []int{250, 500, 1000, 2000} {
		for _, fleet := range []struct {
			name     string
			captures []*guise.Capture
		}{
			{"a tenth", distinct(b, n, n/10)}, {"none alike", distinct(b, n, n)}, {"in threes", triples(b, n, 48)},
		} {
			b.Run(fmt.Sprintf("%s/%d", fleet.name, n), func(b *testing.B) {
				for b.Loop() {
					result, err := guise.Pools(fleet.captures, nil, 4)
					if err != nil || len(result.Rungs) == 0 {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
