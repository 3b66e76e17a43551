package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/lab/channel"
)

// child is a process that runs a job, with what it writes.
type child struct {
	*exec.Cmd
	stdout, stderr io.ReadCloser
}

// newChild makes a child that was not started yet.
func newChild(program string, args []string) (*child, error) {
	c := &child{Cmd: exec.Command(program, args...)}
	c.Env = []string{"PATH=/", "HOME=/tmp", "TMPDIR=/tmp"}
	var err error
	if c.stdout, err = c.StdoutPipe(); err != nil {
		return nil, err
	}
	c.stderr, err = c.StderrPipe()
	return c, err
}

// waiter is guise itself, started before there is a job for it: in a restored
// machine every instruction is slow the first time, and the start of a program
// is many.
type waiter struct {
	*child
	job *os.File
}

// startWaiter starts the waiting child and returns once it waits.
func startWaiter(program string) (*waiter, error) {
	c, err := newChild(program, nil)
	if err != nil {
		return nil, err
	}
	c.Args = []string{"guise"}
	c.Env = append(c.Env, waitVariable+"=1")
	theirJob, job, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirJob.Close()
	ready, theirReady, err := os.Pipe()
	if err != nil {
		job.Close()
		return nil, err
	}
	defer ready.Close()
	c.ExtraFiles = []*os.File{theirJob, theirReady} // waitFD, readyFD
	err = c.Start()
	theirReady.Close()
	if err != nil {
		job.Close()
		return nil, err
	}
	if n, err := ready.Read(make([]byte, 1)); n != 1 {
		job.Close()
		return nil, errors.Join(fmt.Errorf("the guise that is to run jobs did not start: %w", err), c.Wait())
	}
	return &waiter{c, job}, nil
}

// give has the child run a job.
func (w *waiter) give(job channel.Job) error {
	message, err := json.Marshal(job)
	if err != nil {
		return err
	}
	_, err = w.job.Write(message)
	return errors.Join(err, w.job.Close())
}

// wait is the child's side: it tells that it is there and waits for a job.
// Where none comes the other side was closed, and the error is io.EOF.
func wait(job, ready *os.File) error {
	_, err := ready.Write([]byte{1})
	if err := errors.Join(err, ready.Close()); err != nil {
		return err
	}
	message, err := io.ReadAll(job)
	if err := errors.Join(err, job.Close()); err != nil {
		return err
	}
	if len(message) == 0 {
		return io.EOF
	}
	var j channel.Job
	if err := json.Unmarshal(message, &j); err != nil {
		return err
	}
	if err := os.Unsetenv(waitVariable); err != nil {
		return err
	}
	for _, entry := range j.Env {
		name, value, _ := strings.Cut(entry, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	os.Args = append(os.Args[:1], j.Args...)
	return os.Chdir(j.Directory)
}
