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
		return fmt.Sprintf("%s: writing %#x: %v", e.Name, e.Value, e.Errno)
	}
	return fmt.Sprintf("%s: reading: %v", e.Name, e.Errno)
}

// Unwrap gives the errno, so that errors.Is(err, syscall.EINVAL) holds.
func (e *RegisterError) Unwrap() error { return e.Errno }
