package lab

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/guise-project/guise/lab/debian"
)

// module is a kernel module, ready to be loaded.
type module struct {
	name    string // as modinfo prints it: "virtio_console"
	content []byte
}

// moduleTree finds modules of one kernel in its unpacked package. The package
// has no modules.dep (depmod writes it on installation), so what a module
// needs is read from the module itself.
type moduleTree struct {
	files   map[string]string // name to path
	builtin map[string]bool
	// digests are what files must be, by their paths below root; nil where
	// nobody knows.
	digests map[string]string
	root    string
}

// openModuleTree reads the names below a modules directory
// (.../lib/modules/VERSION). A directory that is not there is an empty tree.
func openModuleTree(directory string, digests map[string]string) (*moduleTree, error) {
	t := &moduleTree{files: map[string]string{}, builtin: map[string]bool{}, digests: digests, root: directory}
	if directory == "" {
		return t, nil
	}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := moduleName(entry.Name()); ok && entry.Type().IsRegular() {
			t.files[name] = path
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	builtin, err := os.ReadFile(filepath.Join(directory, "modules.builtin"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(builtin)) {
		if name, ok := moduleName(filepath.Base(strings.TrimSpace(line))); ok {
			t.builtin[name] = true
		}
	}
	return t, nil
}

// moduleName turns a file's name into the module's: "kvm-hv.ko.xz" is kvm_hv.
func moduleName(file string) (string, bool) {
	stem, suffix, found := strings.Cut(file, ".ko")
	if !found || suffix != "" && suffix != ".xz" {
		return "", false
	}
	return strings.ReplaceAll(stem, "-", "_"), true
}

// resolve returns the named modules with all they need, in an order in which
// they can be loaded. What is built in is left out; so is what the tree does
// not have, if optional is true.
func (t *moduleTree) resolve(ctx context.Context, names []string, optional bool) ([]module, error) {
	var ordered []module
	seen := map[string]bool{}
	var visit func(name, neededBy string) error
	visit = func(name, neededBy string) error {
		name = strings.ReplaceAll(name, "-", "_")
		if seen[name] || t.builtin[name] {
			return nil
		}
		seen[name] = true
		path, ok := t.files[name]
		if !ok {
			if optional {
				return nil
			}
			return fmt.Errorf("lab: module %s%s: the kernel's package does not have it", name, neededBy)
		}
		if err := t.check(path); err != nil {
			return err
		}
		content, err := readModule(ctx, path)
		if err != nil {
			return err
		}
		needs, err := moduleNeeds(content)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, need := range needs {
			if err := visit(need, ", which "+name+" needs"); err != nil {
				return err
			}
		}
		ordered = append(ordered, module{name, content})
		return nil
	}
	for _, name := range names {
		if err := visit(name, ""); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}

// check holds a module against the digest it had when it was fetched.
func (t *moduleTree) check(path string) error {
	if t.digests == nil {
		return nil
	}
	name, err := filepath.Rel(t.root, path)
	if err != nil {
		return err
	}
	digest, err := debian.Digest(path)
	if err != nil {
		return err
	}
	if want := t.digests[filepath.ToSlash(name)]; digest != want {
		return fmt.Errorf("lab: module %s: its SHA-256 is %s, and was %q when it was fetched; guise lab setup fetches it again", path, digest, want)
	}
	return nil
}

// readModule reads a module and unpacks it: not every kernel can itself.
func readModule(ctx context.Context, path string) ([]byte, error) {
	if !strings.HasSuffix(path, ".xz") {
		return os.ReadFile(path)
	}
	var complaint bytes.Buffer
	command := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", path)
	command.Stderr = &complaint
	content, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("xz %s: %w %s", path, err, strings.TrimSpace(complaint.String()))
	}
	return content, nil
}

// moduleNeeds reads the names a module depends on from its .modinfo section:
// strings with a zero byte after each, one of them "depends=a,b".
func moduleNeeds(content []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo section: not a kernel module")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if depends, found := strings.CutPrefix(entry, "depends="); found && depends != "" {
			return strings.Split(depends, ","), nil
		}
	}
	return nil, nil
}
