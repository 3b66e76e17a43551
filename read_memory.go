package guise

import (
	"bytes"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// readMemory is what a reader remembers of documents that it read. Hosts of one
// kernel list the same registers and take nearly the same values, and these are
// most of a capture: a text that is, byte for byte, the one that stood there in
// the document before is not read again.
type readMemory struct {
	listText []byte
	listed   []arm64.ID // of the list that was read last; shared, not changed
	accepts  [arm64.NumRegisters]rememberedAccepts
}

type rememberedAccepts struct {
	text []byte
	sets []isa.Set // by the register's slots
	free bool
}

// mostRemembered bounds the texts that are kept, in bytes.
const mostRemembered = 64 << 10

// asBefore skips a value that is text, which is a whole value, and reports
// whether it was there.
func (s *scanner) asBefore(text []byte) bool {
	if s.err != nil || len(text) == 0 {
		return false
	}
	s.peek()
	if !bytes.HasPrefix(s.data[s.at:], text) {
		return false
	}
	s.start = s.at
	s.at += len(text)
	return true
}

// since returns the text of the value that was read from an offset on, nil where
// it is not to be remembered.
func (s *scanner) since(from int) []byte {
	if s.err != nil || s.at-from > mostRemembered {
		return nil
	}
	return bytes.TrimLeft(s.data[from:s.at], " \n\r\t")
}

// idList reads a list of register ids in ascending order.
func (r *documentReader) idList() []arm64.ID {
	m := &r.memory
	if r.asBefore(m.listText) {
		r.spend(len(m.listed))
		return m.listed
	}
	from := r.at
	r.ids = r.ids[:0]
	r.list("listed", func() { r.ids = append(r.ids, r.registerID()) })
	r.checkSorted(r.ids)
	m.listed = r.sharedList(r.ids)
	m.listText = append(m.listText[:0], r.since(from)...)
	return m.listed
}

// acceptsAsBefore takes over what a register takes where its text is the one
// that was read last.
func (r *documentReader) acceptsAsBefore(a *acceptReader, place int) bool {
	before := &r.memory.accepts[place]
	if !r.asBefore(before.text) {
		return false
	}
	a.registers.Add(place)
	first, _ := arm64.SlotsOf(place)
	for i, set := range before.sets {
		if set != 0 {
			a.sets[first+i] = set
		}
	}
	if before.free {
		a.free = append(a.free, place)
	}
	return true
}

// rememberAccepts remembers what a register takes, by the text from an offset
// on.
func (r *documentReader) rememberAccepts(a *acceptReader, place, from int, free bool) {
	before := &r.memory.accepts[place]
	first, end := arm64.SlotsOf(place)
	before.text = append(before.text[:0], r.since(from)...)
	before.sets = append(before.sets[:0], a.sets[first:end]...)
	before.free = free
}
