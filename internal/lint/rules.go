package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Rule is one rule of the house. Check returns a line for each breach: the
// place first, then what is wanted.
type Rule struct {
	Name  string
	Check func(*Tree) []string
}

// Rules is every rule.
var Rules = []Rule{
	{"packages import only downwards", importDirections},
	{"pure packages are pure", purity},
	{"unsafe is in files that say so", unsafeFiles},
	{"random names are not of this process's own generator", randomNames},
	{"tests are skipped in one place", skips},
	{"files are short", lengths},
	{"generated files say so", generatedFiles},
	{"nothing names a machine or a registry", names},
	{"the library does not speak of flags", flags},
	{"links lead somewhere", links},
}

func importDirections(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		if f.Go == nil || f.Test() || slices.ContainsFunc(testOnly, func(d string) bool { return below(f.Directory(), d) }) {
			continue
		}
		room := roomOf(f.Directory())
		if room < 0 {
			breaches = append(breaches, fmt.Sprintf("%s: %s is in no room; add it to the table in internal/lint and to CONTRIBUTING.md", f.Path, f.Directory()))
			continue
		}
		f.imports(func(spec *ast.ImportSpec, path string) {
			directory, own := strings.CutPrefix(path, Module+"/")
			if path == Module {
				directory, own = ".", true
			}
			switch {
			case !own:
			case slices.ContainsFunc(testOnly, func(d string) bool { return below(directory, d) }):
				breaches = append(breaches, fmt.Sprintf("%s: imports %s, which is for tests", t.at(spec), directory))
			case roomOf(directory) > room:
				breaches = append(breaches, fmt.Sprintf("%s: %s imports %s, which stands below it", t.at(spec), Rooms[room].Path, directory))
			}
		})
	}
	return breaches
}

func purity(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		room := roomOf(f.Directory())
		if f.Go == nil || f.Test() || room < 0 || !Rooms[room].Pure {
			continue
		}
		f.imports(func(spec *ast.ImportSpec, path string) {
			if path == "syscall" && slices.Contains(errnos, Rooms[room].Path) {
				return
			}
			if slices.ContainsFunc(unwantedInPure, func(unwanted string) bool { return below(path, unwanted) }) {
				breaches = append(breaches, fmt.Sprintf("%s: %s is pure and imports %s", t.at(spec), Rooms[room].Path, path))
			}
		})
		if platform := platformOf(f); platform != "" {
			breaches = append(breaches, fmt.Sprintf("%s: %s is pure and this file is for %s only", f.Path, Rooms[room].Path, platform))
		}
	}
	return breaches
}

// platforms are the words in file names that tie a file to a platform. A room
// named arm64 or power has none of them in its file names either.
var platforms = []string{"linux", "darwin", "windows", "js", "amd64", "arm64", "ppc64le", "wasm", "unix", "other"}

// platformOf returns what ties a file to a platform, "" where nothing does.
func platformOf(f *File) string {
	words := strings.Split(strings.TrimSuffix(path.Base(f.Path), ".go"), "_")
	if last := words[len(words)-1]; len(words) > 1 && slices.Contains(platforms, last) {
		return last
	}
	return buildConstraint(f)
}

// buildConstraint returns the file's //go:build expression, "" where there is
// none.
func buildConstraint(f *File) string {
	for _, group := range f.Go.Comments {
		for _, comment := range group.List {
			if comment.Pos() < f.Go.Package && constraint.IsGoBuild(comment.Text) {
				return strings.TrimPrefix(comment.Text, "//go:build ")
			}
		}
	}
	return ""
}

func unsafeFiles(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		f.imports(func(spec *ast.ImportSpec, path string) {
			base := strings.TrimSuffix(strings.TrimSuffix(f.Path, ".go"), "_test")
			if path == "unsafe" && !strings.HasSuffix(base, "_unsafe") {
				breaches = append(breaches, fmt.Sprintf("%s: imports unsafe; want a file whose name ends in _unsafe.go", t.at(spec)))
			}
		})
		// To go build, machine_linux_arm64_unsafe.go is for every platform.
		words := strings.Split(strings.TrimSuffix(f.Path, "_unsafe.go"), "_")
		if f.Go != nil && strings.HasSuffix(f.Path, "_unsafe.go") && slices.Contains(platforms, words[len(words)-1]) && buildConstraint(f) == "" {
			breaches = append(breaches, fmt.Sprintf("%s: is named for a platform; want a //go:build line, which the name does not stand for", f.Path))
		}
	}
	return breaches
}

// skips finds tests that skip themselves, or do less in a hurry.
// ownGenerator are functions that draw from the generator of the Go runtime, which
// a guise that waits in a snapshot of a lab host had seeded before: every host that
// is restored from it would draw the same. Package crypto/rand asks the kernel,
// whose generator is seeded anew.
var ownGenerator = map[string][]string{
	"os":           {"CreateTemp", "MkdirTemp"},
	"math/rand":    nil, // everything
	"math/rand/v2": {"Float32", "Float64", "Int", "Int32", "Int32N", "Int64", "Int64N", "IntN", "N", "Perm", "Shuffle", "Uint", "Uint32", "Uint32N", "Uint64", "Uint64N", "UintN"},
}

// neverInHosts reports whether a package never runs in a lab host.
func neverInHosts(directory string) bool {
	return directory == "lab" || directory == "lab/debian" || below(directory, "bench") || below(directory, "internal/mutate")
}

func randomNames(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		if f.Go == nil || f.Test() || neverInHosts(f.Directory()) {
			continue
		}
		from := map[string][]string{}
		f.imports(func(spec *ast.ImportSpec, path string) {
			functions, found := ownGenerator[path]
			switch {
			case found && functions == nil:
				breaches = append(breaches, fmt.Sprintf("%s: imports %s; want crypto/rand", t.at(spec), path))
			case found && spec.Name != nil:
				from[spec.Name.Name] = functions
			case found && path == "os":
				from["os"] = functions
			case found:
				from["rand"] = functions
			}
		})
		ast.Inspect(f.Go, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(from[of.Name], selector.Sel.Name) {
				breaches = append(breaches, fmt.Sprintf("%s: %s.%s draws from the runtime's generator, which repeats in hosts restored from a snapshot; want crypto/rand", t.at(node), of.Name, selector.Sel.Name))
			}
			return true
		})
	}
	return breaches
}

func skips(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		if f.Go == nil || below(f.Directory(), "internal/testenv") {
			continue
		}
		tests := testParameters(f.Go)
		ast.Inspect(f.Go, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			on, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			switch name := selector.Sel.Name; {
			case tests[on.Name] && (name == "Skip" || name == "Skipf" || name == "SkipNow"):
				breaches = append(breaches, fmt.Sprintf("%s: %s in a test; want testenv.Missing, which fails under CI", t.at(call), name))
			case on.Name == "testing" && name == "Short":
				breaches = append(breaches, fmt.Sprintf("%s: testing.Short: a test does the same each time", t.at(call)))
			}
			return true
		})
	}
	return breaches
}

// testParameters are the names under which functions of a file are handed a
// test: t *testing.T, b testing.TB. With a *rapid.T, Skip drops one case of
// many, and rapid fails where too many are dropped.
func testParameters(file *ast.File) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		function, ok := node.(*ast.FuncType)
		if !ok {
			return true
		}
		for _, parameter := range function.Params.List {
			kind := parameter.Type
			if pointer, ok := kind.(*ast.StarExpr); ok {
				kind = pointer.X
			}
			selector, ok := kind.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			if from, ok := selector.X.(*ast.Ident); ok && from.Name == "testing" {
				for _, name := range parameter.Names {
					names[name.Name] = true
				}
			}
		}
		return true
	})
	return names
}

// longest is the most lines of a file that people read.
const longest = 500

// readByPeople are the files that the length counts for; tables in text, JSON
// and what other projects wrote are data.
var readByPeople = []string{".go", ".md", ".sh", ".bash"}

func lengths(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		if slices.Contains(readByPeople, path.Ext(f.Path)) && !f.Generated() && f.Lines() > longest {
			breaches = append(breaches, fmt.Sprintf("%s: %d lines; want at most %d: split it on a seam that has a name", f.Path, f.Lines(), longest))
		}
	}
	return breaches
}

// generatedLine is what go generate's programs begin a file with
// (https://go.dev/s/generatedcode).
var generatedLine = regexp.MustCompile(`^// Code generated .* DO NOT EDIT\.$`)

func generatedFiles(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		if f.Go == nil {
			continue
		}
		first, _, _ := bytes.Cut(f.Data, []byte("\n"))
		if generatedLine.Match(first) != f.Generated() {
			breaches = append(breaches, f.Path+`: want "Code generated ... DO NOT EDIT." in the first line and _gen.go at the end of the name, both or neither`)
		}
	}
	return breaches
}

// unwantedNames are what only means something on one machine, or ties the tree
// to where packages happen to come from.
var unwantedNames = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a home or work directory", regexp.MustCompile(`(?:^|[\s"'=(:])/(?:home|Users)/[a-z]\w*/|(?:^|[\s"'=(:])/(?:root|work)/`)},
	{"a package registry", regexp.MustCompile(`\b(?:proxy|sum)\.golang\.org\b|\bregistry\.npmjs\.|\bpypi\.org\b|\bdeb\.debian\.org\b|\bsecurity\.debian\.org\b|\bsnapshot\.debian\.org\b|\bgoproxy\.(?:io|cn)\b`)},
}

func names(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		for i, line := range bytes.Split(f.Data, []byte("\n")) {
			for _, unwanted := range unwantedNames {
				if found := unwanted.pattern.Find(line); found != nil {
					breaches = append(breaches, fmt.Sprintf("%s:%d: %q: names %s", f.Path, i+1, bytes.TrimSpace(found), unwanted.what))
				}
			}
		}
	}
	return breaches
}

// link is a link of Markdown to a file of the tree, without the place in it.
var link = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)\s]*)?\)`)

func links(t *Tree) (breaches []string) {
	exists := map[string]bool{}
	for _, f := range t.Files {
		for name := f.Path; name != "."; name = path.Dir(name) {
			exists[name] = true
		}
	}
	for _, f := range t.Files {
		if path.Ext(f.Path) != ".md" {
			continue
		}
		for i, line := range bytes.Split(f.Data, []byte("\n")) {
			for _, match := range link.FindAllSubmatch(line, -1) {
				if target := path.Join(f.Directory(), string(match[1])); !exists[target] {
					breaches = append(breaches, fmt.Sprintf("%s:%d: links to %s, which is not there", f.Path, i+1, target))
				}
			}
		}
	}
	return breaches
}
