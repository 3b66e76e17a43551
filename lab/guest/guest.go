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

	// waitVariable is set for the child that waits for a job; it reads the job
	// from one descriptor and tells on the other that it is there.
	waitVariable = "GUISE_LAB_WAIT"
	waitFD       = 3
	readyFD      = 4
)

// Enter makes this process what a lab host needs of it, and does nothing
// anywhere else. It is called before anything else in main, and main returns
// where it says so: this was the init of a lab host, which is powered off.
// In the child that runs guise's own jobs it returns once there is a job, with
// arguments, environment and directory set as the job wants them.
func Enter() (over bool, err error) {
	switch {
	case os.Getpid() == 1 && os.Getenv("guise_lab") == "1":
		Init()
		return true, nil
	case os.Getenv(waitVariable) != "":
		return false, wait(os.NewFile(waitFD, "job"), os.NewFile(readyFD, "ready"))
	}
	return false, nil
}
