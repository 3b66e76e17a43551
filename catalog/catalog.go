// Package catalog holds captures of well-known hosts, embedded.
package catalog

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/guise-project/guise"
)

//go:embed captures/*.json
var captures embed.FS

// ErrUnknown is wrapped by Load's error for a name that is not in the
// catalogue.
var ErrUnknown = errors.New("not in the catalogue")

// Names lists the captures, sorted: "graviton2@5.10", ...
func Names() []string {
	entries, err := fs.ReadDir(captures, "captures")
	if err != nil {
		panic(err) // an embedded directory reads
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	slices.Sort(names)
	return names
}

// Load reads one capture by its name. Its error wraps ErrUnknown where there is
// none of that name.
func Load(name string) (*guise.Capture, error) {
	data, err := captures.ReadFile("captures/" + name + ".json")
	if err != nil || strings.ContainsAny(name, "/\\") {
		return nil, fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	return guise.ReadCapture(name, data)
}
