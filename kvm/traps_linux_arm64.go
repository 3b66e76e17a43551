package kvm

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/kvm/tracing"
	"github.com/guise-project/guise/probe"
)

// RunObserved is Run, and tells what came to KVM where this process may read
// the kernel's tracepoints.
func (m *machine) RunObserved(ctx context.Context, index int, program *probe.Program) (*probe.Trace, *probe.Traps, error) {
	if m.setup.Protected {
		trace, err := m.Run(ctx, index, program)
		return trace, &probe.Traps{Unknown: "the hypervisor at EL2 answers protected VMs, and the host's tracepoints do not see it"}, err
	}
	// The events of a vCPU are those of the thread that runs it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	session, err := tracing.Start(unix.Gettid())
	if err != nil {
		trace, runErr := m.Run(ctx, index, program)
		return trace, &probe.Traps{Unknown: reason(err)}, runErr
	}
	trace, image, err := m.run(ctx, index, program)
	events, stopErr := session.Stop()
	if err != nil {
		return trace, nil, errors.Join(err, stopErr)
	}
	if stopErr != nil {
		return trace, &probe.Traps{Unknown: reason(stopErr)}, nil
	}
	traps, err := match(program, image, trace, events)
	if err != nil {
		return trace, &probe.Traps{Unknown: err.Error()}, nil
	}
	return trace, traps, nil
}

// reason gives an error with what mends it.
func reason(err error) string {
	var unavailable *tracing.UnavailableError
	if errors.As(err, &unavailable) && unavailable.Hint != "" {
		return fmt.Sprintf("%v: %s", err, unavailable.Hint)
	}
	return err.Error()
}
