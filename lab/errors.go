package lab

import (
	"errors"
	"fmt"
	"strings"

	"github.com/guise-project/guise/internal/plain"
)

// What can go wrong with a host, for errors.Is on what Run returns.
var (
	// ErrPanic: the kernel panicked, or the init died.
	ErrPanic = errors.New("the kernel panicked")
	// ErrHang: the host did nothing that can be seen for as long as its limit.
	ErrHang = errors.New("the host hangs")
	// ErrOutOfMemory: the kernel had no memory left for the job.
	ErrOutOfMemory = errors.New("out of memory")
	// ErrStopped: QEMU ended before the job did, for another reason.
	ErrStopped = errors.New("QEMU ended before the job did")
	// ErrChannel: what came over the channel was not what an init sends.
	ErrChannel = errors.New("the channel failed")

	// ErrNoQEMU: no QEMU, or one too old.
	ErrNoQEMU = errors.New("no usable QEMU")
	// ErrNoKernel: the kernel was not fetched.
	ErrNoKernel = errors.New("no such kernel in the lab")
	// ErrNoGuest: there is no guise binary for the host's architecture.
	ErrNoGuest = errors.New("no guise binary for the lab")
)

// HostError is a lab host that did not bring its job to an end.
type HostError struct {
	// Host is the kernel and CPU in a word: "6.12/neoverse-v1".
	Host string
	// Reason is one of ErrPanic, ErrHang, ErrOutOfMemory, ErrStopped and
	// ErrChannel.
	Reason error
	// Detail says more, where there is more to say.
	Detail string
	// Console holds the last lines of the machine's console.
	Console string
}

// Error is text that a terminal shows as it is: what the host said is escaped.
func (e *HostError) Error() string {
	text := fmt.Sprintf("lab host %s: %v", e.Host, e.Reason)
	if e.Detail != "" {
		text += ": " + plain.Line(e.Detail)
	}
	if e.Console != "" {
		text += "\nthe last lines of its console:\n  " + strings.ReplaceAll(plain.Lines(e.Console), "\n", "\n  ")
	}
	return text
}

// Unwrap makes errors.Is find the reason.
func (e *HostError) Unwrap() error { return e.Reason }

// MissingError is something the lab needs and this machine lacks.
type MissingError struct {
	// Reason is one of ErrNoQEMU, ErrNoKernel and ErrNoGuest.
	Reason error
	Detail string
	// Hint is the command that mends it.
	Hint string
}

func (e *MissingError) Error() string { return fmt.Sprintf("lab: %v: %s", e.Reason, e.Detail) }

// Unwrap makes errors.Is find the reason.
func (e *MissingError) Unwrap() error { return e.Reason }
