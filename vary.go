package guise

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// noteChoices says what a contract asks of a VMM because of the policy: fields
// that are left to each host, and an identity that is not the host's own.
func (m *meeting) noteChoices() {
	var varied []string
	for place, mask := range m.limits.vary {
		if m.view.Present.Has(place) && mask != 0 {
			varied = append(varied, variedText(place, mask))
		}
	}
	if len(varied) > 0 {
		m.notes = append(m.notes, strings.Join(varied, ", ")+" may change when a VM moves; needs a VMM that leaves this to each host: QEMU and Firecracker restore what they saved")
	}
	var unknown []string
	for place, mask := range m.unknown {
		if m.view.Present.Has(place) && mask != 0 {
			unknown = append(unknown, variedText(place, mask))
		}
	}
	if len(unknown) > 0 {
		m.notes = append(m.notes, strings.Join(unknown, ", ")+": UNKNOWN to a guest without AArch32, and left to each host; a VM that QEMU or Firecracker moves brings what its source showed, and a host with AArch32 that shows another value refuses it")
	}
	if m.view.Present.Has(arm64.CTREL0) && m.vary[arm64.CTREL0]&^m.limits.vary[arm64.CTREL0]&tminLine().Mask() != 0 {
		m.notes = append(m.notes, "CTR_EL0.TminLine is left to each host: a guest sees it only where the rest of the register is the host's")
	}
	if m.identityCapabilityNeeds {
		m.notes = append(m.notes, "the identity is set with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS; a guest does not apply the workarounds of a CPU whose name it is not told")
	}
}

// variedText names what varies of a register: ID_AA64MMFR2_EL1.EVT,FWB, or the
// register's name where all of it does.
func variedText(place int, mask uint64) string {
	var fields []string
	for _, varied := range variedFields(place, mask) {
		if varied.name != "" {
			fields = append(fields, varied.name)
		}
	}
	if fields == nil {
		return arm64.Registers[place].Name
	}
	return arm64.Registers[place].Name + "." + strings.Join(fields, ",")
}

// variedField is what varies of a register under one name.
type variedField struct {
	name string // of the field, "" for the whole register, [7:4] for bits that are no field's
	mask uint64
}

// variedFields names what a mask has of a register; nothing for a mask of 0. A field
// of which only a part varies is named like one that varies whole.
func variedFields(place int, mask uint64) []variedField {
	register := &arm64.Registers[place]
	if mask == ^uint64(0)>>(64-register.Bits) {
		return []variedField{{"", mask}}
	}
	var varied []variedField
	for i := range register.Fields {
		if field := &register.Fields[i]; mask&field.Mask() != 0 {
			varied = append(varied, variedField{field.Name, mask & field.Mask()})
			mask &^= field.Mask()
		}
	}
	for mask != 0 {
		low := bits.TrailingZeros64(mask)
		run := bits.TrailingZeros64(^(mask >> low))
		varied = append(varied, variedField{fmt.Sprintf("[%d:%d]", low+run-1, low), (1<<run - 1) << low})
		mask &^= (1<<run - 1) << low
	}
	return varied
}
