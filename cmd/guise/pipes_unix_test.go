//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	model "github.com/guise-project/guise/model/arm64"
)

// TestPipedInput: wherever a file is taken, a pipe is, as <(...) and FIFOs are,
// and standard input: the answer is the same.
func TestPipedInput(t *testing.T) {
	if _, err := os.Stat("/dev/fd/0"); err != nil {
		testenv.Missing(t, "%v: this system does not name open files", err)
	}
	documents := inputDocuments(t)
	for _, c := range []struct{ line, document string }{
		{"check FILE graviton2@6.18", "contract"},
		{"check FILE graviton2@6.18", "capture"},
		{"check graviton2@6.18 FILE", "capture"},
		{"check graviton2@6.18 FILE", "fleet"},
		{"check FILE FILE", "capture"},
		{"baseline FILE", "capture"},
		{"baseline FILE graviton3@6.18", "fleet"},
		{"baseline graviton2@6.18 --policy FILE", "policy"},
		{"pools FILE", "fleet"},
		{"diff FILE graviton3@6.18", "capture"},
		{"explain FILE", "capture"},
		{"explain FILE", "contract"},
		{"explain FILE", "log"},
		{"fleet pack FILE -o -", "fleet"},
		{"fleet unpack FILE", "fleet"},
		{"lint FILE", "capture"},
		{"lint FILE", "contract"},
		{"lint FILE", "fleet"},
		{"forecast FILE --kernel 7.2", "capture"},
		{"forecast graviton2@6.1 --kernel 7.2 --raw FILE", "raw"},
		{"import firecracker FILE", "fingerprint"},
		{"model run FILE", "scenario"},
		{"model nested --history FILE", "history"},
	} {
		content := []byte(documents[c.document])
		if len(content) == 0 {
			t.Fatalf("no %s", c.document)
		}
		file := filepath.Join(t.TempDir(), "document")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		want := answerOn(t, c.line, file, nil, nil)
		if strings.HasPrefix(want, "status 2") || strings.HasPrefix(want, "status 4") {
			t.Errorf("guise %s, %s: %s", c.line, c.document, want)
		}
		if got := answerOn(t, c.line, "-", content, nil); got != want {
			t.Errorf("guise %s, %s on standard input: %s\nwant %s", c.line, c.document, got, want)
		}
		if strings.Count(c.line, "FILE") > 1 {
			continue // a pipe has an end
		}
		if got := answerOn(t, c.line, "/dev/fd/3", nil, content); got != want {
			t.Errorf("guise %s, %s from a pipe: %s\nwant %s", c.line, c.document, got, want)
		}
	}
}

// answerOn runs a line with a name for FILE and returns what does not depend on
// the name: the status, how many lines the answer has, and the files it wrote.
func answerOn(t *testing.T, line, name string, stdin, pipe []byte) string {
	t.Helper()
	command := guiseCommand(t, strings.Fields(strings.ReplaceAll(line, "FILE", name))...)
	command.Dir = t.TempDir()
	command.Stdin = bytes.NewReader(stdin)
	if pipe != nil {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		command.ExtraFiles = []*os.File{r}
		go func() {
			_, _ = io.Copy(w, bytes.NewReader(pipe)) // the answer tells of it
			w.Close()
		}()
	}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, _ := command.Output()
	entries, err := os.ReadDir(command.Dir)
	if err != nil {
		t.Fatal(err)
	}
	answer := fmt.Sprintf("status %d, %d lines, %d files", command.ProcessState.ExitCode(), bytes.Count(out, []byte("\n")), len(entries))
	if command.ProcessState.ExitCode() == statusUsage {
		answer += ": " + stderr.String()
	}
	return answer
}

// inputDocuments are one document of each kind that commands read.
func inputDocuments(t *testing.T) map[string]string {
	t.Helper()
	var captures []*guise.Capture
	for _, name := range []string{"graviton2@6.18", "graviton3@6.18"} {
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		captures = append(captures, capture)
	}
	contract, err := guise.Baseline(captures[:1], nil)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint, err := os.ReadFile("../../interop/testdata/firecracker/fingerprint_ARM_NEOVERSE_N1_6.18host.json")
	if err != nil {
		t.Fatal(err)
	}
	raw := "MIDR_EL1 0x413fd0c1\n"
	machine, err := model.NewMachine("neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	for place, value := range machine.CPUs[0].Registers {
		if name := arm64.Registers[place].Name; name != "MIDR_EL1" && strings.HasPrefix(name, "ID_") {
			raw += fmt.Sprintf("%s %#x\n", name, value)
		}
	}
	return map[string]string{
		"capture":     string(captures[0].Marshal()),
		"fleet":       string(guise.MarshalFleet(captures)),
		"contract":    string(contract.Contract.Marshal()),
		"fingerprint": string(fingerprint),
		"policy":      "hide: [FEAT_AES]\n",
		"log":         "CPU features: SYS_ID_AA64PFR0_EL1[35:32]: safe value 0x1101000010110112, 0x1101000020110112\n",
		"raw":         raw,
		"scenario":    "vm base vcpus=2\nset ID_AA64ISAR0_EL1 limit\n",
		"history":     "enter\nmsgsndp\n",
		"questions":   `{"schema": "guise/questions/v1", "questions": [{"setup": {"vgic": 3}, "writes": ["ID_AA64PFR0_EL1.EL0=0x1"]}]}`,
		"arrival":     `{"schema": "guise/arrival/v1", "arrived": false, "looked": 0}`,
	}
}
