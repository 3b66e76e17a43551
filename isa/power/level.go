package power

import "fmt"

// Level is a level of the Power architecture, in the order of their age.
type Level uint8

// The levels KVM can emulate (KVM_REG_PPC_ARCH_COMPAT). Level206Plus and
// Level31P11 differ from the level before them in the processor named to the
// guest, not in the architecture.
const (
	Level205 Level = iota + 1
	Level206
	Level206Plus
	Level207
	Level30
	Level31
	Level31P11
)

// LevelRow describes a level.
type LevelRow struct {
	Level Level
	Name  string
	// LogicalPVR is the value of KVM_REG_PPC_ARCH_COMPAT, a logical processor
	// version (PAPR, "logical processor versions").
	LogicalPVR uint32
	// PCRBit is the version bit of PCR. That of 3.1 is used in arithmetic only.
	PCRBit uint64
}

// Levels lists every level in ascending order.
var Levels = levels[:]

var levels = [...]LevelRow{
	{Level205, "2.05", 0x0f000002, 0x2},
	{Level206, "2.06", 0x0f000003, 0x4},
	{Level206Plus, "2.06+", 0x0f100003, 0x4},
	{Level207, "2.07", 0x0f000004, 0x8},
	{Level30, "3.0", 0x0f000005, 0x10},
	{Level31, "3.1", 0x0f000006, 0x20},
	{Level31P11, "3.1/P11", 0x0f000007, 0x20},
}

// PCR bits.
const (
	// PCRReserved holds the bits of PCR that read and are written as 1.
	PCRReserved uint64 = 0x0fffffffffffffe1
	// PCRLevels holds the version bits.
	PCRLevels uint64 = 0x1e
	// The facility disables of PCR: vectors and VSX until POWER7,
	// transactional memory until POWER8, MMA on POWER10.
	PCRVectorDisable        uint64 = 1 << 63
	PCRVSXDisable           uint64 = 1 << 62
	PCRTransactionalDisable uint64 = 1 << 61
	PCRMMADisable           uint64 = 1 << 60
)

// row returns the table row of a level, nil for a number that is none.
func (l Level) row() *LevelRow {
	if l == 0 || int(l) > len(Levels) {
		return nil
	}
	return &Levels[l-1]
}

// String gives the level's name: "2.07", "3.1".
func (l Level) String() string {
	if row := l.row(); row != nil {
		return row.Name
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// ParseLevel reads a level's name.
func ParseLevel(name string) (Level, error) {
	for i := range Levels {
		if Levels[i].Name == name {
			return Levels[i].Level, nil
		}
	}
	return 0, fmt.Errorf("architecture level %q: want one of 2.05, 2.06, 2.06+, 2.07, 3.0, 3.1, 3.1/P11", name)
}

// PCR returns the processor compatibility register for a guest held at one
// level on a host of another: the version bits from the guest's up to below
// the host's, and the reserved bits. A guest above its host is refused, as KVM
// does with EINVAL.
func PCR(host, guest Level) (uint64, error) {
	hostRow, guestRow := host.row(), guest.row()
	if hostRow == nil || guestRow == nil {
		return 0, fmt.Errorf("PCR: %v on %v: want two levels of the architecture", guest, host)
	}
	if guestRow.PCRBit > hostRow.PCRBit {
		return 0, fmt.Errorf("PCR: a %v host cannot hold a guest at %v", host, guest)
	}
	return hostRow.PCRBit - guestRow.PCRBit | PCRReserved, nil
}
