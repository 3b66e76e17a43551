package power

import (
	"encoding/binary"

	"github.com/guise-project/guise"
	isapower "github.com/guise-project/guise/isa/power"
)

// facilityCase is an L2 that uses a facility and leaves, with the facility's bit
// on or off in what L1 asks for.
func facilityCase(f *isapower.Facility, on bool, level isapower.Level) (Nested, bool) {
	n := NewNested(false)
	n.Level = level
	if !on {
		n.Structure[isapower.StateHFSCR] &^= f.Mask()
	}
	for _, row := range isapower.Instructions {
		if row.Facility == f.Name {
			n.Code = append(append(n.Code, row.Words...), Hypercall)
			return n, true
		}
	}
	return n, false
}

// judge says what became of the use of a facility.
func judge(n *Nested, f *isapower.Facility, out *Outcome) guise.FacilityOutcome {
	after := CodeAddress + 4*uint64(len(n.Code))
	switch {
	case out.Watchdog:
		return guise.FacilityStuck
	case out.R3 == isapower.VectorSystemCall && n.order().Uint64(out.Regs[isapower.RegsNIP:]) == after:
		return guise.FacilityReached
	case out.R3 == isapower.VectorHFacility:
		at := isapower.StateLayout[isapower.StateHFSCR].Offset
		if isapower.Cause(n.order().Uint64(out.Structure[at:])) == f.Bit {
			return guise.FacilityForwarded
		}
	case out.R3 == isapower.VectorHEAI:
		return guise.FacilityIllegal
	}
	return guise.FacilityOther
}

// Programs of L1 itself, beside those of isapower.Ladder.
var (
	// readPVR copies PVR (SPR 287) to r14; writeFSCR and writeDEC have
	// r14 be FSCR (SPR 153) and the decrementer (SPR 22).
	readPVR   = []uint32{isapower.MoveFrom(287, 14)}
	writeFSCR = []uint32{isapower.MoveTo(153, 14)}
	writeDEC  = []uint32{isapower.MoveTo(22, 14)}
)

// programSize is the room of a program in bytes.
const programSize = 0x40

// programs are what L1 runs when it looks for itself: each ends in a system
// call.
func programs() [][]uint32 {
	all := [][]uint32{readPVR, writeFSCR, writeDEC}
	for i := range isapower.Ladder {
		all = append(all, isapower.Ladder[i].Words)
	}
	return all
}

// programAddress is where the program of that place stands.
func programAddress(place int) uint64 { return L1Programs + programSize*uint64(place) }

// fillPrograms writes L1's programs, all before the first runs, and its
// interrupt vectors, which ask us. L1 takes interrupts big-endian: a new VM has
// LPCR[ILE] off.
func (m memory) fillPrograms() {
	for place, words := range programs() {
		at := m[programAddress(place):]
		for i, w := range append(append([]uint32(nil), words...), systemCall) {
			binary.LittleEndian.PutUint32(at[4*i:], w)
		}
	}
	vectors(func(address int) {
		for i, w := range handler {
			binary.BigEndian.PutUint32(m[address+4*i:], w)
		}
	})
}

// handler is what L1 does with an interrupt: it keeps SRR1 (SPR 27) in r16, as
// the hypercall sets that register anew, and asks.
var handler = []uint32{isapower.MoveFrom(27, 16), loadAsked, Hypercall}

// judgeProgram says what became of a program, from where L1 asked and SRR1 as
// its interrupt handler found it.
func judgeProgram(pc, srr1 uint64) guise.InstructionOutcome {
	switch vector := pc - uint64(4*len(handler)); {
	case vector == isapower.VectorSystemCall:
		return guise.InstructionCompleted
	case vector == isapower.VectorProgram && srr1&isapower.SRR1Illegal != 0:
		return guise.InstructionIllegal
	}
	return guise.InstructionOther
}
