package power

import (
	"fmt"
	"runtime"

	"github.com/guise-project/guise/vm"
)

// DefaultPath is where Linux has KVM.
const DefaultPath = "/dev/kvm"

// PlatformError says that there can be no KVM-HV here, and what to use. It wraps
// vm.ErrNotSupported.
type PlatformError struct{ Path string }

func (e *PlatformError) Error() string {
	return fmt.Sprintf("%s: KVM on POWER needs Linux on ppc64le; this is %s on %s", e.Path, runtime.GOOS, runtime.GOARCH)
}

// Unwrap gives vm.ErrNotSupported.
func (e *PlatformError) Unwrap() error { return vm.ErrNotSupported }

// Hint says what can be done instead.
func (e *PlatformError) Hint() string {
	return "guise lab run --arch ppc64le --module kvm_hv -- COMMAND runs any guise command on a real kernel under QEMU"
}
