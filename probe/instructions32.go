package probe

import (
	"fmt"

	"github.com/guise-project/guise/isa/arm64"
)

// Instruction32 is a row for one value of a field of AArch32's ID registers: an
// A32 instruction that is UNDEFINED where the field is below it.
type Instruction32 struct {
	// Register and Field tell of the instruction, from the value Least on (Arm ARM,
	// "AArch32 System Register Descriptions").
	Register, Field string
	Least           uint64
	// Asm is the assembler text of Words, instructions separated by "; ".
	Asm   string
	Words []uint32
}

// Name is the register and the field, and the value where it is not the first:
// ID_ISAR5.AES, ID_ISAR5.AES=2.
func (r *Instruction32) Name() string {
	name := r.Register + "." + r.Field
	if r.Least > 1 {
		name += fmt.Sprintf("=%d", r.Least)
	}
	return name
}

// Op returns the row's operation, named after it.
func (r *Instruction32) Op() Op {
	return Op{Kind: Execute, State: AArch32, Name: r.Name(), Words: r.Words}
}

// Place is that of the AArch64 register whose lower half has the field.
func (r *Instruction32) Place() int {
	place, _ := arm64.Place(r.Register + "_EL1")
	return place
}

// Present reports whether a value of the register says that the instruction is
// there.
func (r *Instruction32) Present(value uint64) bool {
	return arm64.Registers[r.Place()].Field(r.Field).Get(value) >= r.Least
}

// Shows tells what a record of the row's operation shows of the instruction.
func (r *Instruction32) Shows(record *Record) Shown {
	switch {
	case record.Outcome == Completed:
		return Usable
	case record.IsUndefined():
		return NotUsable
	}
	return Unclear
}

// instructions32 are all rows.
var instructions32 = []Instruction32{
	{"ID_ISAR0", "Divide", 2, "sdiv r0, r0, r1", []uint32{0xe710f110}},
	{"ID_ISAR5", "AES", 1, "aese.8 q0, q1", []uint32{0xf3b00302}},
	{"ID_ISAR5", "AES", 2, "vmull.p64 q0, d0, d0", []uint32{0xf2a00e00}},
	{"ID_ISAR5", "SHA1", 1, "sha1h.32 q0, q1", []uint32{0xf3b902c2}},
	{"ID_ISAR5", "SHA2", 1, "sha256h.32 q0, q1, q2", []uint32{0xf3020c44}},
	{"ID_ISAR5", "CRC32", 1, "crc32b r0, r0, r1", []uint32{0xe1000041}},
	{"ID_ISAR5", "RDM", 1, "vqrdmlah.s16 d0, d1, d2", []uint32{0xf3110b12}},
	{"ID_ISAR5", "VCMA", 1, "vcadd.f32 d0, d1, d2, #90", []uint32{0xfc910802}},
	{"ID_ISAR6", "JSCVT", 1, "vjcvt.s32.f64 s0, d1", []uint32{0xeeb90bc1}},
	{"ID_ISAR6", "DP", 1, "vudot.u8 d0, d1, d2", []uint32{0xfc210d12}},
	{"ID_ISAR6", "FHM", 1, "vfmal.f16 d0, s1, s2", []uint32{0xfc200891}},
	{"ID_ISAR6", "SB", 1, "sb", []uint32{0xf57ff070}},
	{"ID_ISAR6", "SPECRES", 1, "mcr p15, #0, r0, c7, c3, #4", []uint32{0xee070f93}},
	{"ID_ISAR6", "BF16", 1, "vdot.bf16 d0, d1, d2", []uint32{0xfc010d02}},
	{"ID_ISAR6", "I8MM", 1, "vsmmla.s8 q0, q1, q2", []uint32{0xfc220c44}},
	{"MVFR1", "FPHP", 3, "vadd.f16 s0, s0, s0", []uint32{0xee300900}},
	{"MVFR1", "SIMDHP", 2, "vadd.f16 d0, d0, d0", []uint32{0xf2100d00}},
	{"MVFR1", "SIMDInt", 1, "vadd.i32 q0, q0, q0", []uint32{0xf2200840}},
	{"MVFR1", "SIMDFMAC", 1, "vfma.f32 s0, s0, s0", []uint32{0xeea00a00}},
}

// Instruction32Rows returns the rows. They are shared and must not be changed.
func Instruction32Rows() []Instruction32 { return instructions32 }

// Instruction32For returns the row of a name, nil where there is none.
func Instruction32For(name string) *Instruction32 {
	for i := range instructions32 {
		if instructions32[i].Name() == name {
			return &instructions32[i]
		}
	}
	return nil
}

// Instructions32 executes all of them.
func Instructions32() *Program {
	p := &Program{Name: "aarch32-instructions"}
	for i := range instructions32 {
		p.Ops = append(p.Ops, instructions32[i].Op())
	}
	return p
}
