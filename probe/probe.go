// Package probe describes what a guest does to look at the machine it was
// given: programs, lists of operations that each know their instruction words,
// and traces, what came of each. The kernel runs the words, packed into an
// Image; the reference model evaluates the operations.
//
// A trace shows what a guest saw, not why. That an instruction was undefined
// does not show who made it so: the CPU may lack it, KVM may have trapped it, a
// CPU with FEAT_IDST answers some encodings without KVM ever seeing them, and a
// guest can trap itself, which is why an image first lifts the controls that
// belong to the guest (startup.go). Traps says who answered, where that can be
// known.
package probe

import (
	"fmt"

	"github.com/guise-project/guise/isa/arm64"
)

// State is an execution state.
type State uint8

const (
	AArch64 State = iota
	// AArch32, with the instruction set A32: VMs with KVM_ARM_VCPU_EL1_32BIT.
	AArch32
)

var stateNames = [...]string{"AArch64", "AArch32"}

// String gives Arm's name.
func (s State) String() string { return stateNames[s] }

// Kind is what an operation does.
type Kind uint8

const (
	// MRS reads a system register.
	MRS Kind = iota
	// MSR writes a system register and synchronises (ISB).
	MSR
	// HVC and SMC make an SMCCC call with immediate 0.
	HVC
	SMC
	// Execute runs an instruction sequence.
	Execute
	// MRC reads an AArch32 System register, and MCR writes one and synchronises.
	MRC
	MCR
)

var kindNames = [...]string{"mrs", "msr", "hvc", "smc", "execute", "mrc", "mcr"}

// Kinds returns all kinds of operation.
func Kinds() []Kind { return []Kind{MRS, MSR, HVC, SMC, Execute, MRC, MCR} }

// String gives the word used in documents.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Op is one operation of a program.
//
// Before an Execute, x0 to x7 hold Args, x9 points to 4 KiB of scratch memory
// (Normal, write-back, 4 KiB aligned), x10 to the same memory through an alias
// whose pages are guarded (FEAT_BTI's GP bit), and x11 holds the distance from
// an address to its guarded alias. x12 to x17 and the SIMD and floating-point
// registers are free; x18 to x30 and the stack pointer must not be changed.
//
// In AArch32, r0 to r7 hold the lower halves of Args and r9 points to the scratch
// memory; r8, r14 and the SIMD and floating-point registers are free; r10 to r13
// must not be changed.
//
// After every operation the image goes on at PSTATE values of its own only
// where an exception was taken: a sequence that changes PSTATE restores it.
type Op struct {
	Kind Kind
	// Name says what the operation is about: a register's name, a function
	// name, a FEAT_ name. Kind and Name together are unique in a program.
	Name     string
	Register arm64.Encoding // MRS, MSR
	Value    uint64         // MSR, MCR
	// Coprocessor is the register of MRC and MCR.
	Coprocessor arm64.Coprocessor
	// Args are x0 to x7 of an SMCCC call (Arm DEN 0028, SMC64/HVC64 and
	// SMC32/HVC32 argument passing) and of an Execute.
	Args [8]uint64
	// Words are the instructions of Execute, and of Undo, A32 where State says
	// so.
	Words []uint32
	State State
	// Undo are instructions that run after an Execute whether or not it took
	// an exception; an exception they take is ignored.
	Undo []uint32
	// Results is how many of x0 to x3 an Execute leaves for the trace, 0 to 4.
	// MRS and MRC always leave 1, MSR and MCR 0, HVC and SMC 4.
	Results int
	// Varies says that the values differ from one run to the next (random
	// numbers, clocks), so that only the outcome can be compared.
	Varies bool
}

// results returns how many values the operation leaves in a record.
func (o *Op) results() int {
	switch o.Kind {
	case MRS, MRC:
		return 1
	case HVC, SMC:
		return MaxValues
	case Execute:
		return o.Results
	}
	return 0
}

// Program is a list of operations. It is plain data and safe to share once
// made.
type Program struct {
	Name string
	Ops  []Op
	// Tagged: the memory can be reached with allocation tags at TaggedAlias. It
	// is only for VMs with MTE.
	Tagged bool
}

// Join makes one program of several, in order. Check tells whether two of them
// have an operation of the same kind and name.
func Join(name string, programs ...*Program) *Program {
	joined := &Program{Name: name}
	for _, p := range programs {
		joined.Ops = append(joined.Ops, p.Ops...)
	}
	return joined
}

// key identifies an operation within a program.
type key struct {
	kind Kind
	name string
}

// Check reports the first operation that cannot be run or told from another.
func (p *Program) Check() error {
	seen := map[key]int{}
	for i := range p.Ops {
		op := &p.Ops[i]
		bad := func(format string, args ...any) error {
			return fmt.Errorf("program %s: operation %d (%s %s): %s", p.Name, i, op.Kind, op.Name, fmt.Sprintf(format, args...))
		}
		if op.Name == "" {
			return bad("has no name")
		}
		k := key{op.Kind, op.Name}
		if first, ok := seen[k]; ok {
			return bad("has the name of operation %d", first)
		}
		seen[k] = i
		switch op.Kind {
		case MRS, MSR:
			if op.Register.Op0 < 2 || op.Register.Op0 > 3 {
				return bad("op0 is %d; MRS and MSR reach op0 2 and 3", op.Register.Op0)
			}
		case Execute:
			if len(op.Words) == 0 {
				return bad("has no instructions")
			}
			if op.Results < 0 || op.Results > MaxValues {
				return bad("leaves %d results; a record holds 0 to %d", op.Results, MaxValues)
			}
		case MRC, MCR:
			if n := op.Coprocessor.Number; n != 10 && n != 14 && n != 15 {
				return bad("coprocessor is %d; AArch32 System registers are those of 10, 14 and 15", n)
			}
		case HVC, SMC:
		default:
			return bad("is of no known kind")
		}
	}
	return nil
}

// state is the execution state that an operation can only run in; any is true
// for one that both have.
func (o *Op) state() (state State, any bool) {
	switch o.Kind {
	case MRC, MCR:
		return AArch32, false
	case Execute:
		return o.State, false
	case HVC, SMC:
		return AArch64, true
	}
	return AArch64, false
}

// RunsIn reports the first operation that cannot run in the execution state:
// one of the other's, or one whose values AArch32's registers of 32 bits do not
// hold.
func (p *Program) RunsIn(state State) error {
	for i := range p.Ops {
		op := &p.Ops[i]
		if own, any := op.state(); !any && own != state {
			return fmt.Errorf("program %s: operation %d (%s %s) is of %v, and the guest runs in %v", p.Name, i, op.Kind, op.Name, own, state)
		}
		if state == AArch32 && !op.narrow() {
			return fmt.Errorf("program %s: operation %d (%s %s) has a value of more than 32 bits, and the guest runs in %v", p.Name, i, op.Kind, op.Name, state)
		}
	}
	return nil
}

// narrow reports whether 32 bits hold every value of the operation.
func (o *Op) narrow() bool {
	all := o.Value
	for _, argument := range o.Args {
		all |= argument
	}
	return all>>32 == 0
}
