package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by the linker for releases.
var version = ""

type versionCommand struct{}

func (*versionCommand) Run(s *session) (int, error) {
	v := version
	if v == "" {
		v = "development"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			v = info.Main.Version
		}
	}
	_, err := fmt.Fprintf(s.stdout, "guise %s\n", v)
	return statusYes, err
}
