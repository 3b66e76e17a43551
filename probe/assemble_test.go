package probe

import (
	"encoding/binary"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"golang.org/x/arch/arm64/arm64asm"
)

// assembled are the instructions an image's own code is made of, each with its
// assembler text.
var assembled = []struct {
	word uint32
	text string
}{
	{wordNOP, "nop"},
	{wordISB, "isb"},
	{wordDSBSY, "dsb sy"},
	{wordERET, "eret"},
	{wordWFI, "wfi"},
	{wordHVC, "hvc #0"},
	{wordSMC, "smc #0"},
	{wordTLBIVMALL, "tlbi vmalle1"},
	{wordMaskDAIF, "msr daifset, #15"},
	{wordSelectSPx, "msr spsel, #1"},
	{wordSMSTOP, "smstop"},
	{mrs(0, regCurrentEL), "mrs x0, CurrentEL"},
	{mrs(25, regESR), "mrs x25, ESR_EL1"},
	{mrs(25, regFAR), "mrs x25, FAR_EL1"},
	{mrs(3, regMPIDR), "mrs x3, MPIDR_EL1"},
	{mrs(3, regMIDR), "mrs x3, MIDR_EL1"},
	{mrs(3, regPFR0), "mrs x3, ID_AA64PFR0_EL1"},
	{mrs(3, regMMFR0), "mrs x3, ID_AA64MMFR0_EL1"},
	{mrs(3, regMMFR1), "mrs x3, ID_AA64MMFR1_EL1"},
	{mrs(7, arm64.Encoding{Op0: 2, Op1: 7, CRn: 15, CRm: 15, Op2: 7}), "mrs x7, S2_7_C15_C15_7"},
	{msr(regELR, 27), "msr ELR_EL1, x27"},
	{loadFrom(2, 1), "ldr x2, [x1]"},
	{msr(regSPSR, 24), "msr SPSR_EL1, x24"},
	{msr(regVBAR, 1), "msr VBAR_EL1, x1"},
	{msr(regMAIR, 1), "msr MAIR_EL1, x1"},
	{msr(regTCR, 1), "msr TCR_EL1, x1"},
	{msr(regTTBR0, 1), "msr TTBR0_EL1, x1"},
	{msr(regCPACR, 1), "msr CPACR_EL1, x1"},
	{msr(regSCTLR, 1), "msr SCTLR_EL1, x1"},
	{msr(regZCR, 1), "msr ZCR_EL1, x1"},
	{msr(regSMCR, 1), "msr SMCR_EL1, x1"},
	{msr(regCSSELR, 0), "msr CSSELR_EL1, x0"},
	{mrs(0, regCCSIDR), "mrs x0, CCSIDR_EL1"},
	{msr(regSPSREL2, 1), "msr SPSR_EL2, x1"},
	{msr(regELREL2, 1), "msr ELR_EL2, x1"},
	{mrs(1, regESREL2), "mrs x1, ESR_EL2"},
	{mrs(1, regFAREL2), "mrs x1, FAR_EL2"},
	{msr(regVBAREL2, 1), "msr VBAR_EL2, x1"},
	{msr(regHCR, 1), "msr HCR_EL2, x1"},
	{msr(regMDCR, 1), "msr MDCR_EL2, x1"},
	{msr(regCPTR, 1), "msr CPTR_EL2, x1"},
	{msr(regHSTR, 1), "msr HSTR_EL2, x1"},
	{msr(regHFGRTR, 1), "msr HFGRTR_EL2, x1"},
	{msr(regHFGWTR, 1), "msr HFGWTR_EL2, x1"},
	{msr(regHFGITR, 1), "msr HFGITR_EL2, x1"},
	{msr(regHCRX, 1), "msr HCRX_EL2, x1"},
	{msr(regHDFGRTR, 1), "msr HDFGRTR_EL2, x1"},
	{msr(regHDFGWTR, 1), "msr HDFGWTR_EL2, x1"},
	{msr(regVPIDR, 1), "msr VPIDR_EL2, x1"},
	{msr(regVMPIDR, 1), "msr VMPIDR_EL2, x1"},
	{msr(regICCSREEL2, 1), "msr ICC_SRE_EL2, x1"},
	{msr(regCNTHCTL, 1), "msr CNTHCTL_EL2, x1"},
	{msr(regCNTVOFF, 1), "msr CNTVOFF_EL2, x1"},
	{load(0, 0)[0], "movz x0, #0"},
	{load(5, 0x1234)[0], "movz x5, #0x1234"},
	{load(5, 0x1234_0000)[0], "movz x5, #0x1234, lsl #16"},
	{load(5, 0x1_0000_0000_0001)[1], "movk x5, #1, lsl #48"},
	{movz(28, 0x4020_0000), "movz x28, #0"},
	{movk(28, 0x4020_0000), "movk x28, #0x4020, lsl #16"},
	{store(0, 28, 32), "str x0, [x28, #32]"},
	{store(3, 1, 32760), "str x3, [x1, #32760]"},
	{orr(24, 23, 22), "orr x24, x23, x22"},
	{compare(0, 8), "cmp x0, #8"},
	{extract(1, 2, 40, 4), "ubfx x1, x2, #40, #4"},
	{adr(27, 0x7fffd), "adr x27, . + 0x7fffd"},
	{adr(27, -4), "adr x27, . - 4"},
	{branch(0x100), "b . + 0x100"},
	{branch(-4), "b . - 4"},
	{branchIf(conditionNE, 0x40), "b.ne . + 0x40"},
	{branchIfZero(1, -8), "cbz x1, . - 8"},
	{branchIfNotZero(23, 0x3000), "cbnz x23, . + 0x3000"},
	{branchIfBit(1, 34, 0x20), "tbnz x1, #34, . + 0x20"},
	{branchIfBit(2, 5, -0x20), "tbnz w2, #5, . - 0x20"},
}

// assembleGNU assembles lines with binutils and returns one word a line.
func assembleGNU(t *testing.T, march string, lines []string) []uint32 {
	t.Helper()
	as := testenv.Tool(t, "binutils-aarch64-linux-gnu", "aarch64-linux-gnu-as")
	objcopy := testenv.Tool(t, "binutils-aarch64-linux-gnu", "aarch64-linux-gnu-objcopy")
	object := filepath.Join(t.TempDir(), "object")
	run(t, as, "-march="+march, "-o", object, write(t, "source.s", []byte(strings.Join(lines, "\n")+"\n")))
	binaryFile := filepath.Join(t.TempDir(), "binary")
	run(t, objcopy, "-O", "binary", object, binaryFile)
	return words(t, binaryFile, len(lines))
}

var encodingPattern = regexp.MustCompile(`encoding: \[([^\]]*)\]`)

// assembleLLVM assembles lines with LLVM, every extension on, and returns one
// word a line. It must be new enough for the extensions of Armv9.6.
func assembleLLVM(t *testing.T, lines []string) []uint32 {
	t.Helper()
	return llvmMC(t, lines, "-triple=aarch64", "-mattr=+all")
}

// assembleLLVM32 assembles lines of A32.
func assembleLLVM32(t *testing.T, lines []string) []uint32 {
	t.Helper()
	return llvmMC(t, lines, "-triple=armv8.6a", "-mattr=+crypto,+crc,+sb,+dotprod,+fullfp16,+fp16fml,+bf16,+i8mm,+trustzone,+virtualization")
}

func llvmMC(t *testing.T, lines []string, arguments ...string) []uint32 {
	t.Helper()
	mc := testenv.Tool(t, "llvm-22", "llvm-mc-23", "llvm-mc-22", "llvm-mc-21")
	out := run(t, mc, append(arguments, "-show-encoding", write(t, "source.s", []byte(strings.Join(lines, "\n")+"\n")))...)
	var encoded []uint32
	for _, match := range encodingPattern.FindAllSubmatch(out, -1) {
		var word uint32
		for i, field := range strings.Split(string(match[1]), ",") {
			value, err := strconv.ParseUint(field, 0, 8)
			if err != nil {
				t.Fatalf("llvm-mc left %q open", match[0])
			}
			word |= uint32(value) << (8 * i)
		}
		encoded = append(encoded, word)
	}
	if len(encoded) != len(lines) {
		t.Fatalf("llvm-mc gave %d words for %d lines", len(encoded), len(lines))
	}
	return encoded
}

func TestAssembleAgainstBinutils(t *testing.T) {
	lines := make([]string, len(assembled))
	for i, a := range assembled {
		lines[i] = a.text
	}
	for i, want := range assembleGNU(t, "armv8.7-a+sve+sme", lines) {
		if got := assembled[i].word; got != want {
			t.Errorf("%s: %#08x; the assembler says %#08x", assembled[i].text, got, want)
		}
	}
}

func TestAssembleAgainstLLVM(t *testing.T) {
	var lines []string
	var want []uint32
	for _, a := range assembled {
		if !strings.Contains(a.text, ". ") { // llvm-mc leaves these to the linker
			lines = append(lines, a.text)
			want = append(want, a.word)
		}
	}
	for i, got := range assembleLLVM(t, lines) {
		if got != want[i] {
			t.Errorf("%s: %#08x; the assembler says %#08x", lines[i], want[i], got)
		}
	}
}

// The disassembler needs no tool, so that something holds the encodings
// everywhere. It does not know all of them.
func TestAssembleAgainstDisassembler(t *testing.T) {
	aliases := map[string]string{"mov": "movz", "cmp": "subs"}
	known := 0
	for _, a := range assembled {
		instruction, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, a.word))
		if err != nil {
			continue
		}
		known++
		want, _, _ := strings.Cut(a.text, " ")
		got, _, _ := strings.Cut(strings.ToLower(arm64asm.GNUSyntax(instruction)), " ")
		if got != want && aliases[got] != want && aliases[want] != got {
			t.Errorf("%s: the disassembler says %q", a.text, arm64asm.GNUSyntax(instruction))
		}
	}
	if known < 60 {
		t.Errorf("the disassembler knew %d of %d instructions", known, len(assembled))
	}
	t.Logf("the disassembler knew %d of %d instructions", known, len(assembled))
}

func TestLabels(t *testing.T) {
	records := func(i int) uint64 { return 0x4021_0000 + uint64(i) }
	c := newCode(0x1000)
	c.toward(c.newLabel(), reachBranch, branch)
	if err := c.finish(records); err == nil || !strings.Contains(err.Error(), "not placed") {
		t.Errorf("a missing label: %v", err)
	}
	c = newCode(0x1000)
	far := c.newLabel()
	c.toward(far, reachTestBit, func(d int64) uint32 { return branchIfBit(0, 0, d) })
	c.add(make([]uint32, reachTestBit/instructionLen)...)
	c.place(far)
	if err := c.finish(records); err == nil || !strings.Contains(err.Error(), "reaches") {
		t.Errorf("a label out of reach: %v", err)
	}
}
