package main

import (
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// version is set by the linker for releases.
var version = ""

// versionFlag is --version, which does what the command does.
type versionFlag bool

// BeforeReset prints the version and ends.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	_, err := fmt.Fprintf(app.Stdout, "guise %s\n", versionText())
	app.Exit(statusYes)
	return err
}

type versionCommand struct{}

func (*versionCommand) Run(s *session) (int, error) {
	_, err := fmt.Fprintf(s.stdout, "guise %s\n", versionText())
	return statusYes, err
}

// versionText is the version, as documents record it.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "development"
}
