package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab/debian"
)

// asRoot is for tests that give files away, which only root can.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "files can only be given to another user by root; run as root")
	}
}

// TestCheckouts: the init is built from the checkout of this test, whatever the
// working directory has above it, and from one that is named where nobody else
// could have made it.
func TestCheckouts(t *testing.T) {
	asRoot(t)
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	mod := filepath.Join(root, "go.mod")
	if err := os.WriteFile(mod, []byte("module "+modulePath+"\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	if got := ownCheckout(); got != here {
		t.Errorf("below another checkout the own one is %q, want %q", got, here)
	}
	if err := checkCheckout(root); err != nil {
		t.Errorf("one that is named: %v", err)
	}
	for name, test := range map[string]struct {
		prepare func() error
		want    string
	}{
		"no checkout":          {func() error { return os.WriteFile(mod, []byte("module example.org/other\n"), 0o644) }, "want a checkout of " + modulePath},
		"everybody can write":  {func() error { return os.Chmod(root, 0o777) }, "everybody can write it (mode 0777)"},
		"everybody can edit":   {func() error { return os.Chmod(mod, 0o666) }, "everybody can write it (mode 0666)"},
		"of nobody, directory": {func() error { return os.Chown(root, 65534, -1) }, "it belongs to user 65534"},
		"of nobody, file":      {func() error { return os.Chown(mod, 65534, -1) }, "it belongs to user 65534"},
	} {
		if err := test.prepare(); err != nil {
			t.Fatal(err)
		}
		if err := checkCheckout(root); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		for _, err := range []error{
			os.Chmod(root, 0o755), os.Chown(root, os.Geteuid(), -1), os.Chown(mod, os.Geteuid(), -1), os.Chmod(mod, 0o644),
			os.WriteFile(mod, []byte("module "+modulePath+"\n"), 0o644),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCacheOfOthersIsRefused: who can write the cache decides what hosts answer.
func TestCacheOfOthersIsRefused(t *testing.T) {
	asRoot(t)
	base := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", base)
	cache := filepath.Join(base, "guise")
	if got, err := CacheDirectory(); got != cache || err != nil {
		t.Errorf("one that is not there yet: %q, %v", got, err)
	}
	if err := errors.Join(os.Mkdir(cache, 0o700), os.Chmod(cache, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := CacheDirectory(); err == nil || !strings.Contains(err.Error(), "everybody can write it") {
		t.Errorf("one that everybody can write: %v", err)
	}
	if err := os.Chmod(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := CacheDirectory(); got != cache || err != nil {
		t.Errorf("a good one: %q, %v", got, err)
	}
	if err := os.Chown(cache, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := CacheDirectory(); err == nil || !strings.Contains(err.Error(), "it belongs to user 65534") {
		t.Errorf("another user's: %v", err)
	}
}

// TestChangedImagesAreNotBooted: an image is what the manifest says, or no host
// starts.
func TestChangedImagesAreNotBooted(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", base)
	directory := filepath.Join(base, "guise", "kernels")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("image", "a kernel")
	digest, err := debian.Digest(filepath.Join(directory, "image"))
	if err != nil {
		t.Fatal(err)
	}
	write("kernels.json", `{"schema":"`+debian.Schema+`","kernels":[{"arch":"arm64","version":"6.12.1","release":"6.12.1-arm64","packages":[],"image":"image","imageSHA256":"`+digest+`"}]}`)
	if k, err := findKernel("6.12", architectures["arm64"]); err != nil || k.digest != digest {
		t.Errorf("%+v, %v", k, err)
	}
	write("image", "another one")
	_, err = findKernel("6.12", architectures["arm64"])
	var missing *MissingError
	if !errors.As(err, &missing) || !errors.Is(err, ErrNoKernel) || !strings.Contains(err.Error(), "image: its SHA-256 is ") || missing.Hint != "guise lab setup --kernels 6.12" {
		t.Errorf("a changed image: %v", err)
	}
}

// TestChangedModulesAreNotLoaded: a module is what it was when it was fetched,
// and one that nobody fetched is none.
func TestChangedModulesAreNotLoaded(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "kernel", "virtio_console.ko")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a module"), 0o644); err != nil {
		t.Fatal(err)
	}
	digest, err := debian.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		digests map[string]string
		want    string
	}{
		// The file is no ELF, which shows that it was read.
		{map[string]string{"kernel/virtio_console.ko": digest}, "virtio_console.ko: EOF"},
		{nil, "virtio_console.ko: EOF"},
		{map[string]string{"kernel/virtio_console.ko": digest[1:] + "0"}, "its SHA-256 is " + digest},
		{map[string]string{}, "its SHA-256 is " + digest},
	} {
		tree, err := openModuleTree(directory, test.digests)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.resolve(t.Context(), []string{"virtio_console"}, true); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.digests, err, test.want)
		}
	}
}

// TestStoredFilesAreWhole: what is named by its content has that content.
func TestStoredFilesAreWhole(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "initramfs")
	for range 2 {
		path, err := storeFile(directory, "x.cpio", []byte("an archive"))
		if err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(path); string(content) != "an archive" || err != nil {
			t.Errorf("%q, %v", content, err)
		}
		if err := os.WriteFile(path, []byte("another"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
