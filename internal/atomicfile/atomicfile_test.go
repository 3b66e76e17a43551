package atomicfile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// wantOnly wants a directory to hold these names and no other.
func wantOnly(t *testing.T, directory string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %v, want %v", directory, got, want)
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestWriteNewAndOld(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "file")
	for _, content := range []string{"new", "", strings.Repeat("longer", 100_000), "short"} {
		if err := Write(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, content)
		wantOnly(t, directory, "file")
	}
	t.Chdir(directory)
	if err := Write("file", []byte("by its name alone"), 0o666); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "by its name alone")
}

// TestNamesThatCannotWork: each is refused by Check before there is something
// to write, and by Write, in the same words; nothing changes.
func TestNamesThatCannotWork(t *testing.T) {
	directory := t.TempDir()
	t.Chdir(directory)
	put(t, "file", "old", 0o644)
	put(t, "read-only", "old", 0o444)
	if err := os.Mkdir("directory", 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"to-directory": "directory", "to-read-only": "read-only", "round": "round", "nowhere": "none/file"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"":                       "the name of the output file is empty",
		"directory":              "directory: is a directory; want a file to write",
		"directory/":             "directory/: names a directory; want a file to write",
		"none/":                  "none/: names a directory; want a file to write",
		".":                      ".: is a directory; want a file to write",
		"to-directory":           "to-directory: is a directory; want a file to write",
		"read-only":              "read-only: is read-only",
		"to-read-only":           "to-read-only: is read-only",
		"none/file":              "none/file: there is no directory none",
		"nowhere":                "nowhere: there is no directory none",
		"file/below":             "file/below: cannot be written: not a directory",
		"round":                  "round: cannot be written: too many levels of symbolic links",
		"/dev/fd/987654":         "/dev/fd/987654: is not open",
		strings.Repeat("x", 300): strings.Repeat("x", 300) + ": cannot be written: file name too long",
	} {
		for what, err := range map[string]error{"check": Check(path), "write": Write(path, []byte("new"), 0o666)} {
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
		}
	}
	wantContent(t, "file", "old")
	wantContent(t, "read-only", "old")
	wantOnly(t, directory, "directory", "file", "nowhere", "read-only", "round", "to-directory", "to-read-only")
}

func TestLinksStay(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(directory, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(directory, "b", "file"), "old", 0o600)
	links := map[string]string{
		"a/near": "far", "a/far": "../b/file", // over two links
		"a/new":  filepath.Join(directory, "b", "new"), // leads nowhere yet
		"a/dirs": "../b", "a/up": "dirs/../file",       // ".." of what a link leads to
	}
	for link, to := range links {
		if err := os.Symlink(to, filepath.Join(directory, link)); err != nil {
			t.Fatal(err)
		}
	}
	for link, path := range map[string]string{"a/near": "b/file", "a/new": "b/new", "a/up": "file"} {
		if err := Write(filepath.Join(directory, link), []byte(link), 0o666); err != nil {
			t.Fatal(err)
		}
		wantContent(t, filepath.Join(directory, path), link)
	}
	for link, to := range links {
		if got, err := os.Readlink(filepath.Join(directory, link)); err != nil || got != to {
			t.Errorf("%s leads to %q, %v; want %q", link, got, err, to)
		}
	}
	wantOnly(t, filepath.Join(directory, "a"), "dirs", "far", "near", "new", "up")
	wantOnly(t, filepath.Join(directory, "b"), "file", "new")
}

// TestManyWriters: of writers at the same time one wins, whole.
func TestManyWriters(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "file")
	var writers sync.WaitGroup
	for i := range 16 {
		writers.Go(func() {
			if err := Write(path, bytes.Repeat([]byte{'a' + byte(i)}, 100_000), 0o666); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 100_000 || len(bytes.Trim(got, string(got[:1]))) != 0 {
		t.Errorf("%d bytes, %v: of more than one writer", len(got), err)
	}
	wantOnly(t, directory, "file")
}
