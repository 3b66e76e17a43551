// Package progress tells a person how far long work has come: bars on a
// terminal, plain lines elsewhere, and nothing of what is over within a second.
//
// A command makes one Display on its standard error and puts it into the context
// that it hands down; whoever does long work begins a Task there. Every method
// may be called on nil, which shows nothing, and by several goroutines at a time.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

const (
	// patience is how long work goes on before anything is shown of it.
	patience = time.Second
	// between is the time between two lines about one task where there is no
	// terminal to draw bars on.
	between = 10 * time.Second
)

// Unit is what a task counts.
type Unit int

const (
	Things Unit = iota // hosts, setups, steps: written with the task's name
	Bytes
)

// text writes a number of units.
func (u Unit) text(n int64) string {
	if u == Things || n < 1000 {
		return fmt.Sprint(n)
	}
	value, prefixes := float64(n)/1000, "kMGTPE"
	for value >= 1000 {
		value, prefixes = value/1000, prefixes[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, prefixes[0])
}

// Display shows the tasks of one command.
type Display struct {
	quit  chan struct{}
	over  sync.WaitGroup
	close sync.Once

	mu    sync.Mutex // of all that follows, and of the tasks' own
	how   drawing
	eager bool
	tasks []*Task // those that run
}

// New makes a display that writes to w: bars where it is a terminal.
func New(w io.Writer) *Display {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return newDisplay(newBars(w))
	}
	return newDisplay(&lines{w: w})
}

// Eager makes a display like New's that shows what is over at once, too.
func Eager(w io.Writer) *Display {
	d := New(w)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.eager = true
	return d
}

// Silent makes a display that writes to w only what is to stay; see Say.
func Silent(w io.Writer) *Display {
	return &Display{how: &lines{w: w}, quit: make(chan struct{})}
}

// drawing is one way to show tasks. Its methods are called one at a time.
type drawing interface {
	begin(*Task)
	// tick is called again and again while tasks run.
	tick(*Task)
	end(*Task)
	// say writes a line that stays.
	say(string)
	close()
}

func newDisplay(how drawing) *Display {
	d := &Display{how: how, quit: make(chan struct{})}
	d.over.Go(func() {
		ticker := time.NewTicker(patience / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				d.look()
			case <-d.quit:
				return
			}
		}
	})
	return d
}

// look shows what has been going on for long enough.
func (d *Display) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tasks {
		if t.follow != nil {
			t.done.Store(t.follow())
		}
		switch {
		case t.shown:
			d.how.tick(t)
		case time.Since(t.started) >= patience:
			t.shown = true
			d.how.begin(t)
		}
	}
}

// Task begins a task and names it, as "reading hosts". Total is how much there
// is to do in units, 0 where that is not known.
func (d *Display) Task(name string, total int64, unit Unit) *Task {
	if d == nil {
		return nil
	}
	t := &Task{display: d, name: name, total: total, unit: unit, started: time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tasks = append(d.tasks, t)
	if d.eager {
		t.shown = true
		d.how.begin(t)
	}
	return t
}

// Say writes a line that is not about how far a task has come.
func (d *Display) Say(line string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.how.say(line)
}

// Close stops drawing. Tasks that are not done are left as they are.
func (d *Display) Close() {
	if d == nil {
		return
	}
	d.close.Do(func() {
		close(d.quit)
		d.over.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.tasks = nil
		d.how.close()
	})
}

// Task is one piece of work.
type Task struct {
	display *Display
	name    string
	total   int64
	unit    Unit
	started time.Time
	done    atomic.Int64
	follow  func() int64 // of the display's mu: asks how much is done
	shown   bool         // of the display's mu
	said    time.Time    // of the display's mu: when a line was last written
	bar     any          // of the display's mu: what draws the task
	failed  bool         // of the display's mu
}

// Add says that n more units are done.
func (t *Task) Add(n int64) {
	if t != nil {
		t.done.Add(n)
	}
}

// Set says that n units are done, of total.
func (t *Task) Set(n, total int64) {
	if t == nil {
		return
	}
	t.display.mu.Lock()
	defer t.display.mu.Unlock()
	t.done.Store(n)
	t.total = total
}

// Follow has the display ask how much is done, as often as it draws, until stop is
// called: for work that cannot say so itself.
func (t *Task) Follow(done func() int64) (stop func()) {
	if t == nil {
		return func() {}
	}
	set := func(follow func() int64) {
		t.display.mu.Lock()
		defer t.display.mu.Unlock()
		if t.follow != nil {
			t.done.Store(t.follow())
		}
		t.follow = follow
	}
	set(done)
	return func() { set(nil) }
}

// Done says that the task is over, however much of it was done.
func (t *Task) Done() { t.end(false) }

// Fail says that the task is over, and that it failed.
func (t *Task) Fail() { t.end(true) }

func (t *Task) end(failed bool) {
	if t == nil {
		return
	}
	d := t.display
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.tasks {
		if d.tasks[i] == t {
			d.tasks = append(d.tasks[:i:i], d.tasks[i+1:]...)
			if t.failed = failed; t.shown {
				d.how.end(t)
			}
			return
		}
	}
}

// amount says how much is done: "1200 of 10000", "3.1 MB".
func (t *Task) amount() string {
	done := t.unit.text(t.done.Load())
	if t.total > 0 {
		return done + " of " + t.unit.text(t.total)
	}
	return done
}
