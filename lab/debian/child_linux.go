package debian

import (
	"os/exec"
	"runtime"
	"syscall"
)

// output runs a program and returns its standard output. The program ends with
// this one, even where that is killed: the kernel's signal follows the thread that
// started it (prctl(2)), which waits for its end.
func output(command *exec.Cmd) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return command.Output()
}
