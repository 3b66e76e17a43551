package probe

import (
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

func TestInstruction32Rows(t *testing.T) {
	var lines []string
	var words []uint32
	for i := range instructions32 {
		row := &instructions32[i]
		register, err := arm64.CoprocessorNamed(row.Register)
		place, mapped := register.Place()
		if err != nil || !mapped || place != row.Place() || arm64.Registers[place].Field(row.Field) == nil || row.Least == 0 {
			t.Errorf("%s: no such field, or always there", row.Name())
		}
		if Instruction32For(row.Name()) != row {
			t.Errorf("%s names another row", row.Name())
		}
		asm := strings.Split(row.Asm, "; ")
		if len(asm) != len(row.Words) {
			t.Errorf("%s: %d words for %q", row.Name(), len(row.Words), row.Asm)
		}
		lines, words = append(lines, asm...), append(words, row.Words...)
	}
	for i, want := range assembleLLVM32(t, lines) {
		if words[i] != want {
			t.Errorf("%s: %#08x; the assembler says %#08x", lines[i], words[i], want)
		}
	}
}

// Where nothing is hidden, instructions run where the ID registers say so, and
// are undefined where they do not.
func TestInstructions32ShowWhatRegistersSay(t *testing.T) {
	for _, m := range machines32 {
		t.Run(m.name, func(t *testing.T) {
			trace := runBareMetalIn(t, AArch32, Join("all", FeatureSpace32(), Hardware32(), Instructions32()), m.machine, m.cpu)
			runs := 0
			for i := range instructions32 {
				row := &instructions32[i]
				if m.cpu == armv7 && row.Field == "SPECRES" {
					continue // QEMU takes all of p15's c7 for maintenance there
				}
				said, record := trace.Find(MRC, row.Register), trace.Find(Execute, row.Name())
				if said.Outcome != Completed || row.Shows(record) != either(row.Present(said.Values[0]), Usable, NotUsable) {
					t.Errorf("%s: %s, %s, and %s is %#x", row.Name(), record.Outcome, ExplainSyndrome(record.Syndrome), row.Register, said.Values[0])
				}
				if row.Shows(record) == Usable {
					runs++
				}
			}
			if runs == 0 {
				t.Error("none runs: the test could not fail")
			}
			t.Logf("%d of %d run, as the ID registers say", runs, len(instructions32))
		})
	}
}

func TestInstruction32Shows(t *testing.T) {
	for _, test := range []struct {
		record Record
		want   Shown
	}{
		{Record{Outcome: Completed}, Usable},
		{Record{Outcome: Exception, Syndrome: 1 << 25}, NotUsable},
		{Record{Outcome: Exception, Syndrome: 0x9600_0005}, Unclear},
		{Record{Outcome: Interrupted}, Unclear},
		{Record{}, Unclear},
	} {
		if got := instructions32[0].Shows(&test.record); got != test.want {
			t.Errorf("%+v shows %v, want %v", test.record, got, test.want)
		}
	}
}
