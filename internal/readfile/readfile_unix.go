//go:build unix

package readfile

import (
	"io/fs"
	"syscall"
)

func into(buffer []byte, name string, limit int) ([]byte, error) {
	var file int
	if err := uninterrupted(func() (err error) {
		file, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		return err
	}); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer syscall.Close(file)
	var info syscall.Stat_t
	if err := uninterrupted(func() error { return syscall.Fstat(file, &info) }); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	regular := info.Mode&syscall.S_IFMT == syscall.S_IFREG
	if err := checkInfo(name, info.Mode&syscall.S_IFMT == syscall.S_IFDIR, info.Size, limit); err != nil {
		return nil, err
	}
	size := int64(-1) // not known: read until there is no more
	if regular && info.Size > 0 {
		size = info.Size
	}
	return fill(buffer, name, size, limit, func(b []byte) (n int, err error) {
		err = uninterrupted(func() error {
			n, err = syscall.Read(file, b)
			return err
		})
		return n, err
	})
}

// uninterrupted calls again what a signal cut short.
func uninterrupted(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}
