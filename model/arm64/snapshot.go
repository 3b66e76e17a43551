package arm64

import (
	"errors"
	"slices"
	"syscall"

	"github.com/guise-project/guise/isa/arm64"
)

// Snapshot is what a VMM saves of a vCPU that goes by KVM_GET_REG_LIST, as QEMU
// does: every register that is listed, with its value.
type Snapshot struct {
	Registers []Saved
}

// Saved is one register; Value is little-endian.
type Saved struct {
	ID    arm64.ID
	Value []byte
}

// Refusal is a register that a restore could not write.
type Refusal struct {
	Saved
	Errno syscall.Errno
}

// Save reads every register that is listed for a vCPU. With SVE, the vCPU must
// be final.
func (m *VM) Save(vcpu int) (*Snapshot, error) {
	ids, err := m.List(vcpu)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{}
	for _, id := range ids {
		value := make([]byte, id.Size())
		if err := m.GetWide(vcpu, id, value); err != nil {
			return nil, err
		}
		s.Registers = append(s.Registers, Saved{id, value})
	}
	return s, nil
}

// Restore writes a snapshot into a vCPU that has not run: vector lengths first,
// then what is the VM's, then the rest, and returns what was refused. The vCPU is
// left final.
func (m *VM) Restore(vcpu int, s *Snapshot) ([]Refusal, error) {
	var refused []Refusal
	c, err := m.vcpuAt(vcpu)
	if err != nil {
		return nil, err
	}
	final := c.finalised
	for _, r := range restoreOrder(s) {
		if m.kvm.SVE && !final && r.ID != arm64.IDSVEVectorLengths {
			if err := m.Finalize(vcpu); err != nil {
				return refused, err
			}
			final = true
		}
		err := m.SetWide(vcpu, r.ID, r.Value)
		var errno syscall.Errno
		switch {
		case err == nil:
		case errors.As(err, &errno):
			refused = append(refused, Refusal{r, errno})
		default:
			return refused, err
		}
	}
	return refused, nil
}

// restoreOrder is the order in which Restore writes the registers of a snapshot:
// KVM leaves open what comes of ID registers that are written after others
// (Documentation/virt/kvm/arm/vcpu-features.rst).
func restoreOrder(s *Snapshot) []Saved {
	rank := func(id arm64.ID) int {
		place, ok := arm64.PlaceOf(id)
		switch {
		case id == arm64.IDSVEVectorLengths:
			return 0
		case ok && classes()[place] == classFeature:
			return 1
		case ok:
			return 2
		}
		return 3
	}
	registers := slices.Clone(s.Registers)
	slices.SortStableFunc(registers, func(a, b Saved) int { return rank(a.ID) - rank(b.ID) })
	return registers
}

// Unlisted compares a snapshot with what another vCPU lists: the registers that
// the snapshot has and the list has not, for which QEMU refuses the move, and
// those the other way, for which it keeps the target's own values.
func (s *Snapshot) Unlisted(list []arm64.ID) (unknown, kept []arm64.ID) {
	saved := make([]arm64.ID, len(s.Registers))
	for i, r := range s.Registers {
		saved[i] = r.ID
		if !slices.Contains(list, r.ID) {
			unknown = append(unknown, r.ID)
		}
	}
	for _, id := range list {
		if !slices.Contains(saved, id) {
			kept = append(kept, id)
		}
	}
	return unknown, kept
}
