// Package tracing reads KVM's own word on what made a vCPU leave its guest: the
// tracepoints of arch/arm64/kvm, through tracefs, for one thread.
//
// A session has an instance of its own (Linux, Documentation/trace/ftrace.rst,
// "Instances"): what others trace is neither seen nor changed. The instance goes
// when the session is stopped. Where the program was killed before that, the
// next session removes what was left.
package tracing

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// Directories are where tracefs is looked for, in this order. The second is
// where debugfs shows it.
var Directories = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// prefix begins the names of instances; the process and a number follow.
const prefix = "guise-"

var sessions atomic.Uint64

// Session is the tracing of one thread. It must not be used from two goroutines
// at once.
type Session struct {
	directory string
	// held is open for as long as the session lasts: the kernel removes no
	// instance of which a file is open.
	held *os.File
}

// UnavailableError says that this process cannot trace, and what mends it.
type UnavailableError struct {
	Err  error
	Hint string
}

func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap gives what the kernel said.
func (e *UnavailableError) Unwrap() error { return e.Err }

// unavailable finds the hint for an error.
func unavailable(err error) error {
	hint := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "tracefs is for root alone, unless it is mounted with another owner"
	case errors.Is(err, fs.ErrNotExist):
		hint = "mount -t tracefs tracefs /sys/kernel/tracing; the kernel needs CONFIG_FTRACE and tracepoints"
	}
	return &UnavailableError{Err: err, Hint: hint}
}

// Start begins to trace a thread of this process, by the id that the kernel
// knows it by: in a PID namespace of its own a process does not know it, and
// nothing will be seen. The error is an *UnavailableError where this process
// cannot trace. The session must be stopped.
func Start(thread int) (_ *Session, err error) {
	instances, err := instancesDirectory()
	if err != nil {
		return nil, unavailable(err)
	}
	removeLeft(instances)
	s := &Session{directory: filepath.Join(instances, fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), sessions.Add(1)))}
	if err := os.Mkdir(s.directory, 0o700); err != nil {
		return nil, unavailable(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(unavailable(err), s.remove())
		}
	}()
	if s.held, err = os.Open(s.path("tracing_on")); err != nil {
		return nil, err
	}
	settings := [][2]string{
		// An order that holds across CPUs, should the thread move.
		{"trace_clock", "counter"},
		{"options/context-info", "0"},
		{"set_event_pid", strconv.Itoa(thread)},
	}
	for i := range tracepoints {
		settings = append(settings, [2]string{"events/kvm/" + tracepoints[i].name + "/enable", "1"})
	}
	for _, setting := range settings {
		if err := s.write(setting[0], setting[1]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Session) path(file string) string { return filepath.Join(s.directory, file) }

// write writes to a file that is there.
func (s *Session) write(name, text string) error {
	file, err := os.OpenFile(s.path(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// instancesDirectory finds where instances are made.
func instancesDirectory() (string, error) {
	var first error
	for _, directory := range Directories {
		path := filepath.Join(directory, "instances")
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

// removeLeft removes the instances of processes that were killed. One that is in
// use the kernel keeps: its session has a file open.
func removeLeft(instances string) {
	names, _ := filepath.Glob(filepath.Join(instances, prefix+"*"))
	for _, name := range names {
		process, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), prefix), "-")
		if _, err := os.Stat("/proc/" + process); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(name)
		}
	}
}

// remove stops what is traced and removes the instance.
func (s *Session) remove() error {
	var errs []error
	if s.held != nil {
		errs = append(errs, s.held.Close())
	}
	return errors.Join(append(errs, os.Remove(s.directory))...)
}

// LostError says that the kernel's buffer did not hold every event.
type LostError struct{ Events uint64 }

func (e *LostError) Error() string {
	return fmt.Sprintf("the kernel's trace buffer lost %d events", e.Events)
}

// Stop ends the session and returns what the thread's vCPUs did, in order. The
// error is a *LostError where events are missing.
func (s *Session) Stop() (events []Event, err error) {
	defer func() { err = errors.Join(err, s.remove()) }()
	if err := s.write("tracing_on", "0"); err != nil {
		return nil, err
	}
	lost, err := s.lost()
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		return nil, &LostError{lost}
	}
	file, err := os.Open(s.path("trace"))
	if err != nil {
		return nil, err
	}
	events, err = parse(file)
	return events, errors.Join(err, file.Close())
}

// losses are the lines of a CPU's stats that count events which are not in the
// buffer (Linux, kernel/trace/trace.c, tracing_stats_read).
var losses = []string{"overrun", "commit overrun", "dropped events"}

// lost counts the events that the buffers of all CPUs lost.
func (s *Session) lost() (uint64, error) {
	files, err := filepath.Glob(s.path("per_cpu/cpu*/stats"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no CPU has stats", s.directory)
	}
	total := uint64(0)
	for _, file := range files {
		var n uint64
		if err == nil {
			n, err = lostOf(file)
		}
		total += n
	}
	return total, err
}

// lostOf reads the stats of one CPU: a word, a colon, a number.
func lostOf(path string) (uint64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	total, found := uint64(0), 0
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		for _, loss := range losses {
			if name != loss {
				continue
			}
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %q: %w", path, lines.Text(), err)
			}
			total += n
			found++
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if found != len(losses) {
		return 0, fmt.Errorf("%s: want the lines %s", path, strings.Join(losses, ", "))
	}
	return total, nil
}
