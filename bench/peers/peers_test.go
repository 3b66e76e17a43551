package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/guise-project/guise"
)

// TestGeneratedHosts: they all differ, have the size that is said, and have a
// contract, so that the race is over the work it claims to be.
func TestGeneratedHosts(t *testing.T) {
	for _, form := range []struct {
		whole    bool
		from, to int
	}{{false, 6000, 8000}, {true, 16000, 20000}} {
		directory := t.TempDir()
		names, err := writeCaptures(directory, 100, form.whole)
		if err != nil {
			t.Fatal(err)
		}
		var captures []*guise.Capture
		seen := map[string]bool{}
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(directory, name))
			if err != nil {
				t.Fatal(err)
			}
			if len(data) < form.from || len(data) > form.to {
				t.Errorf("%s has %d bytes", name, len(data))
			}
			c, err := guise.ReadCapture(name, data)
			if err != nil {
				t.Fatal(err)
			}
			captures = append(captures, c)
			seen[c.ViewDigest()] = true
		}
		if len(seen) != len(names) {
			t.Errorf("%d distinct hosts of %d", len(seen), len(names))
		}
		result, err := guise.Baseline(captures, nil)
		if err != nil || result.Verdict != guise.Yes || len(result.Settled) == 0 {
			t.Errorf("baseline: %+v, %v", result, err)
		}
	}
}

func TestX86Differ(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x86.xml")
	if err := writeX86(file, 10_000); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for cpu := range bytes.SplitSeq(data, []byte("</cpu>")) {
		seen[string(cpu)] = true
	}
	if len(seen) != 10_001 {
		t.Errorf("%d distinct CPUs", len(seen)-1)
	}
}
