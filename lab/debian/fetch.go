package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/guise-project/guise/internal/progress"
	"github.com/guise-project/guise/lab/internal/lockfile"
)

// Request says which kernels are wanted.
type Request struct {
	// Directory is where everything is kept; it is made. Callers that name the
	// same one take turns.
	Directory string
	// Arch is Debian's architecture and Flavour the suffix of its standard
	// kernel: arm64 and arm64, ppc64el and powerpc64le.
	Arch, Flavour string
	// Versions are as in Manifest.Find.
	Versions []string
	// Refresh looks for newer packages than those already here.
	Refresh bool
	// Mirrors are the system's own where empty.
	Mirrors Mirrors
	// Report, where not nil, is told what did not go as it should, a line at a
	// time.
	Report func(string)
}

// Fetch returns a kernel for each wanted version, in order. What is already
// here is checked against its digest; the rest is fetched: the newest package
// that matches and that the mirror really has, the next where it does not. How
// far it is shows on the context's progress display.
func Fetch(ctx context.Context, r Request) ([]Kernel, error) {
	for _, version := range r.Versions {
		if _, err := ParseVersion(version); err != nil {
			return nil, err
		}
	}
	if r.Report == nil {
		r.Report = func(string) {}
	}
	if err := os.MkdirAll(r.Directory, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockfile.Lock(ctx, filepath.Join(r.Directory, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeLeftovers(r.Directory); err != nil {
		return nil, err
	}
	manifest, err := ReadManifest(r.Directory)
	if err != nil {
		return nil, err
	}
	f := fetcher{request: r, manifest: manifest}
	var kernels []Kernel
	for _, version := range r.Versions {
		k, err := f.kernel(ctx, version)
		if err != nil {
			return nil, err
		}
		kernels = append(kernels, k)
	}
	return kernels, nil
}

// unfinished is the form of the names of directories that fetch works in.
const unfinished = "new-"

// removeLeftovers removes what a fetch left behind that was killed. The lock on
// the directory is held.
func removeLeftovers(directory string) error {
	left, err := filepath.Glob(filepath.Join(directory, unfinished+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

type fetcher struct {
	request  Request
	manifest *Manifest
	// client is made, and the lists read, for the first kernel not yet here.
	client *client
	// listErr is what the client complained of when it read the lists: it
	// matters only where a kernel is then not found.
	listErr error
}

func (f *fetcher) kernel(ctx context.Context, version string) (Kernel, error) {
	have, ok := f.manifest.Find(f.request.Arch, version)
	if ok {
		var err error
		if have, err = f.withModuleList(have); err != nil {
			return Kernel{}, err
		}
	}
	if ok && !f.request.Refresh {
		if err := f.check(have); err == nil {
			return have, nil
		} else {
			f.request.Report(fmt.Sprintf("%s: %v: fetching it again", have.Release, err))
		}
	}
	if err := f.start(ctx); err != nil {
		return Kernel{}, err
	}
	candidates, err := f.client.candidates(ctx, f.request.Flavour, version)
	if err != nil {
		return Kernel{}, err
	}
	var failures []error
	var passedOver []string
	// A suite may have the image of a kernel and no longer its modules. KVM/arm64
	// is built in, so that such a kernel is better than none.
	for _, modules := range []bool{true, false} {
		for _, c := range candidates {
			if ok && have.Packages[0].Name == c.name && have.Packages[0].Version == c.version && f.check(have) == nil {
				return have, nil // the newest is the one that is here
			}
			if !modules && c.modules() == "" {
				continue
			}
			k, err := f.fetch(ctx, c, modules, passedOver)
			if err == nil {
				return k, nil
			}
			if ctx.Err() != nil {
				return Kernel{}, err
			}
			// Lists name packages that a mirror has already dropped.
			f.request.Report(fmt.Sprintf("%s %s: passed over: %v", c.name, c.version, err))
			failures = append(failures, err)
			if !slices.Contains(passedOver, c.version) {
				passedOver = append(passedOver, c.version)
			}
		}
	}
	if len(failures) == 0 {
		return Kernel{}, errors.Join(fmt.Errorf("kernel %s: no suite of Debian has one for %s", version, f.request.Arch), f.listErr)
	}
	return Kernel{}, fmt.Errorf("kernel %s: none of the %d packages could be fetched: %w", version, len(candidates), errors.Join(failures...))
}

// modules is the package with the kernel's modules, "" where they are in the
// package with the image.
func (c candidate) modules() string {
	if release, split := strings.CutPrefix(c.name, "linux-binary-"); split {
		return "linux-modules-" + release
	}
	return ""
}

// withModuleList lists the modules of a kernel that was fetched before there were
// lists: they are taken as they are here, as every run took them until now.
func (f *fetcher) withModuleList(k Kernel) (Kernel, error) {
	if k.Modules == "" || k.ModulesSHA256 != "" {
		return k, nil
	}
	var err error
	k.ModulesSHA256, err = listModules(filepath.Join(f.request.Directory, k.Modules), filepath.Join(f.request.Directory, k.ModuleList()))
	if err != nil {
		return k, err
	}
	f.request.Report("noting the digests of the modules of " + k.Release)
	f.manifest.add(k)
	return k, f.manifest.write(f.request.Directory)
}

// check holds a kernel against the digests of its image and its modules.
func (f *fetcher) check(k Kernel) error {
	digest, err := Digest(filepath.Join(f.request.Directory, k.Image))
	if err == nil && digest != k.ImageSHA256 {
		err = fmt.Errorf("%s: its digest is %s, the manifest has %s", k.Image, digest, k.ImageSHA256)
	}
	if err != nil || k.Modules == "" {
		return err
	}
	digests, err := k.ReadModuleDigests(f.request.Directory)
	for name, want := range digests {
		digest, err := Digest(filepath.Join(f.request.Directory, k.Modules, name))
		if err == nil && digest != want {
			err = fmt.Errorf("%s: its digest is %s, the list of modules has %s", name, digest, want)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// start makes the client and reads the lists, once.
func (f *fetcher) start(ctx context.Context) error {
	if f.client != nil {
		return nil
	}
	mirrors := f.request.Mirrors
	if mirrors.Archive == "" {
		var err error
		if mirrors, err = SystemMirrors(ctx, f.request.Directory); err != nil {
			return err
		}
	}
	client, err := newClient(filepath.Join(f.request.Directory, "apt-"+f.request.Arch), f.request.Arch, mirrors)
	if err != nil {
		return err
	}
	task := progress.Start(ctx, "reading the package lists for "+f.request.Arch, 0, progress.Things)
	f.listErr = client.update(ctx)
	task.Done()
	if ctx.Err() != nil {
		return f.listErr
	}
	if f.listErr != nil {
		// Another suite may have the kernel; a list that is not what it should be
		// is news all the same.
		f.request.Report(fmt.Sprintf("package lists for %s: %v", f.request.Arch, f.listErr))
	}
	f.client = client
	return nil
}

// fetch downloads the packages of a kernel, unpacks them and notes it in the
// manifest, with the newer packages that were passed over for it. It leaves either
// all of that or nothing. A package of modules is left out unless they are wanted.
func (f *fetcher) fetch(ctx context.Context, c candidate, modules bool, passedOver []string) (Kernel, error) {
	temporary, err := os.MkdirTemp(f.request.Directory, unfinished)
	if err != nil {
		return Kernel{}, err
	}
	defer os.RemoveAll(temporary)
	packages := []candidate{c}
	if name := c.modules(); name != "" && modules {
		// First what may not be there.
		packages = []candidate{{name, c.version, c.suite}, c}
	}
	k := Kernel{Arch: f.request.Arch, Version: c.upstream(), PassedOver: passedOver}
	root := filepath.Join(temporary, "root")
	for _, p := range packages {
		path, err := f.client.download(ctx, temporary, p)
		if err != nil {
			return Kernel{}, err
		}
		digest, err := Digest(path)
		if err != nil {
			return Kernel{}, err
		}
		task := progress.Start(ctx, "unpacking "+p.name, 0, progress.Things)
		_, err = runTool(ctx, nil, "dpkg-deb", "-x", path, root)
		task.Done()
		if err != nil {
			return Kernel{}, err
		}
		k.Packages = slices.Insert(k.Packages, 0, Package{Name: p.name, Version: p.version, Suite: p.suite, SHA256: digest})
	}
	image, tree, err := findImage(root)
	if err != nil {
		return Kernel{}, fmt.Errorf("%s %s: %w", c.name, c.version, err)
	}
	k.Release = strings.TrimPrefix(strings.TrimPrefix(c.name, "linux-binary-"), "linux-image-")
	final := filepath.Join(k.Arch, k.Release)
	k.Image = filepath.Join(final, image)
	if tree != "" {
		k.Modules = filepath.Join(final, tree)
	}
	if k.ImageSHA256, err = Digest(filepath.Join(root, image)); err != nil {
		return Kernel{}, err
	}
	if tree != "" {
		if k.ModulesSHA256, err = listModules(filepath.Join(root, tree), filepath.Join(root, filepath.Base(k.ModuleList()))); err != nil {
			return Kernel{}, err
		}
	}
	if err := replaceDirectory(filepath.Join(f.request.Directory, final), root, filepath.Join(temporary, "old")); err != nil {
		return Kernel{}, err
	}
	f.manifest.add(k)
	return k, f.manifest.write(f.request.Directory)
}

// replaceDirectory puts a directory in the place of what is there, which goes to
// old. Where that fails the old one stays.
func replaceDirectory(target, with, old string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	err := os.Rename(target, old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	had := err == nil
	err = os.Rename(with, target)
	if err != nil && had {
		err = errors.Join(err, os.Rename(old, target))
	}
	return err
}

// imagePatterns are where Debian's packages have the kernel: arm64 compresses
// it, ppc64el does not.
var imagePatterns = []string{
	"boot/vmlinuz-*", "boot/vmlinux-*",
	"usr/lib/modules/*/vmlinuz", "usr/lib/modules/*/vmlinux",
}

// findImage finds the kernel and the directory of its modules in an unpacked
// package, relative to it.
func findImage(root string) (image, modules string, err error) {
	one := func(patterns ...string) string {
		for _, pattern := range patterns {
			matches, _ := filepath.Glob(filepath.Join(root, pattern))
			for _, match := range matches {
				if relative, err := filepath.Rel(root, match); err == nil {
					return relative
				}
			}
		}
		return ""
	}
	if image = one(imagePatterns...); image == "" {
		return "", "", fmt.Errorf("no kernel in it, at %s: %w", strings.Join(imagePatterns, ", "), fs.ErrNotExist)
	}
	return image, one("usr/lib/modules/*", "lib/modules/*"), nil
}

// Digest is the SHA-256 of a file, in hex.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
