package power

import (
	"maps"
	"testing"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	isapower "github.com/guise-project/guise/isa/power"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// TestContractOnKernels captures two kinds of host, computes a contract and
// proves it on both. A level that a capture says is refused is one that the
// processor of the other has and this one has not.
func TestContractOnKernels(t *testing.T) {
	if labtest.Inside() {
		return
	}
	host := func(machine string) lab.Host {
		return lab.Host{Arch: "ppc64le", Kernel: "7.2", Machine: machine, Modules: []string{"kvm_hv"}, Limit: 3 * time.Minute}
	}
	const what = "a contract of a POWER9 and a POWER10"
	if testenv.WantedMatrix(t) == testenv.Everyday {
		testenv.LeftToMatrix(t, what)
		return
	}
	if testenv.Late(t, what) {
		return
	}
	machines := []string{"powernv9", "powernv10"}
	var captures []*guise.Capture
	for _, machine := range machines {
		result := labtest.Run(t, host(machine), lab.Job{Args: []string{"capture"}})
		if result.Status != 0 {
			t.Fatalf("%s: capture ended with status %d: %s", machine, result.Status, result.Stderr)
		}
		capture, err := guise.ReadCapture(machine, result.Stdout)
		if err != nil {
			t.Fatal(err)
		}
		captures = append(captures, capture)
	}
	nine, ten := captures[0].Power, captures[1].Power
	if nine.Level() != isapower.Level30 || ten.Level() != isapower.Level31 {
		t.Errorf("the processors are of level %v and %v", nine.Level(), ten.Level())
	}
	if nine.Levels[isapower.Level31] || !nine.Levels[isapower.Level30] || !ten.Levels[isapower.Level31] || !ten.Levels[isapower.Level30] {
		t.Errorf("levels taken: %v and %v", nine.Levels, ten.Levels)
	}
	for i, capture := range captures {
		// What QEMU 10.0 enforces of HFSCR tells; the rest must stay open.
		for name, want := range map[string]guise.Verdict{"BHRB": guise.Yes, "MSGP": guise.No, "FP": guise.Unknown} {
			if got := capture.Power.Facilities[name].Permitted(); got != want {
				t.Errorf("%s: HFSCR.%s: permitted %v, want %v", machines[i], name, got, want)
			}
		}
	}
	answer, err := guise.Baseline(captures, nil)
	if err != nil || answer.Verdict != guise.Yes {
		t.Fatalf("baseline: %v, %+v", err, answer)
	}
	if level := answer.Contract.Power.Level; level != isapower.Level30 {
		t.Errorf("the contract is of level %v", level)
	}
	document := answer.Contract.Marshal()
	for i, machine := range machines {
		result := labtest.Run(t, host(machine), lab.Job{
			Args:    []string{"prove", "contract.json", "-o", "proof.json"},
			Files:   []lab.File{{Path: "contract.json", Content: document}},
			Outputs: []string{"proof.json"},
		})
		if result.Status != 0 || len(result.Files) != 1 {
			t.Errorf("%s: prove ended with status %d: %s%s", machine, result.Status, result.Stdout, result.Stderr)
			continue
		}
		proof, err := guise.ReadProof(machine, result.Files[0].Content)
		if err != nil {
			t.Fatal(err)
		}
		if proof.Contract != answer.Contract.Digest() || proof.Power.Level != isapower.Level30 || proof.Power.PVR != captures[i].Power.PVR {
			t.Errorf("%s: the proof is of %s, level %v, PVR %#x", machine, proof.Contract, proof.Power.Level, proof.Power.PVR)
		}
		if !maps.Equal(proof.Power.Facilities, captures[i].Power.Facilities) {
			t.Errorf("%s: at level 3.0 nested guests met %v, before %v", machine, proof.Power.Facilities, captures[i].Power.Facilities)
		}
		for j := range isapower.Ladder {
			row := &isapower.Ladder[j]
			outcome := proof.Power.Instructions[row.Mnemonic]
			// QEMU does not act on PCR: a POWER10 runs what the level hides.
			want := guise.InstructionCompleted
			if row.Level > captures[i].Power.Level() {
				want = guise.InstructionIllegal
			}
			if outcome != want {
				t.Errorf("%s: %s: %s, want %s", machine, row.Mnemonic, outcome, want)
			}
		}
	}
}
