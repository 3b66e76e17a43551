//go:build !(linux && arm64)

package kvm

import (
	"fmt"
	"runtime"

	"github.com/guise-project/guise/vm"
)

// Open returns an error that wraps vm.ErrNotSupported: this platform has no
// arm64 KVM.
func Open(path string) (vm.Host, error) {
	return nil, &PlatformError{Path: path}
}

// PlatformError says that there can be no arm64 KVM here, and what to use.
type PlatformError struct{ Path string }

func (e *PlatformError) Error() string {
	return fmt.Sprintf("%s: arm64 KVM needs Linux on arm64; this is %s on %s", e.Path, runtime.GOOS, runtime.GOARCH)
}

// Unwrap gives vm.ErrNotSupported.
func (e *PlatformError) Unwrap() error { return vm.ErrNotSupported }

// Hint says what can be done instead.
func (e *PlatformError) Hint() string {
	return "guise lab run --kernel 6.12 -- COMMAND runs any guise command on a real kernel under QEMU"
}
