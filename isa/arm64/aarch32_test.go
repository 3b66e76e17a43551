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

// All named registers of the table that describe AArch32 are reached from it, each by
// one register of its own name, and nothing else is.
func TestCoprocessorFeaturePlaces(t *testing.T) {
	reached := map[int]string{}
	registers := CoprocessorSpace()
	for crn := range uint8(16) {
		registers = append(registers, Coprocessor{Number: 10, Opc1: 7, CRn: crn})
	}
	for _, c := range registers {
		place, ok := c.FeaturePlace()
		if !ok {
			continue
		}
		if before, twice := reached[place]; twice {
			t.Errorf("%v and %s are both %s", c, before, Registers[place].Name)
		}
		reached[place] = c.String()
		if Registers[place].Name != c.String()+"_EL1" {
			t.Errorf("%v is %s", c, Registers[place].Name)
		}
	}
	for place := range Registers {
		e, system := ID(Registers[place].ID).Encoding()
		describes := system && e.Op0 == 3 && e.Op1 == 0 && e.CRn == 0 && 1 <= e.CRm && e.CRm <= 3 && !strings.HasPrefix(Registers[place].Name, "S3_")
		if _, ok := reached[place]; ok != describes {
			t.Errorf("%s: reached from AArch32 is %t, want %t", Registers[place].Name, ok, describes)
		}
	}
	if len(registers) != 72+16 {
		t.Errorf("%d registers", len(registers))
	}
}
