package move

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
)

// sequences are all instructions that a traveller is made of.
func sequences() []line {
	var lines []line
	for n := range uint32(32) {
		lines = append(lines, fillV(n, pattern(1, n, 0), pattern(1, n, 1))...)
		lines = append(lines, readV(n)...)
		lines = append(lines, fillZ(n, pattern(1, n, 0))...)
		lines = append(lines, readZ(n)...)
	}
	for n := range uint32(16) {
		lines = append(lines, fillP(n, predicateCount(n))...)
		lines = append(lines, readP(n)...)
	}
	for _, size := range []int{1, 4, 8} {
		lines = append(lines, storeAt(moveAddress, 0x1234_5678_9abc_def0, size)...)
	}
	lines = append(lines, loadFrom(distributor+0x204)...)
	lines = append(append(lines, storeTags(3)...), readTags()...)
	for _, sequence := range [][]line{startTimer(timerShift), readCounter(), awaitTimer()} {
		lines = append(lines, sequence...)
	}
	for vgic := range cpuInterfaces {
		for _, sequence := range [][]line{readHighest(vgic), awaitInterrupt(vgic), takeInterrupt(vgic)} {
			lines = append(lines, sequence...)
		}
	}
	return lines
}

// TestInstructionsAgainstBinutils has the assembler make every word again.
func TestInstructionsAgainstBinutils(t *testing.T) {
	assembler := testenv.Tool(t, "binutils-aarch64-linux-gnu", "aarch64-linux-gnu-as")
	objcopy := testenv.Tool(t, "binutils-aarch64-linux-gnu", "aarch64-linux-gnu-objcopy")
	lines := sequences()
	var source strings.Builder
	source.WriteString(".arch armv8.5-a+sve+memtag\n")
	for _, l := range lines {
		fmt.Fprintln(&source, l.asm)
	}
	dir := t.TempDir()
	in, object, out := filepath.Join(dir, "t.s"), filepath.Join(dir, "t.o"), filepath.Join(dir, "t.bin")
	if err := os.WriteFile(in, []byte(source.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{assembler, "-o", object, in}, {objcopy, "-O", "binary", object, out}} {
		var stderr bytes.Buffer
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%q: %v\n%s", command, err, stderr.Bytes())
		}
	}
	data, err := os.ReadFile(out)
	if err != nil || len(data) != 4*len(lines) {
		t.Fatalf("%d bytes for %d instructions, %v", len(data), len(lines), err)
	}
	for i, l := range lines {
		if word := binary.LittleEndian.Uint32(data[4*i:]); word != l.word {
			t.Errorf("%s: %#08x, the assembler makes %#08x", l.asm, l.word, word)
		}
	}
}

// TestTravellersAreSound has every traveller built.
func TestTravellersAreSound(t *testing.T) {
	for _, setup := range []guise.Setup{{}, {VGIC: 3}, {VGIC: 3, Features: []guise.Feature{guise.FeaturePMU, guise.FeatureSVE}}} {
		for vcpu := range 2 {
			program := traveller(&setup, vcpu)
			if err := program.Check(); err != nil {
				t.Errorf("%s: %v", setup.Key(), err)
			}
			guest, err := image(&setup, vcpu)
			if err != nil {
				t.Fatal(err)
			}
			if guest.MemorySize > travellerStride {
				t.Errorf("%s: vCPU %d needs %#x bytes; the next one's begin after %#x", setup.Key(), vcpu, guest.MemorySize, travellerStride)
			}
		}
	}
}
