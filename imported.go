package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// What a VMM wrote into a VM before it was asked, or left out of what it tells, is not
// what KVM gave, and no ground for a no. Of Firecracker's fingerprints these are
// CLIDR_EL1, where the kernel takes one, and the list of registers that hold a guest's
// state, of which the helper leaves some out: PC and counters, as far as is known.

// asLeft says why such a finding is open.
const asLeft = "as the VMM that was asked left it; what KVM gives was not captured"

// left reports whether what an imported capture says of a register may be a VMM's doing.
func (c *Capture) left(place int) bool {
	if place != arm64.CLIDREL1 {
		return false
	}
	version, err := kernel.ParseVersion(c.Host.Kernel)
	if err != nil {
		return true
	}
	profiles, err := kernel.Possible(version)
	return err != nil || slices.ContainsFunc(profiles, func(p *kernel.Profile) bool { return p.Fabricated(arm64.CLIDREL1) })
}

// leftUnlisted reports whether a register that an imported list lacks may have been left
// out of it.
func (s *CapturedSetup) leftUnlisted(id arm64.ID) bool {
	_, inTable := arm64.PlaceOf(id)
	return s.Registers == Imported && !inTable && !inSpace(id)
}

// openWhatWasLeft makes a no unknown that rests on a value that a contract has from a VMM's
// doing alone. A contract that was read says what it says.
func (c *Contract) openWhatWasLeft(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		place, ok := arm64.Place(f.Register)
		if !ok || f.Verdict != No || len(c.imported) == 0 {
			continue
		}
		if !slices.ContainsFunc(c.imported, func(host *Capture) bool { return !host.left(place) }) {
			f.Verdict, f.Who, f.Means, f.Remedy = Unknown, "", asLeft, Remedy{Code: RemedyCapture}
		}
	}
}
