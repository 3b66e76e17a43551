// Package guest is the side of the lab that runs inside a lab host: the guise
// binary started as /init by a stock kernel. It mounts what the kernel offers,
// takes one job over its channel, runs it as a child, sends back what came of
// it and powers the machine off.
package guest

import "os"

const (
	// Parameter is put on the kernel command line; the kernel passes what it
	// does not know to init as environment.
	Parameter = "guise_lab=1"
	// ModuleDirectory holds the kernel modules the init loads, in the order
	// of their names.
	ModuleDirectory = "/lab/modules"
	// HostVariable is set in the environment of a job: it says in words which
	// lab host this is, so that documents made here can say so.
	HostVariable = "GUISE_LAB_HOST"
)

// Is reports whether this process is the init of a lab host.
func Is() bool { return os.Getpid() == 1 && os.Getenv("guise_lab") == "1" }
