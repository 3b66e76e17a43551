package guise

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/guise-project/guise/kernel"
)

// UnknownMaskRanges is the bitmap of the mask ranges that the host's KVM reports
// (KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES) and no kernel that is known has: it tells of
// registers that userspace may write, of which nothing else is known. 0 for none.
func (c *Capture) UnknownMaskRanges() uint64 {
	if c == nil {
		return 0
	}
	var ranges uint64
	for i := range c.Setups {
		ranges |= c.Setups[i].MaskRanges
	}
	return ranges &^ kernel.KnownMaskRanges()
}

// UnknownMaskRangesText says what a bitmap of UnknownMaskRanges means for an answer.
func UnknownMaskRangesText(ranges uint64) string {
	var numbers []string
	for rest := ranges; rest != 0; rest &= rest - 1 {
		numbers = append(numbers, strconv.Itoa(bits.TrailingZeros64(rest)))
	}
	return fmt.Sprintf("KVM reports masks of range %s (KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES), which is not known: this says nothing of the registers there", strings.Join(numbers, ", "))
}

// unknownRanges says so of each of some hosts once.
func unknownRanges(captures ...*Capture) []string {
	var lines []string
	for _, c := range captures {
		if ranges := c.UnknownMaskRanges(); ranges != 0 {
			lines = append(lines, c.Name+": "+UnknownMaskRangesText(ranges))
		}
	}
	return slices.Compact(lines)
}
