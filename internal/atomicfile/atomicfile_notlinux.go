//go:build !linux

package atomicfile

import "io/fs"

// create makes a file with a random name.
func create(directory string, perm fs.FileMode) (*temporary, error) {
	return createNamed(directory, perm)
}

// give gives the file its name.
func (f *temporary) give(t *target) error { return f.rename(t) }
