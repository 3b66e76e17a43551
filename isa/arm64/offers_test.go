package arm64

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/guise-project/guise/isa"
)

// drawOffers draws what a host takes. The bits that nobody can change agree
// with same, but for one register in eight.
func drawOffers(t *rapid.T, same *View) Offers {
	v := *same
	random := rapid.Uint64()
	for place := range Registers {
		switch rapid.IntRange(0, 15).Draw(t, "change") {
		case 0:
			v.Values[place] = 0
			v.Present.Remove(place)
		case 1, 2:
			v.Values[place] = random.Draw(t, "value")
		}
	}
	var o Offers
	o.FromView(&v)
	for place := range Registers {
		if v.Present.Has(place) && rapid.IntRange(0, 7).Draw(t, "free") == 0 {
			o.Free(place)
		}
	}
	for slot := range Slots {
		if v.Present.Has(int(Slots[slot].Register)) {
			o.PutSet(slot, isa.Set(rapid.Uint16().Draw(t, "set")))
		}
	}
	return o
}

func drawView(t *rapid.T) *View {
	var v View
	for place := range Registers {
		v.Put(place, rapid.Uint64().Draw(t, Registers[place].Name))
	}
	return &v
}

// met is the offers of hosts and the bits in which they conflict.
type met struct {
	offers    Offers
	conflicts [NumRegisters]uint64
}

func meet(all ...Offers) met {
	m := met{offers: all[0]}
	for i := range all[1:] {
		m.offers.Meet(&all[i+1], &m.conflicts)
	}
	return m
}

// agreed leaves only what does not depend on which of two conflicting values
// was kept.
func (m met) agreed() met {
	for place, differs := range m.conflicts {
		m.offers.rest[place] &^= differs
		m.offers.filled.Remove(place)
	}
	for place, rest := range m.offers.rest {
		if rest != 0 {
			m.offers.filled.Add(place)
		}
	}
	return m
}

func TestMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		same := drawView(t)
		a, b, c := drawOffers(t, same), drawOffers(t, same), drawOffers(t, same)
		if meet(a, b).agreed() != meet(b, a).agreed() {
			t.Fatal("the order of two matters")
		}
		left := meet(a, b)
		left.offers.Meet(&c, &left.conflicts)
		right := meet(b, c)
		right.offers.Meet(&a, &right.conflicts)
		if left.agreed() != right.agreed() {
			t.Fatal("the grouping of three matters")
		}
		if twice := meet(a, a); twice.offers != a || twice.conflicts != [NumRegisters]uint64{} {
			t.Fatal("a host meets itself in something else")
		}
		checkMet(t, a, b)
		var at met
		for place := range Registers {
			at.offers.CopyAt(place, &a)
			at.offers.MeetAt(place, &b, &at.conflicts)
		}
		if at != meet(a, b) {
			t.Fatal("met register by register it is something else")
		}
	})
}

// checkMet holds the meet of two against its meaning, register by register.
func checkMet(t *rapid.T, a, b Offers) {
	both := meet(a, b)
	for place := range Registers {
		x, freeX := a.Rest(place)
		y, freeY := b.Rest(place)
		got, free := both.offers.Rest(place)
		var wantConflict uint64
		switch want := x; {
		case !a.Present(place) && !b.Present(place):
		case !a.Present(place):
			want, freeX = y, freeY
			fallthrough
		case !b.Present(place):
			if got != want || free != freeX {
				t.Fatalf("%s: one host lacks it: %#x %v, want %#x %v", Registers[place].Name, got, free, want, freeX)
			}
		case freeX && freeY:
			if !free {
				t.Fatalf("%s: both take any value, together not", Registers[place].Name)
			}
		case !freeX && !freeY:
			wantConflict = x ^ y
		case freeX:
			want = y
			fallthrough
		default:
			if got != want || free {
				t.Fatalf("%s: %#x %v, want %#x", Registers[place].Name, got, free, want)
			}
		}
		if both.conflicts[place] != wantConflict {
			t.Fatalf("%s: conflicts %#x, want %#x", Registers[place].Name, both.conflicts[place], wantConflict)
		}
	}
	for slot := range Slots {
		place, want := int(Slots[slot].Register), a.Set(slot)&b.Set(slot)
		switch {
		case !a.Present(place):
			want = b.Set(slot)
		case !b.Present(place):
			want = a.Set(slot)
		}
		if both.offers.Present(place) && both.offers.Set(slot) != want {
			t.Fatalf("%s: %v, want %v", Slots[slot].Name(), both.offers.Set(slot), want)
		}
	}
}

func TestMeetDoesNotAllocate(t *testing.T) {
	all := unlikeHosts(3)
	all[2].present.Remove(IDAA64PFR0EL1)
	var conflicts [NumRegisters]uint64
	folded := all[0]
	if n := testing.AllocsPerRun(100, func() {
		folded.Meet(&all[1], &conflicts)
		folded.Meet(&all[2], &conflicts)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTakesWhole(t *testing.T) {
	with, without := new(View), new(View)
	with.Put(CTREL0, 1<<28)
	with.Put(CLIDREL1, 1<<24|4)
	without.Put(CTREL0, 0)
	without.Put(CLIDREL1, 1<<27|1<<24|1<<21|3)
	for _, v := range []*View{with, without} {
		v.Put(CCSIDREL1Level0, 2)
	}
	for _, c := range []struct {
		place int
		value uint64
		view  *View
		want  bool
	}{
		{CLIDREL1, without.Values[CLIDREL1], with, true},
		{CLIDREL1, with.Values[CLIDREL1], without, false},
		{CLIDREL1, 1<<27 | 4, without, false}, // no level of coherency
		{CLIDREL1, 1<<63 | 1<<24 | 4, with, false},
		{CCSIDREL1Level0, 3, with, true},
		{CCSIDREL1Level0, 1, with, false},
		{CCSIDREL1Level0, 1<<28 | 2, with, true},
		{CCSIDREL1Level0, 1<<32 | 2, with, false},
		{MIDREL1, 0, with, true},
	} {
		if got := TakesWhole(c.place, c.value, c.view); got != c.want {
			t.Errorf("%s=%#x: %v", Registers[c.place].Name, c.value, got)
		}
	}
}
