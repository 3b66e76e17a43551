package arm64

import (
	"fmt"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// MaskRanges returns KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES.
func (m *VM) MaskRanges() (uint64, error) {
	if !m.host.profile.Does(kernel.ReportsMasks) {
		return 0, nil
	}
	return 1, nil
}

// WritableMasks returns what KVM_ARM_GET_REG_WRITABLE_MASKS reports.
func (m *VM) WritableMasks(rangeIndex uint32) (masks [192]uint64, err error) {
	if !m.host.profile.Does(kernel.ReportsMasks) || rangeIndex != 0 {
		return masks, refusedCall("KVM_ARM_GET_REG_WRITABLE_MASKS", fmt.Sprintf("range %d", rangeIndex), syscall.EINVAL)
	}
	for i, e := range arm64.FeatureSpace() {
		place, ok := arm64.PlaceOf(e.ID())
		if ok && !m.host.ignoresAArch32(place) {
			masks[i] = m.host.profile.Reported(place)
		}
	}
	return masks, nil
}
