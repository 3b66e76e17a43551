package probe

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
	"golang.org/x/arch/arm/armasm"
)

// assembled32 are the instructions the own code of an image in AArch32 is made
// of, each with its assembler text. Distances of branches are told from PC, which
// is 8 bytes ahead.
var assembled32 = []struct {
	word uint32
	text string
}{
	{word32ISB, "isb sy"},
	{word32DSBSY, "dsb sy"},
	{word32WFI, "wfi"},
	{word32HVC, "hvc #0"},
	{word32SMC, "smc #0"},
	{word32Mask, "cpsid aif, #19"},
	{word32ReadCPSR, "mrs r0, cpsr"},
	{word32SetCPSR, "msr cpsr_fsxc, r0"},
	{mrc(1, reg32SCTLR), "mrc p15, #0, r1, c1, c0, #0"},
	{mrc(2, reg32CPACR), "mrc p15, #0, r2, c1, c0, #2"},
	{mrc(2, reg32DFSR), "mrc p15, #0, r2, c5, c0, #0"},
	{mrc(2, reg32IFSR), "mrc p15, #0, r2, c5, c0, #1"},
	{mrc(3, reg32DFAR), "mrc p15, #0, r3, c6, c0, #0"},
	{mrc(3, reg32IFAR), "mrc p15, #0, r3, c6, c0, #2"},
	{mrc(0, arm64.Coprocessor{Number: 14, Opc1: 7, CRn: 15, CRm: 15, Opc2: 7}), "mrc p14, #7, r0, c15, c15, #7"},
	{mrc(0, arm64.Coprocessor{Number: 10, Opc1: 7}), "vmrs r0, fpsid"},
	{mrc(0, arm64.Coprocessor{Number: 10, Opc1: 7, CRn: 5}), "vmrs r0, mvfr2"},
	{mrc(0, arm64.Coprocessor{Number: 10, Opc1: 7, CRn: 6}), "vmrs r0, mvfr1"},
	{mrc(0, arm64.Coprocessor{Number: 10, Opc1: 7, CRn: 7}), "vmrs r0, mvfr0"},
	{mcr(reg32FPEXC, 1), "vmsr fpexc, r1"},
	{mcr(reg32VBAR, 1), "mcr p15, #0, r1, c12, c0, #0"},
	{mcr(reg32MAIR0, 1), "mcr p15, #0, r1, c10, c2, #0"},
	{mcr(reg32TTBCR, 1), "mcr p15, #0, r1, c2, c0, #2"},
	{mcr(reg32TLBIALL, 0), "mcr p15, #0, r0, c8, c7, #0"},
	{mcr(reg32CSSELR, 0), "mcr p15, #2, r0, c0, c0, #0"},
	{mcrrTTBR0(0, 1), "mcrr p15, #0, r0, r1, c2"},
	{loadFrom32(2, 0), "ldr r2, [r0]"},
	{movw(1, 0xfedc_ba98), "movw r1, #0xba98"},
	{movt(12, 0xfedc_ba98), "movt r12, #0xfedc"},
	{store32(3, 10, 40), "str r3, [r10, #40]"},
	{store32(0, 1, 4095), "str r0, [r1, #4095]"},
	{subtract32(0, linkRegister, 8), "sub r0, lr, #8"},
	{compare32(12, 255), "cmp r12, #255"},
	{branch32(0x100), "b #0xf8"},
	{branch32(-4), "b #-12"},
	{branch32IfNE(-0x2000), "bne #-0x2008"},
	{branch32To(11), "bx r11"},
}

func TestAssemble32AgainstLLVM(t *testing.T) {
	lines := make([]string, len(assembled32))
	for i := range assembled32 {
		lines[i] = assembled32[i].text
	}
	for i, want := range assembleLLVM32(t, lines) {
		if got := assembled32[i].word; got != want {
			t.Errorf("%s: %#08x; the assembler says %#08x", lines[i], got, want)
		}
	}
}

// The disassembler needs no tool, and knows of no System registers.
func TestAssemble32AgainstDisassembler(t *testing.T) {
	known := 0
	for _, a := range assembled32 {
		instruction, err := armasm.Decode(binary.LittleEndian.AppendUint32(nil, a.word), armasm.ModeARM)
		if err != nil {
			continue
		}
		known++
		want, _, _ := strings.Cut(a.text, " ")
		got, _, _ := strings.Cut(strings.ToLower(armasm.GNUSyntax(instruction)), " ")
		if got != want {
			t.Errorf("%s: the disassembler says %q", a.text, armasm.GNUSyntax(instruction))
		}
	}
	if known < 12 {
		t.Errorf("the disassembler knew %d of %d instructions", known, len(assembled32))
	}
	t.Logf("the disassembler knew %d of %d instructions", known, len(assembled32))
}
