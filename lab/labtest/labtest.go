// Package labtest runs tests inside hosts of the lab: a package's test binary
// is built for the host's architecture and run there, on a real kernel.
//
// A test that the lab cannot run is skipped with the reason, and fails where
// CI=true is in the environment: nothing is skipped in silence.
package labtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/guest"
)

// Inside reports whether the test runs in a host of the lab.
func Inside() bool { return os.Getenv(guest.HostVariable) != "" }

// Run runs a job on a host and fails the test where the host fails. A job that
// exits with another status than 0 is returned like any other.
func Run(t testing.TB, h lab.Host, job lab.Job) lab.Result {
	t.Helper()
	result, err := lab.Run(t.Context(), h, job)
	var missing *lab.MissingError
	if errors.As(err, &missing) {
		testenv.Missing(t, "%v (%s)", missing, missing.Hint)
	}
	if err != nil {
		t.Fatal(err)
	}
	sayKernel(t, h)
	return result
}

// said are the kernels that sayKernel spoke of.
var said sync.Map

// sayKernel says, once in a process, which package a host's kernel is of, and
// which newer ones the mirror did not have.
func sayKernel(t testing.TB, h lab.Host) {
	t.Helper()
	kernel, fetched := h.SetUp()
	if _, again := said.LoadOrStore(kernel.Release, true); !fetched || again {
		return
	}
	line := fmt.Sprintf("kernel %s: %s %s of %s", kernel.Version, kernel.Packages[0].Name, kernel.Packages[0].Version, kernel.Packages[0].Suite)
	if len(kernel.PassedOver) > 0 {
		line += "; the mirror did not have " + strings.Join(kernel.PassedOver, ", ")
	}
	testenv.Figure(t, "%s", line)
}

// Everyday returns the hosts of a test that make test runs it on, by their names
// (lab.Host.Name), all of them where the whole matrix is asked for, and the others
// where what make test left is. What is left to the matrix is said. A name that no
// host has, and one that stands twice, fail the test. Inside a host there are none.
func Everyday(t testing.TB, all []lab.Host, names ...string) []lab.Host {
	t.Helper()
	return chosen(t, all, names, func(h lab.Host) bool { return !slices.Contains(names, h.Name()) })
}

// EverydayTogether is Everyday for a test that holds its hosts together: what make
// test left is then all of them.
func EverydayTogether(t testing.TB, all []lab.Host, names ...string) []lab.Host {
	t.Helper()
	return chosen(t, all, names, func(lab.Host) bool { return true })
}

func chosen(t testing.TB, all []lab.Host, names []string, remaining func(lab.Host) bool) []lab.Host {
	t.Helper()
	if Inside() {
		return nil
	}
	var everyday []lab.Host
	for _, name := range names {
		place := slices.IndexFunc(all, func(h lab.Host) bool { return h.Name() == name })
		if place < 0 {
			t.Fatalf("no host of the test is called %q", name)
		}
		if slices.ContainsFunc(everyday, func(h lab.Host) bool { return h.Name() == name }) {
			t.Fatalf("host %q is named twice", name)
		}
		everyday = append(everyday, all[place])
	}
	matrix := testenv.WantedMatrix(t)
	switch {
	case matrix == testenv.Whole:
		return all
	case len(everyday) == len(all) && matrix == testenv.Remaining:
		return nil
	case matrix == testenv.Remaining:
		hosts := slices.Clone(all)
		hosts = slices.DeleteFunc(hosts, func(h lab.Host) bool { return !remaining(h) })
		if testenv.Late(t, "%d hosts", len(hosts)) {
			return nil
		}
		return hosts
	case len(everyday) < len(all):
		testenv.LeftToMatrix(t, "%d of %d hosts", len(all)-len(everyday), len(all))
	}
	return everyday
}

// packageLimit is enough for a package's tests with nested virtualisation, which
// QEMU emulates slowly, on a machine that has other work.
const packageLimit = 10 * time.Minute

// OnHosts is RunPackage on each host, side by side. Inside a host it does
// nothing.
func OnHosts(t *testing.T, hosts []lab.Host, arguments ...string) {
	t.Helper()
	if Inside() {
		return
	}
	for _, host := range hosts {
		t.Run(host.Name(), func(t *testing.T) {
			t.Parallel()
			if !testenv.Late(t, "not begun") {
				RunPackage(t, host, arguments...)
			}
		})
	}
}

// RunPackage runs the tests of the calling package inside a host: the test
// binary with the given arguments, as -test.run=TestLive. The files a test
// reads from testdata go with it. Failures there are failures here; what cannot
// run there fails there under CI, too, and is logged here elsewhere. The host is
// booted: what is tested is its kernel, and a snapshot would be one more thing
// that can go wrong.
func RunPackage(t testing.TB, h lab.Host, arguments ...string) {
	t.Helper()
	files, err := testdata()
	if err != nil {
		t.Fatal(err)
	}
	h.Fresh = true
	h.Limit = max(h.Limit, packageLimit)
	result := Run(t, h, lab.Job{
		Program: Binary(t, h.Arch),
		Args:    append([]string{"-test.v"}, arguments...),
		Env:     testenv.CI(),
		Files:   files,
	})
	if result.Status != 0 || result.Signal != 0 {
		t.Errorf("%s (%s): status %d, signal %d\n%s%s", h.Name(), result.Release, result.Status, result.Signal, result.Stdout, result.Stderr)
	}
	if result.NotKept > 0 {
		t.Errorf("%s: %d bytes of output are missing here", h.Name(), result.NotKept)
	}
	for _, line := range skippedTests(result.Stdout) {
		t.Logf("%s: %s", h.Name(), line)
	}
}

// Binary builds the test binary of the calling package for an architecture of
// the lab and returns its path.
func Binary(t testing.TB, arch string) string {
	t.Helper()
	if arch == "" {
		arch = "arm64"
	}
	path := filepath.Join(t.TempDir(), "package.test")
	build(t, arch, "go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	return path
}

// Program builds a command of this module for an architecture of the lab and
// returns its path.
func Program(t testing.TB, arch, importPath string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	build(t, arch, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, importPath)
	return path
}

func build(t testing.TB, arch string, name string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		if context.Cause(t.Context()) != nil {
			err = context.Cause(t.Context())
		}
		t.Fatalf("%s for linux/%s: %v\n%s", strings.Join(command.Args, " "), arch, err, output.Bytes())
	}
}

// testdata are the files below testdata, as files of a job.
func testdata() ([]lab.File, error) {
	var files []lab.File
	err := filepath.WalkDir("testdata", func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) && path == "testdata" {
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files = append(files, lab.File{Path: filepath.ToSlash(path), Content: content})
		return err
	})
	return files, err
}

var skipLine = regexp.MustCompile(`(?m)^\s*--- SKIP: .*(?:\n\s+\S+\.go:\d+: .*)?`)

// skippedTests finds what a verbose test run says it skipped.
func skippedTests(output []byte) []string {
	var lines []string
	for _, match := range skipLine.FindAll(output, -1) {
		lines = append(lines, strings.Join(strings.Fields(string(match)), " "))
	}
	return lines
}
