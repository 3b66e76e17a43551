package progress

import (
	"fmt"
	"io"
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/progress"
)

// lines writes a line where a task is first shown, every ten seconds of it, and
// at its end.
type lines struct{ w io.Writer }

func (l *lines) begin(t *Task) { l.line(t, "") }

func (l *lines) tick(t *Task) {
	if time.Since(t.said) >= between {
		l.line(t, "")
	}
}

func (l *lines) end(t *Task) {
	how := "done in"
	if t.failed {
		how = "failed after"
	}
	l.line(t, fmt.Sprintf(" %s %.1f s", how, time.Since(t.started).Seconds()))
}

func (l *lines) say(line string) { fmt.Fprintln(l.w, line) }

func (l *lines) close() {}

// line writes one line: "reading hosts: 1200 of 10000".
func (l *lines) line(t *Task, end string) {
	t.said = time.Now()
	amount := ""
	if t.total > 0 || t.done.Load() > 0 {
		amount = " " + t.amount()
	}
	if amount == "" && end == "" {
		end = " ..."
	}
	if amount != "" && end != "" {
		end = "," + end
	}
	fmt.Fprintf(l.w, "%s:%s%s\n", t.name, amount, end)
}

// bars draws a bar for each task that runs. The library redraws them in a
// goroutine of its own, which runs only while there is a task to draw: what a
// command prints after its last task is not drawn over.
type bars struct {
	w        io.Writer
	writer   pretty.Writer // nil while there is nothing to draw
	rendered chan struct{}
	drawn    int // how many tasks are
}

func newBars(w io.Writer) *bars { return &bars{w: w} }

func (b *bars) begin(t *Task) {
	if b.writer == nil {
		b.start()
	}
	units := pretty.UnitsDefault
	units.Formatter = t.unit.text
	tracker := &pretty.Tracker{Message: t.name, Total: t.total, Units: units, AutoStopDisabled: true}
	b.writer.AppendTracker(tracker)
	b.drawn++
	t.bar = tracker
	b.tick(t)
}

func (b *bars) start() {
	b.writer = pretty.NewWriter()
	b.writer.SetOutputWriter(b.w)
	b.writer.SetUpdateFrequency(patience / 10)
	b.writer.SetStyle(pretty.StyleBlocks)
	b.writer.SetTrackerPosition(pretty.PositionRight)
	b.rendered = make(chan struct{})
	go func() {
		defer close(b.rendered)
		b.writer.Render()
	}()
	for !b.writer.IsRenderInProgress() {
		time.Sleep(time.Millisecond) // Stop before Render would be lost
	}
}

func (b *bars) tick(t *Task) {
	if tracker, ok := t.bar.(*pretty.Tracker); ok {
		if t.total > 0 {
			tracker.UpdateTotal(t.total)
		}
		tracker.SetValue(t.done.Load())
	}
}

func (b *bars) end(t *Task) {
	b.tick(t)
	if tracker, ok := t.bar.(*pretty.Tracker); ok {
		if t.failed {
			tracker.MarkAsErrored()
		} else {
			tracker.MarkAsDone()
		}
	}
	if b.drawn--; b.drawn == 0 {
		b.close()
	}
}

func (b *bars) say(line string) {
	if b.writer != nil {
		b.writer.Log("%s", line)
		return
	}
	fmt.Fprintln(b.w, line)
}

func (b *bars) close() {
	if b.writer != nil {
		b.writer.Stop()
		<-b.rendered
		b.writer, b.drawn = nil, 0
	}
}
