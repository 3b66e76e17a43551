package move

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise/probe"
)

// line is one instruction: its word, and its text, from which a test has
// assemblers make the word again.
type line struct {
	word uint32
	asm  string
}

// words returns the words of a sequence.
func words(lines []line) []uint32 {
	out := make([]uint32, len(lines))
	for i := range lines {
		out[i] = lines[i].word
	}
	return out
}

// load loads a 64-bit constant into Xd.
func load(rd uint32, value uint64) []line {
	lines := []line{{0xd2800000 | uint32(value&0xffff)<<5 | rd, fmt.Sprintf("movz x%d, #%#x", rd, value&0xffff)}}
	for half := uint32(1); half < 4; half++ {
		if part := uint32(value >> (16 * half) & 0xffff); part != 0 {
			lines = append(lines, line{0xf2800000 | half<<21 | part<<5 | rd, fmt.Sprintf("movk x%d, #%#x, lsl #%d", rd, part, 16*half)})
		}
	}
	return lines
}

// storeAt stores x0's low word (or byte) to an address, which is left in x1.
func storeAt(address, value uint64, size int) []line {
	lines := append(load(0, value), load(1, address)...)
	switch size {
	case 1:
		return append(lines, line{0x39000020, "strb w0, [x1]"})
	case 4:
		return append(lines, line{0xb9000020, "str w0, [x1]"})
	}
	return append(lines, line{0xf9000020, "str x0, [x1]"})
}

// loadFrom loads a word into x0.
func loadFrom(address uint64) []line {
	return append(load(1, address), line{0xb9400020, "ldr w0, [x1]"})
}

// fillV puts a pair of values into Vn.
func fillV(n uint32, low, high uint64) []line {
	lines := append(load(0, low), load(1, high)...)
	return append(lines,
		line{0x9e670000 | n, fmt.Sprintf("fmov d%d, x0", n)},
		line{0x4e181c20 | n, fmt.Sprintf("mov v%d.d[1], x1", n)})
}

// readV leaves Vn in x0 and x1.
func readV(n uint32) []line {
	return []line{
		{0x4e083c00 | n<<5, fmt.Sprintf("mov x0, v%d.d[0]", n)},
		{0x4e183c01 | n<<5, fmt.Sprintf("mov x1, v%d.d[1]", n)},
	}
}

// fillZ puts a value into every element of Zn.
func fillZ(n uint32, value uint64) []line {
	return append(load(0, value), line{0x05e03800 | n, fmt.Sprintf("mov z%d.d, x0", n)})
}

// readZ leaves the first and the last element of Zn in x0 and x1; P0 must have
// every element active.
func readZ(n uint32) []line {
	return []line{
		{0x4e083c00 | n<<5, fmt.Sprintf("mov x0, v%d.d[0]", n)},
		{0x05e1a001 | n<<5, fmt.Sprintf("lastb x1, p0, z%d.d", n)},
	}
}

// fillP makes the first count elements of Pn active, 1 to 8; 0 stands for all.
func fillP(n, count uint32) []line {
	if count == 0 {
		return []line{{0x2518e3e0 | n, fmt.Sprintf("ptrue p%d.b", n)}}
	}
	return []line{{0x2518e000 | count<<5 | n, fmt.Sprintf("ptrue p%d.b, vl%d", n, count)}}
}

// readP leaves the number of active elements of Pn in x0.
func readP(n uint32) []line {
	return []line{{0x25208000 | n<<5, fmt.Sprintf("cntp x0, p0, p%d.b", n)}}
}

// tagGranules is how many granules of 16 bytes have a tag that must survive.
const tagGranules = 16

// taggedScratch leaves the tagged address of the operation's scratch memory in
// x1.
func taggedScratch() []line {
	return append(load(1, probe.TaggedAlias), line{0x8b010121, "add x1, x9, x1"})
}

// storeTags gives granule n of the scratch memory the tag first+n.
func storeTags(first uint64) []line {
	lines := taggedScratch()
	for n := range uint32(tagGranules) {
		lines = append(lines, load(0, (first+uint64(n))%16<<56)...)
		lines = append(lines, line{0xd9200820 | n<<12, fmt.Sprintf("stg x0, [x1, #%d]", 16*n)})
	}
	return lines
}

// readTags leaves the tags in x0, the first granule's in the lowest bits.
func readTags() []line {
	lines := append(taggedScratch(), load(0, 0)...)
	for n := range uint32(tagGranules) {
		lines = append(lines,
			line{0xd9600022 | n<<12, fmt.Sprintf("ldg x2, [x1, #%d]", 16*n)},
			line{0xd378ec42, "ubfx x2, x2, #56, #4"},
			line{0xaa020000 | 4*n<<10, fmt.Sprintf("orr x0, x0, x2, lsl #%d", 4*n)})
	}
	return lines
}

// heldTags is what readTags leaves after storeTags.
func heldTags(first uint64) (tags uint64) {
	for n := range uint64(tagGranules) {
		tags |= (first + n) % 16 << (4 * n)
	}
	return tags
}

// startTimer starts the virtual timer to fire in a number of seconds (1, 2, 4
// or 8: a shift of the counter's frequency) and leaves the counter and the
// comparator in x0 and x1.
func startTimer(shift uint32) []line {
	return []line{
		{0xd5033fdf, "isb"},
		{0xd53be040, "mrs x0, cntvct_el0"},
		{0xd53be002, "mrs x2, cntfrq_el0"},
		{0x8b020001 | shift<<10, fmt.Sprintf("add x1, x0, x2, lsl #%d", shift)},
		{0xd51be341, "msr cntv_cval_el0, x1"},
		{0xd2800022, "movz x2, #0x1"},
		{0xd51be322, "msr cntv_ctl_el0, x2"},
		{0xd5033fdf, "isb"},
	}
}

// readCounter leaves the virtual counter in x0.
func readCounter() []line {
	return []line{{0xd5033fdf, "isb"}, {0xd53be040, "mrs x0, cntvct_el0"}}
}

// awaitTimer waits until the virtual timer has fired and leaves its control,
// its comparator and the counter in x0, x1 and x2.
func awaitTimer() []line {
	return []line{
		{0xd53be320, "mrs x0, cntv_ctl_el0"},
		{0x3617ffe0, "tbz w0, #2, .-4"},
		{0xd5033fdf, "isb"},
		{0xd53be341, "mrs x1, cntv_cval_el0"},
		{0xd53be042, "mrs x2, cntvct_el0"},
	}
}

// cpuInterfaceLines are how the CPU interface of one version of the interrupt
// controller is reached: by system registers, or by memory at x5.
type cpuInterfaceLines struct {
	reach                     []line
	highest, acknowledge, end line // in and from x0
}

var cpuInterfaces = map[int]cpuInterfaceLines{
	2: {
		load(5, cpuInterface),
		line{0xb94018a0, "ldr w0, [x5, #24]"}, // GICC_HPPIR
		line{0xb9400ca0, "ldr w0, [x5, #12]"}, // GICC_IAR
		line{0xb90010a0, "str w0, [x5, #16]"}, // GICC_EOIR
	},
	3: {
		nil,
		line{0xd538cc40, "mrs x0, S3_0_C12_C12_2"}, // ICC_HPPIR1_EL1
		line{0xd538cc00, "mrs x0, S3_0_C12_C12_0"}, // ICC_IAR1_EL1
		line{0xd518cc20, "msr S3_0_C12_C12_1, x0"}, // ICC_EOIR1_EL1
	},
}

// readHighest leaves the pending interrupt of highest priority in x0.
func readHighest(vgic int) []line {
	gic := cpuInterfaces[vgic]
	return append(slices.Clone(gic.reach), gic.highest)
}

// awaitInterrupt waits, for up to 8 seconds of the counter, until the interrupt
// of highest priority is the virtual timer's, and leaves its number in x0.
func awaitInterrupt(vgic int) []line {
	gic := cpuInterfaces[vgic]
	return append(slices.Clone(gic.reach),
		line{0xd53be041, "mrs x1, cntvct_el0"},
		line{0xd53be003, "mrs x3, cntfrq_el0"},
		line{0x8b030c23, "add x3, x1, x3, lsl #3"},
		gic.highest,
		line{0xf1006c1f, "cmp x0, #27"},
		line{0x54000080, "b.eq .+16"},
		line{0xd53be044, "mrs x4, cntvct_el0"},
		line{0xeb03009f, "cmp x4, x3"},
		line{0x54ffff63, "b.lo .-20"},
		line{0xd503201f, "nop"})
}

// takeInterrupt acknowledges the interrupt of highest priority, turns the
// virtual timer off, so that its line falls, ends the interrupt and leaves its
// number in x0. In the other order KVM may see the line fall and take a pending
// timer interrupt back before it is acknowledged.
func takeInterrupt(vgic int) []line {
	gic := cpuInterfaces[vgic]
	return append(slices.Clone(gic.reach),
		gic.acknowledge,
		line{0xd51be33f, "msr cntv_ctl_el0, xzr"},
		line{0xd5033fdf, "isb"},
		line{0xd5033f9f, "dsb sy"},
		gic.end,
		line{0xd5033fdf, "isb"})
}
