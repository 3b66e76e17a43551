package kvm

import (
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
)

func TestHints(t *testing.T) {
	midr := arm64.Encoding{Op0: 3}.ID()
	for _, row := range []struct {
		op    string
		id    arm64.ID
		errno syscall.Errno
		want  string // part of the hint
	}{
		{"set", midr, syscall.EINVAL, "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"},
		{"set", midr, syscall.EBUSY, "before the first run"},
		{"set", arm64.FirmwareID(0), syscall.EINVAL, "6.13"},
		{"set", arm64.FirmwareID(3), syscall.EINVAL, "mitigation"},
		{"set", arm64.FirmwareFeatureID(3), syscall.EINVAL, "does not know"},
		{"get", arm64.FirmwareFeatureID(3), syscall.ENOENT, "guise capture"},
		{"set", arm64.IDSVEVectorLengths, syscall.EPERM, "new VM"},
		{"get", kvmabi.SVEZ(0), syscall.EPERM, "FINALIZE"},
		{"set", kvmabi.CoreV(3), syscall.EINVAL, "Z0 to Z31"},
		{"set", arm64.Encoding{Op0: 3, CRm: 4}.ID(), syscall.EINVAL, "guise capture"},
		{"get", midr, syscall.ENOEXEC, "KVM_ARM_VCPU_INIT"},
	} {
		got := hintFor(row.op, registerName(row.id), row.errno)
		if !strings.Contains(got, row.want) {
			t.Errorf("%s %s, %v: hint %q, want one with %q", row.op, registerName(row.id), row.errno, got, row.want)
		}
	}
	if got := hintFor("get", "MIDR_EL1", syscall.EIO); got != "" {
		t.Errorf("an errno that KVM does not give has the hint %q", got)
	}
}

// TestHintRowsAreReached fails where an earlier row hides a later one.
func TestHintRowsAreReached(t *testing.T) {
	for i, row := range hints {
		op := row.op
		if op == "" {
			op = "get"
		}
		name := row.name
		if name == "" {
			name = "ID_AA64PFR0_EL1"
		}
		if got := hintFor(op, name, row.errno); got != row.hint {
			t.Errorf("row %d (%s %s %v) is hidden: %q answers", i, row.op, row.name, row.errno, got)
		}
	}
}
