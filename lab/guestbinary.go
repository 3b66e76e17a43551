package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/guise-project/guise/internal/atomicfile"
	"github.com/guise-project/guise/internal/progress"
	"github.com/guise-project/guise/lab/internal/lockfile"
)

const modulePath = "github.com/guise-project/guise"

// installedDirectory is where packages put the binaries for the lab, as
// guise-linux-arm64; beside the running guise, ../lib/guise is looked at first.
const installedDirectory = "/usr/lib/guise"

// builtFrom is the checkout that this program was built from, where the linker
// was told: -ldflags "-X github.com/guise-project/guise/lab.builtFrom=DIR".
var builtFrom string

// ownCheckout is the checkout that this program was built from, as the linker or
// the compiler noted it; "" where neither did (go build -trimpath).
func ownCheckout() string {
	if builtFrom != "" {
		return builtFrom
	}
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return ""
	}
	return filepath.Dir(filepath.Dir(file))
}

// guestBinary returns the path of guise built for a lab host: built from the
// checkout that is named, else the one that was installed with the guise that
// runs, else built from the checkout that the running program was built from.
// What runs as the init of a host also reads what comes back from it: nothing is
// built or taken from a directory that another user could have put there.
func guestBinary(ctx context.Context, goarch, checkout string) (string, error) {
	if checkout != "" {
		return buildGuest(ctx, checkout, goarch)
	}
	name := "guise-linux-" + goarch
	if executable, err := os.Executable(); err == nil {
		if path := filepath.Join(filepath.Dir(executable), "..", "lib", "guise", name); isFile(path) {
			return path, errors.Join(ours(filepath.Dir(path)), ours(path))
		}
	}
	if own := ownCheckout(); own != "" && isFile(filepath.Join(own, "go.mod")) {
		return buildGuest(ctx, own, goarch)
	}
	if path := filepath.Join(installedDirectory, name); isFile(path) {
		return path, errors.Join(ours(installedDirectory), ours(path))
	}
	return "", &MissingError{ErrNoGuest,
		fmt.Sprintf("%s/%s is not installed, and the checkout that this guise was built from is not here", installedDirectory, name),
		"--checkout DIR names a checkout of guise to build it from"}
}

// ours refuses what another user owns or everybody can write.
func ours(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, known := ownerOf(info); known && owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("lab: %s: it belongs to user %d, and guise runs as user %d; the lab takes nothing that another user owns", path, owner, os.Geteuid())
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("lab: %s: everybody can write it (mode %04o); the lab takes nothing that others can change: chmod o-w", path, info.Mode().Perm())
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// checkCheckout refuses a directory that is no checkout of guise, or that others
// could have made.
func checkCheckout(root string) error {
	mod := filepath.Join(root, "go.mod")
	content, err := os.ReadFile(mod)
	if err != nil || firstLine(string(content)) != "module "+modulePath {
		return fmt.Errorf("lab: %s: want a checkout of %s, its go.mod in it", root, modulePath)
	}
	return errors.Join(ours(root), ours(mod))
}

// building lets one goroutine build at a time: the second finds it done.
var building sync.Mutex

// buildGuest cross-builds guise, unless the same sources were built before.
func buildGuest(ctx context.Context, root, goarch string) (string, error) {
	building.Lock()
	defer building.Unlock()
	if err := checkCheckout(root); err != nil {
		return "", err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", &MissingError{ErrNoGuest, "no go command to build it with, from " + root,
			fmt.Sprintf("with one: GOOS=linux GOARCH=%s CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o %s/guise-linux-%[1]s ./cmd/guise", goarch, installedDirectory)}
	}
	sources, err := sourceDigest(root)
	if err != nil {
		return "", err
	}
	cache, err := CacheDirectory()
	if err != nil {
		return "", err
	}
	directory := filepath.Join(cache, "guests")
	path := filepath.Join(directory, "guise-linux-"+goarch+"-"+sources)
	if isFile(path) {
		return path, nil
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	task := progress.Start(ctx, "building guise for linux/"+goarch, 0, progress.Things)
	defer task.Done()
	unlock, err := lockfile.Lock(ctx, filepath.Join(directory, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isFile(path) {
		return path, nil // another process built it meanwhile
	}
	if err := removeAll(filepath.Join(directory, unfinishedBuild+"*")); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(directory, unfinishedBuild)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	// The same sources must give the same bytes: snapshots are kept under
	// their digest.
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-o", filepath.Join(temporary, "guise"), "./cmd/guise")
	command.Dir = root
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=")
	var complaint bytes.Buffer
	command.Stdout, command.Stderr = &complaint, &complaint
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("lab: build guise for linux/%s in %s: %w\n%s", goarch, root, err, strings.TrimSpace(complaint.String()))
	}
	binary, err := os.ReadFile(filepath.Join(temporary, "guise"))
	if err != nil {
		return "", err
	}
	return path, atomicfile.Write(path, binary, 0o755)
}

// unfinishedBuild begins the names of directories that builds work in.
const unfinishedBuild = "build-"

// removeAll removes what a pattern matches: what a guise that was killed left.
func removeAll(pattern string) error {
	left, err := filepath.Glob(pattern)
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// sourceDigest stands for the sources below a module root: the name, size and
// time of every file but those of version control. A change to any has the
// binary built again, and the go command decides what that means.
func sourceDigest(root string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "docs") {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}
