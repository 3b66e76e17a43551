package main

import (
	"bytes"
	"cmp"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/testenv"
)

// TestRehearse moves VMs between real kernels, as guise does it and in QEMU's order. The
// contracts were computed from captures of these lab hosts.
func TestRehearse(t *testing.T) {
	rows := []struct {
		contract, from, to string
		status             int
		want               []string // in what is printed
		vmm                string   // "" for guise
	}{
		{"neoverse-n1.json", "6.1/neoverse-n1", "7.2/neoverse-n1", statusYes, []string{"the VM moved"}, ""},
		{"neoverse-n1.json", "7.2/neoverse-n1", "6.1/neoverse-n1", statusYes, []string{"the VM moved", "VENDOR_HYP_BMAP_2"}, ""},
		{"a64fx.json", "6.12/a64fx", "7.2/a64fx", statusYes, []string{"the VM moved"}, ""},
		{"a64fx.json", "7.2/a64fx", "6.12/a64fx", statusYes, []string{"the VM moved"}, ""},
		{"neoverse-n1-5.10.json", "5.10/neoverse-n1", "6.1/neoverse-n1", statusNo,
			[]string{"ID_AA64DFR0_EL1.DebugVer: want 8, the host gives 6", "foreseen: ID_AA64DFR0_EL1.DebugVer is refused (invalid argument)"}, ""},
		// The host that the VM is to leave does not take the contract.
		{"neoverse-n1.json", "5.10/neoverse-n1", "6.1/neoverse-n1", statusNo, []string{"the host does not take the contract testdata/rehearse/neoverse-n1.json (Linux 5.10", "wanted"}, ""},
		// QEMU's tolerances are 11.1's, and PSCI's version is the one thing that it names on
		// the way back of a VM that was given what 7.2 shows.
		{"qemu10-neoverse-n1@6.12", "6.12/neoverse-n1", "7.2/neoverse-n1", statusYes, []string{"the VM moved"}, "qemu@11.1"},
		{"qemu10-neoverse-n1@6.12", "6.12/neoverse-n1", "7.2/neoverse-n1", statusNo, []string{"TCR2_EL1 = ", "not listed here", "foreseen: PIR_EL1 is refused (not by the kernel)"}, "qemu@10.0"},
		{"qemu10-neoverse-n1@7.2", "7.2/neoverse-n1", "6.12/neoverse-n1", statusNo, []string{"foreseen: PSCI_VERSION.Version is refused (invalid argument)"}, "qemu@11.1"},
		{"qemu10-neoverse-n1@6.12,qemu10-neoverse-n1@7.2", "7.2/neoverse-n1", "6.12/neoverse-n1", statusYes, []string{"the VM moved"}, "qemu@11.1"},
	}
	everyday := rows[len(rows)-2:]
	switch matrix := testenv.WantedMatrix(t); {
	case matrix == testenv.Remaining:
		rows = rows[:len(rows)-len(everyday)]
	case matrix != testenv.Whole:
		testenv.LeftToMatrix(t, "%d of %d moves", len(rows)-len(everyday), len(rows))
		rows = everyday
	}
	for _, row := range rows {
		if testenv.Late(t, "%s to %s: not begun", row.from, row.to) {
			continue
		}
		t.Run(row.from+" to "+row.to+" "+row.vmm, func(t *testing.T) {
			contract := "testdata/rehearse/" + row.contract
			if hosts := strings.Split(row.contract, ","); strings.Contains(row.contract, "@") {
				contract = filepath.Join(t.TempDir(), "c.json")
				var out bytes.Buffer
				if status := run(t.Context(), append([]string{"baseline", "-o", contract}, hosts...), nil, &out, &out); status != statusYes {
					t.Fatal(out.String())
				}
			}
			var out bytes.Buffer
			status := run(t.Context(), []string{"rehearse", contract, "--from", row.from, "--to", row.to, "--for", cmp.Or(row.vmm, "guise")}, nil, &out, &out)
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
