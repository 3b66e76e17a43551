package probe

import (
	"slices"
	"strings"
	"sync"
)

// Sign is how an instruction's result tells of its feature.
type Sign uint8

const (
	// Undefined: UNDEFINED without the feature. Anything else an executed
	// instruction can do (an abort, an MOPS exception) shows that it is there.
	Undefined Sign = iota
	// Completes: runs to its end with the feature. What it does without is
	// given in the row's note; an UNDEF is not told apart from it.
	Completes
	// Raises: takes an exception of the row's class with the feature, and
	// completes without.
	Raises
	// Result: what it leaves is not 0 with the feature, and 0 without.
	Result
	// Stored: writes a register bit that is RES0 without the feature, and
	// leaves what the bit then reads. 0 shows that the feature is not there. 1
	// shows nothing for certain: a RES0 bit may keep what is written to it
	// (Arm ARM, glossary, "RES0").
	Stored
	// OnlyAtEL2: UNDEFINED at EL1 with and without the feature.
	OnlyAtEL2
	// MayComplete: UNDEFINED without the feature, and possibly with it.
	MayComplete
	// Nothing: does nothing that shows without the feature (hints,
	// prefetches). It is run for the sake of CPUs that get that wrong.
	Nothing
)

// Shown is what a record shows of a feature.
type Shown uint8

const (
	// Unclear: the record does not tell.
	Unclear Shown = iota
	// Usable: the guest used the feature.
	Usable
	// NotUsable: the guest could not; who stopped it the record does not tell.
	NotUsable
)

var shownNames = [...]string{"unknown", "usable", "not usable"}

// String gives the word for messages.
func (s Shown) String() string { return shownNames[s] }

// Instruction is a row for one FEAT_ name: an instruction sequence that shows
// whether a guest can use the feature, or the reason there is none.
type Instruction struct {
	Feature string
	// Unobservable is the reason why no instruction at EL1 shows the feature.
	// The rest is empty then.
	Unobservable string
	// Asm is the assembler text of Words, instructions separated by "; ".
	Asm   string
	Words []uint32
	Sign  Sign
	// Class is the exception class (ESR_ELx.EC) of Raises.
	Class uint64
	// Results is how many of x0 to x3 the sequence leaves.
	Results int
	// Varies says that they differ from one run to the next.
	Varies bool
	// Streaming says that the sequence enters streaming mode or turns ZA on,
	// which has to be left whatever happens (SMSTOP).
	Streaming bool
	// GNU says that binutils has to check Words, LLVM does not know Asm.
	GNU  bool
	Note string
}

const wordSMSTOP = 0xd503467f

// Op returns the row's operation, named after its feature. It must not be
// called for an unobservable feature.
func (r *Instruction) Op() Op {
	op := Op{Kind: Execute, Name: r.Feature, Words: r.Words, Results: r.Results, Varies: r.Varies}
	if r.Streaming {
		op.Undo = []uint32{wordSMSTOP}
	}
	return op
}

// Shows tells what a record of the row's operation shows of the feature. el is
// the exception level that the program ran at.
func (r *Instruction) Shows(record *Record, el int) Shown {
	switch record.Outcome {
	case Completed:
		return r.completion(record.Values[0], el)
	case Exception:
		return r.exception(Class(record.Syndrome), el)
	}
	return Unclear
}

// completion tells what it shows that the sequence ran to its end.
func (r *Instruction) completion(result uint64, el int) Shown {
	switch r.Sign {
	case Undefined, Completes, MayComplete:
		return Usable
	case Raises:
		return NotUsable
	case Result:
		return either(result != 0, Usable, NotUsable)
	case Stored:
		return either(result != 0, Unclear, NotUsable)
	case OnlyAtEL2:
		return either(el == 2, Usable, Unclear)
	}
	return Unclear
}

// exception tells what an exception of the class shows. Other trapped classes
// than EC 0 are left open: whoever trapped did so knowing the instruction, and
// passed it on to the guest as its own trap.
func (r *Instruction) exception(class uint64, el int) Shown {
	switch {
	case r.Sign == Nothing, r.Sign == MayComplete, r.Sign == OnlyAtEL2 && el != 2:
		return Unclear
	case r.Sign == Raises && class == r.Class:
		return Usable
	case r.Sign == Raises && r.Class == classSystem:
		// FEAT_IDST: the exception is there in any case, its class tells.
		return NotUsable
	case r.Sign == Raises && (class == classInstruction || class == classInstruction+1):
		return NotUsable // FEAT_FPACCOMBINE: the branch was taken
	case class == classUnknown:
		return NotUsable
	case r.Sign == Completes && isAbort(class):
		return NotUsable
	case r.Sign == Undefined && (isAbort(class) || class == classMemorySet):
		return Usable
	case class == classSystem && strings.Contains(r.Asm, idSpaceRegister):
		// A CPU or kernel with FEAT_IDST answers so for an ID register that is
		// not there.
		return NotUsable
	case class == classSME && r.Streaming:
		return NotUsable // illegal in streaming mode: FEAT_SME_FA64
	}
	return Unclear
}

// idSpaceRegister is the only register of the feature ID space among the rows
// that exists with a feature.
const idSpaceRegister = "CCSIDR2_EL1"

func either(condition bool, yes, no Shown) Shown {
	if condition {
		return yes
	}
	return no
}

func isAbort(class uint64) bool { return class == classData || class == classData+1 }

// instructions are all rows, by feature.
var instructions = sync.OnceValue(func() []Instruction {
	rows := slices.Concat(instructionsData, instructionsSVE, instructionsSystem, instructionsStored)
	for _, group := range unobservable {
		for _, feature := range group.features {
			rows = append(rows, Instruction{Feature: feature, Unobservable: group.reason})
		}
	}
	slices.SortFunc(rows, func(a, b Instruction) int { return strings.Compare(a.Feature, b.Feature) })
	return rows
})

// InstructionRows returns one row for every FEAT_ name, by name. The rows are
// shared and must not be changed.
func InstructionRows() []Instruction { return instructions() }

// InstructionFor returns the row of a FEAT_ name, nil where there is none.
func InstructionFor(feature string) *Instruction {
	rows := instructions()
	i, ok := slices.BinarySearchFunc(rows, feature, func(r Instruction, name string) int {
		return strings.Compare(r.Feature, name)
	})
	if !ok {
		return nil
	}
	return &rows[i]
}

// Instructions executes an instruction for every feature that one shows.
func Instructions() *Program {
	p := &Program{Name: "instructions"}
	rows := instructions()
	for i := range rows {
		if rows[i].Unobservable == "" {
			p.Ops = append(p.Ops, rows[i].Op())
		}
	}
	return p
}
