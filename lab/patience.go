package lab

import (
	"io"
	"sync/atomic"
	"time"
)

// looks is how many times a host is looked at before it is given up.
const looks = 50

// signs counts the signs of life of a host: what it wrote to its console and what
// came over its channel.
type signs struct{ count atomic.Int64 }

// in returns a reader whose bytes are signs.
func (s *signs) in(r io.Reader) io.Reader { return signReader{r, s} }

type signReader struct {
	io.Reader
	signs *signs
}

func (r signReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.signs.count.Add(1)
	}
	return n, err
}

// out returns a writer to which every write is a sign.
func (s *signs) out(w io.Writer) io.Writer { return signWriter{w, s} }

type signWriter struct {
	io.Writer
	signs *signs
}

func (w signWriter) Write(b []byte) (int, error) {
	w.signs.count.Add(1)
	return w.Writer.Write(b)
}

// patience gives a host up once it gave no sign of life for a limit of its own
// time: time that passed, less what it and this program waited for a CPU that
// others had. A busy machine makes a host slow, and its patience long.
type patience struct {
	limit time.Duration
	signs *signs
	// now is the time that passed, waited how much of it was waiting.
	now    func() time.Duration
	waited func() time.Duration

	seen               int64
	lastNow, lastWaits time.Duration
}

// exhausted reports whether the limit has passed since the last sign of life.
func (p *patience) exhausted() bool {
	now, waited, seen := p.now(), p.waited(), p.signs.count.Load()
	if seen != p.seen {
		p.seen, p.lastNow, p.lastWaits = seen, now, waited
		return false
	}
	return (now-p.lastNow)-(waited-p.lastWaits) > p.limit
}

// expect calls giveUp, once, where the host of a process gives no sign of life for
// a limit. It ends with the process, and when stop is called.
func (p *process) expect(limit time.Duration, s *signs, giveUp func()) (stop func()) {
	begin := time.Now()
	watch := &patience{limit: limit, signs: s, now: func() time.Duration { return time.Since(begin) }, waited: p.waited}
	watch.exhausted()
	stopped := make(chan struct{})
	go func() {
		ticks := time.NewTicker(max(limit/looks, time.Millisecond))
		defer ticks.Stop()
		for {
			select {
			case <-p.ended:
				return
			case <-stopped:
				return
			case <-ticks.C:
			}
			if watch.exhausted() {
				giveUp()
				return
			}
		}
	}()
	return func() { close(stopped) }
}
