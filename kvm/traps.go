package kvm

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kvm/tracing"
	"github.com/guise-project/guise/probe"
)

// restsOn is what traps that were observed rest on: kvm_exit, with what
// kvm_handle_sys_reg and kvm_hvc_arm64 say of the exit.
const restsOn = "KVM's tracepoints"

// Exception classes (ESR_EL2.EC) that are told apart here.
const (
	classHVC32            = 0x12 // in AArch32
	classHVC              = 0x16
	classInstructionAbort = 0x20 // from a lower exception level
	classDataAbort        = 0x24
)

// match finds the operation of each event and says what came to KVM. An event
// belongs to the operation that the guest's program counter was in, and has to
// agree with it; an error says that the events are not those of this guest, or
// not all.
func match(program *probe.Program, image *probe.Image, trace *probe.Trace, events []tracing.Event) (*probe.Traps, error) {
	trapped := make([]bool, len(program.Ops))
	at := -1 // the operation of the last exit, -1 where it was of none
	for i := range events {
		e := &events[i]
		var err error
		switch e.Kind {
		case tracing.Exit:
			if at = operationOf(image, e); at >= 0 {
				trapped[at] = true
			}
		case tracing.SystemRegister:
			err = agreesAccess(program, at, e)
		case tracing.Hypercall:
			err = agreesCall(program, at, e)
		}
		if err != nil {
			return nil, err
		}
	}
	traps := &probe.Traps{RestsOn: restsOn}
	for i := range program.Ops {
		op := &program.Ops[i]
		switch {
		case trace.Records[i].Outcome == probe.NotRun:
		case trapped[i]:
			traps.Trapped.Add(op.Kind, op.Name)
		case op.Kind == probe.HVC && slices.Contains(answeredByVectors, uint32(op.Args[0])):
		case op.Kind == probe.HVC:
			// Nothing but EL2 answers an HVC.
			return nil, fmt.Errorf("hvc %s was answered, and no tracepoint saw it: what was seen is not all", op.Name)
		case op.Kind == probe.MRC && coprocessorUnseen(op.Coprocessor):
		case !slices.ContainsFunc(op.Accesses(), answeredUnseen):
			traps.NotTrapped.Add(op.Kind, op.Name)
		}
	}
	return traps, nil
}

// answeredByVectors are the functions that KVM's exception vectors answer an HVC
// of by themselves, before anything that the tracepoints see: the workarounds
// SMCCC_ARCH_WORKAROUND_1 to _3 (Linux, arch/arm64/kvm/hyp/hyp-entry.S,
// el1_hvc_guest).
var answeredByVectors = []uint32{0x8000_8000, 0x8000_7fff, 0x8000_3fff}

// operationOf returns the operation that an exit belongs to, -1 where it is
// none's: the host was interrupted, the guest touched memory for the first time
// or stored to the doorbell.
func operationOf(image *probe.Image, e *tracing.Event) int {
	address := e.PC
	switch {
	case !e.Trap, e.Class == classInstructionAbort, e.Class == classDataAbort:
		return -1
	case e.Class == classHVC, e.Class == classHVC32:
		address -= 4 // ELR_EL2 is where the guest goes on
	}
	if i, ok := image.Operation(address); ok {
		return i
	}
	return -1
}

func agreesAccess(program *probe.Program, at int, e *tracing.Event) error {
	access, ok := probe.DecodeSystemAccess(e.Syndrome)
	if !ok {
		return fmt.Errorf("KVM handled a system register with syndrome %#x, which is of none", e.Syndrome)
	}
	if at < 0 {
		return nil // the image itself: its controls
	}
	op := &program.Ops[at]
	for _, own := range op.Accesses() {
		if own.Register == access.Register && own.Read == access.Read {
			return nil
		}
	}
	return fmt.Errorf("KVM handled a %v while the guest was at %s %s", access, op.Kind, op.Name)
}

func agreesCall(program *probe.Program, at int, e *tracing.Event) error {
	if at < 0 {
		return nil
	}
	if op := &program.Ops[at]; op.Kind != probe.HVC || op.Args[0] != e.Function {
		return fmt.Errorf("KVM handled an HVC of function %#x while the guest was at %s %s", e.Function, op.Kind, op.Name)
	}
	return nil
}

// answeredUnseen reports whether KVM's code at EL2 may answer an access without
// leaving for where the tracepoints are: the interrupt controller's CPU
// interface and counters, each on some CPUs (Linux, arch/arm64/kvm/hyp/include/
// hyp/switch.h, kvm_hyp_handle_sysreg). Nothing follows then from its not being
// seen.
func answeredUnseen(access probe.SystemAccess) bool {
	r := access.Register
	if r.Op0 != 3 {
		return false
	}
	interruptPriorities := arm64.Encoding{Op0: 3, CRn: 4, CRm: 6} // ICC_PMR_EL1
	return r.Op1 == 0 && r.CRn == 12 && r.CRm >= 8 || r == interruptPriorities ||
		r.Op1 == 3 && r.CRn == 14 && r.CRm == 0 && r.Op2 != 0 // CNTPCT_EL0, CNTVCT_EL0 and the like
}

// coprocessorUnseen is answeredUnseen for registers of AArch32, of which the
// same code answers.
func coprocessorUnseen(c arm64.Coprocessor) bool {
	return c.Number == 15 && c.Opc1 == 0 && c.CRn == 12 && c.CRm >= 8
}
