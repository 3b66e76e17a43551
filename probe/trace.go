package probe

import "fmt"

// MaxValues is how many values a record holds.
const MaxValues = 4

// Outcome is what came of an operation.
type Outcome uint8

const (
	// NotRun: the guest never came to the operation's end.
	NotRun Outcome = iota
	// Completed: the instruction ran; Values holds what it gave.
	Completed
	// Exception: the guest took a synchronous exception at its own exception
	// level; Syndrome says which.
	Exception
	// Interrupted: the guest took an IRQ, FIQ or SError although it masks
	// them. Nothing an operation does should lead to it.
	Interrupted
)

var outcomeNames = [...]string{"not-run", "completed", "exception", "interrupted"}

// String gives the word used in documents.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Record is what one operation did. A record says what its operation was, so
// that a trace can be read without its program.
type Record struct {
	Kind    Kind
	Name    string
	Outcome Outcome
	// Values are what a completed operation gave: x0 to x3 after an SMCCC
	// call, what MRS read, what an Execute left; Count says how many.
	Values [MaxValues]uint64
	Count  int
	// Syndrome is ESR_ELx of an exception, as the guest read it. AArch32 has no
	// such register at EL1: there it is what the vector stands for (EC 0 for an
	// Undefined Instruction exception), with IL, and for an abort the fault
	// status and direction from DFSR or IFSR.
	Syndrome uint64
	// Instruction is the position in the operation's words of the instruction
	// that took the exception: 0 for all kinds but Execute, and -1 where the
	// return address lay elsewhere.
	Instruction int
	// FaultAddress is FAR_ELx of an exception, in AArch32 DFAR or IFAR. It is only meaningful for
	// aborts (and PC alignment and watchpoint exceptions), and 0 otherwise.
	FaultAddress uint64
}

// Trace is what a guest saw: one record for each operation of a program.
type Trace struct {
	// Program is the program's name.
	Program string
	// EL is the exception level the guest ran at: 1, or 2 in a VM with EL2
	// (there with HCR_EL2.E2H and TGE set, so that the _EL1 names of controls
	// stand for those of EL2).
	EL      int
	Records []Record
}

// NewTrace returns a trace of the program at EL1 in which nothing has run.
func NewTrace(program *Program) *Trace {
	t := &Trace{Program: program.Name, EL: 1, Records: make([]Record, len(program.Ops))}
	for i := range program.Ops {
		t.Records[i].Kind, t.Records[i].Name = program.Ops[i].Kind, program.Ops[i].Name
	}
	return t
}

// Find returns the record of the operation, nil where the trace has none.
func (t *Trace) Find(kind Kind, name string) *Record {
	for i := range t.Records {
		if t.Records[i].Kind == kind && t.Records[i].Name == name {
			return &t.Records[i]
		}
	}
	return nil
}
