package main

import (
	"bytes"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOutOfMemory: a command that gets no more memory ends by SIGABRT. The
// runtime's own status would be 2, which says that the input was bad.
func TestOutOfMemory(t *testing.T) {
	command := guiseCommand(t, "lint", "-")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// A pipe holds less: once this is written, the command reads.
	spaces := bytes.Repeat([]byte{' '}, 1<<20)
	if _, err := stdin.Write(spaces); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(command.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: 1, Max: 1}, nil); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stdin.Write(spaces)
	}
	_ = command.Wait()
	if status := command.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGABRT || status.CoreDump() || stderr.Len() == 0 {
		first, _, _ := bytes.Cut(stderr.Bytes(), []byte("\n"))
		t.Errorf("%v: %s; want SIGABRT, no core, and what happened", command.ProcessState, first)
	}
}
