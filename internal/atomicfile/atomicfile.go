// Package atomicfile writes output files: the one way in which the command and
// the lab write what a user named.
//
// The rules:
//
//   - A reader of a regular file sees the old content or the new, never a part,
//     whatever ends the writer.
//   - What is there and is not a regular file (a device, a FIFO, a descriptor
//     of this process such as /dev/stdout) is written through, never replaced.
//   - The target of a symbolic link is replaced, not the link; a link that
//     leads nowhere gets its target.
//   - A file that is replaced keeps its permission bits and, where this process
//     may, its owner and group; extended attributes and hard links are not
//     kept. A new file has the permission bits that were asked for, less the
//     umask. A file that nobody may write is not replaced.
//   - Content is on the disk before it has the name.
//   - What has no name yet needs no cleaning up. Where the file system has no
//     unnamed files, or one has to be renamed over another file, it has a
//     random name for a moment; what a writer that was killed then left behind
//     is removed by the next one that needs such a name in the directory.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Write writes a file, whole or not at all. Perm are the permission bits of a
// file that is not there yet, before the umask. Errors begin with the path and
// say what stands in the way; after one the file is as it was. What is written
// through can be written in part. It is safe for concurrent use; of several
// writers of one file the last wins.
func Write(path string, content []byte, perm fs.FileMode) error {
	t, err := find(path)
	if err != nil {
		return err
	}
	if t.through {
		err = writeThrough(t, content)
	} else {
		err = replace(t, content, perm.Perm())
	}
	if err != nil {
		return fmt.Errorf("%s: could not be written: %w", path, reason(err))
	}
	return nil
}

// Check returns the error that Write would give for a path, as far as it can be
// told before there is something to write. It opens and changes nothing.
func Check(path string) error {
	_, err := find(path)
	return err
}

// target is what a path stands for.
type target struct {
	path    string      // with links resolved, where it is to be replaced
	old     fs.FileInfo // nil where nothing is there
	through bool
	fd      int // the descriptor of this process that the path names, or -1
}

// find resolves a path and refuses what cannot be written.
func find(path string) (*target, error) {
	if path == "" {
		return nil, errors.New("the name of the output file is empty")
	}
	if os.IsPathSeparator(path[len(path)-1]) {
		return nil, fmt.Errorf("%s: names a directory; want a file to write", path)
	}
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: cannot be written: %w", path, reason(err))
	}
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: is a directory; want a file to write", path)
	}
	t := &target{path: path}
	if err == nil {
		t.old = info
	}
	if t.path, t.fd, err = resolve(path); err != nil {
		return nil, fmt.Errorf("%s: cannot be written: %w", path, reason(err))
	}
	switch {
	case t.fd >= 0 && t.old == nil:
		return nil, fmt.Errorf("%s: is not open", path)
	case t.fd >= 0:
		t.through = true
		return t, nil
	case t.old != nil && !t.old.Mode().IsRegular():
		t.through = true
		if !writable(path) {
			return nil, fmt.Errorf("%s: this user may not write to it", path)
		}
		return t, nil
	case t.old != nil && (t.old.Mode().Perm()&0o222 == 0 || !writable(t.path)):
		return nil, fmt.Errorf("%s: is read-only", path)
	}
	return t, checkDirectory(path, t.path)
}

// checkDirectory refuses a path whose directory takes no new name.
func checkDirectory(path, resolved string) error {
	directory := filepath.Dir(resolved)
	info, err := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no directory %s", path, directory)
	case err != nil:
		return fmt.Errorf("%s: cannot be written: %w", path, reason(err))
	case !info.IsDir():
		return fmt.Errorf("%s: %s is not a directory", path, directory)
	case !writable(directory):
		return fmt.Errorf("%s: this user may not write in the directory %s", path, directory)
	}
	return nil
}

// mostLinks is how many links are followed, as Linux does.
const mostLinks = 40

// resolve follows symbolic links to a name that is none, whether anything is
// there or not, or to one that leads to a descriptor of this process.
func resolve(path string) (name string, fd int, err error) {
	for range mostLinks {
		if fd := descriptor(path); fd >= 0 {
			return path, fd, nil
		}
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, -1, nil
		}
		if err != nil {
			return "", -1, err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", -1, err
		}
		if !filepath.IsAbs(to) {
			// Not Join, which takes "link/.." for nothing.
			to = filepath.Dir(path) + string(filepath.Separator) + to
		}
		path = to
	}
	return "", -1, errors.New("too many symbolic links")
}

// standardNames are the names that lead to a descriptor of this process.
var standardNames = map[string]int{"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}

// descriptor returns the descriptor of this process that a path names, -1 where
// it names none. A file that is open already is written where the descriptor
// stands: another file under its name would miss whoever reads it.
func descriptor(path string) int {
	path = filepath.Clean(path)
	if fd, ok := standardNames[path]; ok {
		return fd
	}
	for _, directory := range []string{"/dev/fd", "/proc/self/fd", fmt.Sprintf("/proc/%d/fd", os.Getpid())} {
		if fd, err := strconv.Atoi(filepath.Base(path)); err == nil && fd >= 0 && filepath.Dir(path) == directory {
			return fd
		}
	}
	return -1
}

// writeThrough writes to what is there.
func writeThrough(t *target, content []byte) error {
	var file *os.File
	var err error
	if t.fd >= 0 {
		file, err = duplicate(t.fd)
	} else {
		file, err = os.OpenFile(t.path, os.O_WRONLY, 0)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// replace writes a new file and gives it the name.
func replace(t *target, content []byte, perm fs.FileMode) error {
	directory := filepath.Dir(t.path)
	file, err := create(directory, perm)
	if err != nil {
		return err
	}
	defer file.discard()
	if _, err := file.Write(content); err != nil {
		return err
	}
	if t.old != nil {
		if err := errors.Join(keepOwner(file.File, t.old), file.Chmod(t.old.Mode().Perm())); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.give(t)
}

// temporary is a file that has no name yet, or a random one.
type temporary struct {
	*os.File
	name string // "" where it has none
}

// names are the random names that exist now. Abandon takes the lock for good:
// nothing gets a name after it.
var names = struct {
	sync.Mutex
	live map[string]bool
}{live: map[string]bool{}}

// createNamed makes a file under a random name in a directory.
func createNamed(directory string, perm fs.FileMode) (*temporary, error) {
	sweep(directory)
	names.Lock()
	defer names.Unlock()
	name := randomName(directory)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	lock(file)
	names.live[name] = true
	return &temporary{file, name}, nil
}

// rename gives a file with a random name its own.
func (f *temporary) rename(t *target) error {
	names.Lock()
	defer names.Unlock()
	if err := os.Rename(f.name, t.path); err != nil {
		return err
	}
	delete(names.live, f.name)
	f.name = ""
	return nil
}

// discard closes the file, and removes it where it has a random name still.
// What could go wrong with the content was seen by Sync.
func (f *temporary) discard() {
	f.Close()
	if f.name != "" {
		names.Lock()
		defer names.Unlock()
		os.Remove(f.name)
		delete(names.live, f.name)
	}
}

// Abandon removes the files that are being written and have a random name, and
// lets no other get one. It is for a process that is about to exit while
// writers may be at work; Write does not return after it.
func Abandon() {
	names.Lock()
	for name := range names.live {
		os.Remove(name)
	}
}

// Random names: what stands before and after 26 letters and digits of chance.
const (
	namePrefix = ".guise-"
	nameSuffix = ".tmp"
)

var nameLength = len(namePrefix + rand.Text() + nameSuffix)

func randomName(directory string) string {
	return filepath.Join(directory, namePrefix+rand.Text()+nameSuffix)
}

// swept are the directories where this process has looked for what writers that
// were killed left behind.
var swept sync.Map

// sweep removes random names that no living writer holds. It is done once for
// each directory: a fleet is ten thousand files in one.
func sweep(directory string) {
	if _, done := swept.LoadOrStore(directory, true); done {
		return
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return // it is the writer's own trouble that counts
	}
	for _, e := range entries {
		if name := e.Name(); len(name) == nameLength && strings.HasPrefix(name, namePrefix) && strings.HasSuffix(name, nameSuffix) && e.Type().IsRegular() {
			removeDead(filepath.Join(directory, name))
		}
	}
}

// reason takes the operation and the name off an error of the system, which
// messages name themselves.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
