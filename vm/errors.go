package vm

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
)

// ErrNotSupported is wrapped by errors of hosts that cannot do what was asked
// at all, as opposed to refusing a value.
var ErrNotSupported = errors.New("not supported by this host")

// RegisterError is a register access that was refused.
type RegisterError struct {
	Op    string // "get", "set"
	ID    arm64.ID
	Name  string // the architecture's name
	Value uint64 // what was written, for "set"
	Errno syscall.Errno
	Hint  string // what to do about it, or ""
}

func (e *RegisterError) Error() string {
	if e.Op == "set" {
		value := fmt.Sprintf("%#x", e.Value)
		if register := arm64.Named(e.Name); register != nil {
			value = register.Text(e.Value)
		}
		return fmt.Sprintf("%s: writing %s: %v", e.Name, value, e.Errno)
	}
	return fmt.Sprintf("%s: reading: %v", e.Name, e.Errno)
}

// Unwrap gives the errno, so that errors.Is(err, syscall.EINVAL) holds.
func (e *RegisterError) Unwrap() error { return e.Errno }

// CallError is an operation on a host, a VM or a vCPU, other than a register
// access, that the kernel refused.
type CallError struct {
	Call    string // the kernel's name of the operation: "KVM_ARM_VCPU_INIT"
	Subject string // what it was for: "vCPU 0 with sve"
	Errno   syscall.Errno
	// Lacking says that the host cannot do this at all; errors.Is finds
	// ErrNotSupported.
	Lacking bool
	Hint    string // what to do about it, or ""
}

func (e *CallError) Error() string {
	text := fmt.Sprintf("%s: %s: %v", e.Subject, e.Call, e.Errno)
	if e.Lacking {
		text += ": " + ErrNotSupported.Error()
	}
	return text
}

// Unwrap gives the errno, and ErrNotSupported where the host lacks the ability.
func (e *CallError) Unwrap() []error {
	if e.Lacking {
		return []error{e.Errno, ErrNotSupported}
	}
	return []error{e.Errno}
}

// HintOf returns the hint that an error carries, or "".
func HintOf(err error) string {
	var register *RegisterError
	if errors.As(err, &register) {
		return register.Hint
	}
	var call *CallError
	if errors.As(err, &call) {
		return call.Hint
	}
	return ""
}

// errNothing is what comes of a host, a contract or a question that is nil.
var errNothing = errors.New("there is no host, contract or question; one of them is nil")
