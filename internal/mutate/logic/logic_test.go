package logic

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSample: each kind of change is found and switched by itself, and what the
// sample's tests cannot see is what is reported.
func TestSample(t *testing.T) {
	var out bytes.Buffer
	if err := Run(&out, "testdata/sample", Options{Files: regexp.MustCompile(""), MostTest: time.Minute, Budget: time.Hour}); err != nil {
		t.Fatal(err)
	}
	var left []string
	for line := range strings.Lines(out.String()) {
		if verdict, change, found := strings.Cut(strings.TrimSpace(line), ": sample.go:"); found {
			left = append(left, verdict+" "+change)
		}
	}
	slices.Sort(left)
	want := []string{
		"not reached 32: left out: continue left out",
		"not reached 44: plus, minus: a - b -> a + b",
		// No test has a number below 0 or of 0, none comes to the limit exactly, and
		// the largest is never there twice.
		"survives 31: boundary: n < 0 -> n <= 0",
		"survives 31: condition: n < 0 -> false",
		"survives 36: boundary: sum >= limit -> sum > limit",
		"survives 8: boundary: n > most -> n >= most",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left are\n%s\nwant\n%s\nof\n%s", strings.Join(left, "\n"), strings.Join(want, "\n"), &out)
	}
}

// TestKinds: what is found in the sample, by kind.
func TestKinds(t *testing.T) {
	c, err := compileAll("testdata/sample", nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, s := range c.sites {
		found[s.Kind]++
	}
	want := map[string]int{"and, or": 1, "equal": 2, "boundary": 3, "condition": 8, "not": 1, "constant": 2, "bits": 2, "plus, minus": 1, "left out": 3}
	for kind := range want {
		if found[kind] != want[kind] {
			t.Errorf("%s: %d, want %d", kind, found[kind], want[kind])
		}
		delete(found, kind)
	}
	if len(found) > 0 {
		t.Errorf("beside: %v", found)
	}
}

// TestWhatDoesNotCompileIsDropped: a site that no program can have is left out, and
// only it.
func TestWhatDoesNotCompileIsDropped(t *testing.T) {
	c := &changed{sites: []*Site{
		{ID: 1, File: "a.go", Line: 3, lastLine: 3}, {ID: 2, File: "b.go", Line: 3, lastLine: 3}, {ID: 3, File: "a.go", Line: 5, lastLine: 9},
	}}
	if !c.drop("# pkg\n../x/a.go:3:7: mismatched types\n/tmp/w/a.go:7: not defined\n") || len(c.sites) != 1 || c.sites[0].ID != 2 {
		t.Errorf("left are %v", c.sites)
	}
	if c.drop("ld: out of space") {
		t.Error("dropped for nothing")
	}
}
