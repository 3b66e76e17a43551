package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/guise-project/guise/lab/channel"
)

// A host may be hostile: what it sends is bounded by these, in bytes.
const (
	// MaxKept is how much of each of a job's standard output and standard error
	// a Result keeps. What comes beyond it reaches the job's live writers only.
	MaxKept = 16 << 20
	// MaxOutputs is the most that the files of a job's Outputs have together.
	MaxOutputs = 128 << 20
)

// collector puts together what a host says of its job. It takes files that the
// job asked for, once each, and nothing beyond its bounds.
type collector struct {
	job            *Job
	result         Result
	stdout, stderr bytes.Buffer
	// files is the size of all files, in bytes.
	files int
	// maxKept and maxOutputs are MaxKept and MaxOutputs, less in tests.
	maxKept, maxOutputs int
}

// collect reads what the job writes and how it ends. The result is of use with
// an error, too: it has what came before it.
func collect(stream io.Reader, job *Job) (Result, error) {
	c := collector{job: job, maxKept: MaxKept, maxOutputs: MaxOutputs}
	return c.collect(stream)
}

func (c *collector) collect(stream io.Reader) (Result, error) {
	for {
		frame, err := channel.Read(stream)
		if err == nil && frame.Kind == channel.KindEnd {
			err = c.end(frame)
			c.result.Stdout, c.result.Stderr = c.stdout.Bytes(), c.stderr.Bytes()
			return c.result, err
		}
		if err == nil {
			err = c.take(frame)
		}
		if err != nil {
			return c.result, err
		}
	}
}

// take takes a frame that is not the last.
func (c *collector) take(frame channel.Frame) error {
	switch frame.Kind {
	case channel.KindStdout:
		return c.pass(frame.Payload, &c.stdout, c.job.Stdout)
	case channel.KindStderr:
		return c.pass(frame.Payload, &c.stderr, c.job.Stderr)
	case channel.KindFile:
		return c.file(frame)
	case channel.KindFileData:
		return c.content(frame.Payload)
	}
	return fmt.Errorf("a frame of kind %d from the init", frame.Kind)
}

// pass keeps output and hands it on.
func (c *collector) pass(b []byte, kept *bytes.Buffer, live io.Writer) error {
	keep := min(len(b), c.maxKept-kept.Len())
	kept.Write(b[:keep])
	c.result.NotKept += int64(len(b) - keep)
	if live == nil {
		return nil
	}
	_, err := live.Write(b)
	return err
}

// file begins a file. Its name is one of the job's Outputs, as it stands there:
// the path is the job's, never the host's. A host cannot make a file executable.
func (c *collector) file(frame channel.Frame) error {
	var header channel.FileHeader
	if err := channel.Decode(frame, channel.KindFile, &header); err != nil {
		return err
	}
	if !slices.Contains(c.job.Outputs, header.Path) {
		return fmt.Errorf("the host sent file %q, which the job did not ask for", header.Path)
	}
	if slices.ContainsFunc(c.result.Files, func(f File) bool { return f.Path == header.Path }) {
		return fmt.Errorf("the host sent file %q twice", header.Path)
	}
	c.result.Files = append(c.result.Files, File{Path: header.Path, Mode: header.Mode & 0o666})
	return nil
}

// content adds to the file that was begun last.
func (c *collector) content(b []byte) error {
	if len(c.result.Files) == 0 {
		return errors.New("content came before the name of its file")
	}
	last := &c.result.Files[len(c.result.Files)-1]
	if c.files += len(b); c.files > c.maxOutputs {
		return fmt.Errorf("file %q: the files of a job have more than %d MiB, the most that is brought back", last.Path, c.maxOutputs>>20)
	}
	last.Content = append(last.Content, b...)
	return nil
}

// end takes the last frame.
func (c *collector) end(frame channel.Frame) error {
	var end channel.End
	if err := channel.Decode(frame, channel.KindEnd, &end); err != nil {
		return err
	}
	c.result.Status, c.result.Signal = end.Status, end.Signal
	if end.OutOfMemory {
		return &HostError{Reason: ErrOutOfMemory, Detail: "the kernel killed the job"}
	}
	if end.Error != "" {
		return errors.New(end.Error)
	}
	return nil
}
