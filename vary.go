package guise

import (
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
	if m.identityCapabilityNeeds {
		m.notes = append(m.notes, "the identity is set with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS; a guest does not apply the workarounds of a CPU whose name it is not told")
	}
}

// variedText names what varies of a register: ID_AA64MMFR2_EL1.EVT,FWB, or the
// register's name where all of it does.
func variedText(place int, mask uint64) string {
	register := &arm64.Registers[place]
	if mask == ^uint64(0)>>(64-register.Bits) {
		return register.Name
	}
	var fields []string
	for i := range register.Fields {
		if field := &register.Fields[i]; mask&field.Mask() != 0 {
			fields = append(fields, field.Name)
		}
	}
	return register.Name + "." + strings.Join(fields, ",")
}
