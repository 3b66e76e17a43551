package arm64

import (
	"math/rand/v2"
	"testing"

	"github.com/guise-project/guise/isa"
)

// unlikeHosts makes hosts that differ in every field, and in every register that
// a VMM may choose; in the bits that nobody can change they agree, as hosts of
// a fleet that has a contract do.
func unlikeHosts(n int) []Offers {
	random := rand.New(rand.NewPCG(1, 2))
	offers := make([]Offers, n)
	var same View
	for place := range Registers {
		same.Put(place, random.Uint64()&^RestMask(place))
	}
	same.Values[CTREL0] |= 1 << 31 // RES1
	for i := range offers {
		v := same
		for place := range Registers {
			if Registers[place].Whole && Registers[place].Scope != isa.Hardware {
				v.Put(place, random.Uint64())
			}
		}
		o := &offers[i]
		o.FromView(&v)
		for slot := range Slots {
			o.PutSet(slot, isa.Set(random.Uint32()|1))
		}
		for place := range Registers {
			if Registers[place].Whole && Registers[place].Scope != isa.Hardware {
				o.Free(place)
			}
		}
	}
	return offers
}

// BenchmarkMeet folds 100,000 hosts on one core, and copies the same bytes to
// tell what reading them alone costs.
func BenchmarkMeet(b *testing.B) {
	all := unlikeHosts(100_000)
	b.Run("meet", func(b *testing.B) {
		for b.Loop() {
			var conflicts [NumRegisters]uint64
			folded := all[0]
			for i := range all {
				folded.Meet(&all[i], &conflicts)
			}
			if conflicts != [NumRegisters]uint64{} {
				b.Fatal("the hosts conflict")
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/host")
	})
	b.Run("copy", func(b *testing.B) {
		var to Offers
		for b.Loop() {
			for i := range all {
				to = all[i]
			}
		}
		_ = to
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/host")
	})
}
