package power

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	isapower "github.com/guise-project/guise/isa/power"
)

// newTower builds a tower of hypervisors of one generation with what each
// permits its guest hypervisor.
func newTower(g *Generation, permitted ...Permitted) Tower {
	tower := make(Tower, len(permitted))
	for k, p := range permitted {
		tower[k] = Level{g, p, NewState(isapower.Level31, p)}
	}
	return tower
}

// story writes outcomes as "L1 loaded, L0 entered".
func story(outcomes []TowerOutcome) string {
	var words []string
	for _, o := range outcomes {
		word := fmt.Sprintf("L%d %v", o.Hypervisor, o.Did)
		if o.Did == Returned {
			word += fmt.Sprintf(" %#x", o.R3)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// TestThreeLevels replays the discussion's three reasons with three
// hypervisors, each reason at each level. The guest at the top is L4's guest:
// L3 wrote V for it.
func TestThreeLevels(t *testing.T) {
	all := Permitted{Available: isapower.Defined}
	hides := Permitted{Available: isapower.Defined &^ isapower.EBB}
	emulates := Permitted{Available: isapower.Defined &^ isapower.EBB, Emulated: isapower.EBB}
	const ebb = 7
	for _, c := range []struct {
		name  string
		tower []Permitted
		lazy  []uint64
		v     uint64
		story string
		real  uint64 // EBB in the real register while the top guest runs afterwards
		after uint64 // V as L3 reads it, where it was told
	}{
		{"nobody took it", []Permitted{all, all, all}, []uint64{0, 0, 0}, 0x77 << 56, "L0 returned 0xf80, L1 returned 0xf80, L2 returned 0xf80", 0, 7 << 56},
		{"enabled", []Permitted{all, all, all}, []uint64{0, 0, 0}, isapower.EBB, "L0 ran", isapower.EBB, 0},

		{"L0 hides", []Permitted{hides, hides, hides}, []uint64{0, 0, 0}, 0x77<<56 | isapower.EBB,
			"L0 returned 0xe40, L1 returned 0xe40, L2 returned 0xe40", 0, 0x77 << 56},
		{"L1 hides", []Permitted{all, hides, hides}, []uint64{0, 0, 0}, 0x77<<56 | isapower.EBB,
			"L0 returned 0xf80, L1 returned 0xe40, L2 returned 0xe40", 0, 0x77 << 56},
		{"L2 hides", []Permitted{all, all, hides}, []uint64{0, 0, 0}, 0x77<<56 | isapower.EBB,
			"L0 returned 0xf80, L1 returned 0xf80, L2 returned 0xe40", 0, 0x77 << 56},

		{"L0 is lazy", []Permitted{all, all, all}, []uint64{isapower.EBB, 0, 0}, isapower.EBB, "L0 loaded", isapower.EBB, 0},
		{"L1 is lazy", []Permitted{all, all, all}, []uint64{0, isapower.EBB, 0}, isapower.EBB,
			"L0 returned 0xf80, L1 loaded, L0 entered, L0 ran", isapower.EBB, 0},
		{"L2 is lazy", []Permitted{all, all, all}, []uint64{0, 0, isapower.EBB}, isapower.EBB,
			"L0 returned 0xf80, L1 returned 0xf80, L2 loaded, L1 entered, L0 entered, L0 ran", isapower.EBB, 0},
		{"all are lazy", []Permitted{all, all, all}, []uint64{isapower.EBB, isapower.EBB, isapower.EBB}, isapower.EBB,
			"L0 returned 0xf80, L1 returned 0xf80, L2 loaded, L1 entered, L0 entered, " +
				"L0 returned 0xf80, L1 loaded, L0 entered, L0 loaded", isapower.EBB, 0},
		{"all are lazy, L3 turned it off", []Permitted{all, all, all}, []uint64{isapower.EBB, isapower.EBB, isapower.EBB}, 0,
			"L0 returned 0xf80, L1 returned 0xf80, L2 returned 0xf80", 0, 7 << 56},

		{"L0 emulates", []Permitted{emulates, all, all}, []uint64{0, 0, 0}, isapower.EBB, "L0 emulated", 0, 0},
		{"L1 emulates", []Permitted{all, emulates, all}, []uint64{0, 0, 0}, isapower.EBB,
			"L0 returned 0xf80, L1 emulated, L0 entered", 0, 0},
		{"L2 emulates", []Permitted{all, all, emulates}, []uint64{0, 0, 0}, isapower.EBB,
			"L0 returned 0xf80, L1 returned 0xf80, L2 emulated, L1 entered, L0 entered", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tower := newTower(mustFind(t, "ideal"), c.tower...)
			for k := range tower {
				tower[k].State.L1.Loaded &^= c.lazy[k]
			}
			tower[2].State.Structure[isapower.StateHFSCR] = c.v
			if got := story(tower.Step(Event{Kind: Enter})); got != "L2 entered, L1 entered, L0 entered" {
				t.Fatalf("entry: %s", got)
			}
			if got := story(tower.Step(Event{Kind: Use, Cause: ebb, Value: mtebbhr})); got != c.story {
				t.Errorf("%s\nwant %s", got, c.story)
			}
			if got := tower[0].State.Real[isapower.StateHFSCR] & isapower.EBB; got != c.real {
				t.Errorf("EBB is %#x in the real register, want %#x", got, c.real)
			}
			if !tower[2].State.Running && tower[2].State.Structure[isapower.StateHFSCR] != c.after {
				t.Errorf("L3 reads %#x, want %#x", tower[2].State.Structure[isapower.StateHFSCR], c.after)
			}
		})
	}
}

// TestTowerKeepsTheInvariants: over random towers of one to three hypervisors
// nothing is on in the real register that any level hides, emulates or has
// lazily off, or that L1's guest hypervisor did not ask for; and each guest
// hypervisor finds what it wrote.
func TestTowerKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ideal, _, _ := FindGeneration("ideal")
		height := rapid.IntRange(1, 3).Draw(t, "height")
		var sets []Permitted
		for range height {
			emulated := isapower.Defined & rapid.Uint64().Draw(t, "emulated")
			sets = append(sets, Permitted{Emulated: emulated, Available: isapower.Defined & rapid.Uint64().Draw(t, "available") &^ emulated})
		}
		tower := newTower(ideal, sets...)
		for k := range tower {
			tower[k].State.L1.Loaded &= rapid.Uint64().Draw(t, "loaded")
			tower[k].State.L1.PCR |= rapid.Uint64Range(0, 15).Draw(t, "PCR") << 1
		}
		v := rapid.Uint64().Draw(t, "V")
		tower[height-1].State.Structure[isapower.StateHFSCR] = v
		tower.Step(Event{Kind: Enter})
		for range rapid.IntRange(1, 6).Draw(t, "uses") {
			cause := rapid.SampledFrom([]uint8{0, 1, 2, 3, 4, 7, 8, 10, 13}).Draw(t, "cause")
			tower.Step(Event{Kind: Use, Cause: cause, Value: 0x60000000})
			real := &tower[0].State.Real
			if !tower[0].State.Running {
				real = &isapower.State{isapower.StatePCR: ^uint64(0)}
			}
			r := real[isapower.StateHFSCR] &^ isapower.CauseMask
			if r&^v != 0 {
				t.Fatalf("%#x is on and the hypervisor at the top did not ask", r&^v)
			}
			for k := range tower {
				if off := r &^ tower[k].State.L1.Loaded; off != 0 {
					t.Fatalf("%#x is on and L%d has not loaded or does not permit it", off, k)
				}
				if gone := tower[k].State.L1.PCR &^ real[isapower.StatePCR]; gone != 0 {
					t.Fatalf("PCR bits %#x of L%d are gone", gone, k+1)
				}
			}
			top := tower[height-1]
			known := top.Permitted.Available | top.Permitted.Emulated
			if !top.State.Running {
				seen := top.State.Structure[isapower.StateHFSCR]
				if seen&^isapower.CauseMask != v&known {
					t.Fatalf("the hypervisor at the top wrote %#x and reads %#x", v, seen)
				}
				if c := isapower.Cause(seen); c != isapower.Cause(v) && isapower.CauseBit(c)&known == 0 {
					t.Fatalf("it was told of cause %d, which is hidden from it", c)
				}
				return
			}
		}
	})
}
