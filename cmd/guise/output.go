package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/alecthomas/kong"

	"github.com/guise-project/guise/internal/atomicfile"
)

// outputFile is the value of every -o: a file to write, "-" for standard
// output, "" where the flag was not given. One that cannot be written is
// refused before any work is done.
type outputFile string

// Decode reads the flag.
func (o *outputFile) Decode(ctx *kong.DecodeContext) error {
	var path string
	if err := ctx.Scan.PopValueInto("file", &path); err != nil {
		return err
	}
	if path == "" {
		return errors.New("the name of the output file is empty")
	}
	*o = outputFile(path)
	return nil
}

// check returns what stands in the way of writing to the file.
func (o outputFile) check() error {
	if o == "" || o == "-" {
		return nil
	}
	return atomicfile.Check(string(o))
}

// checkOutputs checks the output files that a command line names.
func checkOutputs(line *kong.Context) error {
	for _, flag := range line.Flags() {
		if file, ok := flag.Target.Interface().(outputFile); ok {
			if err := file.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a whole file or nothing, or to standard output for "-", and
// where no file was named. Perm are the permission bits of a new file, before
// the umask.
func (s *session) write(o outputFile, data []byte, perm fs.FileMode) error {
	if o == "" || o == "-" {
		_, err := s.stdout.Write(data)
		return err
	}
	return atomicfile.Write(string(o), data, perm)
}

// writeDocument writes a document that everybody may read.
func (s *session) writeDocument(o outputFile, data []byte) error { return s.write(o, data, 0o666) }

// writeAll writes many files, in order, or none: what is wrong with any path is
// found before the first is written, and where one fails all the same, those
// that were not there before are removed again.
func writeAll(paths []string, content func(i int) []byte) error {
	isNew := make([]bool, len(paths))
	for i, path := range paths {
		if err := atomicfile.Check(path); err != nil {
			return err
		}
		_, err := os.Lstat(path)
		isNew[i] = errors.Is(err, fs.ErrNotExist)
	}
	for i, path := range paths {
		err := atomicfile.Write(path, content(i), 0o666)
		if err == nil {
			continue
		}
		for j := range i {
			if isNew[j] {
				err = errors.Join(err, os.Remove(paths[j]))
			}
		}
		return err
	}
	return nil
}

// output is standard output. It remembers the first write that failed: an
// answer that nobody got is none, whatever it says.
type output struct {
	io.Writer
	failed error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil && o.failed == nil {
		o.failed = err
		var path *fs.PathError
		if errors.As(err, &path) {
			o.failed = path.Err
		}
	}
	return n, err
}

// err says why an answer did not reach anybody.
func (o *output) err() error {
	if o.failed == nil {
		return nil
	}
	return fmt.Errorf("standard output: could not be written: %w", o.failed)
}
