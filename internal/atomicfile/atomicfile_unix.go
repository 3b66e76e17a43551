//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// writable reports whether this user may write a file, or names in a directory.
func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

// duplicate opens a descriptor of this process once more.
func duplicate(fd int) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	again, err := unix.Dup(fd)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(again)
	return os.NewFile(uintptr(again), "/dev/fd/"+strconv.Itoa(fd)), nil
}

// keepOwner gives a new file the owner and group of the one it replaces. Who
// may not do that becomes its owner, as with every file that is renamed.
func keepOwner(file *os.File, old fs.FileInfo) error {
	was, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if is, ok := info.Sys().(*syscall.Stat_t); ok && (is.Uid != was.Uid || is.Gid != was.Gid) {
		if file.Chown(int(was.Uid), int(was.Gid)) != nil {
			_ = file.Chown(-1, int(was.Gid))
		}
	}
	return nil
}

// lock marks a file as one that a living process writes. A file system without
// locks gives none: then nothing is taken for dead either.
func lock(file *os.File) { _ = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// removeDead removes a file that no process holds.
func removeDead(path string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
		os.Remove(path)
	}
}
