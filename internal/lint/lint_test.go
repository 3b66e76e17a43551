package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// top is the top of the repository, as tests see it.
var top = filepath.Join("..", "..")

// TestRepository holds the repository against every rule.
func TestRepository(t *testing.T) {
	tree, err := Read(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 100 {
		t.Fatalf("%d files: this is not the repository", len(tree.Files))
	}
	for _, rule := range Rules {
		t.Run(rule.Name, func(t *testing.T) {
			for _, breach := range rule.Check(tree) {
				t.Error(breach)
			}
		})
	}
}

// TestEveryRuleIsBroken shows each rule a tree that breaks it, and one beside
// it that does not.
func TestEveryRuleIsBroken(t *testing.T) {
	const own = `"github.com/guise-project/guise`
	var home, registry = "/" + "home/ada/go", "pypi" + ".org"
	for _, test := range []struct{ rule, path, content, breach string }{
		{"packages import only downwards", "isa/a.go", "package isa\n\nimport _ " + own + `/kernel"`, "isa/a.go:3: isa imports kernel, which stands below it"},
		{"packages import only downwards", "kernel/a.go", "package kernel\n\nimport _ " + own + `/isa/arm64"`, ""},
		{"packages import only downwards", "kernel/a.go", "package kernel\n\nimport _ " + own + `"`, "kernel/a.go:3: kernel imports ., which stands below it"},
		{"packages import only downwards", "kernel/a_test.go", "package kernel_test\n\nimport _ " + own + `"`, ""},
		{"packages import only downwards", "isa/arm64/a.go", "package arm64\n\nimport _ " + own + `/isa/power"`, "isa/arm64/a.go:3: isa/arm64 imports isa/power, which stands below it"},
		{"packages import only downwards", "lab/guest/a.go", "package guest\n\nimport _ " + own + `/lab/channel"`, ""},
		{"packages import only downwards", "kvm/a.go", "package kvm\n\nimport _ " + own + `/vm/vmtest"`, "kvm/a.go:3: imports vm/vmtest, which is for tests"},
		{"packages import only downwards", "vm/vmtest/a.go", "package vmtest\n\nimport _ " + own + `/internal/testenv"`, ""},
		{"packages import only downwards", "attic/a.go", "package attic", "attic/a.go: attic is in no room; add it to the table in internal/lint and to CONTRIBUTING.md"},
		{"pure packages are pure", "catalog/a.go", "package catalog\n\nimport (\n\t_ \"fmt\"\n\t_ \"os/exec\"\n)", "catalog/a.go:5: catalog is pure and imports os/exec"},
		{"pure packages are pure", "model/power/a.go", "package power\n\nimport _ \"syscall\"", ""},
		{"pure packages are pure", "isa/a.go", "package isa\n\nimport _ \"syscall\"", "isa/a.go:3: isa is pure and imports syscall"},
		{"pure packages are pure", "isa/a_linux.go", "package isa", "isa/a_linux.go: isa is pure and this file is for linux only"},
		{"pure packages are pure", "isa/a.go", "//go:build !js\n\npackage isa", "isa/a.go: isa is pure and this file is for !js only"},
		{"pure packages are pure", "kvm/a_linux.go", "package kvm\n\nimport _ \"os\"", ""},
		{"unsafe is in files that say so", "kvm/a.go", "package kvm\n\nimport _ \"unsafe\"", "kvm/a.go:3: imports unsafe; want a file whose name ends in _unsafe.go"},
		{"unsafe is in files that say so", "kvm/a_unsafe.go", "package kvm\n\nimport _ \"unsafe\"", ""},
		{"unsafe is in files that say so", "kvm/a_linux_arm64_unsafe.go", "package kvm", "kvm/a_linux_arm64_unsafe.go: is named for a platform; want a //go:build line, which the name does not stand for"},
		{"unsafe is in files that say so", "kvm/a_linux_arm64_unsafe.go", "//go:build linux && arm64\n\npackage kvm", ""},
		{"unsafe is in files that say so", "kvm/a_unsafe_test.go", "package kvm\n\nimport _ \"unsafe\"", ""},
		{"random names are not of this process's own generator", "kvm/a.go", "package kvm\n\nimport \"os\"\n\nvar a, b = os.CreateTemp(``, ``)", "kvm/a.go:5: os.CreateTemp draws from the runtime's generator, which repeats in hosts restored from a snapshot; want crypto/rand"},
		{"random names are not of this process's own generator", "lab/guest/a.go", "package guest\n\nimport r \"math/rand/v2\"\n\nvar a = r.IntN(3)", "lab/guest/a.go:5: r.IntN draws from the runtime's generator, which repeats in hosts restored from a snapshot; want crypto/rand"},
		{"random names are not of this process's own generator", "vm/a.go", "package vm\n\nimport _ \"math/rand\"", "vm/a.go:3: imports math/rand; want crypto/rand"},
		{"random names are not of this process's own generator", "vm/a.go", "package vm\n\nimport \"math/rand/v2\"\n\nvar a = rand.New(rand.NewPCG(1, 2)).IntN(3)", ""},
		{"random names are not of this process's own generator", "lab/a.go", "package lab\n\nimport \"os\"\n\nvar a, b = os.MkdirTemp(``, ``)", ""},
		{"tests are skipped in one place", "kvm/a_test.go", "package kvm\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Skip() }", "kvm/a_test.go:5: Skip in a test; want testenv.Missing, which fails under CI"},
		{"tests are skipped in one place", "lab/labtest/a.go", "package labtest\n\nimport \"testing\"\n\nfunc a(b testing.TB) { b.Skipf(``) }", "lab/labtest/a.go:5: Skipf in a test; want testenv.Missing, which fails under CI"},
		{"tests are skipped in one place", "kvm/a_test.go", "package kvm\n\nimport \"testing\"\n\nvar a = testing.Short()", "kvm/a_test.go:5: testing.Short: a test does the same each time"},
		{"tests are skipped in one place", "kvm/a_test.go", "package kvm\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { c.Skip(1) }", ""},
		{"tests are skipped in one place", "kvm/a_test.go", "package kvm\n\nfunc a(rt *rapid.T) { rt.Skip(1) }", ""},
		{"tests are skipped in one place", "kvm/a.go", "package kvm\n\nfunc a(d interface{ Skip(int) }) { d.Skip(1) }", ""},
		{"the library does not speak of flags", "a.go", "package guise\n\nconst a = \"capture, or --assume-kernel VERSION\"", `a.go:3: "capture, or --assume-kernel VERSION": speaks of a flag; want a guise.Remedy, which cmd/guise has the words for`},
		{"the library does not speak of flags", "vm/move/a.go", "package move\n\nconst a = `--vary`", "vm/move/a.go:3: `--vary`: speaks of a flag; want a guise.Remedy, which cmd/guise has the words for"},
		{"the library does not speak of flags", "kernel/a.go", "package kernel\n\n// --vary is a flag.\nconst a = `a -- b, i--x`", ""},
		{"the library does not speak of flags", "kernel/a_test.go", "package kernel\n\nconst a = `--vary`", ""},
		{"the library does not speak of flags", "cmd/guise/a.go", "package main\n\nconst a = `--vary`", ""},
		{"files are short", "docs/a.md", strings.Repeat("\n", 501), "docs/a.md: 501 lines; want at most 500: split it on a seam that has a name"},
		{"files are short", "docs/a.json", strings.Repeat("\n", 501), ""},
		{"files are short", "isa/a_gen.go", "// Code generated by a; DO NOT EDIT.\n\npackage isa\n" + strings.Repeat("\n", 501), ""},
		{"generated files say so", "isa/a.go", "// Code generated by a; DO NOT EDIT.\n\npackage isa", `isa/a.go: want "Code generated ... DO NOT EDIT." in the first line and _gen.go at the end of the name, both or neither`},
		{"generated files say so", "isa/a_gen.go", "package isa", `isa/a_gen.go: want "Code generated ... DO NOT EDIT." in the first line and _gen.go at the end of the name, both or neither`},
		{"nothing names a machine or a registry", "a.md", "see " + home, `a.md:1: "/` + `home/ada/": names a home or work directory`},
		{"nothing names a machine or a registry", ".ci/run", "\ncurl https://" + registry + "/", `.ci/run:2: "` + registry + `": names a package registry`},
		{"nothing names a machine or a registry", "a.md", "the rootfs" + "/work" + "/ of a guest", ""},
		{"links lead somewhere", "docs/a.md", "[one](a.md#place) [two](https://example.org) and\n[three](../docs), [four](../NOTICE)", "docs/a.md:2: links to NOTICE, which is not there"},
	} {
		t.Run(test.rule+"/"+test.path, func(t *testing.T) {
			tree, err := Read(fstest.MapFS{test.path: {Data: []byte(test.content)}})
			if err != nil {
				t.Fatal(err)
			}
			var breaches []string
			for _, rule := range Rules {
				if rule.Name == test.rule {
					breaches = rule.Check(tree)
				}
			}
			if got := strings.Join(breaches, "\n"); got != test.breach {
				t.Errorf("there is %q, want %q", got, test.breach)
			}
		})
	}
}

// TestMapOfTheHouse: CONTRIBUTING.md shows the rooms, in their order.
func TestMapOfTheHouse(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```\n")
	block, _, _ = strings.Cut(block, "```")
	var shown, rooms []string
	for line := range strings.Lines(block) {
		path, _, _ := strings.Cut(line, " ")
		shown = append(shown, strings.TrimSuffix(path, "/"))
	}
	for _, room := range Rooms {
		rooms = append(rooms, room.Path)
	}
	if !slices.Equal(shown, rooms) {
		t.Errorf("CONTRIBUTING.md shows %v; the rooms are %v", shown, rooms)
	}
}

func TestReadLeavesOutWhatIsNotTheProjects(t *testing.T) {
	tree, err := Read(fstest.MapFS{
		".git/config": {}, "bin/guise": {}, ".ci/run": {}, "a.md": {}, "testdata/initrd.gz": {Data: []byte{0x1f, 0x8b, 0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range tree.Files {
		paths = append(paths, f.Path)
	}
	if got := strings.Join(paths, " "); got != ".ci/run a.md" {
		t.Errorf("%s", got)
	}
	// A worktree has a file of that name.
	if tree, err = Read(fstest.MapFS{".git": {Data: []byte("gitdir: elsewhere")}}); err != nil || len(tree.Files) > 0 {
		t.Errorf("%v, %v", tree.Files, err)
	}
}
