//go:build !linux

package lab

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

type process struct {
	channel, control *os.File
	ended            chan struct{}
	err              error
	stop             func() bool
}

// startProcess says that it cannot: only Linux ends a child with its parent,
// and the lab leaves nothing running.
func startProcess(string, []string, io.Writer) (*process, error) {
	return nil, fmt.Errorf("lab: hosts can be started on Linux, this is %s", runtime.GOOS)
}

func (p *process) terminate() {}

func (p *process) kill() {}

func (p *process) waited() time.Duration { return 0 }

func isBroken(error) bool { return false }

// ownerOf knows no owners.
func ownerOf(os.FileInfo) (int, bool) { return 0, false }

func allocated(info os.FileInfo) int64 { return info.Size() }

func (p *process) waitIdle() error { return nil }
