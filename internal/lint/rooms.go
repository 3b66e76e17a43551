// Package lint holds the rules of the house that no other linter knows: which
// package imports which, what a pure package may use, how files are named and
// how long they are. Its tests hold the repository against them.
package lint

import "strings"

// Module is the module's path.
const Module = "github.com/guise-project/guise"

// Room is a directory with the packages below it.
type Room struct {
	// Path is relative to the module; "." is the root package alone.
	Path string
	// Pure packages behave the same on every platform: no clock, no files but
	// those handed in, no build tags.
	Pure bool
}

// Rooms is the house from the top down, as CONTRIBUTING.md shows it: a package
// imports only packages of its own room and of rooms above it.
var Rooms = []Room{
	{"internal/plain", true},
	{"internal/jsonread", true},
	{"isa", true},
	{"isa/arm64", true},
	{"isa/power", true},
	{"kernel", true},
	{"probe", true},
	{".", true},
	{"interop", true},
	{"catalog", true},
	{"internal/atomicfile", false},
	{"internal/kvmabi", false},
	{"internal/progress", false},
	{"vm", false},
	{"kvm", false},
	{"model/arm64", true},
	{"model/power", true},
	{"scenario", false},
	{"lab", false},
	{"internal/readfile", false},
	{"cmd/guise", false},
	{"internal/gen", false},
	{"internal/lint", false},
	{"internal/mutate", false},
	{"internal/testenv", false},
	{"internal/golden", false},
	{"bench", false},
}

// testOnly are the packages that help tests; they and tests import what they
// like.
var testOnly = []string{"vm/vmtest", "lab/labtest", "internal/testenv", "internal/golden"}

// unwantedInPure are imports that let a pure package see where or when it runs.
// A pure package may name an errno (package syscall) where it stands in for a
// kernel, which model/ does.
var unwantedInPure = []string{"os", "time", "net", "math/rand", "syscall", "unsafe"}

// errnos are the rooms that answer with a kernel's errnos.
var errnos = []string{"model/arm64", "model/power"}

// below reports whether a path is a directory or lies in it.
func below(path, directory string) bool {
	return path == directory || strings.HasPrefix(path, directory+"/")
}

// roomOf returns the place in Rooms of a package's directory, -1 where it is in
// none: the most particular room counts.
func roomOf(directory string) int {
	found := -1
	for i, room := range Rooms {
		if (directory == room.Path || room.Path != "." && below(directory, room.Path)) && (found < 0 || len(room.Path) > len(Rooms[found].Path)) {
			found = i
		}
	}
	return found
}
