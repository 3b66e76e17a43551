package power

// LevelInstruction is an instruction that came with a level of the architecture
// and that a program may execute: what a guest that is held below the level
// should find illegal. PCR acts in problem state only.
type LevelInstruction struct {
	Mnemonic string
	Level    Level
	Words    []uint32 // r3 is the target, r4 and r5 are read
}

// Ladder has at least one instruction for every level that PCR tells apart.
var Ladder = []LevelInstruction{
	{"popcntd", Level206, []uint32{regs(4, 3, 0, 506)}},
	{"bpermd", Level206, []uint32{regs(4, 3, 5, 252)}},
	{"mtvsrd", Level207, []uint32{regs(3, 4, 0, 179)}},
	{"mfvsrd", Level207, []uint32{regs(3, 4, 0, 51)}},
	{"cnttzd", Level30, []uint32{regs(4, 3, 0, 570)}},
	{"modud", Level30, []uint32{regs(3, 4, 5, 265)}},
	{"brd", Level31, []uint32{regs(4, 3, 0, 187)}},
	{"pdepd", Level31, []uint32{regs(4, 3, 5, 156)}},
	{"pli", Level31, []uint32{0x06000000, 0x38600001}},
}

// regs encodes an instruction of primary opcode 31 (Power ISA book I, X-form).
func regs(first, second, third, extended uint32) uint32 {
	return 31<<26 | first<<21 | second<<16 | third<<11 | extended<<1
}
