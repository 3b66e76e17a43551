package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/internal/readfile"
	"github.com/guise-project/guise/isa"
)

// The rules of reading input.
//
//   - What an argument names is opened once, and looked at as often as need be:
//     a FIFO, <(...) and /dev/stdin work wherever a file does.
//   - "-" is standard input, wherever a document is taken. It too is read once,
//     however often it is named.
//   - A file comes before a catalogue entry of the same name.

// reader reads what arguments name.
type reader struct {
	// standardInput is what standard input holds.
	standardInput func() ([]byte, error)
	// unknownRanges are hosts whose KVM tells of registers that guise knows nothing of.
	unknownRanges sync.Map // a host's name to the bitmap
}

// met notes what is odd in captures that were read, and returns them.
func (r *reader) met(captures []*guise.Capture) []*guise.Capture {
	for _, c := range captures {
		if ranges := c.UnknownMaskRanges(); ranges != 0 {
			r.unknownRanges.Store(c.Name, ranges)
		}
	}
	return captures
}

// warn says, once, what no answer about the hosts that were read can take into account.
func (r *reader) warn(to io.Writer) {
	var lines []string
	for name, ranges := range r.unknownRanges.Range {
		r.unknownRanges.Delete(name)
		lines = append(lines, fmt.Sprintf("guise: %v: %s\n", name, guise.UnknownMaskRangesText(ranges.(uint64))))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprint(to, plain.Lines(line))
	}
}

func newReader(stdin io.Reader) *reader {
	return &reader{standardInput: sync.OnceValues(func() ([]byte, error) {
		if stdin == nil {
			return nil, errors.New("-: there is no standard input")
		}
		data, err := io.ReadAll(io.LimitReader(stdin, guise.MaxDocumentSize+1))
		if err == nil && len(data) > guise.MaxDocumentSize {
			err = fmt.Errorf("-: no document is longer than %d bytes", guise.MaxDocumentSize)
		}
		return data, err
	})}
}

// read reads a file, or standard input for "-", that is small enough to be a
// document.
func (r *reader) read(name string) ([]byte, error) {
	data, _, err := r.readInto(nil, name)
	return data, err
}

// readInto is read into a buffer, or a larger one, which it returns for the next
// file.
func (r *reader) readInto(buffer []byte, name string) (data, again []byte, err error) {
	if name == "-" {
		data, err = r.standardInput()
		return data, buffer, err
	}
	data, err = readfile.Into(buffer, name, guise.MaxDocumentSize)
	if err != nil {
		return nil, buffer, plainError(name, err)
	}
	return data, data, nil
}

// plainError says what is wrong with a file as a person would.
func plainError(name string, err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENAMETOOLONG):
		return &noFileError{name}
	case errors.As(err, &path):
		return fmt.Errorf("%s: cannot be read: %w", name, path.Err)
	}
	return err
}

// noFileError says that an argument names no file.
type noFileError struct{ name string }

func (e *noFileError) Error() string { return e.name + ": no such file" }
func (e *noFileError) Unwrap() error { return fs.ErrNotExist }

// hosts reads the hosts that one argument names: of a capture, a fleet or the
// catalogue. It returns the buffer, which may have grown.
func (r *reader) hosts(name string, buffer []byte) (captures []*guise.Capture, again []byte, err error) {
	data, again, err := r.readInto(buffer, name)
	if err == nil {
		captures, err = hostsIn(name, data)
	} else if errors.Is(err, fs.ErrNotExist) {
		captures, err = catalogHost(name)
	}
	return r.met(captures), again, err
}

// shortDocument is the longest document, in bytes, that is read as a capture before
// its schema is looked for. Reading a long fleet as a capture takes as long as reading
// it as a fleet; looking into each of ten thousand captures takes time too.
const shortDocument = 64 << 10

// hostsIn reads a capture or a fleet.
func hostsIn(name string, data []byte) ([]*guise.Capture, error) {
	if len(data) > shortDocument && guise.SchemaOf(data) == guise.SchemaFleet {
		return guise.ReadFleet(name, data)
	}
	capture, err := guise.ReadCapture(name, data)
	if err == nil {
		return []*guise.Capture{capture}, nil
	}
	if guise.SchemaOf(data) == guise.SchemaFleet {
		return guise.ReadFleet(name, data)
	}
	return nil, err
}

// catalogHost takes a host from the catalogue, from the model, or from the registers of a
// machine.
func catalogHost(name string) ([]*guise.Capture, error) {
	if strings.HasPrefix(name, modelPrefix) {
		capture, err := modelHost(name)
		if err != nil {
			return nil, err
		}
		return []*guise.Capture{capture}, nil
	}
	if strings.HasPrefix(name, siliconPrefix) {
		return siliconHosts(name)
	}
	capture, err := catalog.Load(name)
	if errors.Is(err, catalog.ErrUnknown) {
		return nil, &hintedError{&unknownHostError{name}, "guise catalog lists the built-in captures"}
	}
	if err != nil {
		return nil, err
	}
	return []*guise.Capture{capture}, nil
}

// unknownHostError says that a name is neither a file nor in the catalogue.
type unknownHostError struct{ name string }

var errUnknownHost = errors.New("not in the catalogue")

func (e *unknownHostError) Error() string {
	return fmt.Sprintf("%s: no such file, and not in the catalogue%s", e.name, isa.DidYouMean(e.name, slices.Values(catalog.Names())))
}
func (e *unknownHostError) Unwrap() error { return errUnknownHost }

// readFor reads what is not a capture, a contract, a proof or a fleet: want says
// what it is, as "a scenario". Of something else that is known this is said first.
func (r *reader) readFor(name, want string) ([]byte, error) {
	data, err := r.read(name)
	if err != nil {
		return nil, &inputError{err}
	}
	switch kind := guise.DocumentKind(guise.SchemaOf(data)); {
	case kind != "" && kind != want:
		err = fmt.Errorf("%s: is %s; want %s", name, kind, want)
	case len(bytes.TrimSpace(data)) == 0:
		err = fmt.Errorf("%s: is empty; want %s", name, want)
	case bytes.IndexByte(data, 0) >= 0:
		err = fmt.Errorf("%s: is not text; want %s", name, want)
	default:
		return data, nil
	}
	return nil, &inputError{err}
}

// opened is what an argument names, for commands that have to look at it to see
// what it is.
type opened struct {
	reader *reader
	name   string
	data   []byte
	err    error // why there is no data
}

func (r *reader) open(name string) *opened {
	o := &opened{reader: r, name: name}
	o.data, o.err = r.read(name)
	return o
}

// subject is what is a contract or names hosts: one of the two is nil. Errors
// are *inputError.
func (o *opened) subject() (contract *guise.Contract, captures []*guise.Capture, err error) {
	switch err = o.err; {
	case errors.Is(err, fs.ErrNotExist):
		captures, err = catalogHost(o.name)
	case err != nil:
	case guise.SchemaOf(o.data) == guise.SchemaContract:
		contract, err = guise.ReadContract(o.name, o.data)
	default:
		captures, err = hostsIn(o.name, o.data)
	}
	if err != nil {
		return nil, nil, &inputError{err}
	}
	return contract, o.reader.met(captures), nil
}

// contract reads a contract. Errors are *inputError.
func (r *reader) contract(name string) (*guise.Contract, error) {
	data, err := r.read(name)
	if err != nil {
		return nil, &inputError{err}
	}
	contract, err := guise.ReadContract(name, data)
	if err != nil {
		return nil, &inputError{err}
	}
	return contract, nil
}

// isJSON reports whether data begins as a document does.
func isJSON(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data[:min(len(data), 4096)], " \t\r\n"), []byte("{"))
}
