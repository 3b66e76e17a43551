package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The rules of being interrupted.
//
//   - SIGINT, SIGTERM and SIGHUP end every command, with 128 and the number of
//     the signal, whatever it waits for: a FIFO nobody writes, a kernel, a
//     computation. One that was to be ignored when guise began is ignored.
//   - Most commands leave nothing behind wherever they are ended: a file gets
//     its name when it is whole. They end at once.
//   - Those that start processes, or set up something in the kernel, say so with
//     tidy. From then on they watch the context, and are waited for; a second
//     signal ends them too.

// interruption is why a context has ended: a signal.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string { return "interrupted: " + i.signal.String() }

// untilSignal returns a context that the first signal ends, with an
// interruption as its cause. The second ends the process: after is called, and
// must not return.
func untilSignal(parent context.Context, after func(interruption)) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		cancel(interruptionBy(<-signals))
		after(interruptionBy(<-signals))
	}()
	return ctx
}

func interruptionBy(s os.Signal) interruption {
	number, _ := s.(syscall.Signal)
	return interruption{number}
}

// status is the exit status of a command that a signal ended.
func (i interruption) status() int { return 128 + int(i.signal) }

// tidy says that the command has something to put away from here on, and does so
// when the context ends.
func (s *session) tidy() { s.tidies.Store(true) }

// wait returns the status of a command, or, where the context ends first and the
// command has nothing to put away, what ended it.
func (s *session) wait(command func() int) int {
	ctx := s.ctx // the command gives the session one of its own
	if ctx.Done() == nil {
		return command()
	}
	done := make(chan int, 1)
	go func() { done <- command() }()
	select {
	case status := <-done:
		if status != statusInterrupted {
			return status
		}
	case <-ctx.Done():
		if !s.tidies.Load() {
			break
		}
		if status := <-done; status != statusInterrupted {
			return status
		}
	}
	return s.interrupted(context.Cause(ctx))
}

// statusInterrupted stands for an error that came after the context had ended:
// what a command says then is only that.
const statusInterrupted = -1

// interrupted says what ended the command, and returns its status.
func (s *session) interrupted(cause error) int {
	fmt.Fprintf(s.stderr, "guise: %v\n", cause)
	var by interruption
	if errors.As(cause, &by) {
		return by.status()
	}
	return statusCannot
}
