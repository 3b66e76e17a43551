package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/progress"
	"github.com/guise-project/guise/kernel"
)

// hostArguments are arguments that name hosts: files with a capture or a fleet,
// and catalogue names.
type hostArguments struct {
	Hosts        []string `arg:"" name:"host" help:"A capture or fleet file, - for standard input, a catalogue name such as graviton2@6.18, model:VERSION/CPU, a host of the reference model, or silicon:MACHINE@VERSION."`
	AssumeKernel string   `placeholder:"VERSION" help:"Derive what hosts take from this kernel's profile where it was not tried."`
}

// load reads all hosts, as many at a time as there are processors. The captures
// come in the order of the arguments. Errors are *inputError.
func (h *hostArguments) load(s *session) ([]*guise.Capture, error) {
	found := make([][]*guise.Capture, len(h.Hosts))
	failed := make([]error, len(h.Hosts))
	task := progress.Start(s.ctx, "reading hosts", int64(len(h.Hosts)), progress.Things)
	defer task.Done()
	var workers sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(h.Hosts)) {
		workers.Go(func() {
			var buffer []byte // of the files, one after the other: captures hold no part of it
			for i := int(next.Add(1)) - 1; i < len(h.Hosts); i = int(next.Add(1)) - 1 {
				found[i], buffer, failed[i] = s.reader.hosts(h.Hosts[i], buffer)
				task.Add(1)
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
	s.reader.warn(s.stderr)
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

// arm64Only refuses documents of POWER hosts where a command is not for them.
func arm64Only(name, arch string) error {
	if arch == guise.ArchPower {
		return &inputError{fmt.Errorf("%s: is of POWER; this command is for arm64", name)}
	}
	return nil
}
