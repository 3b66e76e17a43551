package lab

import (
	"strings"
	"sync"
)

const (
	// consoleKept is how much of a console is kept, in bytes; a panic with its
	// trace is shorter.
	consoleKept = 32 << 10
	// consoleShown is how many of its last lines a message shows.
	consoleShown = 24
)

// console keeps the last part of what a machine printed. It is for people to
// read after a failure: no result is ever taken from it.
type console struct {
	mu   sync.Mutex
	text []byte
}

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, b...)
	if extra := len(c.text) - consoleKept; extra > 0 {
		c.text = append(c.text[:0], c.text[extra:]...)
	}
	return len(b), nil
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// tail is the last lines, without carriage returns and empty ones; where a
// kernel died, they begin with what it died of.
func tail(text string) string {
	var lines []string
	first := -1
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n \t"); line == "" {
			continue
		}
		if first < 0 && causeOfDeath(line, nil) != nil {
			first = len(lines)
		}
		lines = append(lines, line)
	}
	if first >= 0 {
		return strings.Join(lines[first:min(first+consoleShown, len(lines))], "\n")
	}
	return strings.Join(lines[max(0, len(lines)-consoleShown):], "\n")
}

// deathSigns are what a kernel prints (kernel/panic.c, mm/oom_kill.c) and what
// it means for the host, the more particular first.
var deathSigns = []struct {
	text   string
	reason error
}{
	{"Kernel panic - not syncing: System is deadlocked on memory", ErrOutOfMemory},
	{"Kernel panic - not syncing: Out of memory", ErrOutOfMemory},
	{"Kernel panic - not syncing", ErrPanic},
	{"Unable to handle kernel", ErrPanic},
	{"Internal error: Oops", ErrPanic},
}

// causeOfDeath reads from a console why its machine is gone, or gives the
// reason otherwise.
func causeOfDeath(text string, otherwise error) error {
	for _, sign := range deathSigns {
		if strings.Contains(text, sign.text) {
			return sign.reason
		}
	}
	return otherwise
}
