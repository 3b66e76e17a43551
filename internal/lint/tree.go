package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// File is one file of the tree.
type File struct {
	Path string // with slashes, relative to the top
	Data []byte
	Go   *ast.File // nil for other files
}

// Directory returns the file's directory, "." for the top.
func (f *File) Directory() string { return path.Dir(f.Path) }

// Test reports whether the file is a test's.
func (f *File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

// Generated reports whether a program wrote the file.
func (f *File) Generated() bool { return strings.HasSuffix(f.Path, "_gen.go") }

// Lines returns the number of lines.
func (f *File) Lines() int { return bytes.Count(f.Data, []byte("\n")) }

// Tree is every file that belongs to the project.
type Tree struct {
	Files []*File
	set   *token.FileSet
}

// Read reads the tree below the top of a file system: without hidden
// directories other than .ci, without bin/, and without binary files.
func Read(top fs.FS) (*Tree, error) {
	t := &Tree{set: token.NewFileSet()}
	err := fs.WalkDir(top, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && name != "." && name != ".ci"
			if hidden || name == "bin" {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || name == ".git" { // a file in a worktree of git's
			return nil
		}
		data, err := fs.ReadFile(top, name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			return nil
		}
		f := &File{Path: name, Data: data}
		if path.Ext(name) == ".go" {
			if f.Go, err = parser.ParseFile(t.set, name, data, parser.ParseComments|parser.SkipObjectResolution); err != nil {
				return err
			}
		}
		t.Files = append(t.Files, f)
		return nil
	})
	return t, err
}

// at names a place in a Go file, "kvm/kvm.go:12".
func (t *Tree) at(node ast.Node) string {
	p := t.set.Position(node.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// imports calls visit with the path of each import of a Go file.
func (f *File) imports(visit func(spec *ast.ImportSpec, path string)) {
	if f.Go == nil {
		return
	}
	for _, spec := range f.Go.Imports {
		visit(spec, strings.Trim(spec.Path.Value, "\"`"))
	}
}
