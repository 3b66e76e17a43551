package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/kernel"
)

// hostArguments are arguments that name hosts: files with a capture or a fleet,
// and catalogue names.
type hostArguments struct {
	Hosts        []string `arg:"" name:"host" help:"A capture or fleet file, or a catalogue name such as graviton2@6.18."`
	AssumeKernel string   `placeholder:"VERSION" help:"Derive what hosts take from this kernel's profile where it was not tried."`
}

// load reads all hosts, as many at a time as there are processors. The captures
// come in the order of the arguments. Errors are *inputError.
func (h *hostArguments) load() ([]*guise.Capture, error) {
	found := make([][]*guise.Capture, len(h.Hosts))
	failed := make([]error, len(h.Hosts))
	var workers sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(h.Hosts)) {
		workers.Go(func() {
			for i := range next {
				found[i], failed[i] = loadHosts(h.Hosts[i])
			}
		})
	}
	for i := range h.Hosts {
		next <- i
	}
	close(next)
	workers.Wait()
	captures := make([]*guise.Capture, 0, len(h.Hosts))
	for i := range found {
		if failed[i] != nil {
			return nil, &inputError{failed[i]}
		}
		captures = append(captures, found[i]...)
	}
	return captures, h.assume(captures)
}

// assume derives missing offers from the profile that was asked for.
func (h *hostArguments) assume(captures []*guise.Capture) error {
	if h.AssumeKernel == "" {
		return nil
	}
	version, err := kernel.ParseVersion(h.AssumeKernel)
	if err != nil {
		return &inputError{fmt.Errorf("--assume-kernel: %v", err)}
	}
	for _, c := range captures {
		if err := c.Assume(version); err != nil {
			return &inputError{fmt.Errorf("--assume-kernel: %v", err)}
		}
	}
	return nil
}

// loadHosts reads what one argument names. A file comes before a catalogue
// entry of the same name.
func loadHosts(name string) ([]*guise.Capture, error) {
	data, err := readDocument(name)
	if errors.Is(err, fs.ErrNotExist) {
		capture, catalogErr := catalog.Load(name)
		if errors.Is(catalogErr, catalog.ErrUnknown) {
			return nil, &hintedError{fmt.Errorf("%s: no such file, and not in the catalogue", name), "guise catalog lists the built-in captures"}
		}
		return []*guise.Capture{capture}, catalogErr
	}
	if err != nil {
		return nil, err
	}
	if bytes.Contains(data, []byte(`"`+guise.SchemaFleet+`"`)) {
		return guise.ReadFleet(name, data)
	}
	capture, err := guise.ReadCapture(name, data)
	if err != nil {
		return nil, err
	}
	return []*guise.Capture{capture}, nil
}

// readDocument reads a file, or standard input for "-", that is small enough to
// be a document.
func readDocument(name string) ([]byte, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return nil, err
		}
		defer file.Close()
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory; want a document", name)
	case info.Size() > guise.MaxDocumentSize:
		return nil, fmt.Errorf("%s: is %d bytes long; no document is longer than %d", name, info.Size(), guise.MaxDocumentSize)
	}
	data := make([]byte, 0, info.Size()+1)
	buffer := bytes.NewBuffer(data)
	if _, err := buffer.ReadFrom(io.LimitReader(file, guise.MaxDocumentSize+1)); err != nil {
		return nil, err
	}
	if buffer.Len() > guise.MaxDocumentSize {
		return nil, fmt.Errorf("%s: no document is longer than %d bytes", name, guise.MaxDocumentSize)
	}
	return buffer.Bytes(), nil
}

// loadContract reads a contract. Errors are *inputError.
func loadContract(name string) (*guise.Contract, error) {
	data, err := readDocument(name)
	if err != nil {
		return nil, &inputError{err}
	}
	contract, err := guise.ReadContract(name, data)
	if err != nil {
		return nil, &inputError{err}
	}
	return contract, nil
}

// isContract reports whether an argument is a file that says it is a contract.
func isContract(name string) bool {
	data, err := readDocument(name)
	return err == nil && guise.SchemaOf(data) == guise.SchemaContract
}

// writeDocument writes a whole file or nothing; "" and "-" stand for standard
// output.
func (s *session) writeDocument(name string, data []byte) error {
	if name == "" || name == "-" {
		_, err := s.stdout.Write(data)
		return err
	}
	return writeWhole(name, data, 0o644)
}
