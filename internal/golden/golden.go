// Package golden holds texts that tests make against files that a person has read.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the texts of testdata anew")

// Check fails the test, with the first line that differs, unless the text is that
// of testdata/name. With -update it writes the file.
func Check(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if line, got, want := Differ(got, string(want)); line > 0 {
		t.Fatalf("%s:%d: there is %q, want %q; -update writes the file anew", file, line, got, want)
	}
}

// Differ returns the first line in which two texts differ, from 1, and what it is in
// each, its end included; "" where a text has ended. The line is 0 where they are
// the same.
func Differ(a, b string) (line int, inA, inB string) {
	linesA, linesB := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	for i := range max(len(linesA), len(linesB)) {
		inA, inB = "", ""
		if i < len(linesA) {
			inA = linesA[i]
		}
		if i < len(linesB) {
			inB = linesB[i]
		}
		if inA != inB {
			return i + 1, inA, inB
		}
	}
	return 0, "", ""
}
