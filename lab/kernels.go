package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/guise-project/guise/lab/debian"
)

// CacheDirectory is where the lab keeps what it has fetched and made:
// $XDG_CACHE_HOME/guise, or ~/.cache/guise. All of it can be deleted at any
// time no lab host is running.
func CacheDirectory() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lab: no cache directory: %w", err)
	}
	return filepath.Join(base, "guise"), nil
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
		hint := "guise lab setup --kernels " + name
		if a.debian != "arm64" {
			hint += " --arch " + a.debian
		}
		return kernelImage{}, &MissingError{ErrNoKernel, fmt.Sprintf("%s for %s was not fetched", name, a.debian), hint}
	}
	image := kernelImage{path: filepath.Join(directory, k.Image), digest: k.ImageSHA256}
	if k.Modules != "" {
		image.modules = filepath.Join(directory, k.Modules)
	}
	return image, nil
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
