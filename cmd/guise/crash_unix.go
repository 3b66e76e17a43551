//go:build unix

package main

import (
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// crashBySignal makes what only the runtime can report, as that no memory is left, end
// the process by SIGABRT. Its own status would be 2, that of bad usage. No core is written.
func crashBySignal() {
	debug.SetTraceback("crash")
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
