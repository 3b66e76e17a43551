//go:build !linux

package debian

import "os/exec"

// output runs a program and returns its standard output.
func output(command *exec.Cmd) ([]byte, error) { return command.Output() }
