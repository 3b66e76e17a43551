package guise

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// parseAccepted reads the set of one field: "0-2", "0,15"; for a field whose
// values are named versions their names, "0.2,1.0,1.1".
func parseAccepted(slot *arm64.Slot, text []byte) (isa.Set, error) {
	_, field := slot.Describe()
	if slot.Coded {
		var set isa.Set
		for name := range bytes.SplitSeq(text, []byte{','}) {
			member := -1
			for i, v := range field.Values {
				if v.Name == string(name) {
					member = i
				}
			}
			if member < 0 {
				return 0, fmt.Errorf("%q is not a version that is known", name)
			}
			set |= isa.Only(uint64(member))
		}
		return set, nil
	}
	set, err := isa.ParseSet(text)
	switch {
	case err != nil:
		return 0, err
	case set&^isa.All(field.Width) != 0:
		return 0, fmt.Errorf("set %q: the field has %d bits", text, field.Width)
	case set == 0:
		return 0, fmt.Errorf("set %q: a guest always sees some value", text)
	}
	return set, nil
}

// acceptedText writes what parseAccepted reads.
func acceptedText(slot *arm64.Slot, set isa.Set) string {
	if !slot.Coded {
		return set.String()
	}
	_, field := slot.Describe()
	var names []string
	for _, member := range set.Values() {
		if member < uint64(len(field.Values)) {
			names = append(names, field.Values[member].Name)
		}
	}
	return strings.Join(names, ",")
}
