//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// newcomer is what somebody tries in the first hour: each command in a sensible
// way, on a machine without KVM and without QEMU. FILE in the line is a document
// of the kind; then it is missing, empty, no such document, of another kind, cut
// off, a directory, huge and piped, too.
var newcomer = []struct {
	line, document string
	status         int
	first          string // of standard output, or of standard error where that is empty
	others         string // kinds that are as good: nothing is wrong with them
}{
	{"", "", statusYes, `^Usage: guise <command>`, ""},
	{"help baseline", "", statusYes, `^Usage: guise baseline`, ""},
	{"version", "", statusYes, `^guise `, ""},
	{"completion bash", "", statusYes, `^#`, ""},
	{"catalog", "", statusYes, `^  name +kernel`, ""},
	{"catalog graviton2@6.18", "", statusYes, `^{$`, ""},
	{"capture --device absent -o out.json", "", statusCannot, `^guise: absent: `, ""},
	{"explain FILE", "capture", statusYes, `^MIDR_EL1 = 0x`, "text"},
	{"explain FEAT_SVE", "", statusYes, `^FEAT_SVE$`, ""},
	{"explain ID_AA64PFR0_EL1.SVE=1", "", statusYes, `^ID_AA64PFR0_EL1.SVE = 1$`, ""},
	{"diff FILE graviton3@6.18", "capture", statusNo, `^FILE and graviton3@6.18 differ in \d+ places: in VMs of setup `, ""},
	{"baseline FILE", "capture", statusYes, `^1 host has a contract: for VMs made with `, ""},
	{"baseline FILE -o out.json", "capture", statusYes, `^1 host has a contract: `, ""},
	{"baseline FILE", "fleet", statusNo, `^no contract: `, ""},
	{"baseline graviton2@6.18 --policy FILE", "policy", statusYes, `^1 host has a contract: `, "text"},
	{"check FILE graviton2@6.18", "contract", statusYes, `^graviton2@6.18 takes the contract`, ""},
	{"check graviton2@6.18 FILE", "capture", statusYes, `^FILE takes the contract`, ""},
	{"moves FILE graviton3@6.18 --for firecracker", "capture", statusNo, `^a VM of setup base/vgic3 does not move from FILE to graviton3@6.18: `, ""},
	{"moves FILE graviton2@6.1 graviton2@6.18", "contract", statusNo, `^a VM under FILE `, ""},
	{"pools FILE", "fleet", statusYes, `^2 pools for 2 hosts`, ""},
	{"vm save FILE --device absent -o out.json", "contract", statusCannot, `^guise: absent: `, ""},
	{"vm restore FILE --device absent -o out.json", "", statusUsage, `^guise: FILE: no such file$`, ""},
	{"prove FILE --device absent -o out.json", "contract", statusCannot, `^guise: absent: `, ""},
	{"try FILE --device absent -o out.json", "questions", statusCannot, `^guise: absent: `, ""},
	{"rehearse FILE --from 6.1/max --to 7.2/max", "contract", statusCannot, `^guise: 6.1/max: lab: no usable QEMU`, ""},
	{"import firecracker FILE -o out.json", "fingerprint", statusYes, `^$`, ""},
	{"fleet pack FILE graviton3@6.18 -o out.json", "capture", statusYes, `^$`, ""},
	{"fleet unpack FILE", "fleet", statusYes, `^$`, ""},
	{"lint FILE", "capture", statusYes, `^well-formed  FILE  guise/capture/v1$`, "arrival"},
	{"lint FILE", "contract", statusYes, `^well-formed  FILE  guise/contract/v1$`, "arrival"},
	{"lint FILE", "questions", statusYes, `^well-formed  FILE  guise/questions/v1$`, "arrival"},
	{"kernels", "", statusYes, `^\d+ releases are known, 4.14 to 7.2$`, ""},
	{"forecast FILE --kernel 7.2", "capture", statusUnknown, `^unknown: whether guests of FILE see a change from Linux `, ""},
	{"forecast graviton2@6.1 --kernel 7.2 --raw FILE", "raw", statusNo, `^guests of graviton2@6.1 see a change: from Linux 6.1.172 to 7.2`, "text"},
	{"lab setup --kernels six", "", statusUsage, `^guise: "six" is no kernel version`, ""},
	{"lab run --kernel 6.12 -- version", "", statusCannot, `^guise: lab: no usable QEMU`, ""},
	{"lab matrix --kernels 6.12 --cpus max -- version", "", statusCannot, `^1/1 6.12/max: status 4`, ""},
	{"model changes 6.1 6.12", "", statusNo, `^Linux 6.1 and 6.12 are not the same to guests: `, ""},
	{"model run FILE", "scenario", statusYes, `^model:7.2/max passes: `, "text"},
	{"model test", "", statusYes, `^model:7.2/max passes: `, ""},
	{"model compare --as 6.12/max --device absent", "", statusCannot, `^guise: absent: `, ""},
	{"model nested --event msgsndp", "", statusYes, `^forwarded  msgsndp under Linux 7.2`, ""},
	{"model nested --history FILE", "history", statusYes, `.`, "text"},
}

// ours are phrases of Go and of its packages, which tell a person nothing.
var ours = regexp.MustCompile(`unmarshal|goroutine|panic|internal error|strconv|invalid syntax|%!|\b(json|jsontext|guise|main|debian|move|vm)\.[A-Z]|errno|EOF`)

// TestNewcomersHour: status, first line and what is left behind, of everything
// that is tried first.
func TestNewcomersHour(t *testing.T) {
	documents := inputDocuments(t)
	tried := map[string]bool{}
	for _, row := range newcomer {
		h := &hour{t: t, line: row.line}
		tried[commandOf(row.line)] = true
		h.run("as it should be", row.document, documents[row.document], row.status, row.first)
		if row.document == "" {
			continue
		}
		h.piped(documents[row.document], row.status)
		h.run("missing", "", "", statusUsage, `^guise: .*FILE: no such file`)
		h.run("empty", "x", "", statusUsage, `^guise: .*FILE.*(empty|names no register)`)
		h.run("a directory", "/", "", statusUsage, `^guise: .*FILE: is a directory`)
		h.run("huge", "huge", "", statusUsage, `^guise: .*FILE.*(longer|larger|bytes)`)
		h.run("no such document", "x", "\x7fELF\x02\x01\x00\x00 is no document\n", statusUsage, `^guise: .*FILE`)
		if row.others != "text" {
			h.run("cut off", "x", documents[row.document][:len(documents[row.document])/2], statusUsage, `^guise: .*FILE:\d+:\d+: .*(ends too early|not valid JSON)`)
		}
		if row.others != "arrival" {
			h.run("of another kind", "x", documents["arrival"], statusUsage, `^guise: .*FILE.* an arrival of a VM; want `)
		}
	}
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		if path := strings.TrimPrefix(node.Path(), "guise "); node.Leaf() && !tried[path] {
			t.Errorf("%s: nobody tries it", path)
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(newParser(&commandLine{}, nil, nil).Model.Node)
}

// commandOf is the command of a line: its words before the first that is none.
func commandOf(line string) string {
	node := newParser(&commandLine{}, nil, nil).Model.Node
	for word := range strings.FieldsSeq(line) {
		child := childNamed(node, word)
		if child == nil {
			break
		}
		node = child
	}
	return strings.TrimPrefix(node.Path(), "guise ")
}

type hour struct {
	t    *testing.T
	line string
}

// run runs the line where FILE is a file with some content: kind is "" for none,
// "/" for a directory, "huge" for one that is larger than any document.
func (h *hour) run(what, kind, content string, status int, first string) {
	h.t.Helper()
	directory := h.t.TempDir()
	path := filepath.Join(directory, "FILE")
	var before []string
	var err error
	switch kind {
	case "":
	case "/":
		err = os.Mkdir(path, 0o700)
	case "huge":
		if err = os.WriteFile(path, []byte("{"), 0o600); err == nil {
			err = os.Truncate(path, 4<<30) // no disk is used for what is not written
		}
	default:
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if kind != "" {
		before = []string{"FILE"}
	}
	h.check(what, directory, "", before, status, first)
}

// piped runs the line with the document on standard input.
func (h *hour) piped(content string, status int) {
	h.t.Helper()
	line := h.line
	h.line = strings.ReplaceAll(line, "FILE", "-")
	h.check("piped", h.t.TempDir(), content, nil, status, ``)
	h.line = line
}

// check runs the line in a directory.
func (h *hour) check(what, directory, stdin string, before []string, status int, first string) {
	h.t.Helper()
	temporary := h.t.TempDir()
	command := guiseCommand(h.t, strings.Fields(h.line)...)
	command.Dir, command.Stdin = directory, strings.NewReader(stdin)
	command.Env = append(command.Env, "PATH="+temporary, "TMPDIR="+temporary, "XDG_CACHE_HOME="+temporary, "HOME="+temporary, "COLUMNS=")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	_ = command.Run()
	got := command.ProcessState.ExitCode()
	text := stdout.String()
	if text == "" {
		text = stderr.String()
	}
	line, _, _ := strings.Cut(text, "\n")
	name := fmt.Sprintf("guise %s, %s", h.line, what)
	if got != status || first != "" && !regexp.MustCompile(first).MatchString(line) {
		h.t.Errorf("%s: status %d, first line %q; want %d and %s", name, got, line, status, first)
	}
	if word := ours.FindString(stderr.String()); word != "" {
		h.t.Errorf("%s: says %q: %s", name, word, stderr.String())
	}
	if got != statusYes && stderr.Len() == 0 && stdout.Len() == 0 {
		h.t.Errorf("%s: status %d without a word", name, got)
	}
	// What the command was to write is there where it did it, and nothing else.
	if got <= statusNo {
		if strings.Contains(h.line, "-o out.json") {
			before = append(before, "out.json")
		}
		if strings.HasPrefix(h.line, "fleet unpack") {
			before = append(before, "graviton2@6.18.json", "graviton3@6.18.json")
		}
	}
	slices.Sort(before)
	wantEntries(h.t, directory, before...)
	for _, sub := range []string{"guise"} { // the lab's cache may be there, empty
		if entries, err := os.ReadDir(filepath.Join(temporary, sub)); err == nil && len(entries) > 1 {
			h.t.Errorf("%s: left %d entries in the cache", name, len(entries))
		}
	}
	entries, err := os.ReadDir(temporary)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "guise" {
			h.t.Errorf("%s: left %s in the directory for temporary files", name, e.Name())
		}
	}
}
