package kernel

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Known lists the versions whose behaviour was read or tried in the lab, oldest
// first.
var Known = []Version{
	must("5.10"), must("6.1"), must("6.12"), must("6.16"), must("6.17"), must("6.18"), must("6.19"), must("7.0"), must("7.1"), must("7.2"),
}

// Early lists versions before those, known from texts and source alone, oldest
// first.
var Early = []Version{must("4.14"), must("4.15")}

// Newest is the newest version known.
var Newest = Known[len(Known)-1]

// Changes returns the whole log, oldest entries first within each table.
func Changes() []Change {
	return slices.Concat(early, limits, writable, exceptions, firmware, reported)
}

// Profile is KVM's guest-visible behaviour at one version. It is immutable and
// safe for concurrent use.
type Profile struct {
	Version  Version
	slots    [arm64.NumSlots]slotRule
	free     arm64.Places
	identity arm64.Places
	absent   arm64.Places // registers that this version does not have
	aarch32  arm64.Places // registers ignored on a host without AArch32
	frozen   arm64.Places // registers that a first run freezes
	limits   limitTable
	reports  [arm64.NumRegisters]uint64
	listings []Listing
	ranges   []MaskRange
	// protected is what guests of protected VMs read, by place; withheld are the
	// capabilities of which those VMs answer 0.
	protected [arm64.NumRegisters][]limitStep
	withheld  map[string]bool
	// behaviours has a bit for each Behaviour.
	behaviours uint64
}

// slotRule is what a version does with one field.
type slotRule struct {
	writable       bool
	refuses, takes isa.Set
	refusesEL2     isa.Set // of VMs with EL2
	followsVGIC    bool
	clearedNoVGIC  bool
	asZero         isa.Set
	hostsAsZero    bool
	asLimitEL2     isa.Set // of VMs with EL2
}

// profiles holds what At and Possible made, by version.
var profiles, possible sync.Map

// At returns a profile of a version: the one that there is, where the log leaves
// nothing open. Otherwise it is, where the version names no point release, that of
// the kernel of its series that was booted; and else that with the entries that are
// certainly in the version alone. Possible returns what else the version may be,
// and answers about hosts rest on that. It fails for a version before 4.14, and with
// a *VendorError for a vendor's kernel of which the log does not speak.
func At(v Version) (*Profile, error) {
	if err := supported(v); err != nil {
		return nil, err
	}
	if p, ok := profiles.Load(v); ok {
		return p.(*Profile), nil
	}
	w := newWorld(v)
	if kernel, ok := booted(v); ok && v.point == 0 {
		w.version = kernel
	}
	p := build(w, nil, nil)
	p.Version = v
	stored, _ := profiles.LoadOrStore(v, p)
	return stored.(*Profile), nil
}

// supported fails for a version before the oldest in the log, and for kernels that
// only begin with the release that they are named after.
func supported(v Version) error {
	if v.Vendor.Rebased() {
		return &VendorError{v}
	}
	if v.Series().Compare(Early[0]) < 0 {
		return fmt.Errorf("kernel %v: no profile; the oldest is %v", v, Early[0])
	}
	return nil
}

// build sums up the log, and the entries that are given beside it.
func build(w *world, changes []Change, ranges []MaskRange) *Profile {
	p := &Profile{Version: w.version, withheld: map[string]bool{}}
	for i := range behaviours {
		if w.has(behaviours[i].Since, behaviours[i].Until) {
			p.behaviours |= 1 << behaviours[i].Behaviour
		}
	}
	for _, l := range Listings() {
		if w.has(l.Since, l.Until) {
			p.listings = append(p.listings, l)
		}
	}
	for _, r := range slices.Concat(maskRanges, ranges) {
		if w.has(r.Since, r.Until) {
			p.ranges = append(p.ranges, r)
		}
	}
	for _, c := range Changes() {
		p.apply(&c, w.has(c.Since, c.Until))
	}
	for _, c := range changes {
		p.apply(&c, w.has(c.Since, c.Until))
	}
	for i := range protected {
		if w.has(protected[i].Since, protected[i].Until) {
			p.applyProtected(&protected[i])
		}
	}
	for _, r := range withheld {
		for _, name := range r.Capabilities {
			p.withheld[name] = p.withheld[name] || w.has(r.Since, r.Until)
		}
	}
	return p
}

// Extrapolates reports whether the version is newer than all that are known.
func (p *Profile) Extrapolates() bool { return p.Version.Series().Compare(Newest) > 0 }

// Unsettled returns the entries of which it is not known whether this version
// has them.
func (p *Profile) Unsettled() []Change {
	return slices.DeleteFunc(Changes(), func(c Change) bool {
		_, known := c.In(p.Version)
		return known
	})
}

// apply adds one entry to the profile, or what follows from its absence.
func (p *Profile) apply(c *Change, present bool) {
	for _, place := range c.places() {
		if c.Kind == Appears || c.Kind == Exposes {
			if !present {
				p.absent.Add(place)
			}
			continue
		}
		if c.Kind >= Gains {
			p.limits.apply(c, place, present)
			continue
		}
		if !present {
			continue
		}
		switch c.Kind {
		case Free:
			p.free.Add(place)
		case Identity:
			p.identity.Add(place)
		case IgnoredWithoutAArch32:
			p.aarch32.Add(place)
		case Frozen:
			p.frozen.Add(place)
		case Reports:
			p.reports[place] = c.Value
		default:
			for _, slot := range c.slots(place) {
				p.slots[slot].apply(c)
			}
		}
	}
}

func (r *slotRule) apply(c *Change) {
	switch c.Kind {
	case Writable:
		r.writable = true
	case Refuses:
		if c.When == WithEL2 {
			r.refusesEL2 |= c.Set
		} else {
			r.refuses |= c.Set
		}
	case Takes:
		r.takes |= c.Set
	case FollowsVGIC:
		r.followsVGIC = true
	case ClearedWithoutVGIC:
		r.clearedNoVGIC = true
	case TakenAsZero:
		r.asZero |= c.Set
	case TakenAsLimit:
		r.asLimitEL2 |= c.Set
	case HostsTakenAsZero:
		r.hostsAsZero = true
	}
}

// places returns the registers that the entry is about: one, or all that share
// the name (CCSIDR_EL1), or all AArch32 ID registers.
func (c *Change) places() []int {
	var places []int
	for i := range arm64.Registers {
		name := arm64.Registers[i].Name
		same := name == c.Register || strings.HasPrefix(name, c.Register+"[")
		switch {
		case same && c.Kind != Exposes, c.Kind == Exposes && featureRegister(i) && !invariant(i),
			c.Kind == IgnoredWithoutAArch32 && aarch32Register(i),
			c.Kind == Frozen && c.Register == "ID_AA64PFR0_EL1" && featureRegister(i):
			places = append(places, i)
		}
	}
	return places
}

// aarch32Register reports whether the register at place describes AArch32:
// S3_0_C0_C1_0 to S3_0_C0_C3_7, but for those that KVM hides from every VM, with
// AArch32 or without, and which take 0 only.
func aarch32Register(place int) bool {
	switch place {
	case arm64.IDAFR0EL1, arm64.IDDFR1EL1, arm64.S3_0_C0_C3_3, arm64.S3_0_C0_C3_7:
		return false
	}
	e, ok := arm64.ID(arm64.Registers[place].ID).Encoding()
	return ok && e.Op0 == 3 && e.Op1 == 0 && e.CRn == 0 && 1 <= e.CRm && e.CRm <= 3
}

// invariant reports whether userspace was given the register at place before the
// series of 2017, as the boot CPU has it: those of AArch32 up to ID_ISAR5_EL1,
// and CTR_EL0 (Linux 4.14, arch/arm64/kvm/sys_regs.c, invariant_sys_regs).
func invariant(place int) bool {
	return arm64.IDPFR0EL1 <= place && place <= arm64.IDISAR5EL1 || place == arm64.CTREL0
}

// featureRegister reports whether the register at place is one of the feature
// ID registers of which a VM has a copy: S3_0_C0_C1_0 to S3_0_C0_C7_7, CTR_EL0.
func featureRegister(place int) bool {
	e, ok := arm64.ID(arm64.Registers[place].ID).Encoding()
	return place == arm64.CTREL0 || ok && e.Op0 == 3 && e.Op1 == 0 && e.CRn == 0 && 1 <= e.CRm && e.CRm <= 7
}

// slots returns the entry's slots within one register.
func (c *Change) slots(place int) []int {
	var slots []int
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		_, field := arm64.Slots[slot].Describe()
		if len(c.Fields) == 0 || slices.Contains(c.Fields, field.Name) {
			slots = append(slots, slot)
		}
	}
	return slots
}

// VM is what of a VM's setup decides which values it takes.
type VM struct {
	VGIC int // the in-kernel interrupt controller: 0 none, 2 or 3
	// The vCPU features.
	SVE, PAuth, PMU, MTE, EL2, E2H0, AArch32 bool
	// Protected: the hypervisor at EL2 keeps the VM from its host.
	Protected bool
}

// Offers derives, from the limits that a host of this version shows a VM, what
// the host takes and a guest then sees. It is the one place where acceptance is
// decided without a kernel: Baseline, Check, the model and the tests share it.
// Where the view does not tell whether the host has AArch32, they are what it takes
// either way; the package's function Offers also returns what it possibly takes.
func (p *Profile) Offers(view *arm64.View, vm VM) arm64.Offers {
	has, known := HasAArch32(view, vm)
	return p.offers(view, vm, has && known)
}

// offers are those of a host that has AArch32 at EL0, or has not. The former takes
// all that the latter does.
func (p *Profile) offers(view *arm64.View, vm VM, aarch32 bool) arm64.Offers {
	var offers arm64.Offers
	offers.FromView(view)
	for place := range arm64.Registers {
		if !offers.Present(place) || (p.aarch32.Has(place) && !aarch32) {
			continue
		}
		if p.free.Has(place) || (p.identity.Has(place) && !vm.Protected) {
			offers.Free(place)
		}
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			if limit, known := arm64.Slots[slot].Extract(view.Values[place]); known {
				offers.PutSet(slot, p.Accepts(slot, limit, vm))
			}
		}
	}
	return offers
}

// Accepts returns the values of one field that a host of this version can be given
// and a guest then sees, given the host's limit for it: those that KVM takes, and what
// the first run makes of the field, which need not be written.
func (p *Profile) Accepts(slot int, limit uint64, vm VM) isa.Set {
	rule := &p.slots[slot]
	switch {
	case vm.Protected && HeldByHypervisor(int(arm64.Slots[slot].Register)):
		return isa.Only(limit) // what userspace writes the guest does not see
	case rule.followsVGIC && vm.VGIC != 0:
		return isa.Only(limit)
	case (rule.followsVGIC || rule.clearedNoVGIC) && vm.VGIC == 0:
		// Where the kernel does not let the field be lowered, nobody need write.
		return isa.Only(0)
	}
	return p.Takes(slot, limit, vm) &^ ((rule.asZero | p.StoresLimit(slot, vm)) &^ isa.Only(limit))
}

// Takes returns the values of one field that KVM_SET_ONE_REG takes before the
// first run, whatever the register then holds, given the host's limit for it.
func (p *Profile) Takes(slot int, limit uint64, vm VM) isa.Set {
	rule := &p.slots[slot]
	_, field := arm64.Slots[slot].Describe()
	set := isa.Only(limit) | rule.takes | rule.asZero | p.StoresLimit(slot, vm)
	if rule.writable {
		set |= isa.Accepts(field, limit)
	}
	refuses := rule.refuses
	if vm.EL2 {
		refuses |= rule.refusesEL2
	}
	return set &^ (refuses &^ isa.Only(limit))
}

// StoresZero returns the values of a field that are taken and then held as 0,
// given what the host itself has.
func (p *Profile) StoresZero(slot int, hosts uint64) isa.Set {
	rule := &p.slots[slot]
	if rule.hostsAsZero {
		return rule.asZero | isa.Only(hosts)
	}
	return rule.asZero
}

// StoresLimit returns the values of a field that are taken, and then the limit is
// held.
func (p *Profile) StoresLimit(slot int, vm VM) isa.Set {
	if !vm.EL2 {
		return 0
	}
	return p.slots[slot].asLimitEL2
}

// VGICSets reports whether KVM sets a field to match the interrupt controller,
// and whether it clears the field of a VM without a GICv3 at the first run.
func (p *Profile) VGICSets(slot int) (follows, cleared bool) {
	return p.slots[slot].followsVGIC, p.slots[slot].clearedNoVGIC
}

// Refused returns the values of a field that are refused before anything else
// about the write is looked at.
func (p *Profile) Refused(slot int) isa.Set { return p.slots[slot].refuses }

// RefusedWithEL2 returns what VMs with EL2 refuse so beside.
func (p *Profile) RefusedWithEL2(slot int) isa.Set { return p.slots[slot].refusesEL2 }

// Frozen reports whether the first run of a vCPU freezes the register.
func (p *Profile) Frozen(place int) bool { return p.frozen.Has(place) }

// Fabricated reports whether KVM makes the register up, and takes other values
// for it.
func (p *Profile) Fabricated(place int) bool { return p.free.Has(place) }

// IgnoresAArch32 reports whether writes to the register are ignored on a host
// without AArch32.
func (p *Profile) IgnoresAArch32(place int) bool { return p.aarch32.Has(place) }

// Reported returns what KVM_ARM_GET_REG_WRITABLE_MASKS says of the register, on a
// host with AArch32.
func (p *Profile) Reported(place int) uint64 { return p.reports[place] }

// Listings returns the entries of the register list of this version. The caller
// must not change them.
func (p *Profile) Listings() []Listing { return p.listings }

// Has reports whether KVM of this version has the register at place. It is
// false only for registers that are KVM's own.
func (p *Profile) Has(place int) bool { return !p.absent.Has(place) }

// IdentityWritable reports whether MIDR_EL1, REVIDR_EL1 and AIDR_EL1 can be
// chosen (KVM_CAP_ARM_WRITABLE_IMP_ID_REGS).
func (p *Profile) IdentityWritable() bool { return p.identity != (arm64.Places{}) }

// HasAArch32 reports whether the host runs AArch32 at EL0. ID_AA64PFR0_EL1 does
// not show that to a VM with EL2; the AArch32 registers do, which read 0 on a host
// without. known is false where the view lacks the register that tells.
func HasAArch32(view *arm64.View, vm VM) (has, known bool) {
	if vm.EL2 {
		return view.Values[arm64.IDISAR0EL1] != 0, view.Present.Has(arm64.IDISAR0EL1)
	}
	return arm64.Registers[arm64.IDAA64PFR0EL1].Field("EL0").Get(view.Values[arm64.IDAA64PFR0EL1]) == 2, view.Present.Has(arm64.IDAA64PFR0EL1)
}
