package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// create makes a file without a name, or one with a random name where the file
// system has no such files (NFS, overlays of old kernels).
func create(directory string, perm fs.FileMode) (*temporary, error) {
	fd, err := unix.Open(directory, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(perm))
	if err != nil {
		return createNamed(directory, perm)
	}
	return &temporary{File: os.NewFile(uintptr(fd), directory)}, nil
}

// give gives the file its name. Linux cannot link a file over another: only
// there it has a random name between two calls.
func (f *temporary) give(t *target) error {
	if f.name != "" {
		return f.rename(t)
	}
	if t.old == nil && f.link(t.path) == nil {
		return nil
	}
	// A file came to be there meanwhile, is replaced, or there is no /proc.
	sweep(filepath.Dir(t.path))
	names.Lock()
	lock(f.File)
	name := randomName(filepath.Dir(t.path))
	err := f.link(name)
	if err == nil {
		f.name = name
		names.live[name] = true
	}
	names.Unlock()
	if err != nil {
		return err
	}
	return f.rename(t)
}

// link gives a file without a name one that nothing has.
func (f *temporary) link(path string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}
