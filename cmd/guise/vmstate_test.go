package main

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise/vm"
)

func TestPrintRefused(t *testing.T) {
	var stdout, stderr bytes.Buffer
	s := &session{ctx: context.Background(), stdout: &output{Writer: &stdout}, stderr: &stderr}
	printRefused(s, &vm.ApplyError{Host: "Linux 6.1", Contract: "c.json", Refusals: []vm.Refusal{
		{Register: "ID_AA64ISAR0_EL1", Field: "AES", Wanted: 1, There: 2, Errno: syscall.EINVAL, Hint: "upgrade"},
		{Register: "MIDR_EL1", Wanted: 0x410fd0c1, There: 0x411fd401, Errno: syscall.EINVAL, Hint: "upgrade"},
		{Register: "CTR_EL0", Field: "IDC", Wanted: 1},
	}})
	const want = `Linux 6.1 does not take the contract c.json

                            wanted       there
  ID_AA64ISAR0_EL1.AES           1           2  invalid argument
  MIDR_EL1              0x410fd0c1  0x411fd401  invalid argument
  CTR_EL0.IDC                    1           0  was accepted and stored otherwise
`
	if stdout.String() != want || stderr.String() != "hint: upgrade\n" {
		t.Errorf("got\n%s%s", stdout.String(), stderr.String())
	}
}

// TestHintIsACommand: what a machine without arm64 is told to run is a command
// line that is understood.
func TestHintIsACommand(t *testing.T) {
	var stderr bytes.Buffer
	status := run(context.Background(), []string{"capture", "--device", "absent"}, nil, &stderr, &stderr)
	_, hint, found := strings.Cut(stderr.String(), "guise lab run ")
	line, _, named := strings.Cut("lab run "+hint, " COMMAND ")
	if status != statusCannot || !found || !named {
		t.Fatalf("status %d: %s; want a hint with a command", status, stderr.String())
	}
	args := append(strings.Fields(line), "version")
	if _, err := newParser(grammarFor(args), nil, nil).Parse(args); err != nil {
		t.Errorf("guise %s: %v", strings.Join(args, " "), err)
	}
}
