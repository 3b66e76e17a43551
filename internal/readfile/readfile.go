// Package readfile reads whole files into a buffer that is used again. A fleet
// is ten thousand small files, and what the os package does for files that are
// open long (polling, finalizers, growing a buffer) costs as much as reading
// them.
package readfile

import (
	"fmt"
	"io/fs"
)

// Into reads a whole file into the buffer, or into a larger one where it is too
// small, and returns what was read. It refuses a directory and a file of more
// than limit bytes. It is safe for concurrent use with different buffers.
func Into(buffer []byte, name string, limit int) ([]byte, error) {
	buffer, err := into(buffer[:cap(buffer)], name, limit)
	if err != nil {
		return nil, err
	}
	return buffer, nil
}

// checkInfo says whether a file is one to read.
func checkInfo(name string, directory bool, size int64, limit int) error {
	switch {
	case directory:
		return fmt.Errorf("%s: is a directory; want a document", name)
	case size > int64(limit):
		return tooLong(name, limit)
	}
	return nil
}

func tooLong(name string, limit int) error {
	return fmt.Errorf("%s: no document is longer than %d bytes", name, limit)
}

// fill reads until the end of the file.
func fill(buffer []byte, name string, size int64, limit int, read func([]byte) (int, error)) ([]byte, error) {
	n := 0
	for {
		if n == len(buffer) {
			if n > limit {
				return nil, tooLong(name, limit)
			}
			grown := room(min(max(2*len(buffer), int(size)+1, 16<<10), limit+1))
			copy(grown, buffer)
			buffer = grown
		}
		got, err := read(buffer[n:])
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		if n += got; got == 0 || int64(n) == size {
			break
		}
	}
	if n > limit {
		return nil, tooLong(name, limit)
	}
	return buffer[:n], nil
}
