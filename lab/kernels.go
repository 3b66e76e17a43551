package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/guise-project/guise/lab/debian"
)

// CacheDirectory is where the lab keeps what it has fetched and made:
// $XDG_CACHE_HOME/guise, or ~/.cache/guise. All of it can be deleted at any
// time no lab host is running. What is in it becomes part of hosts, and of what they
// answer: one that another user owns or that everybody can write is an error.
func CacheDirectory() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lab: no cache directory: %w", err)
	}
	directory := filepath.Join(base, "guise")
	if err := ours(directory); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return directory, nil
}

func kernelDirectory() (string, error) {
	cache, err := CacheDirectory()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "kernels"), nil
}

// kernelImage is a kernel a host can be started with.
type kernelImage struct {
	path, digest string
	// modules is the directory of its modules, or "".
	modules string
	// moduleDigests are what the modules must be, by their paths below modules;
	// nil where nobody knows.
	moduleDigests map[string]string
}

// findKernel finds what Host.Kernel names.
func findKernel(name string, a architecture) (kernelImage, error) {
	if strings.Contains(name, "/") {
		digest, err := debian.Digest(name)
		return kernelImage{path: name, digest: digest, modules: modulesBeside(name)}, err
	}
	directory, err := kernelDirectory()
	if err != nil {
		return kernelImage{}, err
	}
	manifest, err := debian.ReadManifest(directory)
	if err != nil {
		return kernelImage{}, err
	}
	k, ok := manifest.Find(a.debian, name)
	if !ok {
		return kernelImage{}, &MissingError{ErrNoKernel, fmt.Sprintf("%s for %s was not fetched", name, a.debian), setupHint(name, a)}
	}
	image := kernelImage{path: filepath.Join(directory, k.Image)}
	if image.digest, err = debian.Digest(image.path); err != nil {
		return kernelImage{}, err
	}
	if image.digest != k.ImageSHA256 {
		return kernelImage{}, &MissingError{ErrNoKernel,
			fmt.Sprintf("%s: its SHA-256 is %s, and was %s when it was fetched", image.path, image.digest, k.ImageSHA256), setupHint(name, a)}
	}
	if k.Modules != "" {
		image.modules = filepath.Join(directory, k.Modules)
		if image.moduleDigests, err = k.ReadModuleDigests(directory); err != nil {
			return kernelImage{}, &MissingError{ErrNoKernel, fmt.Sprintf("modules of %s: %v", k.Release, err), setupHint(name, a)}
		}
	}
	return image, nil
}

// SetUp returns the fetched kernel that a host is started with; false where it was
// not fetched, as an image given by its path.
func (h Host) SetUp() (debian.Kernel, bool) {
	h, a, err := h.withDefaults()
	if err != nil || strings.Contains(h.Kernel, "/") {
		return debian.Kernel{}, false
	}
	directory, err := kernelDirectory()
	if err != nil {
		return debian.Kernel{}, false
	}
	manifest, err := debian.ReadManifest(directory)
	if err != nil {
		return debian.Kernel{}, false
	}
	return manifest.Find(a.debian, h.Kernel)
}

// setupHint is the command that fetches a kernel.
func setupHint(name string, a architecture) string {
	hint := "guise lab setup --kernels " + name
	if a.debian != "arm64" {
		hint += " --arch " + a.debian
	}
	return hint
}

// modulesBeside finds the modules of a kernel image given by its path: those of
// a system (/boot/vmlinuz-R with /lib/modules/R) or of an unpacked package.
func modulesBeside(image string) string {
	directory, base := filepath.Split(image)
	if base == "vmlinuz" {
		return filepath.Clean(directory)
	}
	_, release, found := strings.Cut(base, "-")
	if !found {
		return ""
	}
	for _, lib := range []string{"lib/modules", "usr/lib/modules"} {
		candidate := filepath.Join(directory, "..", lib, release)
		if info, err := os.Stat(candidate); err == nil && info.IsDir() {
			return candidate
		}
	}
	return ""
}
