// Package testenv is what tests ask of the machine they run on. It is the one
// place that skips a test: nothing is skipped in silence.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// Missing says that the machine lacks what the test needs. The test fails where
// CI=true is in the environment, and is skipped with the reason elsewhere. The
// message names what is missing and how it is had.
func Missing(t testing.TB, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("must run under CI: "+format, arguments...)
	}
	t.Skipf("not run: "+format, arguments...)
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
