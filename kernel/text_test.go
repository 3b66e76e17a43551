package kernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/golden"
	"github.com/guise-project/guise/isa/arm64"
)

// TestLogInWords holds what the log says between kernels against what it said
// when a person last read it.
func TestLogInWords(t *testing.T) {
	var b strings.Builder
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
	golden.Check(t, "log.txt", b.String())
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
	var b strings.Builder
	for _, a := range answers {
		fmt.Fprintf(&b, "%s of %s\n%s", a.errno, strings.Join(registers[a], " "), a.reasons)
	}
	golden.Check(t, "reasons.txt", b.String())
}
