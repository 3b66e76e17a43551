// Package lab provides real KVM hosts without their hardware: QEMU emulates a
// machine with a hypervisor mode, and a stock kernel inside it offers a real
// /dev/kvm. The guise binary, built for that machine, is its init; it runs one
// job and sends back what came of it over a channel of its own.
//
// # Hosts and jobs
//
// A Host says which kernel runs on which CPU model. Run starts one, gives it a
// Job and returns the Result; whatever ends it, nothing is left running. What
// the machine does wrong is a *HostError.
//
// # Kernels
//
// Setup fetches Debian's kernels with the system's package client, in
// directories of its own. A Host also takes the path of any kernel image.
package lab

import (
	"context"
	"io"
	"time"
)

// Host is one machine of the lab. The zero values of Memory, CPUs and Limit
// stand for defaults.
type Host struct {
	// Arch is the architecture in Go's spelling: "arm64" (the default) or
	// "ppc64le".
	Arch string
	// Kernel is a version that Setup has fetched ("6.12", "6.12.95") or the
	// path of a kernel image (anything with a slash).
	Kernel string
	// CPU is a CPU model in QEMU's spelling, as neoverse-v1; for ppc64le it
	// may be empty.
	CPU string
	// Machine is QEMU's board; empty stands for virt on arm64 and powernv10
	// on ppc64le.
	Machine string
	// Options are added to the board's own, or replace them: "mte=on",
	// "gic-version=2".
	Options []string
	// Append holds kernel parameters: "kvm-arm.mode=protected".
	Append []string
	// Modules names kernel modules to load, in order, with what they need;
	// they come from the kernel's package.
	Modules []string
	// Memory is in MiB; 0 stands for 512.
	Memory int
	// CPUs is the number of CPUs; 0 stands for 1.
	CPUs int
	// Checkout is a checkout of guise that the host's init is built from; empty
	// stands for the guise that was installed with this program, or the checkout
	// that it was built from.
	Checkout string
	// Limit is how long the host may do nothing that can be seen, on its console or
	// by its job's output and files, before it is given up; what it waits for a CPU
	// that others have does not count. 0 stands for two minutes.
	Limit time.Duration
	// Fresh has the host booted, neither restored from a snapshot nor leaving
	// one; a host of several CPUs always is.
	Fresh bool
}

// Job is what a host is to do: one program run to its end.
type Job struct {
	// Args are the arguments of the program, without its name.
	Args []string
	// Program is the path, on this machine, of an executable built for the
	// host's architecture; empty stands for guise itself.
	Program string
	// Env is added to the job's environment: "GODEBUG=...".
	Env []string
	// Files are there before the job starts.
	Files []File
	// Directory is where the job runs, "/job" if empty.
	Directory string
	// Outputs names files to bring back, where the job wrote them.
	Outputs []string
	// Monitor, where not nil, is called once the job was given, while it runs.
	// ask runs one of QEMU's human monitor commands ("stop", "p/x $nip") and
	// returns what it prints; it fails once the host has ended, and is for one
	// goroutine. It is called anew where a restored host hung and the job is given to
	// one that is booted. The context ends with the job, and Run waits for Monitor to
	// return.
	Monitor func(ctx context.Context, ask func(command string) (string, error))
	// Stdout and Stderr, where not nil, receive what the job writes as it
	// writes it, in addition to the Result.
	Stdout, Stderr io.Writer
}

// File is a file of a job.
type File struct {
	// Path is absolute or relative to the job's directory.
	Path string
	// Mode holds the permission bits; 0 stands for 0644.
	Mode    uint32
	Content []byte
}

// Result is what came of a job that ran to its end, well or not.
type Result struct {
	// Status is the job's exit status, or -1 where a signal ended it.
	Status int
	// Signal is the number of that signal, 0 where there was none.
	Signal int
	// Stdout and Stderr are what the job wrote, up to MaxKept of each.
	Stdout, Stderr []byte
	// NotKept is how many bytes the job wrote beyond that.
	NotKept int64
	// Files are those of the job's Outputs that it wrote, under the names that
	// Outputs has for them. None has a permission to execute.
	Files []File
	// Release is the kernel's, as uname -r prints it.
	Release string
	// QEMU is the emulator's version: "10.0.2".
	QEMU string
	// Elapsed runs from the start of QEMU to the end of the job.
	Elapsed time.Duration
	// Restored is true where the host came from a snapshot.
	Restored bool
}
