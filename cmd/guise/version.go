package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by the linker for releases.
var version = ""

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
