package lab

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/cavaliergopher/cpio"

	"github.com/guise-project/guise/lab/guest"
)

// initramfs packs the init and the modules it loads, in order, as the archive
// a kernel unpacks (newc, Documentation/driver-api/early-userspace). It is not
// compressed: unpacking is slower in an emulated machine than reading. Equal
// contents give equal bytes.
func initramfs(init []byte, modules []module) ([]byte, error) {
	files := []File{{Path: "/init", Mode: 0o755, Content: init}}
	for i, m := range modules {
		files = append(files, File{Path: fmt.Sprintf("%s/%02d-%s.ko", guest.ModuleDirectory, i, m.name), Mode: 0o644, Content: m.content})
	}
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive)
	var made []string
	for i, file := range files {
		for _, directory := range parents(file.Path) {
			if slices.Contains(made, directory) {
				continue
			}
			made = append(made, directory)
			if err := w.WriteHeader(&cpio.Header{Name: directory, Mode: cpio.TypeDir | 0o755, Links: 2, Inode: int64(1000 + len(made))}); err != nil {
				return nil, err
			}
		}
		header := &cpio.Header{
			Name: strings.TrimPrefix(file.Path, "/"), Mode: cpio.TypeReg | cpio.FileMode(fs.FileMode(file.Mode).Perm()),
			Size: int64(len(file.Content)), Links: 1, Inode: int64(1 + i),
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(file.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

// parents are the directories above a path, the outermost first.
func parents(name string) []string {
	var directories []string
	for d := path.Dir(strings.TrimPrefix(name, "/")); d != "." && d != "/"; d = path.Dir(d) {
		directories = append(directories, d)
	}
	slices.Reverse(directories)
	return directories
}
