package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// Source says how a fact of a capture is known.
type Source string

const (
	Read     Source = "read"     // asked of the kernel itself
	Tried    Source = "tried"    // every value was written and read back
	Assumed  Source = "assumed"  // derived from a profile
	Imported Source = "imported" // taken from another tool's document
)

// Capture is what KVM on one host can give a guest, setup by setup.
type Capture struct {
	// Name is what findings call the host: a file or catalogue name. It is not
	// part of the document.
	Name string
	// Captured says where and when; it is kept apart from the view, so that
	// equal machines have equal view digests.
	Captured Occasion
	Host     HostFacts
	// Setups holds what was captured, the plainest setup first; none on POWER.
	Setups []CapturedSetup
	// Power is what was captured of a POWER host, nil on arm64.
	Power *PowerHost
	// Complete says that every setup was tried: one that is not in Setups is
	// refused by the host. Otherwise nothing is known of it.
	Complete bool
	// packed is the view of a fleet document that the capture was read from.
	packed *packedView
}

// Occasion is where and when a capture was made, and by what.
type Occasion struct {
	At     string // RFC 3339
	By     string // tool and version
	Source string // where an imported capture came from
}

// HostFacts is what is true of the host whatever the setup.
type HostFacts struct {
	Kernel   string    // release, as uname -r gives it
	Mode     string    // kvm-arm.mode: vhe, nvhe, protected, nested
	PageSize int       // bytes
	CPUs     []HostCPU // one entry for each kind of core
	Emulator string    // what emulates the CPU, "" on hardware
	// Capabilities is what KVM_CHECK_EXTENSION answers on the host for each
	// KVM_CAP_* that was asked for, 0 included; nil where none was. What is
	// not named is not known. A setup says which of them a VM is given.
	Capabilities map[string]int64
}

// HostCPU is one kind of core of a host.
type HostCPU struct {
	MIDR, REVIDR uint64
	Count        int
}

// CapturedSetup is what KVM shows and takes for VMs of one setup.
type CapturedSetup struct {
	Setup
	// View is the limits: every register before anyone writes to it.
	View arm64.View
	// Extra holds registers of the feature ID space that the table does not
	// know.
	Extra map[arm64.ID]uint64
	// Listed holds the ids that KVM_GET_REG_LIST gives, sorted; nil where they
	// are not known. Captures that were read may share a list: it must not be
	// changed in place.
	Listed []arm64.ID
	// Offers is what the host takes; nil where that is not known.
	Offers *arm64.Offers
	// Registers and Accepts say how the two are known; AssumedKernel is the
	// version whose profile assumed offers rest on.
	Registers, Accepts Source
	AssumedKernel      string
	// Masks is what KVM_ARM_GET_REG_WRITABLE_MASKS reported, by register;
	// MaskRanges the bitmap of ranges. They are recorded, never believed.
	Masks      map[arm64.ID]uint64
	MaskRanges uint64
	// Served are the bits of hypercall bitmaps that the host does not have, by place:
	// the services that its kernel serves every guest, whatever a VMM does. Assume
	// sets it; no document has it.
	Served map[int]uint64
}

// served returns the services of a hypercall bitmap that a host without it serves, and
// whether that is known. Those of VENDOR_HYP_BMAP_2 came with the register (commit
// c0000e58c74e).
func (s *CapturedSetup) served(place int) (bits uint64, known bool) {
	if place == arm64.VENDORHYPBMAP2 {
		return 0, true
	}
	bits, known = s.Served[place]
	return bits, known
}

// lacks reports whether the host is known not to have a register: its list has it not. A
// register of the table that is listed, and has no value here, was not captured; of others
// those that read as zero are left out.
func (s *CapturedSetup) lacks(id arm64.ID) bool {
	if _, named := arm64.PlaceOf(id); !named || s.Listed == nil {
		return s.Listed != nil
	}
	_, listed := slices.BinarySearch(s.Listed, id)
	return !listed
}

// Assume derives the offers of every setup that has none from what is known of a
// kernel version, and marks them as assumed: what each kernel that the version may
// be takes. What only some of those take stays unknown. Of a setup that lists its
// registers, and no hypercall bitmaps among them, it notes which services the host's
// own kernel, or else the one that is assumed, serves without.
func (c *Capture) Assume(version kernel.Version) error {
	if _, err := kernel.Possible(version); err != nil {
		return err
	}
	own, err := kernel.ParseVersion(c.Host.Kernel)
	if err != nil {
		own = version
	}
	c.packed = nil
	for i := range c.Setups {
		c.Setups[i].assumeServices(own)
		if s := &c.Setups[i]; s.Offers == nil {
			certain, _, err := kernel.Offers(version, &s.View, s.KernelVM())
			if err != nil {
				return err
			}
			s.Offers, s.Accepts, s.AssumedKernel = &certain, Assumed, version.String()
		}
	}
	return nil
}

// assumeServices notes what a kernel of the version serves without hypercall bitmaps.
func (s *CapturedSetup) assumeServices(version kernel.Version) {
	for _, place := range []int{arm64.STDBMAP, arm64.STDHYPBMAP, arm64.VENDORHYPBMAP} {
		id := arm64.ID(arm64.Registers[place].ID)
		if s.Listed == nil || s.View.Present.Has(place) || slices.Contains(s.Listed, id) {
			continue
		}
		if bits, known := kernel.ServedUnasked(version, place); known {
			if s.Served == nil {
				s.Served = map[int]uint64{}
			}
			s.Served[place] = bits
		}
	}
}

// ViewDigest returns the digest of what the host shows and takes: "sha256:" and
// hex digits. Equal machines have equal view digests, wherever and whenever
// they were captured.
func (c *Capture) ViewDigest() string {
	d := digesters.Get().(*digester)
	defer digesters.Put(d)
	return d.view(c)
}

// Setup returns the capture of the setup with that key, or nil.
func (c *Capture) Setup(key string) *CapturedSetup {
	i := slices.IndexFunc(c.Setups, func(s CapturedSetup) bool { return s.Key() == key })
	if i < 0 {
		return nil
	}
	return &c.Setups[i]
}

// like returns the captured setup with the key of another, or nil.
func (c *Capture) like(s *Setup) *CapturedSetup {
	for i := range c.Setups {
		if c.Setups[i].sameKey(s) {
			return &c.Setups[i]
		}
	}
	return nil
}
