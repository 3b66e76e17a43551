package guise

import (
	"crypto/sha256"
	"encoding/hex"

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
	// Absent holds the encodings of the feature ID space that must not exist.
	Absent []arm64.Encoding
	// Uncontrolled holds the encodings that no VMM controls, or that are left
	// to the VMM (topology, selection), where View says nothing of them.
	Uncontrolled []arm64.Encoding
	// Listed holds the KVM register ids that the VMM will see on every host,
	// sorted; nil where a host's list is not known.
	Listed []arm64.ID
	// Power is the contract of a VM on POWER, nil on arm64; all above is empty
	// where it is not nil.
	Power *PowerContract
	// MadeFrom names the hosts it was computed from, with their view digests.
	MadeFrom []Origin
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

// complete fills Absent and Uncontrolled, so that every encoding of the feature
// ID space has its rule.
func (c *Contract) complete() {
	leftAlone := map[arm64.ID]bool{}
	for _, name := range left {
		if place, ok := arm64.Place(name); ok {
			leftAlone[arm64.ID(arm64.Registers[place].ID)] = true
		} else if e, err := arm64.ParseEncoding(name); err == nil {
			leftAlone[e.ID()] = true
		}
	}
	for _, e := range arm64.FeatureSpace() {
		place, known := arm64.PlaceOf(e.ID())
		_, extra := c.Extra[e.ID()]
		switch {
		case extra || (known && c.View.Present.Has(place)):
		case leftAlone[e.ID()]:
			c.Uncontrolled = append(c.Uncontrolled, e)
		default:
			c.Absent = append(c.Absent, e)
		}
	}
}
