package guise

import (
	"bytes"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// packedView is a view of a fleet document, with the digest of what was read.
type packedView struct {
	Capture
	digest string
}

// view reads a view of a fleet.
func (r *documentReader) view() *packedView {
	v := &packedView{}
	r.spend(roomOfView)
	r.object("view", func(key []byte) {
		if !r.viewMember(&v.Capture, key) {
			r.unknownKey(key, "view")
		}
	})
	r.oneArchitecture(v.Power != nil)
	if r.err == nil {
		v.digest = r.digest.view(&v.Capture)
	}
	return v
}

// A fleet is one long document and machines have more than one processor. While
// the document's own reader reads a stretch of views, other readers read the
// stretches after it. Where they begin is a guess, a text that looks like the key of
// a view. What they read counts only where the document's own reader arrives at the
// same byte and wants a view there; what is wrong there it finds itself. When all
// that was read ahead is behind it, the next round begins.
type readersAhead struct {
	readers []*documentReader // one for each part of a round
	parts   []*partAhead
	// end is where the round ends, in bytes of the document.
	end int
	// room is what may still be read in vain, in bytes of memory: a part's is taken
	// off when it begins and given back as far as it was of use.
	room    int
	stopped atomic.Bool
	running sync.WaitGroup
}

// partAhead is a part of a document and the views read in it, by the offsets at
// which they begin.
type partAhead struct {
	from, end int
	room      int // what of its room is still its own
	views     map[int]viewAhead
	done      chan struct{}
}

type viewAhead struct {
	view      *packedView
	end, room int
}

const (
	// stretch is how much of a document one reader reads in a round, in bytes:
	// enough for goroutines to be of no account.
	stretch          = 2 << 20
	mostReadersAhead = 7
	// inVain is the part of a document's room that may be spent on views that are
	// none: one of so many.
	inVain = 8
)

// round starts the readers of the stretches after the one that the document's
// reader is about to read.
func (a *readersAhead) round(r *documentReader) {
	a.settle()
	n := min(runtime.GOMAXPROCS(0)-1, mostReadersAhead)
	// The end of a document is divided among all.
	length := min(stretch, (len(r.data)-r.at)/(n+1))
	a.end = len(r.data)
	if n < 1 || length < stretch/8 || a.room <= 0 {
		return
	}
	a.end = r.at + length*(n+1)
	room := a.room / n
	for i := range n {
		from := r.at + length*(i+1)
		guess := bytes.Index(r.data[from:min(from+length, len(r.data))], []byte(`"sha256:`))
		if guess < 0 {
			continue
		}
		p := &partAhead{from: from + guess, end: from + length, room: room, views: map[int]viewAhead{}, done: make(chan struct{})}
		a.parts = append(a.parts, p)
		a.room -= room
		if len(a.readers) < len(a.parts) {
			a.readers = append(a.readers, readers.Get().(*documentReader))
		}
		reader := a.readers[len(a.parts)-1]
		reader.reset(r.file, r.data)
		reader.at, reader.room = p.from, room
		a.running.Go(func() {
			defer close(p.done)
			p.read(reader, &a.stopped)
		})
	}
}

// settle waits for the readers of a round and gives back the room that was not
// spent in vain.
func (a *readersAhead) settle() {
	a.running.Wait()
	for _, p := range a.parts {
		a.room += p.room
	}
	a.parts = a.parts[:0]
}

// read reads the views that begin in the part, until something else stands there.
func (p *partAhead) read(r *documentReader, stopped *atomic.Bool) {
	for r.at < p.end && !stopped.Load() {
		if r.string("a key"); !r.take(':') {
			return
		}
		r.peek()
		from, room := r.at, r.room
		view := r.view()
		p.room = r.room
		if r.err != nil {
			return
		}
		p.views[from] = viewAhead{view, r.at, room - r.room}
		if !r.take(',') {
			return
		}
		r.peek()
	}
}

// view takes over the view that the document's reader has arrived at, or has it
// read.
func (a *readersAhead) view(r *documentReader) *packedView {
	r.peek()
	if r.err == nil && r.at >= a.end {
		a.round(r)
	}
	i := slices.IndexFunc(a.parts, func(p *partAhead) bool { return p.from <= r.at && r.at < p.end })
	if r.err != nil || i < 0 {
		return r.view()
	}
	p := a.parts[i]
	<-p.done
	read, ok := p.views[r.at]
	if !ok {
		return r.view()
	}
	r.start, r.at = r.at, read.end
	r.spend(read.room)
	p.room += read.room
	return read.view
}

// stop ends the readers: the document's bytes are the caller's.
func (a *readersAhead) stop() {
	a.stopped.Store(true)
	a.running.Wait()
	for _, reader := range a.readers {
		readers.Put(reader)
	}
}
