package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// runMain is a variable that makes this binary guise.
const runMain = "GUISE_TEST_MAIN"

// guiseCommand is guise as a process of its own.
func guiseCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), runMain+"=1")
	return c
}

// TestMain lets the scripts run this binary as guise.
func TestMain(m *testing.M) {
	// What standard error has does not depend on how busy the machine is.
	if os.Getenv(progressVariable) == "" {
		os.Setenv(progressVariable, "never")
	}
	if os.Getenv(runMain) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){
		"guise": main,
	})
}

// TestScripts runs testdata/script: one file a command or topic. Exit statuses
// are asserted with "status N COMMAND...".
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv(progressVariable, "never")
			fingerprints, err := filepath.Abs("../../interop/testdata/firecracker")
			env.Setenv("FINGERPRINTS", fingerprints)
			// For scripts that choose which other programs there are.
			env.Setenv("GUISEBIN", filepath.SplitList(env.Getenv("PATH"))[0])
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}

// status runs a command and wants its exit status, which "! exec" does not
// tell apart.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit interface{ ExitCode() int }
	if err != nil {
		var ok bool
		if exit, ok = err.(interface{ ExitCode() int }); !ok {
			ts.Fatalf("%v", err)
		}
		got = strconv.Itoa(exit.ExitCode())
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}
