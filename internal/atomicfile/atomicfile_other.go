//go:build !unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
)

func writable(string) bool { return true }

func duplicate(int) (*os.File, error) { return nil, errors.ErrUnsupported }

func keepOwner(*os.File, fs.FileInfo) error { return nil }

func lock(*os.File) {}

func removeDead(string) {}
