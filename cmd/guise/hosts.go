package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/readfile"
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
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(h.Hosts)) {
		workers.Go(func() {
			var buffer []byte // of the files, one after the other: captures hold no part of it
			for i := int(next.Add(1)) - 1; i < len(h.Hosts); i = int(next.Add(1)) - 1 {
				found[i], buffer, failed[i] = loadHosts(h.Hosts[i], buffer)
			}
		})
	}
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
// entry of the same name. It returns the buffer, which may have grown.
func loadHosts(name string, buffer []byte) ([]*guise.Capture, []byte, error) {
	data, err := readDocumentInto(buffer, name)
	if errors.Is(err, fs.ErrNotExist) {
		capture, catalogErr := catalog.Load(name)
		if errors.Is(catalogErr, catalog.ErrUnknown) {
			return nil, buffer, &hintedError{fmt.Errorf("%s: no such file, and not in the catalogue", name), "guise catalog lists the built-in captures"}
		}
		return []*guise.Capture{capture}, buffer, catalogErr
	}
	if err != nil {
		return nil, buffer, err
	}
	capture, err := guise.ReadCapture(name, data)
	if err != nil && guise.SchemaOf(data) == guise.SchemaFleet {
		captures, err := guise.ReadFleet(name, data)
		return captures, data, err
	}
	if err != nil {
		return nil, data, err
	}
	return []*guise.Capture{capture}, data, nil
}

// readDocument reads a file, or standard input for "-", that is small enough to
// be a document.
func readDocument(name string) ([]byte, error) { return readDocumentInto(nil, name) }

// readDocumentInto is readDocument into a buffer, or a larger one.
func readDocumentInto(buffer []byte, name string) ([]byte, error) {
	if name != "-" {
		return readfile.Into(buffer, name, guise.MaxDocumentSize)
	}
	return standardInput()
}

// standardInput reads standard input once: a command may look at it more often,
// to see what it is.
var standardInput = sync.OnceValues(func() ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(os.Stdin, guise.MaxDocumentSize+1))
	if err == nil && len(data) > guise.MaxDocumentSize {
		err = fmt.Errorf("-: no document is longer than %d bytes", guise.MaxDocumentSize)
	}
	return data, err
})

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

// arm64Only refuses documents of POWER hosts where a command is not for them.
func arm64Only(name, arch string) error {
	if arch == guise.ArchPower {
		return &inputError{fmt.Errorf("%s: is of POWER; this command is for arm64", name)}
	}
	return nil
}

// isContract reports whether an argument is a file that says it is a contract.
func isContract(name string) bool {
	data, err := readDocument(name)
	return err == nil && guise.SchemaOf(data) == guise.SchemaContract
}
