package power

import (
	isapower "github.com/guise-project/guise/isa/power"
	kvmpower "github.com/guise-project/guise/kvm/power"
	model "github.com/guise-project/guise/model/power"
)

// Instruction words of L2 beside those of isapower.Instructions.
const (
	spinWord  uint32 = 0x48000000 // b .
	lisR6     uint32 = 0x3cc00040 // lis r6,0x40
	loadR6    uint32 = 0xe8a60000 // ld r5,0(r6)
	branchAbs uint32 = 0x48400002 // ba 0x400000
	// beyond is what lisR6 and branchAbs make: above L2's memory.
	beyond = 0x400000
)

// A system call interrupt puts MSR into SRR1 with these bits cleared; since ISA
// 3.1, LEV, which is 1 for a hypercall, is in bits 42:43 (book III, 7.5.14). KVM
// gives L1 that as L2's msr.
const (
	syscallCleared uint64 = 0x783f0000
	syscallLevel1  uint64 = 1 << 20
)

// program is what L2 executes, with what the model is told of it.
type program struct {
	c     *Case
	level isapower.Level // of the CPU
}

func (p program) next() uint64 { return kvmpower.CodeAddress + 4*uint64(len(p.c.Code)) }

func (p program) emit(words ...uint32) { p.c.Code = append(p.c.Code, words...) }

func (p program) event(e model.Event) { p.c.Events = append(p.c.Events, e) }

// use executes an instruction of a facility.
func (p program) use(mnemonic string) {
	i, ok := isapower.InstructionNamed(mnemonic)
	if !ok {
		panic("lab/power: no instruction " + mnemonic)
	}
	f, _ := isapower.FacilityNamed(i.Facility)
	p.c.NIP = p.next()
	p.emit(i.Words...)
	p.event(model.Event{Kind: model.Use, Cause: f.Bit, Value: i.Image()})
}

// write copies general-purpose register 14+n into a register of L2's own.
func (p program) write(field isapower.StateField, n int) {
	sprs := map[isapower.StateField]uint32{
		isapower.StateSRR0: 26, isapower.StateSRR1: 27,
		isapower.StateSPRG0: 272, isapower.StateSPRG1: 273, isapower.StateSPRG2: 274, isapower.StateSPRG3: 275,
	}
	spr := sprs[field]
	p.emit(isapower.MoveTo(spr, uint32(14+n)))
	p.event(model.Event{Kind: model.Write, Field: field, Value: kvmpower.GPR(14 + n)})
}

// leave makes a hypercall. A system call interrupt sets SRR0 and SRR1, also
// where it goes to the hypervisor.
func (p program) leave() {
	p.emit(kvmpower.Hypercall)
	p.c.AfterCall = p.next()
	msr := (p.c.MSR | isapower.MSRME) &^ isapower.MSRHV
	msr &^= syscallCleared
	if p.level >= isapower.Level31 {
		msr |= syscallLevel1
	}
	p.event(model.Event{Kind: model.Write, Field: isapower.StateSRR0, Value: p.c.AfterCall})
	p.event(model.Event{Kind: model.Write, Field: isapower.StateSRR1, Value: msr})
	p.event(model.Event{Kind: model.Write, Field: isapower.StateFields, Value: msr})
	p.event(model.Event{Kind: model.Exit, Value: isapower.VectorSystemCall})
}

// spin never leaves: the watchdog's signal ends it.
func (p program) spin() {
	p.c.Spin = true
	p.c.NIP = p.next()
	p.emit(spinWord)
	p.event(model.Event{Kind: model.Signal})
}
