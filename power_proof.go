package guise

import (
	"fmt"
	"slices"

	isapower "github.com/guise-project/guise/isa/power"
)

// InstructionOutcome is what came of an instruction in a guest's problem state.
type InstructionOutcome string

const (
	InstructionCompleted InstructionOutcome = "completed"
	InstructionIllegal   InstructionOutcome = "illegal" // program interrupt or 0xe40
	InstructionOther     InstructionOutcome = "other"   // anything else
)

// InstructionOutcomes lists every outcome.
var InstructionOutcomes = []InstructionOutcome{InstructionCompleted, InstructionIllegal, InstructionOther}

// PowerTrace is what a guest of a POWER host saw.
type PowerTrace struct {
	// Level is what KVM_REG_PPC_ARCH_COMPAT reads back, 0 where KVM refused the
	// contract's level and no guest looked.
	Level isapower.Level
	// PVR is the processor version register as the guest read it.
	PVR uint32
	// Instructions has the outcome of each instruction of isapower.Ladder, by
	// its mnemonic.
	Instructions map[string]InstructionOutcome
	// Facilities is what the guest's own guest met.
	Facilities map[string]FacilitySight
}

// JudgePower says what of a contract a VM on a host was and was not given.
// Capture is the host as it is now, with what nested guests met in that VM.
func JudgePower(contract *Contract, capture *Capture, trace *PowerTrace) []Finding {
	if refused := unjudged(contract, capture); refused != nil {
		return refused.Findings
	}
	switch {
	case contract.Power == nil && capture.Power == nil:
		return []Finding{{Verdict: Unknown, Kind: KindFixed, Register: objectArchitecture, Wanted: ArchPower, Hosts: []HostValue{{Host: capture.Name, Value: capture.Arch()}}}}
	case contract.Power == nil || capture.Power == nil:
		return checkPower(contract, capture).Findings
	}
	if trace == nil {
		trace = &PowerTrace{}
	}
	findings := checkPower(contract, capture).Findings
	add := func(verdict Verdict, kind Kind, register, wanted, there, means string) {
		findings = append(findings, Finding{
			Verdict: verdict, Kind: kind, Register: register, Wanted: wanted, Means: means,
			Hosts: []HostValue{{Host: capture.Name, Value: there}}, Rests: "a guest looked",
		})
	}
	level := contract.Power.Level
	switch trace.Level {
	case level:
	case 0:
		return findings
	default:
		add(No, KindUserspace, "KVM_REG_PPC_ARCH_COMPAT", level.String(), trace.Level.String(), "KVM took the level and holds another")
	}
	if trace.PVR != capture.Power.PVR {
		add(No, KindShown, "PVR", fmt.Sprintf("%#08x", capture.Power.PVR), fmt.Sprintf("%#08x", trace.PVR), "the processor")
	}
	for i := range isapower.Ladder {
		row := &isapower.Ladder[i]
		outcome, seen := trace.Instructions[row.Mnemonic]
		switch has := row.Level <= level; {
		case !seen:
			add(Unknown, KindInstruction, row.Mnemonic, "", "not executed", "")
		case has && outcome != InstructionCompleted:
			add(No, KindInstruction, row.Mnemonic, string(InstructionCompleted), string(outcome), "the level has it, and it does not work")
		case !has && outcome == InstructionCompleted:
			add(Yes, KindInstruction, row.Mnemonic, "hidden", "runs", "the guest is told a level without it, and is not stopped from using it")
		case !has:
			add(Yes, KindStopped, row.Mnemonic, "hidden", string(outcome), "newer than the level")
		}
	}
	return findings
}

// members writes what a guest saw.
func (t *PowerTrace) members() members {
	m := members{}
	if t.Level != 0 {
		m["level"] = t.Level.String()
		m["pvr"] = hexText(uint64(t.PVR), 32)
	}
	if len(t.Instructions) > 0 {
		instructions := members{}
		for name, outcome := range t.Instructions {
			instructions[name] = string(outcome)
		}
		m["instructions"] = instructions
	}
	if len(t.Facilities) > 0 {
		m["facilities"] = facilityMembers(t.Facilities)
	}
	return m
}

// powerTrace reads what a guest saw.
func (r *documentReader) powerTrace() *PowerTrace {
	t := &PowerTrace{}
	seen, at := map[string]bool{}, r.start
	r.object("power", func(key []byte) {
		what := string(key)
		seen[what] = true
		switch what {
		case "level":
			if name := r.text(what); r.err == nil {
				t.Level = r.powerLevel(name)
			}
		case "pvr":
			t.PVR = uint32(r.hexadecimal(what, 32))
		case "instructions":
			t.Instructions = map[string]InstructionOutcome{}
			r.object(what, func(name []byte) { r.instructionOutcome(t, name) })
		case "facilities":
			t.Facilities = r.facilitySights()
		default:
			r.unknownKey(key, "power")
		}
	})
	if seen["level"] != seen["pvr"] {
		r.failAt(at, "power: want both of level and pvr, or neither")
	}
	return t
}

func (r *documentReader) instructionOutcome(t *PowerTrace, name []byte) {
	mnemonic := string(name)
	if !slices.ContainsFunc(isapower.Ladder, func(row isapower.LevelInstruction) bool { return row.Mnemonic == mnemonic }) {
		r.unknownKey(name, "instructions")
		return
	}
	outcome := InstructionOutcome(r.text(mnemonic))
	if r.err == nil && !slices.Contains(InstructionOutcomes, outcome) {
		r.fail("%s: want one of %v, there is %q", mnemonic, InstructionOutcomes, outcome)
	}
	t.Instructions[mnemonic] = outcome
}
