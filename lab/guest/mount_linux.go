package guest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mount is one file system of the guest.
type mount struct {
	kind, target string
	flags        uintptr
	data         string
	// required: without it no job can run. The others a kernel may have been
	// built without.
	required bool
}

// mounts are made in this order.
var mounts = []mount{
	{kind: "devtmpfs", target: "/dev", flags: unix.MS_NOSUID, required: true},
	{kind: "proc", target: "/proc", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, required: true},
	{kind: "sysfs", target: "/sys", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, required: true},
	// A job may bring programs and run them from here.
	{kind: "tmpfs", target: "/tmp", flags: unix.MS_NOSUID | unix.MS_NODEV, data: "mode=1777", required: true},
	// debugfs shows the registers of running VMs; tracefs what KVM trapped.
	{kind: "debugfs", target: "/sys/kernel/debug", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{kind: "tracefs", target: "/sys/kernel/tracing", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
}

// system is what the init asks of the kernel, so that a test can stand in.
type system interface {
	mkdir(path string) error
	mount(kind, target string, flags uintptr, data string) error
}

type linux struct{}

func (linux) mkdir(path string) error { return os.MkdirAll(path, 0o755) }
func (linux) mount(kind, target string, flags uintptr, data string) error {
	return unix.Mount(kind, target, kind, flags, data)
}

// mountAll makes the mounts of a table. It stops at the first required one
// that fails.
func mountAll(s system, table []mount) error {
	for _, m := range table {
		err := s.mkdir(m.target)
		if err == nil {
			err = s.mount(m.kind, m.target, m.flags, m.data)
		}
		if err != nil && m.required {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}
