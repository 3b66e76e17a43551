package arm64

import (
	"testing"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// TestUnseenFields: the fields that are said to be read in source only are those that
// the log speaks of and that no CPU of the lab has.
func TestUnseenFields(t *testing.T) {
	models, err := cpuModels()
	if err != nil {
		t.Fatal(err)
	}
	logged := map[int]bool{}
	for _, c := range kernel.Changes() {
		for _, name := range c.Fields {
			if place, ok := arm64.Place(c.Register); ok && classes()[place] == classFeature {
				if slot, ok := arm64.SlotOf(place, fieldPlace(place, name)); ok {
					logged[slot] = true
				}
			}
		}
	}
	for slot := range arm64.Slots {
		_, field := arm64.Slots[slot].Describe()
		seen := false
		for _, cpu := range models {
			value := field.Get(cpu.Registers[arm64.Slots[slot].Register])
			absent := uint64(0)
			if field.Signed {
				absent = 1<<field.Width - 1
			}
			seen = seen || value != absent && (value != 0 || field.Signed)
		}
		if want := logged[slot] && !seen; kernel.Unseen(slot) != want {
			t.Errorf("%s: said to be read in source only: %v; the log speaks of it: %v, a CPU of the lab has it: %v", arm64.Slots[slot].Name(), kernel.Unseen(slot), logged[slot], seen)
		}
	}
}
