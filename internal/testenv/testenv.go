// Package testenv is what tests ask of the machine they run on. It is the one
// place that skips a test: nothing is skipped in silence.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// notRun, left and figures name the files to which tests add lines, where they
// are in the environment: that they did not run, that they ran on fewer hosts
// than there are, and what they counted. go test shows nothing of a package whose
// tests passed.
const (
	notRun  = "GUISE_TESTS_NOT_RUN"
	left    = "GUISE_TESTS_LEFT"
	figures = "GUISE_TESTS_FIGURES"
)

// matrix is "whole" in the environment where tests run on every host that they
// have, and not on a few.
const matrix = "GUISE_TESTS_MATRIX"

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

// WholeMatrix reports whether tests run on every host that they have: make matrix
// asks for it. make test asks for a few that stand for the others.
func WholeMatrix() bool { return os.Getenv(matrix) == "whole" }

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
