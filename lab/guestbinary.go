package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/guise-project/guise/internal/atomicfile"
)

const modulePath = "github.com/guise-project/guise"

// installedDirectory is where packages put the binaries for the lab, as
// guise-linux-arm64; beside the running guise, ../lib/guise is looked at first.
const installedDirectory = "/usr/lib/guise"

// guestBinary returns the path of guise built for a lab host: the one that was
// installed with the guise that runs, or one built from the checkout that the
// running program or the working directory is in.
func guestBinary(ctx context.Context, goarch string) (string, error) {
	name := "guise-linux-" + goarch
	var beside string
	executable, err := os.Executable()
	if err == nil {
		beside = filepath.Dir(executable)
		path := filepath.Join(beside, "..", "lib", "guise", name)
		if isFile(path) {
			return path, nil
		}
	}
	working, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for _, start := range []string{beside, working} {
		if root := checkoutRoot(start); root != "" {
			return buildGuest(ctx, root, goarch)
		}
	}
	if path := filepath.Join(installedDirectory, name); isFile(path) {
		return path, nil
	}
	return "", &MissingError{ErrNoGuest,
		fmt.Sprintf("neither %s/%s nor a checkout of %s is here", installedDirectory, name, modulePath),
		fmt.Sprintf("in a checkout: GOOS=linux GOARCH=%s CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o %s/%s ./cmd/guise", goarch, installedDirectory, name)}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// checkoutRoot is the root of guise's own module above a directory, or "".
func checkoutRoot(directory string) string {
	for directory != "" {
		mod, err := os.ReadFile(filepath.Join(directory, "go.mod"))
		if err == nil && firstLine(string(mod)) == "module "+modulePath {
			return directory
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return ""
		}
		directory = parent
	}
	return ""
}

// building lets one goroutine build at a time: the second finds it done.
var building sync.Mutex

// buildGuest cross-builds guise, unless the same sources were built before.
func buildGuest(ctx context.Context, root, goarch string) (string, error) {
	building.Lock()
	defer building.Unlock()
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
	temporary, err := os.MkdirTemp(directory, "build-")
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
