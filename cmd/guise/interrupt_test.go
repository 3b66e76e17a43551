package main

import (
	"bytes"
	"context"
	"errors"
	"syscall"
	"testing"
)

// TestWait: a command that has something to put away is waited for, and another
// one is not; an answer that came all the same stands.
func TestWait(t *testing.T) {
	for name, c := range map[string]struct {
		command func(s *session, stop func()) int
		status  int
		says    string
	}{
		"waits for ever": {func(s *session, stop func()) int {
			stop()
			select {}
		}, 130, "guise: interrupted: interrupt\n"},
		"puts away": {func(s *session, stop func()) int {
			s.tidy()
			stop()
			<-s.ctx.Done()
			return s.report(errors.New("lab host 6.12/max: context canceled"))
		}, 130, "guise: interrupted: interrupt\n"},
		"puts away, and has its answer": {func(s *session, stop func()) int {
			s.tidy()
			stop()
			return statusNo
		}, statusNo, ""},
		"is not interrupted": {func(s *session, stop func()) int {
			return s.report(errors.New("cannot"))
		}, statusCannot, "guise: cannot\n"},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		var stderr bytes.Buffer
		s := &session{ctx: ctx, stdout: &output{Writer: &bytes.Buffer{}}, stderr: &stderr}
		stop := func() { cancel(interruption{syscall.SIGINT}) }
		if status := s.wait(func() int { return c.command(s, stop) }); status != c.status || stderr.String() != c.says {
			t.Errorf("%s: status %d, %q; want %d, %q", name, status, stderr.String(), c.status, c.says)
		}
		cancel(nil)
	}
}
