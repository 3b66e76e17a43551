package readfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestInto(t *testing.T) {
	directory := t.TempDir()
	for _, size := range []int{0, 1, 100, 16 << 10, 100_000} {
		name := filepath.Join(directory, "file")
		want := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, buffer := range [][]byte{nil, make([]byte, 0, 10), make([]byte, 7, 1<<20)} {
			got, err := Into(buffer, name, 100_000)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes into %d: %d bytes, %v", size, cap(buffer), len(got), err)
			}
		}
		if size > 0 {
			if got, err := Into(nil, name, size-1); got != nil || err == nil || !strings.Contains(err.Error(), "longer") {
				t.Errorf("a file over the limit: %d bytes, %v", len(got), err)
			}
		}
	}
	if got, err := Into(nil, filepath.Join(directory, "none"), 10); got != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, %v", got, err)
	}
	if got, err := Into(nil, directory, 10); got != nil || err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v, %v", got, err)
	}
}

// TestIntoPipe: a file that does not tell its size is read to its end.
func TestIntoPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		w.Write([]byte("two "))
		w.Write([]byte("parts"))
		w.Close()
	}()
	pipe := "/dev/fd/" + strconv.Itoa(int(r.Fd()))
	if _, err := os.Stat(pipe); err != nil {
		pipe = "" // not a system that names open files
		t.Log("no /dev/fd: only regular files are tested")
		return
	}
	got, err := Into(nil, pipe, 100)
	if err != nil || string(got) != "two parts" {
		t.Errorf("%q, %v", got, err)
	}
}
