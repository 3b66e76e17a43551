package power

// Instruction is an instruction that needs a facility: what a guest executes
// to find out whether it has it.
type Instruction struct {
	Mnemonic string
	// Facility names the row of Facilities, "" for one that needs none.
	Facility string
	// Words are the instruction, the prefix first where it has one.
	Words []uint32
	// Privileged says that it needs supervisor state.
	Privileged bool
}

// Instructions has at least one row for every facility with an HFSCR bit. SPRs
// are read or written through r4.
var Instructions = []Instruction{
	{Mnemonic: "fadd", Facility: "FP", Words: []uint32{0xfc22182a}},
	{Mnemonic: "vor", Facility: "VECVSX", Words: []uint32{0x10221c84}},
	{Mnemonic: "xxlor", Facility: "VECVSX", Words: []uint32{0xf0221c90}},
	{Mnemonic: "mtdscr", Facility: "DSCR", Words: []uint32{MoveTo(3, 4)}},
	{Mnemonic: "mfmmcr0", Facility: "PM", Words: []uint32{MoveFrom(779, 4)}},
	{Mnemonic: "clrbhrb", Facility: "BHRB", Words: []uint32{0x7c00035c}},
	{Mnemonic: "mfbhrbe", Facility: "BHRB", Words: []uint32{0x7c60025c}},
	{Mnemonic: "tbegin.", Facility: "TM", Words: []uint32{0x7c00051d}},
	{Mnemonic: "mtebbhr", Facility: "EBB", Words: []uint32{MoveTo(804, 4)}},
	{Mnemonic: "mttar", Facility: "TAR", Words: []uint32{MoveTo(815, 4)}},
	{Mnemonic: "msgsndp", Facility: "MSGP", Words: []uint32{0x7c00191c}, Privileged: true},
	{Mnemonic: "msgclrp", Facility: "MSGP", Words: []uint32{0x7c00195c}, Privileged: true},
	{Mnemonic: "mftir", Facility: "MSGP", Words: []uint32{MoveFrom(446, 4)}, Privileged: true},
	{Mnemonic: "mfdpdes", Facility: "MSGP", Words: []uint32{MoveFrom(176, 4)}, Privileged: true},
	{Mnemonic: "paddi", Facility: "PREFIX", Words: []uint32{0x06000000, 0x38600001}},
}

// MoveTo encodes mtspr, whose SPR number is stored with its halves swapped (Power ISA book I, 3.3.19).
func MoveTo(spr, register uint32) uint32 { return 31<<26 | register<<21 | spField(spr) | 467<<1 }

// MoveFrom encodes mfspr; see MoveTo.
func MoveFrom(spr, register uint32) uint32 { return 31<<26 | register<<21 | spField(spr) | 339<<1 }

func spField(spr uint32) uint32 { return (spr&31)<<16 | (spr>>5)<<11 }

// InstructionNamed finds an instruction by its mnemonic.
func InstructionNamed(mnemonic string) (*Instruction, bool) {
	for i := range Instructions {
		if Instructions[i].Mnemonic == mnemonic {
			return &Instructions[i], true
		}
	}
	return nil, false
}

// Image is the instruction as HEIR holds it: a prefix in the upper half.
func (i *Instruction) Image() uint64 {
	image := uint64(i.Words[0])
	if len(i.Words) == 2 {
		image = image<<32 | uint64(i.Words[1])
	}
	return image
}
