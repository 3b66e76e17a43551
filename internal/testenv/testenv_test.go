package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// recorder is a test that notes how it was ended.
type recorder struct {
	testing.TB
	failed, skipped string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// recorded runs a function of a test to its end, as the testing package does.
func recorded(t *testing.T, function func(testing.TB)) *recorder {
	r := &recorder{TB: t}
	var done sync.WaitGroup
	done.Go(func() { function(r) })
	done.Wait()
	return r
}

func TestMissingFailsUnderCIOnly(t *testing.T) {
	for _, test := range []struct{ ci, failed, skipped string }{
		{"true", "must run under CI: no fish; apt-get install fish", ""},
		{"", "", "not run: no fish; apt-get install fish"},
		{"false", "", "not run: no fish; apt-get install fish"},
	} {
		t.Setenv("CI", test.ci)
		notes := filepath.Join(t.TempDir(), "notes")
		t.Setenv(notRun, notes)
		r := recorded(t, func(t testing.TB) { Missing(t, "no %s; apt-get install %[1]s", "fish") })
		if r.failed != test.failed || r.skipped != test.skipped {
			t.Errorf("CI=%q: failed %q, skipped %q", test.ci, r.failed, r.skipped)
		}
		noted, err := os.ReadFile(notes)
		if want := t.Name() + ": no fish; apt-get install fish\n"; test.skipped != "" && string(noted) != want {
			t.Errorf("CI=%q: noted %q %v, want %q", test.ci, noted, err, want)
		}
	}
}

func TestToolTakesTheFirstThereIs(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("PATH", directory)
	t.Setenv("CI", "true")
	r := recorded(t, func(t testing.TB) { Tool(t, "binutils", "as-one", "as-two") })
	if r.failed != `must run under CI: none of ["as-one" "as-two"] is installed; apt-get install binutils` {
		t.Errorf("failed %q", r.failed)
	}
	want := filepath.Join(directory, "as-two")
	if err := os.WriteFile(want, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Tool(t, "binutils", "as-one", "as-two"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
