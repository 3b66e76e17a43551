package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	isapower "github.com/guise-project/guise/isa/power"
)

// TestNestedTakesStructures: hv_guest_state as L1 has it in its memory, in
// either byte order.
func TestNestedTakesStructures(t *testing.T) {
	state := isapower.State{isapower.StateVersion: 2, isapower.StateLPID: 1, isapower.StateHDECExpiry: 1 << 60,
		isapower.StateHFSCR: 0x77ffffffffffffef, isapower.StateCIABR: 0x567b}
	for _, c := range []struct {
		order binary.ByteOrder
		flags []string
		want  string
	}{
		{binary.LittleEndian, nil, "0x04ffffffffffffef"},
		// What L2 did is lost on the way back: docs/findings-power.md.
		{binary.BigEndian, []string{"--big-endian"}, "H_AUTHORITY"},
		{binary.BigEndian, []string{"--big-endian", "--generation", "ideal"}, "0x040000000000258f"},
	} {
		data, err := isapower.AppendState(nil, &state, c.order)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "state.bin")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"model", "nested", "--structure", path, "--event", "clrbhrb", "-v"}, c.flags...)
		var stdout, stderr bytes.Buffer
		if status := run(context.Background(), args, strings.NewReader(""), &stdout, &stderr); status != statusYes {
			t.Fatalf("%v: status %d: %s", args, status, stderr.Bytes())
		}
		for _, want := range []string{c.want, "0x000000000000567b  0x0000000000005678"} {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%v: want %q in\n%s", args, want, stdout.Bytes())
			}
		}
	}
}
