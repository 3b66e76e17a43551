package scenario

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
)

// errnos are the errors that KVM gives, by the kernel's names and numbers; the
// numbers are Linux's, on whatever platform this runs.
var errnos = []struct {
	name   string
	number syscall.Errno
}{
	{"EPERM", 1}, {"ENOENT", 2}, {"EINTR", 4}, {"EIO", 5}, {"ENXIO", 6}, {"E2BIG", 7}, {"ENOEXEC", 8}, {"EAGAIN", 11},
	{"ENOMEM", 12}, {"EFAULT", 14}, {"EBUSY", 16}, {"EEXIST", 17}, {"ENODEV", 19}, {"EINVAL", 22}, {"ENOTTY", 25},
}

// ErrnoName gives the kernel's name of an errno, or its number.
func ErrnoName(errno syscall.Errno) string {
	for _, e := range errnos {
		if e.number == errno {
			return e.name
		}
	}
	return fmt.Sprintf("errno %d", int(errno))
}

// errnoNamed finds an errno by name.
func errnoNamed(name string) (syscall.Errno, bool) {
	for _, e := range errnos {
		if e.name == name {
			return e.number, true
		}
	}
	return 0, false
}

// VMLine gives the line of a script that makes a VM of the setup.
func VMLine(setup *guise.Setup) string {
	words := []string{"vm", featuresWord(setup.Features)}
	if setup.VGIC != 0 {
		words = append(words, fmt.Sprintf("vgic=%d", setup.VGIC))
	}
	for _, name := range setup.Capabilities {
		words = append(words, "cap="+name)
	}
	if setup.Protected {
		words = append(words, "protected")
	}
	return strings.Join(words, " ")
}
