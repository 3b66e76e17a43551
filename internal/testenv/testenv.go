// Package testenv is what tests ask of the machine they run on. It is the one
// place that skips a test: nothing is skipped in silence.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// notRun, left, late and figures name the files to which tests add lines, where
// they are in the environment: that they did not run, that they ran on fewer
// hosts than there are, that the time was up, and what they counted. go test
// shows nothing of a package whose tests passed.
const (
	notRun  = "GUISE_TESTS_NOT_RUN"
	left    = "GUISE_TESTS_LEFT"
	late    = "GUISE_TESTS_LATE"
	figures = "GUISE_TESTS_FIGURES"
)

// matrix tells in the environment on which of their hosts tests run; see Matrix.
const matrix = "GUISE_TESTS_MATRIX"

// until is in the environment the time, in seconds since 1970, after which a test
// of the remaining matrix starts no further host.
const until = "GUISE_TESTS_UNTIL"

// ci is "true" in the environment where every test must run.
const ci = "CI"

// CI is what tells tests that run elsewhere, on a host of the lab, whether they
// must run: lines of an environment.
func CI() []string {
	if value, set := os.LookupEnv(ci); set {
		return []string{ci + "=" + value}
	}
	return nil
}

// Missing says that the machine lacks what the test needs. The test fails where
// CI=true is in the environment, and is skipped with the reason elsewhere. The
// message names what is missing and how it is had.
func Missing(t testing.TB, format string, arguments ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, arguments...)
	if os.Getenv(ci) == "true" {
		t.Fatalf("must run under CI: %s", reason)
	}
	if path := os.Getenv(notRun); path != "" {
		note(t, path, t.Name()+": "+reason+"\n")
	}
	t.Skipf("not run: %s", reason)
}

// A Matrix is on which of its hosts a test runs.
type Matrix string

// What GUISE_TESTS_MATRIX may be.
const (
	Everyday  Matrix = ""          // a few that stand for the others: make test
	Whole     Matrix = "whole"     // all of them: make matrix
	Remaining Matrix = "remaining" // those that Everyday leaves: CI, after make test
)

// WantedMatrix returns what GUISE_TESTS_MATRIX asks for. Another word fails the
// test.
func WantedMatrix(t testing.TB) Matrix {
	t.Helper()
	switch wanted := Matrix(os.Getenv(matrix)); wanted {
	case Everyday, Whole, Remaining:
		return wanted
	default:
		t.Fatalf("%s=%q: want nothing, %q or %q", matrix, wanted, Whole, Remaining)
		return ""
	}
}

// Late reports whether the time of the remaining matrix is up, and notes what of
// the test does not start any more: CI ends, and says what it did not come to. A
// test that has begun is never cut short, and its verdict does not depend on time.
func Late(t testing.TB, format string, arguments ...any) bool {
	t.Helper()
	value := os.Getenv(until)
	if value == "" || WantedMatrix(t) != Remaining {
		return false
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: want seconds since 1970", until, value)
	}
	if time.Now().Before(time.Unix(seconds, 0)) {
		return false
	}
	line := t.Name() + ": " + fmt.Sprintf(format, arguments...)
	t.Log(line)
	if path := os.Getenv(late); path != "" {
		note(t, path, line+"\n")
	}
	return true
}

// LeftToMatrix says what of a test runs with the whole matrix only. It logs the
// line, for those who read what a whole run printed.
func LeftToMatrix(t testing.TB, format string, arguments ...any) {
	t.Helper()
	line := t.Name() + ": " + fmt.Sprintf(format, arguments...)
	t.Log(line)
	if path := os.Getenv(left); path != "" {
		note(t, path, line+"\n")
	}
}

// Figure logs what a test counted, for those who read what a whole run printed.
func Figure(t testing.TB, format string, arguments ...any) {
	t.Helper()
	line := fmt.Sprintf(format, arguments...)
	t.Log(line)
	if path := os.Getenv(figures); path != "" {
		note(t, path, line+"\n")
	}
}

// note adds a line to a file that other processes add lines to.
func note(t testing.TB, path, line string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(line)
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// Tool returns the path of the first of the named programs that is installed.
// Where none is, the test is one whose tool is missing; debianPackage is what
// to install.
func Tool(t testing.TB, debianPackage string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, "none of %q is installed; apt-get install %s", names, debianPackage)
	return ""
}
