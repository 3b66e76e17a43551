package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/testenv"
)

// TestRehearse moves VMs between real kernels. The contracts were computed from
// captures of these lab hosts.
func TestRehearse(t *testing.T) {
	for _, row := range []struct {
		contract, from, to string
		status             int
		want               []string // in what is printed
	}{
		{"neoverse-n1.json", "6.1/neoverse-n1", "7.2/neoverse-n1", statusYes, []string{"the VM moved"}},
		{"neoverse-n1.json", "7.2/neoverse-n1", "6.1/neoverse-n1", statusYes, []string{"the VM moved", "VENDOR_HYP_BMAP_2"}},
		{"a64fx.json", "6.12/a64fx", "7.2/a64fx", statusYes, []string{"the VM moved"}},
		{"a64fx.json", "7.2/a64fx", "6.12/a64fx", statusYes, []string{"the VM moved"}},
		{"neoverse-n1-5.10.json", "5.10/neoverse-n1", "6.1/neoverse-n1", statusNo,
			[]string{"ID_AA64DFR0_EL1.DebugVer: want 8, the host gives 6", "foreseen: ID_AA64DFR0_EL1.DebugVer is refused (invalid argument)"}},
		// The host that the VM is to leave does not take the contract.
		{"neoverse-n1.json", "5.10/neoverse-n1", "6.1/neoverse-n1", statusNo, []string{"the host does not take the contract testdata/rehearse/neoverse-n1.json (Linux 5.10", "wanted"}},
	} {
		t.Run(row.from+" to "+row.to, func(t *testing.T) {
			var out bytes.Buffer
			status := run(t.Context(), []string{"rehearse", "testdata/rehearse/" + row.contract, "--from", row.from, "--to", row.to}, nil, &out, &out)
			if status == statusCannot && strings.Contains(out.String(), ": lab: ") {
				testenv.Missing(t, "%s", out.String())
			}
			if status != row.status {
				t.Errorf("status %d, want %d\n%s", status, row.status, out.String())
			}
			for _, want := range row.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
		})
	}
}
