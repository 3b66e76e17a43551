package kernel

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

var update = flag.Bool("update", false, "write the texts of testdata anew")

// golden holds a text against a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i, line := range gotLines {
		if i >= len(wantLines) || line != wantLines[i] {
			t.Fatalf("%s:%d: there is %q, want %q; go test ./kernel -update writes it anew", file, i+1, line, slices.Concat(wantLines, make([]string, i+1))[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", file, len(gotLines), len(wantLines))
}

// TestLogInWords holds what the log says between kernels against what it said
// when a person last read it.
func TestLogInWords(t *testing.T) {
	var b bytes.Buffer
	for _, pair := range [][2]string{{"4.14", "7.2"}, {"6.1", "6.1.179"}, {"6.12.60", "6.12.118"}, {"6.12", "6.18"}, {"6.1.100", "6.15"}, {"6.17", "6.17"}} {
		from, to := must(pair[0]), must(pair[1])
		fmt.Fprintf(&b, "# from %v to %v\n", from, to)
		for _, e := range Between(from, to) {
			marks := ""
			if e.Back {
				marks += " back"
			}
			if !e.Settled {
				marks += " unsettled"
			}
			fmt.Fprintf(&b, "%s%s: %s: %s\n", e.When, marks, e.Subject, e.Text)
		}
	}
	golden(t, "log.txt", b.Bytes())
}

// TestReasonsInWords does so for the reasons of every errno of every register,
// of those that have the same together.
func TestReasonsInWords(t *testing.T) {
	type answer struct{ errno, reasons string }
	var answers []answer
	registers := map[answer][]string{}
	add := func(name string, id arm64.ID, value uint64, known bool) {
		for _, errno := range Errnos {
			var b strings.Builder
			for _, r := range Reasons(id, value, known, errno) {
				fmt.Fprintf(&b, "  %s: %s\n", r.When, r.Text)
			}
			a := answer{errno, b.String()}
			if registers[a] == nil {
				answers = append(answers, a)
			}
			registers[a] = append(registers[a], name)
		}
	}
	for place := range arm64.Registers {
		r := &arm64.Registers[place]
		add(r.Name, arm64.ID(r.ID), 0, false)
		for _, value := range []uint64{0, 0x1111_1111_1111_1111, ^uint64(0)} {
			add(fmt.Sprintf("%s=%#x", r.Name, value), arm64.ID(r.ID), value, true)
		}
	}
	for _, l := range Listings() {
		for id := range l.IDs {
			add(fmt.Sprintf("%#x (%s)", uint64(id), ListedName(id)), id, 0, false)
			break // the first tells what all are answered
		}
	}
	add("KVM_REG_ARM64_SVE_VLS", 0x6060_0000_0015_ffff, 0, false)
	add("nothing", 0x6030_0000_0013_ffff, 0, false)
	var b bytes.Buffer
	for _, a := range answers {
		fmt.Fprintf(&b, "%s of %s\n%s", a.errno, strings.Join(registers[a], " "), a.reasons)
	}
	golden(t, "reasons.txt", b.Bytes())
}
