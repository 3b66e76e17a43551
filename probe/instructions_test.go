package probe

import (
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// Every FEAT_ name of Arm's has exactly one row, and no row is of another.
func TestInstructionRowsAreComplete(t *testing.T) {
	rows := map[string]int{}
	for _, row := range InstructionRows() {
		rows[row.Feature]++
	}
	for _, feature := range arm64.FeatureTable {
		if !strings.HasPrefix(feature.Name, "FEAT_") {
			continue // an architecture version
		}
		if rows[feature.Name] != 1 {
			t.Errorf("%s has %d rows; want 1", feature.Name, rows[feature.Name])
		}
		delete(rows, feature.Name)
	}
	for name := range rows {
		t.Errorf("%s is no feature of the table", name)
	}
}

func TestInstructionRowsAreWhole(t *testing.T) {
	unobservable, gnu := 0, 0
	for _, row := range InstructionRows() {
		if row.Unobservable != "" {
			unobservable++
			if row.Asm != "" || row.Words != nil {
				t.Errorf("%s is called unobservable and has an instruction", row.Feature)
			}
			continue
		}
		if row.GNU {
			gnu++
		}
		if len(strings.Split(row.Asm, "; ")) != len(row.Words) {
			t.Errorf("%s: %d words for %q", row.Feature, len(row.Words), row.Asm)
		}
		if (row.Sign == Raises) != (row.Class != 0) {
			t.Errorf("%s: an exception class belongs to Raises, and only there", row.Feature)
		}
		if (row.Sign == Result || row.Sign == Stored) && row.Results == 0 {
			t.Errorf("%s is judged by a result and leaves none", row.Feature)
		}
		if row.Note == "" && row.Sign != Undefined && row.Sign != OnlyAtEL2 {
			t.Errorf("%s: say in a note what the result means", row.Feature)
		}
		if row.Streaming != strings.Contains(row.Asm, "smstart") {
			t.Errorf("%s: Streaming does not fit %q", row.Feature, row.Asm)
		}
		if InstructionFor(row.Feature).Feature != row.Feature {
			t.Errorf("%s is not found by its name", row.Feature)
		}
	}
	if InstructionFor("FEAT_NONE") != nil {
		t.Error("a row was found for a feature that does not exist")
	}
	t.Logf("%d features: %d with an instruction (%d of them only binutils assembles), %d with a reason why there is none",
		len(InstructionRows()), len(InstructionRows())-unobservable, gnu, unobservable)
}

func TestInstructionWords(t *testing.T) {
	type place struct {
		row  *Instruction
		word int
	}
	var lines, gnuLines []string
	var places, gnuPlaces []place
	rows := InstructionRows()
	for i := range rows {
		if rows[i].Unobservable != "" {
			continue
		}
		for n, line := range strings.Split(rows[i].Asm, "; ") {
			if rows[i].GNU {
				gnuLines, gnuPlaces = append(gnuLines, line), append(gnuPlaces, place{&rows[i], n})
			} else {
				lines, places = append(lines, line), append(places, place{&rows[i], n})
			}
		}
	}
	compare := func(lines []string, places []place, words []uint32) {
		for i, p := range places {
			if got := p.row.Words[p.word]; got != words[i] {
				t.Errorf("%s: %s is %#08x; the assembler says %#08x", p.row.Feature, lines[i], got, words[i])
			}
		}
	}
	compare(lines, places, assembleLLVM(t, lines))
	compare(gnuLines, gnuPlaces, assembleGNU(t, "armv8-a+tme", gnuLines))
}

func TestShows(t *testing.T) {
	completed := func(value uint64) *Record {
		return &Record{Outcome: Completed, Values: [4]uint64{value}, Count: 1}
	}
	exception := func(class uint64) *Record {
		return &Record{Outcome: Exception, Syndrome: class<<syndromeClass | syndromeIL}
	}
	for _, test := range []struct {
		feature string
		record  *Record
		el      int
		want    Shown
	}{
		{"FEAT_AES", completed(0), 1, Usable},
		{"FEAT_AES", exception(classUnknown), 1, NotUsable},
		{"FEAT_AES", exception(0x07), 1, Unclear}, // a trap of the guest's own
		{"FEAT_AES", &Record{Outcome: Interrupted}, 1, Unclear},
		{"FEAT_AES", &Record{}, 1, Unclear},
		{"FEAT_LS64", exception(classData + 1), 1, Usable},
		{"FEAT_LS64WB", exception(classData + 1), 1, NotUsable},
		{"FEAT_LS64WB", completed(0), 1, Usable},
		{"FEAT_LSE2", exception(classData + 1), 1, NotUsable},
		{"FEAT_MOPS", exception(classMemorySet), 1, Usable},
		{"FEAT_BTI", exception(classBranchTarget), 1, Usable},
		{"FEAT_BTI", completed(0), 1, NotUsable},
		{"FEAT_FPACCOMBINE", exception(classPAC), 1, Usable},
		{"FEAT_FPACCOMBINE", exception(classInstruction + 1), 1, NotUsable},
		{"FEAT_FPACCOMBINE", exception(classUnknown), 1, NotUsable},
		{"FEAT_IDST", exception(classSystem), 1, Usable},
		{"FEAT_IDST", exception(classUnknown), 1, NotUsable},
		{"FEAT_CCIDX", exception(classSystem), 1, NotUsable},
		{"FEAT_LOR", exception(classSystem), 1, Unclear},
		{"FEAT_RPRES", completed(0x2000), 1, Usable},
		{"FEAT_RPRES", completed(0), 1, NotUsable},
		{"FEAT_HPDS", completed(1), 1, Unclear},
		{"FEAT_HPDS", completed(0), 1, NotUsable},
		{"FEAT_HPDS", exception(classUnknown), 1, NotUsable},
		{"FEAT_VHE", exception(classUnknown), 1, Unclear},
		{"FEAT_VHE", exception(classUnknown), 2, NotUsable},
		{"FEAT_VHE", completed(0), 2, Usable},
		{"FEAT_RASv1p1", exception(classUnknown), 1, Unclear},
		{"FEAT_RASv1p1", completed(0), 1, Usable},
		{"FEAT_DGH", completed(0), 1, Unclear},
		{"FEAT_DGH", exception(classUnknown), 1, Unclear},
		{"FEAT_SME_FA64", exception(classSME), 1, NotUsable},
		{"FEAT_SVE", exception(classSME), 1, Unclear},
	} {
		if got := InstructionFor(test.feature).Shows(test.record, test.el); got != test.want {
			t.Errorf("%s at EL%d, %s with %s: %s; want %s", test.feature, test.el,
				test.record.Outcome, ExplainSyndrome(test.record.Syndrome), got, test.want)
		}
	}
}
