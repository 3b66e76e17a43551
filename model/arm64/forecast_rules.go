package arm64

import (
	"sync"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// idcSlot is the slot of CTR_EL0.IDC.
var idcSlot = sync.OnceValue(func() int {
	slot, _ := arm64.SlotOf(arm64.CTREL0, fieldPlace(arm64.CTREL0, "IDC"))
	return slot
})

// idc is what CTR_EL0.IDC may be. Kernels that make caches up show 1 where
// CLIDR_EL1 says that no cleaning is needed; captures of 5.10 and 6.1 show what the
// CPU itself has. Once caches are made up nobody sees the CPU's CLIDR_EL1.
func (p *predictor) idc(now uint64) isa.Set {
	before, after := p.old.Fabricated(arm64.CLIDREL1), p.next.Fabricated(arm64.CLIDREL1)
	view := &p.captured.View
	switch {
	case before == after, before && now == 0, after && now == 1:
		return isa.Only(now)
	case after && view.Present.Has(arm64.CLIDREL1):
		effective := effectiveCTR(view.Values[arm64.CTREL0], view.Values[arm64.CLIDREL1])
		return isa.Only(now) | isa.Only(arm64.Registers[arm64.CTREL0].Field("IDC").Get(effective))
	}
	return isa.Range(0, 1)
}

// marked reports whether making the VM's vGICv3 sets ID_PFR1_EL1.GIC to 1, on a
// host without AArch32, where the register else reads 0.
func (p *predictor) marked(slot int) bool {
	_, field := arm64.Slots[slot].Describe()
	return int(arm64.Slots[slot].Register) == arm64.IDPFR1EL1 && field.Name == "GIC" &&
		p.kvm.VGIC == 3 && !p.kvm.Protected && p.next.Does(kernel.MarksVGIC) &&
		!p.aarch32
}

// accepts is what a kernel takes for a field and a guest then sees, given what it
// shows where nobody wrote. A value that is taken and then shown otherwise does
// not move.
func (p *predictor) accepts(profile *kernel.Profile, slot int, limit uint64) isa.Set {
	place := int(arm64.Slots[slot].Register)
	if profile.IgnoresAArch32(place) && !p.aarch32 {
		return isa.Only(limit)
	}
	return profile.Accepts(slot, limit, p.kvm)
}
