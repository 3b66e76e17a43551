package guise

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
)

// Contract is the complete, static definition a VM is given, setup included.
type Contract struct {
	// Name is what findings call it: a file name. It is not part of the
	// document.
	Name  string
	Setup Setup
	// View holds the value of every register that is set, firmware registers
	// included, and of hardware registers that a host must have.
	View arm64.View
	// Extra holds values of feature ID encodings that the table does not know.
	Extra map[arm64.ID]uint64
	// Vary masks the bits that are left to each host. They are 0 in View.
	Vary [arm64.NumRegisters]uint64
	// Absent holds the registers that must not exist: encodings of the feature
	// ID space, and firmware registers.
	Absent []arm64.ID
	// Uncontrolled holds the registers that no VMM controls, that are left to the
	// VMM (topology, selection), or that nobody knew when the contract was made;
	// View says nothing of them.
	Uncontrolled []arm64.ID
	// Listed holds the KVM register ids that the VMM will see on every host,
	// sorted; nil where a host's list is not known.
	Listed []arm64.ID
	// Power is the contract of a VM on POWER, nil on arm64; all above is empty
	// where it is not nil.
	Power *PowerContract
	// MadeFrom names the hosts it was computed from, with their view digests.
	MadeFrom []Origin
	// imported are those hosts where all of them were imported; none in a contract that
	// was read.
	imported []*Capture
}

// Origin is a host that a contract was computed from.
type Origin struct {
	Name, Kernel, View string
}

// Digest returns the digest of the contract document: "sha256:" and hex digits.
func (c *Contract) Digest() string {
	sum := sha256.Sum256(c.Marshal())
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Value returns what a host with the given limit writes to the register at
// place: the contract's bits, and the host's own where they vary.
func (c *Contract) Value(place int, limit uint64) uint64 {
	return c.View.Values[place]&^c.Vary[place] | limit&c.Vary[place]
}

// left are encodings of the feature ID space that are not contract values:
// what the physical CPU answers, and what the VMM chooses (MPIDR_EL1: topology,
// CSSELR_EL1: a selection; CCSIDR_EL1 is an array that CSSELR_EL1 selects from,
// with ids of its own).
var left = []string{"MPIDR_EL1", "CCSIDR2_EL1", "GMID_EL1", "SMIDR_EL1", "DCZID_EL0", "S3_1_C0_C0_0"}

// leftAlone is left by id.
var leftAlone = sync.OnceValue(func() map[arm64.ID]bool {
	ids := map[arm64.ID]bool{}
	for _, name := range left {
		if place, ok := arm64.Place(name); ok {
			ids[arm64.ID(arm64.Registers[place].ID)] = true
		} else if e, err := arm64.ParseEncoding(name); err == nil {
			ids[e.ID()] = true
		}
	}
	return ids
})

// Space is what a contract is complete over, in ascending order of ids: the 192
// encodings of the feature ID space and KVM's firmware registers. Each has a
// value, is absent, or is uncontrolled.
var Space = sync.OnceValue(func() []arm64.ID {
	var ids []arm64.ID
	for _, e := range arm64.FeatureSpace() {
		ids = append(ids, e.ID())
	}
	for place := range arm64.Registers {
		if firmwareRegister(place) {
			ids = append(ids, arm64.ID(arm64.Registers[place].ID))
		}
	}
	slices.Sort(ids)
	return ids
})

// inSpace reports whether the register is one that a contract is complete over.
func inSpace(id arm64.ID) bool {
	_, found := slices.BinarySearch(Space(), id)
	return found
}

// has reports whether the contract gives the register a value.
func (c *Contract) has(id arm64.ID) bool {
	_, extra := c.Extra[id]
	place, known := arm64.PlaceOf(id)
	return extra || known && c.View.Present.Has(place)
}

// Complete fills Absent and Uncontrolled, so that every register of Space has
// its rule: what has no value goes to Absent where the hosts are known to lack
// it, and else to Uncontrolled.
func (c *Contract) Complete(lacking func(id arm64.ID) bool) {
	c.Absent, c.Uncontrolled = []arm64.ID{}, []arm64.ID{}
	for _, id := range Space() {
		switch {
		case c.has(id):
		case !leftAlone()[id] && lacking(id):
			c.Absent = append(c.Absent, id)
		default:
			c.Uncontrolled = append(c.Uncontrolled, id)
		}
	}
}

// Incomplete returns an error that names the first register of which the
// contract says nothing, or two things; nil where it is complete. A contract of
// POWER is.
func (c *Contract) Incomplete() error {
	if c == nil {
		return errors.New("there is no contract; it is nil")
	}
	if c.Power != nil {
		return nil
	}
	rules := make(map[arm64.ID]int, len(Space()))
	for _, ids := range [][]arm64.ID{c.Absent, c.Uncontrolled} {
		for _, id := range ids {
			rules[id]++
		}
	}
	var missing error
	mpidr := arm64.ID(arm64.Registers[arm64.MPIDREL1].ID)
	if c.View.Present.Has(arm64.CSSELREL1) {
		return fmt.Errorf("CSSELR_EL1: is a guest's selection and has no value in a contract")
	}
	for _, id := range Space() {
		n, has := rules[id], c.has(id)
		switch {
		case id == mpidr && has:
			return fmt.Errorf("%s: is the VMM's to choose and has no value in a contract; want it uncontrolled", id)
		case leftAlone()[id] && slices.Contains(c.Absent, id):
			return fmt.Errorf("%s: is what the CPU or the VMM makes it and cannot be absent; want it uncontrolled", id)
		case has && n > 0:
			return fmt.Errorf("%s: has a value and must not have one: it is said to be absent or uncontrolled", id)
		case n > 1:
			return fmt.Errorf("%s: want it once, absent or uncontrolled; it stands there %d times", id, n)
		case !has && n == 0 && missing == nil:
			missing = fmt.Errorf("%s: want a value, or that it is absent or uncontrolled; the contract says nothing of it", id)
		}
	}
	return missing
}

// Leaves reports whether the contract leaves the register to each host: it is
// uncontrolled.
func (c *Contract) Leaves(id arm64.ID) bool { return slices.Contains(c.Uncontrolled, id) }
