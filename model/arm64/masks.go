package arm64

import (
	"fmt"
	"syscall"

	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// MaskRanges returns KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES.
func (m *VM) MaskRanges() (uint64, error) {
	value, err := m.CheckCapability(uint32(kvmabi.CapSupportedMaskRanges))
	return uint64(value), err
}

// WritableMasks returns what KVM_ARM_GET_REG_WRITABLE_MASKS reports.
func (m *VM) WritableMasks(rangeIndex uint32) ([192]uint64, error) {
	return m.AskMasks(rangeIndex, [13]uint32{})
}

// AskMasks is WritableMasks with words in the reserved fields.
func (m *VM) AskMasks(rangeIndex uint32, reserved [13]uint32) (masks [192]uint64, err error) {
	r := m.host.profile.MaskRange(rangeIndex)
	if r == nil || m.kvm.Protected || reserved != ([13]uint32{}) {
		return masks, &vm.CallError{Call: "KVM_ARM_GET_REG_WRITABLE_MASKS", Subject: fmt.Sprintf("range %d", rangeIndex), Errno: syscall.EINVAL, Lacking: true}
	}
	if rangeIndex != 0 {
		for word, mask := range r.Masks {
			masks[word] = mask
		}
		return masks, nil
	}
	for i, e := range arm64.FeatureSpace() {
		place, ok := arm64.PlaceOf(e.ID())
		if ok && !m.host.ignoresAArch32(place) {
			masks[i] = m.host.profile.Reported(place)
		}
	}
	return masks, nil
}
