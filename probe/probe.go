// Package probe describes what a guest does to look at the machine it was
// given: programs, lists of operations that each know their instruction words,
// and traces, what came of each. The kernel runs the words; the reference model
// evaluates the operations.
package probe

import "github.com/guise-project/guise/isa/arm64"

// Kind is what an operation does.
type Kind uint8

const (
	// MRS reads a system register.
	MRS Kind = iota
	// MSR writes a system register.
	MSR
	// HVC and SMC make an SMCCC call.
	HVC
	SMC
	// Execute runs an instruction sequence.
	Execute
)

// Op is one operation of a program.
type Op struct {
	Kind     Kind
	Register arm64.Encoding // MRS, MSR
	Value    uint64         // MSR
	// Args are x0 to x7 of an SMCCC call (Arm DEN 0028, SMC64/HVC64 and
	// SMC32/HVC32 argument passing).
	Args [8]uint64
	// Words are the instructions of Execute.
	Words []uint32
	// Name says in a word what the operation is about: a FEAT_ name, a
	// function name.
	Name string
}

// Program is a list of operations.
type Program struct {
	Name string
	Ops  []Op
}

// Outcome is what came of an operation.
type Outcome uint8

const (
	// Completed: the instruction ran; Values holds what it gave.
	Completed Outcome = iota
	// Exception: the guest took a synchronous exception at its own EL1.
	Exception
)

// Record is what one operation did.
type Record struct {
	Outcome Outcome
	// Values are x0 to x3 after an SMCCC call; Values[0] what MRS read.
	Values [4]uint64
	// Syndrome is ESR_EL1 of the exception.
	Syndrome uint64
}

// Trace is what a guest saw: one record for each operation of the program.
type Trace struct {
	Records []Record
}
