package debian

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/atomicfile"
)

// Schema names the manifest's format.
const Schema = "guise/lab-kernels/v1"

// Package is one fetched Debian package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Suite is where it was found: "trixie-backports".
	Suite string `json:"suite"`
	// SHA256 is that of the package file, in hex.
	SHA256 string `json:"sha256"`
}

// Kernel is a kernel that was fetched and unpacked.
type Kernel struct {
	// Arch is Debian's name of the architecture: "arm64".
	Arch string `json:"arch"`
	// Version is the upstream version: "6.12.117".
	Version string `json:"version"`
	// Release is what uname -r will print: "6.12.117+deb13-arm64".
	Release  string    `json:"release"`
	Packages []Package `json:"packages"`
	// Image is the kernel's file and Modules its directory of modules, "" where
	// there is none; both are relative to the manifest.
	Image   string `json:"image"`
	Modules string `json:"modules,omitempty"`
	// ImageSHA256 is that of the image, in hex.
	ImageSHA256 string `json:"imageSHA256"`
	// ModulesSHA256 is that of the list of the modules' digests, in hex; "" where
	// there are no modules. The list is ModuleList's file.
	ModulesSHA256 string `json:"modulesSHA256,omitempty"`
	// PassedOver are the versions of newer packages, the newest first, that the
	// lists named and that could not be fetched.
	PassedOver []string `json:"passedOver,omitempty"`
}

// ModuleList is the file with the digests of a kernel's modules, relative to the
// manifest: a line for each module in the form of sha256sum(1), its path relative
// to Modules.
func (k *Kernel) ModuleList() string { return filepath.Join(k.Arch, k.Release, "modules.sha256") }

// ReadModuleDigests reads the digests of a kernel's modules, path to digest. A
// list that is not the one of the manifest is an error.
func (k *Kernel) ReadModuleDigests(directory string) (map[string]string, error) {
	path := filepath.Join(directory, k.ModuleList())
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != k.ModulesSHA256 {
		return nil, fmt.Errorf("%s: its SHA-256 is %x, the manifest has %s", path, sum, k.ModulesSHA256)
	}
	digests := map[string]string{}
	for line := range strings.Lines(string(data)) {
		digest, name, found := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !found {
			return nil, fmt.Errorf("%s: %q: want a digest and a path", path, line)
		}
		digests[name] = digest
	}
	return digests, nil
}

// listModules writes the list of a tree of modules and returns its digest.
func listModules(tree, list string) (string, error) {
	var lines bytes.Buffer
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.Contains(entry.Name(), ".ko") {
			return err
		}
		digest, err := Digest(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(tree, path)
		fmt.Fprintf(&lines, "%s  %s\n", digest, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lines.Bytes())
	return hex.EncodeToString(sum[:]), os.WriteFile(list, lines.Bytes(), 0o644)
}

// Manifest lists the kernels of a directory.
type Manifest struct {
	Schema  string   `json:"schema"`
	Kernels []Kernel `json:"kernels"`
}

// ParseManifest reads a manifest. Unknown and duplicate keys are refused.
func ParseManifest(data []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(data, m, json.RejectUnknownMembers(true)); err != nil {
		e := guise.NewDocumentError("", data, err)
		return nil, fmt.Errorf("line %d: %s", e.Line, e.Message)
	}
	if m.Schema != Schema {
		return nil, fmt.Errorf("schema is %q, expected %q", m.Schema, Schema)
	}
	for _, k := range m.Kernels {
		if !filepath.IsLocal(k.Image) || k.Modules != "" && !filepath.IsLocal(k.Modules) {
			return nil, fmt.Errorf("kernel %s: its files are outside the directory of the manifest", k.Release)
		}
		if _, err := ParseVersion(k.Version); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.Release, err)
		}
	}
	return m, nil
}

// ReadManifest reads the manifest of a directory; where there is none yet it
// is empty.
func ReadManifest(directory string) (*Manifest, error) {
	path := manifestPath(directory)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Manifest{Schema: Schema}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func manifestPath(directory string) string { return filepath.Join(directory, "kernels.json") }

// write stores the manifest, whole or not at all.
func (m *Manifest) write(directory string) error {
	data, err := json.Marshal(m, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	return atomicfile.Write(manifestPath(directory), append(data, '\n'), 0o644)
}

// add puts a kernel into the manifest, in place of one of the same release.
func (m *Manifest) add(k Kernel) {
	m.Kernels = slices.DeleteFunc(m.Kernels, func(have Kernel) bool {
		return have.Arch == k.Arch && have.Release == k.Release
	})
	m.Kernels = append(m.Kernels, k)
	slices.SortFunc(m.Kernels, func(a, b Kernel) int {
		if c := strings.Compare(a.Arch, b.Arch); c != 0 {
			return c
		}
		return CompareVersions(a.Version, b.Version)
	})
}

// Find returns the newest kernel of an architecture that a version stands for:
// "6.12" for 6.12.117, "6.12.95" for itself, a release for itself.
func (m *Manifest) Find(arch, version string) (Kernel, bool) {
	var found Kernel
	ok := false
	for _, k := range m.Kernels {
		if k.Arch == arch && (k.Release == version || Matches(k.Version, version)) &&
			(!ok || CompareVersions(k.Version, found.Version) >= 0) {
			found, ok = k, true
		}
	}
	return found, ok
}
