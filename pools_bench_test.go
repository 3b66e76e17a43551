package guise_test

import (
	"fmt"
	"testing"
	"time"

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

// BenchmarkFewViews holds what is decided of 10,000 hosts of 40 views against
// reading them: as files, and as one fleet, which has each view once. The figures
// are ratios.
func BenchmarkFewViews(b *testing.B) {
	const hosts, views = 10_000, 40
	few := distinct(b, views, views)
	captures := make([]*guise.Capture, hosts)
	files := make([][]byte, hosts)
	for i := range captures {
		c := *few[i%views]
		c.Name = fmt.Sprintf("h%05d", i)
		captures[i], files[i] = &c, c.Marshal()
	}
	fleet := guise.MarshalFleet(captures)
	took := func(f func() error) float64 {
		started := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(started).Seconds()
	}
	var asFiles, asFleet float64
	decide := func(hosts []*guise.Capture) (pools, baseline float64) {
		pools = took(func() error { _, err := guise.Pools(hosts, nil, 4); return err })
		return pools, took(func() error { _, err := guise.Baseline(hosts, nil); return err })
	}
	var poolsOfFiles, baselineOfFiles, poolsOfFleet, baselineOfFleet float64
	for b.Loop() {
		read := make([]*guise.Capture, hosts)
		asFiles += took(func() (err error) {
			for i := range files {
				if read[i], err = guise.ReadCapture("h", files[i]); err != nil {
					return err
				}
				read[i].Name = captures[i].Name
			}
			return nil
		})
		pools, baseline := decide(read)
		poolsOfFiles, baselineOfFiles = poolsOfFiles+pools, baselineOfFiles+baseline
		asFleet += took(func() (err error) { read, err = guise.ReadFleet("f", fleet); return err })
		pools, baseline = decide(read)
		poolsOfFleet, baselineOfFleet = poolsOfFleet+pools, baselineOfFleet+baseline
	}
	b.ReportMetric((asFiles+poolsOfFiles)/asFiles, "pools/files")
	b.ReportMetric((asFiles+baselineOfFiles)/asFiles, "baseline/files")
	b.ReportMetric((asFleet+poolsOfFleet)/asFleet, "pools/fleet")
	b.ReportMetric((asFleet+baselineOfFleet)/asFleet, "baseline/fleet")
}
