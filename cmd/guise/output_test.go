package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
)

// full is a disk that takes nothing more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestOutputThatCannotBeWritten: an answer that nobody got is status 4,
// whatever its verdict.
func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, line := range []string{"catalog", "version", "--help", "baseline --help", "help lab run", "--version", "baseline graviton2@6.18", "baseline graviton2@6.18 graviton3@6.18", "explain MIDR_EL1=0x413fd0c1", "model changes 6.1 6.12"} {
		var stderr bytes.Buffer
		if status := run(context.Background(), strings.Fields(line), nil, full{}, &stderr); status != statusCannot || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("guise %s: status %d: %s; want 4 with the reason", line, status, stderr.String())
		}
	}
}

// TestPlainUsageErrors: no flag answers in the words of Go.
func TestPlainUsageErrors(t *testing.T) {
	seen := map[reflect.Kind]int{}
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		for _, flag := range node.Flags {
			kind := flag.Target.Kind()
			switch kind {
			case reflect.Int, reflect.Int64, reflect.Uint64:
			default:
				continue
			}
			seen[kind]++
			for _, value := range []string{"x", "1.5e3", "-", "99999999999999999999999"} {
				var stderr bytes.Buffer
				args := append(strings.Fields(strings.TrimPrefix(node.Path(), "guise ")), "--"+flag.Name+"="+value)
				status := run(context.Background(), args, nil, &stderr, &stderr)
				if want := "guise: --" + flag.Name + " \"" + value + "\": want a "; status != statusUsage || !strings.HasPrefix(stderr.String(), want) {
					t.Errorf("guise %s: status %d: %s; want %s", strings.Join(args, " "), status, stderr.String(), want)
				}
			}
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(newParser(&commandLine{}, nil, nil).Model.Node)
	if len(seen) != 3 {
		t.Errorf("flags of the kinds %v; want numbers and times", seen)
	}
}

// outputFlags returns the path of every command that has -o, and what makes its
// line whole.
func outputFlags(t *testing.T) map[string]string {
	found := map[string]string{}
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		for _, flag := range node.Flags {
			if flag.Short != 'o' {
				continue
			}
			if _, ok := flag.Target.Interface().(outputFile); !ok {
				t.Errorf("%s -o: is not an outputFile", node.Path())
			}
			found[strings.TrimPrefix(node.Path(), "guise ")] = ""
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(newParser(&commandLine{}, nil, nil).Model.Node)
	return found
}

// TestOutputIsCheckedFirst: what cannot be written is said before anything is
// read or done, by every command that writes.
func TestOutputIsCheckedFirst(t *testing.T) {
	directory := t.TempDir()
	rest := map[string]string{
		"baseline": "absent", "fleet pack": "absent", "import firecracker": "absent", "prove": "absent",
		"try": "absent", "vm save": "absent", "vm restore": "absent", "capture": "--device absent",
		"forecast": "absent --kernel 7.2",
	}
	for command := range outputFlags(t) {
		more, ok := rest[command]
		if !ok {
			t.Errorf("%s: writes, and is not in this test", command)
		}
		for _, c := range []struct {
			path, want string
			status     int
		}{
			{"", "the name of the output file is empty", statusUsage},
			{directory, "is a directory", statusCannot},
			{directory + "/absent/file", "there is no directory " + directory + "/absent", statusCannot},
			{directory + "/" + strings.Repeat("x", 300), "file name too long", statusCannot},
		} {
			var stdout, stderr bytes.Buffer
			args := append(strings.Fields(command), strings.Fields(more)...)
			status := run(context.Background(), append(args, "-o", c.path), strings.NewReader(""), &stdout, &stderr)
			if status != c.status || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
				t.Errorf("guise %s -o %.40q: status %d: %s; want %d and %q", command, c.path, status, stderr.String(), c.status, c.want)
			}
		}
	}
	wantEntries(t, directory)
}

// wantEntries wants a directory to hold these names and no other.
func wantEntries(t *testing.T, directory string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	if strings.Join(there, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %q; want %q", directory, there, names)
	}
}

// TestFleetUnpackIsWholeOrNothing: one host whose name no file can have keeps
// all from being written.
func TestFleetUnpackIsWholeOrNothing(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("x", 300): "file name too long",
		"directory":              "is a directory",
		"a/b":                    "the name cannot be a file's",
	} {
		var captures []*guise.Capture
		for _, n := range []string{"aaa", name, "zzz"} {
			capture, err := catalog.Load("graviton2@6.18")
			if err != nil {
				t.Fatal(err)
			}
			capture.Name = n
			captures = append(captures, capture)
		}
		directory := t.TempDir()
		fleet := filepath.Join(t.TempDir(), "fleet.json")
		if err := os.WriteFile(fleet, guise.MarshalFleet(captures), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(directory, "directory.json"), 0o700); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		status := run(context.Background(), []string{"fleet", "unpack", fleet, "-C", directory}, nil, &stderr, &stderr)
		if status == statusYes || !strings.Contains(stderr.String(), want) {
			t.Errorf("%.20s: status %d: %s; want %q", name, status, stderr.String(), want)
		}
		wantEntries(t, directory, "directory.json")
	}
}
