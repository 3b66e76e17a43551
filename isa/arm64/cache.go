package arm64

import "fmt"

// TakesWhole reports whether a kernel that lets CLIDR_EL1, CCSIDR_EL1 or the
// identity be chosen takes a value on a host with the given view. It is true for
// every other register.
//
// Refused are reserved bits, the upper half of MIDR_EL1 among them, a line shorter than the shortest of the host's
// CPUs, which the view's own value has, and, where the CPUs do not have
// CTR_EL0.IDC, levels without data caches to clean (Linux 6.3 and later,
// arch/arm64/kvm/sys_regs.c, set_clidr and set_ccsidr).
func TakesWhole(place int, value uint64, view *View) bool {
	const (
		clidrReserved       = ^uint64(0x7fff_ffff_ffff)
		levelOfCoherency    = 7 << 24
		levelsOfUnification = 7<<27 | 7<<21
		ccsidrReserved      = ^uint64(0xffff_ffff) // bits 31:28 are UNKNOWN and taken: tried on 6.12
		lineSize            = 7
		ctrIDC              = 1 << 28
	)
	switch {
	case value == view.Values[place]:
		return true
	case place == MIDREL1:
		return value>>32 == 0
	case place == CLIDREL1:
		nothingToClean := value&levelOfCoherency == 0 || value&levelsOfUnification == 0
		return value&clidrReserved == 0 && (view.Values[CTREL0]&ctrIDC != 0 || !nothingToClean)
	case CCSIDREL1Level0 <= place && place <= CCSIDREL1Level13:
		return value&ccsidrReserved == 0 && value&lineSize >= view.Values[place]&lineSize
	}
	return true
}

// DescribeCache says the geometry that a CCSIDR_EL1 value gives in its layout of
// 32 bits (Arm ARM, DDI 0487, CCSIDR_EL1, without FEAT_CCIDX): "64-byte lines,
// 16 ways, 512 sets: 512 KiB".
func DescribeCache(ccsidr uint64) string {
	line := uint64(16) << (ccsidr & 7)
	ways, sets := ccsidr>>3&0x3ff+1, ccsidr>>13&0x7fff+1
	size := line * ways * sets
	unit := fmt.Sprintf("%d bytes", size)
	if size%1024 == 0 {
		unit = fmt.Sprintf("%d KiB", size>>10)
	}
	return fmt.Sprintf("%d-byte lines, %d ways, %d sets: %s", line, ways, sets, unit)
}
