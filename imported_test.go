package guise_test

import (
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// TestWhatFirecrackerLeftIsNoGroundForANo: its CLIDR_EL1 on kernels that take one, and what
// its helper's list lacks of a guest's state.
func TestWhatFirecrackerLeftIsNoGroundForANo(t *testing.T) {
	imported := load(t, "graviton4@6.18")
	captured := load(t, "graviton4@6.18")
	captured.Name = "captured"
	captured.Setups[0].Registers = guise.Read

	// CLIDR_EL1 of a VM that uses all that the host offers, where another takes its own
	// alone. A contract that was written down says what it says.
	old := load(t, "qemu10-neoverse-v1@6.1")
	contract := *baseline(t, nil, imported).Contract
	for _, row := range []struct {
		contract *guise.Contract
		want     guise.Verdict
	}{{&contract, guise.Unknown}, {reread(t, &contract), guise.No}, {baseline(t, nil, captured).Contract, guise.No}, {baseline(t, nil, imported, captured).Contract, guise.No}} {
		verdict := guise.Check(row.contract, old, guise.VMMNone)
		i := slices.IndexFunc(verdict.Findings, func(f guise.Finding) bool { return f.Register == "CLIDR_EL1" })
		if i < 0 || verdict.Findings[i].Verdict != row.want {
			t.Errorf("CLIDR_EL1 of %v on %s: %+v, want %v", row.contract.MadeFrom, old.Name, verdict.Findings, row.want)
		}
	}

	// A state that holds TCR2_EL1, and a list without it.
	tcr2 := arm64.Encoding{Op0: 3, Op1: 0, CRn: 2, CRm: 0, Op2: 3}.ID()
	contract = *baseline(t, nil, imported).Contract
	contract.Listed = append(slices.Clone(contract.Listed), tcr2)
	slices.Sort(contract.Listed)
	for host, want := range map[*guise.Capture]guise.Verdict{imported: guise.Unknown, captured: guise.No} {
		verdict := guise.Check(&contract, host, guise.VMMQEMU)
		if verdict.Verdict != want || len(verdict.Findings) != 1 || verdict.Findings[0].Register != "TCR2_EL1" {
			t.Errorf("TCR2_EL1 on %s: %v, want %v: %+v", host.Name, verdict.Verdict, want, verdict.Findings)
		}
	}
	source := load(t, "qemu10-neoverse-v1@6.12")
	for host, want := range map[*guise.Capture]guise.Outcome{imported: guise.MoveUnknown, captured: guise.MoveRefused} {
		move, err := guise.MoveOne(nil, source, host, "base/vgic3", guise.VMMQEMU)
		i := slices.IndexFunc(move.Points, func(p guise.MovePoint) bool { return p.Register == "TCR2_EL1" })
		if err != nil || i < 0 || move.Points[i].Outcome != want {
			t.Errorf("TCR2_EL1 to %s: want %v: %v %+v", host.Name, want, err, move.Points)
		}
	}

	// What QEMU would carry from there is not told: neither the list nor CLIDR_EL1.
	for name, want := range map[string]int{"register list": 1, "CLIDR_EL1": 1} {
		for host, n := range map[*guise.Capture]int{imported: want, captured: 0} {
			move, err := guise.MoveOne(nil, host, captured, "", guise.VMMQEMU)
			got := 0
			for _, p := range move.Points {
				if p.Register == name && p.Source {
					got++
				}
			}
			if err != nil || got != n {
				t.Errorf("%s carried from %s: %d points, want %d: %v %+v", name, host.Name, got, n, err, move.Points)
			}
		}
	}
}

// reread is a contract as it comes out of its document.
func reread(t *testing.T, c *guise.Contract) *guise.Contract {
	t.Helper()
	read, err := guise.ReadContract("c.json", c.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return read
}
