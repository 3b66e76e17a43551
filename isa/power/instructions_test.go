package power_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/arch/ppc64/ppc64asm"

	"github.com/guise-project/guise/isa/power"
)

// TestInstructionsAgainstDisassembler asks a disassembler that shares no table
// with this package.
func TestInstructionsAgainstDisassembler(t *testing.T) {
	want := map[string]string{
		"fadd": "fadd f1,f2,f3", "vor": "vor v1,v2,v3", "xxlor": "xxlor vs1,vs2,vs3",
		"mtdscr": "mtspr 3,r4", "mfmmcr0": "mfspr r4,779", "clrbhrb": "clrbhrb", "mfbhrbe": "mfbhrbe r3,0",
		"mtebbhr": "mtspr 804,r4", "mttar": "mtspr 815,r4",
		"msgsndp": "msgsndp r3", "msgclrp": "msgclrp r3", "mftir": "mfspr r4,446", "mfdpdes": "mfspr r4,176",
		"paddi": "pli r3,1",
	}
	covered := map[string]bool{}
	for _, row := range power.Instructions {
		covered[row.Facility] = true
		if row.Mnemonic == "tbegin." {
			// The disassembler has no transactional memory: X-form, opcode 31,
			// extended opcode 654, Rc set.
			if w := row.Words[0]; w>>26 != 31 || w>>1&1023 != 654 || w&1 != 1 {
				t.Errorf("tbegin.: %#x", w)
			}
			continue
		}
		var code []byte
		for _, w := range row.Words {
			code = binary.LittleEndian.AppendUint32(code, w)
		}
		inst, err := ppc64asm.Decode(code, binary.LittleEndian)
		if err != nil {
			t.Errorf("%s: %x: %v", row.Mnemonic, row.Words, err)
			continue
		}
		got := ppc64asm.GNUSyntax(inst, 0)
		if inst.Len != len(code) || !strings.HasPrefix(strings.ReplaceAll(got, "  ", " "), want[row.Mnemonic]) || want[row.Mnemonic] == "" {
			t.Errorf("%s: disassembles as %q (%d bytes), want %q", row.Mnemonic, got, inst.Len, want[row.Mnemonic])
		}
		if _, ok := power.FacilityNamed(row.Facility); !ok {
			t.Errorf("%s: no facility %q", row.Mnemonic, row.Facility)
		}
	}
	for _, f := range power.Facilities {
		if f.HFSCR && !covered[f.Name] {
			t.Errorf("%s: no instruction needs it", f.Name)
		}
	}
	if i, ok := power.InstructionNamed("paddi"); !ok || i.Image() != 0x0600000038600001 {
		t.Error("paddi: wrong image")
	}
}
