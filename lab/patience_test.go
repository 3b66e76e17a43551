package lab

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// TestPatience: what counts is the host's own time since its last sign of life.
func TestPatience(t *testing.T) {
	var now, waited time.Duration
	s := &signs{}
	p := &patience{limit: 10 * time.Second, signs: s, now: func() time.Duration { return now }, waited: func() time.Duration { return waited }}
	for _, step := range []struct {
		what        string
		now, waited time.Duration
		sign        bool
		want        bool
	}{
		{"it has just begun", 0, 0, false, false},
		{"it does nothing, within the limit", 10 * time.Second, 0, false, false},
		{"it gives a sign", 11 * time.Second, 0, true, false},
		{"nine seconds later", 20 * time.Second, 0, false, false},
		{"a minute later, in which others had the CPU", 80 * time.Second, 60 * time.Second, false, false},
		{"it could have worked for ten seconds", 81 * time.Second, 60 * time.Second, false, false},
		{"and for more", 82 * time.Second, 60 * time.Second, false, true},
		{"a sign at the last moment", 83 * time.Second, 60 * time.Second, true, false},
	} {
		now, waited = step.now, step.waited
		if step.sign {
			s.count.Add(1)
		}
		if got := p.exhausted(); got != step.want {
			t.Errorf("%s: given up %v, want %v", step.what, got, step.want)
		}
	}
}

func TestSigns(t *testing.T) {
	s := &signs{}
	var out bytes.Buffer
	if _, err := io.WriteString(s.out(&out), "x"); err != nil || out.String() != "x" || s.count.Load() != 1 {
		t.Errorf("a write: %q, %d signs, %v", out.String(), s.count.Load(), err)
	}
	r := s.in(strings.NewReader("y"))
	for range 2 { // the end of a stream is no sign
		_, _ = r.Read(make([]byte, 8))
	}
	if s.count.Load() != 2 {
		t.Errorf("a read and the end: %d signs", s.count.Load())
	}
}
