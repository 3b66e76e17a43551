package guise

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// VMM is a virtual machine monitor whose own doings a check takes into account.
type VMM string

const (
	VMMNone        VMM = ""            // one that does what guise does
	VMMQEMU        VMM = "qemu"        // restores whole states verbatim; with @ and a version, as that version does
	VMMFirecracker VMM = "firecracker" // likewise, and leaves hypercall bitmaps alone
	VMMGuise       VMM = "guise"       // guise vm save and restore: the target is given the contract
)

// HostVerdict is whether one host would take a contract.
type HostVerdict struct {
	Host     string
	Verdict  Verdict
	Findings []Finding
	RestsOn  []string
}

// Check judges whether the captured host would take the contract and show it to
// a guest. A capture without what the contract asks for gives unknown, never
// no.
func Check(contract *Contract, capture *Capture, vmm VMM) HostVerdict {
	if refused := unjudged(contract, capture); refused != nil {
		return *refused
	}
	if contract.Power != nil || capture.Power != nil {
		return checkPower(contract, capture)
	}
	result := HostVerdict{Host: capture.Name}
	setup := capture.Setup(contract.Setup.Key())
	if setup == nil {
		finding := Finding{
			Verdict: Unknown, Kind: KindSetup, Register: "setup", Wanted: contract.Setup.Key(),
			Hosts:  []HostValue{{Host: capture.Name, Value: stateNoSetup}},
			Remedy: Remedy{RemedyCapture, []string{capture.Name}},
		}
		if capture.Complete {
			finding.Verdict, finding.Who, finding.Remedy = No, "nobody", Remedy{}
			finding.Hosts[0].Value = stateMakesNone
		}
		result.Verdict, result.Findings = finding.Verdict, []Finding{finding}
		return result
	}
	c := &checker{contract: contract, stance: newStance(capture, setup)}
	for place := range arm64.Registers {
		c.register(place)
	}
	if f := readsCPU(capture, &setup.Setup); f != nil {
		c.add(*f)
	}
	c.extra()
	c.setup()
	c.vmm(vmm)
	contract.openWhatWasLeft(c.findings)
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return int(b.Verdict) - int(a.Verdict) })
	result.Findings = c.findings
	result.Verdict = verdictOf(c.findings)
	switch {
	case setup.Offers == nil:
		result.RestsOn = []string{"equal values; what this host takes is not known"}
	case setup.Accepts == Assumed:
		result.RestsOn = []string{fmt.Sprintf("what Linux %s accepts, assumed; this host was not tried", setup.AssumedKernel)}
	}
	result.RestsOn = append(result.RestsOn, unknownRanges(capture)...)
	return result
}

// unjudged is the verdict on what cannot be judged: a contract or a capture that
// has nothing in it, or a contract that leaves registers out; nil otherwise.
func unjudged(contract *Contract, capture *Capture) *HostVerdict {
	result := &HostVerdict{Verdict: Unknown}
	if capture != nil {
		result.Host = capture.Name
	}
	if err := capture.usable(); err != nil {
		result.Findings = []Finding{{Verdict: Unknown, Kind: KindSetup, Register: "capture", Means: err.Error(), Remedy: Remedy{Code: RemedyCapture}}}
		return result
	}
	if err := contract.usable(); err != nil {
		result.Findings = []Finding{{Verdict: Unknown, Kind: KindList, Register: "contract", Wanted: stateComplete, Means: err.Error(), Remedy: Remedy{Code: RemedyBaseline}}}
		return result
	}
	return nil
}

// checker judges one host against one contract.
type checker struct {
	contract *Contract
	stance   *stance
	findings []Finding
}

func (c *checker) add(f Finding) {
	c.findings = append(c.findings, f)
}

// host gives a value of the host for a finding.
func (c *checker) host(value string) []HostValue {
	return []HostValue{{Host: c.stance.capture.Name, Value: value}}
}

// captureHere is to capture the host anew.
func (c *checker) captureHere() Remedy {
	return Remedy{RemedyCapture, []string{c.stance.capture.Name}}
}

// makers are the hosts that the contract was made from.
func (c *checker) makers() []string {
	names := make([]string, len(c.contract.MadeFrom))
	for i, from := range c.contract.MadeFrom {
		names[i] = from.Name
	}
	return names
}

// register judges one register of the table.
func (c *checker) register(place int) {
	wanted, captured := c.contract.View.Present.Has(place), c.stance.setup.View.Present.Has(place)
	register := &arm64.Registers[place]
	id := arm64.ID(register.ID)
	// What a guest in AArch32 reads there no VMM can write.
	unseen := c.contract.Setup.Has(FeatureAArch32) && cacheRegister(place)
	switch {
	case leftToVMM(place):
	case wanted && unseen:
		c.add(Finding{
			Verdict: Unknown, Kind: KindHardware, Register: register.Name, Wanted: registerText(place, c.contract.View.Values[place]),
			Hosts: c.host(stateNotKnown), Means: "a guest in AArch32 reads another value than a VMM writes",
		})
	case wanted && captured:
		c.values(place)
	case wanted:
		c.missing(place)
	case captured && register.Scope == isa.Hardware && shownToGuests(place, &c.stance.setup.View):
		// Nobody knew what the contract's own hosts show there.
		c.left(id, registerText(place, c.stance.setup.View.Values[place]))
	case !inSpace(id) || leftAlone()[id] || unseen:
	case captured && c.contract.Leaves(id):
		c.left(id, registerText(place, c.stance.setup.View.Values[place]))
	case captured:
		c.absent(place)
	case c.contract.Leaves(id):
	case hypercallBitmap(place) && place != arm64.VENDORHYPBMAP2:
		c.add(Finding{
			Verdict: Unknown, Kind: KindList, Register: register.Name, Wanted: stateMustNotExist, Hosts: c.host(stateAbsent),
			Means: "a host without the register decides itself which services its guests see", Who: "nobody on a host without the register",
		})
	case kvmHas(id) && !c.stance.setup.lacks(id):
		c.untold(id)
	}
}

// left judges a register of the host that the contract says nothing of: nobody
// knew what its own hosts show there.
func (c *checker) left(id arm64.ID, value string) {
	c.add(Finding{
		Verdict: Unknown, Kind: KindList, Register: NameOf(id), Wanted: stateUncontrolled, Hosts: c.host(value),
		Means: meaning(id.String(), ""), Who: "not known", Remedy: Remedy{RemedyCapture, c.makers()},
	})
}

// absent judges a register of the host that the contract says must not exist. A
// firmware register can be made 0, as bitmaps are to deny their services; all else a
// guest still reads.
func (c *checker) absent(place int) {
	if firmwareRegister(place) {
		c.slots(place, 0)
		return
	}
	c.exists(arm64.ID(arm64.Registers[place].ID), registerText(place, c.stance.setup.View.Values[place]))
}

// exists finds a register that must not exist. Whether a guest in AArch32 comes to
// one is not known.
func (c *checker) exists(id arm64.ID, value string) {
	f := Finding{
		Verdict: No, Kind: KindRefused, Register: NameOf(id), Wanted: stateMustNotExist, Hosts: c.host(value),
		Means: meaning(id.String(), ""), Who: "nobody",
	}
	if c.contract.Setup.Has(FeatureAArch32) {
		f.Verdict, f.Who = Unknown, "not known"
	}
	c.add(f)
}

// untold judges a register that the contract says must not exist and that the
// host's capture does not have, where it does not have the list either.
func (c *checker) untold(id arm64.ID) {
	c.add(Finding{
		Verdict: Unknown, Kind: KindList, Register: NameOf(id), Wanted: stateMustNotExist,
		Hosts: c.host(stateNotCaptured), Remedy: c.captureHere(),
	})
}

// hypercallBitmap reports whether the register at place is a bitmap of hypercall
// services.
func hypercallBitmap(place int) bool {
	return firmwareRegister(place) && arm64.ID(arm64.Registers[place].ID) >= arm64.FirmwareFeatureID(0)
}

// cacheRegister reports whether the register at place describes caches: CLIDR_EL1
// or a CCSIDR_EL1. A guest in AArch32 does not read there what a VMM writes.
func cacheRegister(place int) bool {
	return place == arm64.CLIDREL1 || arm64.CCSIDREL1Level0 <= place && place <= arm64.CCSIDREL1Level13
}

// values judges the contract's value of a register that the host has.
func (c *checker) values(place int) {
	limit := c.stance.setup.View.Values[place]
	value := c.contract.Value(place, limit) // what is written
	c.slots(place, value)
	if mask := tminLine().Mask(); place == arm64.CTREL0 && mask&^c.contract.Vary[place] != 0 && hidesTminLine(value, c.contract.Vary[place], limit) {
		c.add(Finding{
			Verdict: Unknown, Kind: KindHardware, Register: arm64.Registers[place].Name, Field: tminLine().Name, Wanted: tminLine().Text(tminLine().Get(value)),
			Hosts: c.host(tminLine().Text(tminLine().Get(limit))), Who: "nobody", Means: "a guest sees the CPU's only while the rest of the register is the host's",
		})
	}
	vary := c.contract.Vary[place]
	rest, free := c.stance.certain.Rest(place)
	differs := (rest ^ value) & arm64.RestMask(place) &^ vary
	unasked := slices.Contains(identityRegisters, place) && !slices.Contains(c.contract.Setup.Capabilities, identityCapability)
	switch {
	case free && unasked:
		differs = (limit ^ value) &^ vary
	case free:
		differs = 0
		if !arm64.TakesWhole(place, value, &c.stance.setup.View) {
			differs = limit ^ value
		}
	}
	if differs == 0 {
		return
	}
	register := &arm64.Registers[place]
	f := Finding{
		Verdict: No, Kind: KindRefused, Register: register.Name, Wanted: registerText(place, value),
		Hosts: c.host(registerText(place, c.stance.setup.View.Values[place])), Who: "nobody", Means: meaning(register.Name, ""),
	}
	if field := soleField(place, differs); field != nil && len(register.Fields) > 1 {
		f.Field, f.Wanted = field.Name, field.Text(field.Get(value))
		f.Hosts = c.host(field.Text(field.Get(c.stance.setup.View.Values[place])))
	}
	switch _, possible := c.stance.mayTake().Rest(place); {
	case register.Scope == isa.Hardware:
		f.Kind = KindHardware
	case possible && unasked:
		f.Kind, f.Who = KindIdentity, "settable with "+identityCapability+", which the contract's setup does not have"
	case possible && arm64.TakesWhole(place, value, &c.stance.setup.View):
		f.Verdict, f.Kind, f.Who = Unknown, KindUntried, "not known"
		f.Remedy = Remedy{RemedyCaptureOrAssume, []string{c.stance.capture.Name}}
	case slices.Contains(identityRegisters, place):
		f.Kind = KindIdentity
		f.Remedy = identityKernel()
	}
	c.add(f)
}

// slots judges the fields of a register.
func (c *checker) slots(place int, value uint64) {
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		register, field := arm64.Slots[slot].Describe()
		if field.Mask()&^c.contract.Vary[place] == 0 {
			continue
		}
		member, known := arm64.Slots[slot].Extract(value)
		certain, possible := c.stance.certain.Set(slot), c.stance.mayTake().Set(slot)
		if known && certain.Has(member) {
			continue
		}
		limit := field.Get(c.stance.setup.View.Values[place])
		f := Finding{
			Verdict: No, Kind: KindRefused, Register: register.Name, Field: field.Name,
			Wanted: field.Text(field.Get(value)), Hosts: c.host(field.Text(limit)),
			Means: meaning(register.Name, field.Name), Who: "nobody",
		}
		if c.stance.setup.Offers != nil {
			f.Hosts[0].Takes = acceptedText(&arm64.Slots[slot], certain)
		}
		partly := field.Mask()&c.contract.Vary[place] != 0 // what is seen need only agree in part
		if partly || known && possible.Has(member) {
			f.Verdict, f.Kind, f.Who = Unknown, KindUntried, "not known"
			f.Remedy = Remedy{RemedyCaptureOrAssume, []string{c.stance.capture.Name}}
		} else if known {
			f.Who = whoCanGive(slot, member, c.stance.setup, c.stance.capture.Host.Kernel)
		}
		if f.Verdict == No && c.stance.setup.Accepts == Assumed {
			f.Rests = "Linux " + c.stance.setup.AssumedKernel + ", assumed"
		}
		c.add(f)
	}
}

// missing judges a register of the contract that the host's capture lacks.
func (c *checker) missing(place int) {
	register := &arm64.Registers[place]
	value := c.contract.View.Values[place]
	f := Finding{
		Verdict: Unknown, Kind: KindList, Register: register.Name, Wanted: registerText(place, value),
		Hosts: c.host(stateNotCaptured), Means: meaning(register.Name, ""), Remedy: c.captureHere(),
	}
	served, known := c.stance.setup.served(place)
	switch {
	case hypercallBitmap(place) && known && served == value:
		return
	case hypercallBitmap(place) && known:
		f.Verdict, f.Hosts, f.Remedy = No, c.host(stateAbsent), Remedy{}
		if served != 0 {
			f.Hosts, f.Who, f.Means = c.host(registerText(place, served)), "nobody on a host without the register", "its kernel serves every guest"
		}
	case register.Scope == isa.Hardware:
		f.Kind = KindHardware
	case strings.HasPrefix(register.Name, "CCSIDR_EL1["):
		return // kernels before 6.3 list only the levels that exist
	}
	c.add(f)
}

// extra judges registers that the table does not know.
func (c *checker) extra() {
	for _, id := range slices.Sorted(maps.Keys(c.contract.Extra)) {
		value := c.contract.Extra[id]
		there, ok := c.stance.setup.Extra[id]
		if ok && there == value {
			continue
		}
		f := Finding{Verdict: No, Kind: KindRefused, Register: NameOf(id), Wanted: idText(id, value), Hosts: c.host(extraText(id, there, ok)), Who: "nobody"}
		if !ok && !c.stance.setup.lacks(id) {
			f.Verdict = Unknown
		}
		c.add(f)
	}
	for _, id := range slices.Sorted(maps.Keys(c.stance.setup.Extra)) {
		value := c.stance.setup.Extra[id]
		switch _, given := c.contract.Extra[id]; {
		case given:
		case c.contract.Leaves(id):
			c.left(id, idText(id, value))
		case inSpace(id):
			c.exists(id, idText(id, value))
		}
	}
	for _, id := range c.contract.Absent {
		_, known := arm64.PlaceOf(id)
		if _, there := c.stance.setup.Extra[id]; !known && !there && kvmHas(id) && !c.stance.setup.lacks(id) {
			c.untold(id)
		}
	}
}

// setup judges IPA size and SVE vector lengths.
func (c *checker) setup() {
	wanted, there := &c.contract.Setup, &c.stance.setup.Setup
	switch {
	case wanted.IPABits == 0:
	case there.IPABits == 0:
		c.add(Finding{Verdict: Unknown, Kind: KindSetup, Register: "IPA size", Wanted: fmt.Sprint(wanted.IPABits), Hosts: c.host(stateNotCaptured), Remedy: c.captureHere()})
	case there.IPABits < wanted.IPABits:
		c.add(Finding{Verdict: No, Kind: KindSetup, Register: "IPA size", Wanted: fmt.Sprint(wanted.IPABits), Hosts: c.host(fmt.Sprint(there.IPABits)), Who: "nobody"})
	}
	switch lengths := wanted.VectorLengths; {
	case !wanted.Has(FeatureSVE):
	case lengths == 0 || there.VectorLengths == 0:
		c.add(Finding{
			Verdict: Unknown, Kind: KindVectors, Register: "SVE vector lengths", Wanted: lengthsText(lengths),
			Hosts: c.host(lengthsText(there.VectorLengths)), Who: "not known", Remedy: Remedy{Code: RemedyCapture},
		})
	default:
		if cutTo(there.VectorLengths, lengths) != lengths {
			c.add(Finding{
				Verdict: No, Kind: KindVectors, Register: "SVE vector lengths", Wanted: lengthsText(lengths),
				Hosts: c.host(lengthsText(there.VectorLengths)), Who: "nobody: lengths can only be cut from the top",
			})
		}
	}
}

// cutTo leaves of a set of vector lengths those up to the longest of another.
func cutTo(lengths, longest uint16) uint16 {
	return lengths & (1<<(16-bits.LeadingZeros16(longest)) - 1)
}

// vmm adds what a VMM does with the contract.
func (c *checker) vmm(vmm VMM) {
	for place, mask := range c.contract.Vary {
		for _, varied := range variedFields(place, mask) {
			c.varies(vmm, place, varied)
		}
	}
	if vmm == VMMNone {
		return
	}
	rules, err := moverOf(vmm)
	if err != nil {
		c.add(Finding{Verdict: Unknown, Kind: KindVMM, Register: "VMM", Means: err.Error()})
		return
	}
	if rules.noPMU && c.contract.Setup.Has(FeaturePMU) {
		c.add(Finding{Verdict: No, Kind: KindVMM, Register: "setup", Wanted: c.contract.Setup.Key(), Who: "a contract without a PMU", Means: string(vmm) + " makes no VM with a PMU"})
	}
	if rules.comparesLists {
		c.comparedLists(rules)
	}
	if rules.leavesBitmaps {
		c.leftBitmaps(vmm)
	}
}

// varies says that a field may change when a VM moves.
func (c *checker) varies(vmm VMM, place int, varied variedField) {
	f := Finding{
		Verdict: Yes, Kind: KindVaries, Register: arm64.Registers[place].Name, Field: varied.name,
		Means: "may change when a VM moves; safe only with a VMM that leaves it to the host",
	}
	switch differs := c.stance.setup.View.Values[place] & varied.mask; {
	case aarch32Register(place) && !runsAArch32(&c.contract.View):
		f.Means = "UNKNOWN to a guest without AArch32"
	case vmm != VMMNone && differs != 0:
		f.Verdict = Unknown
		f.Means = fmt.Sprintf("%s restores the whole register as it saved it; where hosts differ here the target refuses", vmm)
	}
	c.add(f)
}

// comparedLists judges the list of a host where the VMM refuses a state with a register
// that the target does not list.
func (c *checker) comparedLists(rules *mover) {
	listed := c.stance.setup.Listed
	if c.contract.Listed == nil || listed == nil {
		c.add(Finding{Verdict: Unknown, Kind: KindList, Register: "register list", Wanted: stateSameList, Hosts: c.host(stateNotCaptured), Remedy: c.captureHere()})
		return
	}
	for _, id := range without(c.contract.Listed, listed) {
		c.oneSided(rules, id, Finding{Wanted: stateListed, Hosts: c.host(stateNotListed), Means: "the VMM refuses a state with a register that the target does not list"})
	}
	for _, id := range without(listed, c.contract.Listed) {
		c.oneSided(rules, id, Finding{Wanted: stateNotListed, Hosts: c.host(stateListed), Means: "a state from this host cannot go where the register is not listed"})
	}
}

// oneSided adds a finding about a register that only the contract lists, or only the
// host, unless the VMM forgives it.
func (c *checker) oneSided(rules *mover, id arm64.ID, f Finding) {
	value, known := c.contract.Extra[id]
	if place, inTable := arm64.PlaceOf(id); inTable && c.contract.View.Present.Has(place) {
		value, known = c.contract.View.Values[place], true
	}
	f.Kind, f.Register = KindList, NameOf(id)
	switch rules.tolerates(id, value, known) {
	case Yes:
		return
	case No:
		f.Verdict, f.Who = No, "nobody"
		if c.stance.setup.leftUnlisted(id) {
			f.Verdict, f.Who, f.Means, f.Remedy = Unknown, "", asLeft, c.captureHere()
		}
	default:
		f.Verdict, f.Means = Unknown, "whether "+string(rules.vmm)+" forgives it is not known"
	}
	c.add(f)
}

// leftBitmaps: a VMM that does not write hypercall bitmaps leaves its guest the host's
// own.
func (c *checker) leftBitmaps(vmm VMM) {
	for place := range arm64.Registers {
		if !hypercallBitmap(place) || !c.stance.setup.View.Present.Has(place) {
			continue
		}
		if there, wanted := c.stance.setup.View.Values[place], c.contract.View.Values[place]; there != wanted {
			c.add(Finding{
				Verdict: No, Kind: KindVMM, Register: arm64.Registers[place].Name, Wanted: registerText(place, wanted), Hosts: c.host(registerText(place, there)),
				Who: "a template of the VMM that writes it", Means: string(vmm) + " leaves hypercall bitmaps as the host has them",
			})
		}
	}
}
