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

// A fleet is one long document and machines have more than one processor: other
// readers read views further on in the meantime. Where they begin is a guess, a
// text that looks like the key of a view. What they read counts only where the
// document's own reader arrives at the same byte and wants a view there; what is
// wrong there it finds itself.
type readersAhead struct {
	parts   []*partAhead
	stopped atomic.Bool
	running sync.WaitGroup
}

// partAhead is a part of a document and the views read in it, by the offsets at
// which they begin.
type partAhead struct {
	from, end int
	views     map[int]viewAhead
	done      chan struct{}
}

type viewAhead struct {
	view      *packedView
	end, room int
}

const (
	worthReadingAhead = 1 << 20 // bytes of a document
	mostReadersAhead  = 7
)

// readAhead starts the readers of a document.
func (r *documentReader) readAhead() *readersAhead {
	a := &readersAhead{}
	n := min(runtime.GOMAXPROCS(0), 1+mostReadersAhead)
	if len(r.data) < worthReadingAhead || n < 2 {
		return a
	}
	for i := 1; i < n; i++ {
		from := len(r.data) / n * i
		guess := bytes.Index(r.data[from:], []byte(`"sha256:`))
		if guess < 0 {
			break
		}
		a.parts = append(a.parts, &partAhead{from: from + guess, end: len(r.data), views: map[int]viewAhead{}, done: make(chan struct{})})
	}
	for i, p := range a.parts {
		if i+1 < len(a.parts) {
			p.end = a.parts[i+1].from
		}
		reader := readers.Get().(*documentReader)
		reader.reset(r.file, r.data)
		reader.at, reader.room = p.from, r.room/4/len(a.parts)
		a.running.Go(func() {
			defer readers.Put(reader)
			defer close(p.done)
			p.read(reader, &a.stopped)
		})
	}
	return a
}

// read reads views until something else stands there.
func (p *partAhead) read(r *documentReader, stopped *atomic.Bool) {
	for r.at < p.end && !stopped.Load() {
		if r.string("a key"); !r.take(':') {
			return
		}
		r.peek()
		from, room := r.at, r.room
		view := r.view()
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
	i := slices.IndexFunc(a.parts, func(p *partAhead) bool { return p.from <= r.at && r.at < p.end })
	if r.err != nil || i < 0 {
		return r.view()
	}
	<-a.parts[i].done
	read, ok := a.parts[i].views[r.at]
	if !ok {
		return r.view()
	}
	r.start, r.at = r.at, read.end
	r.spend(read.room)
	return read.view
}

// stop ends the readers: the document's bytes are the caller's.
func (a *readersAhead) stop() {
	a.stopped.Store(true)
	a.running.Wait()
}
