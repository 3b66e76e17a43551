package kernel

import "slices"

// WritableSince returns since when a field can be written, and false for one
// that no known version lets anyone change.
func WritableSince(slot int) (Span, bool) {
	for _, c := range Changes() {
		if c.Kind != Writable {
			continue
		}
		for _, place := range c.places() {
			if slices.Contains(c.slots(place), slot) {
				return c.Since, true
			}
		}
	}
	return Span{}, false
}
