package arm64

import (
	"strings"
	"testing"
)

// Every AArch32 register has one name, and names read back, whatever they are.
func TestCoprocessorNames(t *testing.T) {
	seen := map[string]bool{}
	for _, number := range []uint8{10, 14, 15} {
		for opc1 := range uint8(8) {
			for crn := range uint8(16) {
				for crm := range uint8(16) {
					for opc2 := range uint8(8) {
						c := Coprocessor{Number: number, Opc1: opc1, CRn: crn, CRm: crm, Opc2: opc2}
						name := c.String()
						if seen[name] {
							t.Fatalf("%s names two registers", name)
						}
						seen[name] = true
					}
				}
			}
		}
	}
	for name := range seen {
		c, err := CoprocessorNamed(strings.ToLower(name))
		if err != nil || c.String() != name {
			t.Fatalf("%s reads as %v, %v", name, c, err)
		}
	}
	for _, name := range []string{"", "ID_PFR9", "P16_0_C0_C0_0", "P15_8_C0_C0_0", "P15_0_C16_C0_0", "P15_0_C0_C0", "P15_0_C0_C0_00", "S3_0_C0_C0_0"} {
		if c, err := CoprocessorNamed(name); err == nil {
			t.Errorf("%q was read as %v", name, c)
		}
	}
}

// What is mapped to an AArch64 register has its name, and all of those that
// describe AArch32 are reached.
func TestCoprocessorPlaces(t *testing.T) {
	reached := map[int]Coprocessor{}
	for i := range coprocessorRows {
		row := &coprocessorRows[i]
		place, ok := row.register.Place()
		if ok != (row.wide != "") {
			t.Errorf("%s: %q is not in the table", row.name, row.wide)
		}
		if !ok {
			continue
		}
		if before, twice := reached[place]; twice {
			t.Errorf("%v and %v are both %s", row.register, before, Registers[place].Name)
		}
		reached[place] = row.register
		if wide := Registers[place].Name; wide != row.name+"_EL1" && wide != row.name+"_EL0" {
			t.Errorf("%s is %s", row.name, wide)
		}
		e, _ := ID(Registers[place].ID).Encoding()
		if c := row.register; c.Number == 15 && (c.CRn != e.CRn || c.CRm != e.CRm || c.Opc2 != e.Op2) {
			t.Errorf("%s has another number than %s", row.name, Registers[place].Name)
		}
	}
	for place := range Registers {
		e, system := ID(Registers[place].ID).Encoding()
		describes := system && e.Op0 == 3 && e.Op1 == 0 && e.CRn == 0 && 1 <= e.CRm && e.CRm <= 3
		if _, ok := reached[place]; describes && !ok && !strings.HasPrefix(Registers[place].Name, "S3_") {
			t.Errorf("%s is not reached", Registers[place].Name)
		}
	}
	if n := len(CoprocessorSpace()) + len(ReservedCoprocessorSpace()); n != 72 {
		t.Errorf("%d registers in the space", n)
	}
}
