package arm64

import (
	"fmt"
	"strings"
	"sync"
)

// Coprocessor is the number of an AArch32 System register as MRC and MCR name
// it (Arm ARM, "The AArch32 System register interface"). VMRS and VMSR are MRC
// and MCR of coprocessor 10 with opc1 7 and the register in CRn.
type Coprocessor struct {
	Number, Opc1, CRn, CRm, Opc2 uint8
}

// String gives the register's architecture name, and P15_0_C0_C3_0, after the
// generic names of AArch64, where it has none.
func (c Coprocessor) String() string {
	if row := rowsByCoprocessor()[c]; row != nil {
		return row.name
	}
	return fmt.Sprintf("P%d_%d_C%d_C%d_%d", c.Number, c.Opc1, c.CRn, c.CRm, c.Opc2)
}

// CoprocessorNamed reads a name that String writes, without regard to case.
func CoprocessorNamed(name string) (Coprocessor, error) {
	for i := range coprocessorRows {
		if strings.EqualFold(coprocessorRows[i].name, name) {
			return coprocessorRows[i].register, nil
		}
	}
	n, ok := parseNumbers(strings.ToUpper(name), "P", 15)
	if !ok {
		return Coprocessor{}, fmt.Errorf("%s: no such AArch32 register; want its name, or coprocessor, opc1, CRn, CRm and opc2 as in P15_0_C0_C3_0", name)
	}
	return Coprocessor{n[0], n[1], n[2], n[3], n[4]}, nil
}

// CoprocessorID is a register of the space in which AArch32 looks for its
// features and caches: coprocessor 15, CRn 0.
func CoprocessorID(opc1, crm, opc2 uint8) Coprocessor {
	return Coprocessor{Number: 15, Opc1: opc1, CRm: crm, Opc2: opc2}
}

// CoprocessorSpace returns what of that space holds registers, in ascending
// order: opc1 0 with CRm 0 to 3, and opc1 1 with CRm 0, where the cache registers
// are.
func CoprocessorSpace() []Coprocessor {
	return append(coprocessorIDs(0, 0, 3), coprocessorIDs(1, 0, 0)...)
}

// ReservedCoprocessorSpace returns what of it is reserved and reads as 0: opc1 0
// with CRm 4 to 7.
func ReservedCoprocessorSpace() []Coprocessor { return coprocessorIDs(0, 4, 7) }

func coprocessorIDs(opc1, first, last uint8) (registers []Coprocessor) {
	for crm := first; crm <= last; crm++ {
		for opc2 := uint8(0); opc2 < 8; opc2++ {
			registers = append(registers, CoprocessorID(opc1, crm, opc2))
		}
	}
	return registers
}

// Place returns the place in Registers of the AArch64 register whose bits [31:0]
// are architecturally mapped to the register: ID_PFR0_EL1 for ID_PFR0. ok is
// false where there is none.
func (c Coprocessor) Place() (place int, ok bool) {
	row := rowsByCoprocessor()[c]
	if row == nil || row.wide == "" {
		return 0, false
	}
	return Place(row.wide)
}

// coprocessorRow is an AArch32 register.
type coprocessorRow struct {
	name     string
	register Coprocessor
	// wide is the AArch64 register of the table whose bits [31:0] it is, "" where
	// there is none.
	wide string
}

// coprocessorRows are the AArch32 registers that describe the CPU, its caches
// and what belongs to it (Arm ARM, "AArch32 System register encodings", and
// "Configurations" of each register for what it is mapped to).
var coprocessorRows = []coprocessorRow{
	{"MIDR", CoprocessorID(0, 0, 0), "MIDR_EL1"},
	{"CTR", CoprocessorID(0, 0, 1), "CTR_EL0"},
	{"TCMTR", CoprocessorID(0, 0, 2), ""},
	{"TLBTR", CoprocessorID(0, 0, 3), ""},
	{"MPIDR", CoprocessorID(0, 0, 5), "MPIDR_EL1"},
	{"REVIDR", CoprocessorID(0, 0, 6), "REVIDR_EL1"},
	{"ID_PFR0", CoprocessorID(0, 1, 0), "ID_PFR0_EL1"},
	{"ID_PFR1", CoprocessorID(0, 1, 1), "ID_PFR1_EL1"},
	{"ID_DFR0", CoprocessorID(0, 1, 2), "ID_DFR0_EL1"},
	{"ID_AFR0", CoprocessorID(0, 1, 3), "ID_AFR0_EL1"},
	{"ID_MMFR0", CoprocessorID(0, 1, 4), "ID_MMFR0_EL1"},
	{"ID_MMFR1", CoprocessorID(0, 1, 5), "ID_MMFR1_EL1"},
	{"ID_MMFR2", CoprocessorID(0, 1, 6), "ID_MMFR2_EL1"},
	{"ID_MMFR3", CoprocessorID(0, 1, 7), "ID_MMFR3_EL1"},
	{"ID_ISAR0", CoprocessorID(0, 2, 0), "ID_ISAR0_EL1"},
	{"ID_ISAR1", CoprocessorID(0, 2, 1), "ID_ISAR1_EL1"},
	{"ID_ISAR2", CoprocessorID(0, 2, 2), "ID_ISAR2_EL1"},
	{"ID_ISAR3", CoprocessorID(0, 2, 3), "ID_ISAR3_EL1"},
	{"ID_ISAR4", CoprocessorID(0, 2, 4), "ID_ISAR4_EL1"},
	{"ID_ISAR5", CoprocessorID(0, 2, 5), "ID_ISAR5_EL1"},
	{"ID_MMFR4", CoprocessorID(0, 2, 6), "ID_MMFR4_EL1"},
	{"ID_ISAR6", CoprocessorID(0, 2, 7), "ID_ISAR6_EL1"},
	{"ID_PFR2", CoprocessorID(0, 3, 4), "ID_PFR2_EL1"},
	{"ID_DFR1", CoprocessorID(0, 3, 5), "ID_DFR1_EL1"},
	{"ID_MMFR5", CoprocessorID(0, 3, 6), "ID_MMFR5_EL1"},
	{"CCSIDR", CoprocessorID(1, 0, 0), ""},
	{"CLIDR", CoprocessorID(1, 0, 1), "CLIDR_EL1"},
	{"CCSIDR2", CoprocessorID(1, 0, 2), ""},
	{"AIDR", CoprocessorID(1, 0, 7), "AIDR_EL1"},
	{"CSSELR", CoprocessorID(2, 0, 0), "CSSELR_EL1"},
	{"ERRIDR", Coprocessor{15, 0, 5, 3, 0}, ""},
	{"PMCR", Coprocessor{15, 0, 9, 12, 0}, ""},
	{"PMCEID0", Coprocessor{15, 0, 9, 12, 6}, ""},
	{"PMCEID1", Coprocessor{15, 0, 9, 12, 7}, ""},
	{"PMMIR", Coprocessor{15, 0, 9, 14, 6}, ""},
	{"ICC_CTLR", Coprocessor{15, 0, 12, 12, 4}, ""},
	{"ICC_SRE", Coprocessor{15, 0, 12, 12, 5}, ""},
	{"AMCFGR", Coprocessor{15, 0, 13, 2, 1}, ""},
	{"AMCGCR", Coprocessor{15, 0, 13, 2, 2}, ""},
	{"CNTFRQ", Coprocessor{15, 0, 14, 0, 0}, "CNTFRQ_EL0"},
	{"DBGDIDR", Coprocessor{14, 0, 0, 0, 0}, ""},
	{"DBGDRAR", Coprocessor{14, 0, 1, 0, 0}, ""},
	{"DBGOSLSR", Coprocessor{14, 0, 1, 1, 4}, ""},
	{"DBGDSAR", Coprocessor{14, 0, 2, 0, 0}, ""},
	{"DBGDEVID2", Coprocessor{14, 0, 7, 0, 7}, ""},
	{"DBGDEVID1", Coprocessor{14, 0, 7, 1, 7}, ""},
	{"DBGDEVID", Coprocessor{14, 0, 7, 2, 7}, ""},
	{"DBGAUTHSTATUS", Coprocessor{14, 0, 7, 14, 6}, ""},
	{"JIDR", Coprocessor{14, 7, 0, 0, 0}, ""},
	{"FPSID", Coprocessor{10, 7, 0, 0, 0}, ""},
	{"MVFR2", Coprocessor{10, 7, 5, 0, 0}, "MVFR2_EL1"},
	{"MVFR1", Coprocessor{10, 7, 6, 0, 0}, "MVFR1_EL1"},
	{"MVFR0", Coprocessor{10, 7, 7, 0, 0}, "MVFR0_EL1"},
}

var rowsByCoprocessor = sync.OnceValue(func() map[Coprocessor]*coprocessorRow {
	rows := make(map[Coprocessor]*coprocessorRow, len(coprocessorRows))
	for i := range coprocessorRows {
		rows[coprocessorRows[i].register] = &coprocessorRows[i]
	}
	return rows
})

// NamedCoprocessors returns the registers that have a name here.
func NamedCoprocessors() []Coprocessor {
	registers := make([]Coprocessor, len(coprocessorRows))
	for i := range coprocessorRows {
		registers[i] = coprocessorRows[i].register
	}
	return registers
}
