package guise

import (
	"fmt"
	"maps"
	"slices"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Difference is a field or register that two hosts show differently.
type Difference struct {
	Register, Field string
	A, B            string
	// More is the host that gives a guest more: "a", "b", or "" where the two
	// do not compare.
	More string
	// Who can change it, and what it means in a guest.
	Who, Means string
}

// Name gives the object: ID_AA64PFR0_EL1.SVE.
func (d *Difference) Name() string {
	if d.Field == "" {
		return d.Register
	}
	return d.Register + "." + d.Field
}

// DiffResult is how two hosts differ in one setup.
type DiffResult struct {
	Setup       string
	Differences []Difference
	// OnlyA and OnlyB are the registers that only one host lists; nil where a
	// list is not known.
	OnlyA, OnlyB []arm64.ID
	ListsKnown   bool
	// Capabilities are the KVM capabilities that the hosts answer differently,
	// by name: what a VMM can do with them, not what a guest sees.
	Capabilities []CapabilityDifference
	// AToB and BToA say whether a VM that uses everything one host offers could
	// move to the other.
	AToB, BToA HostVerdict
	NotKnown   []string
}

// CapabilityDifference is a capability that two hosts answer differently.
type CapabilityDifference struct {
	Name string
	A, B int64 // what KVM_CHECK_EXTENSION returns
}

// Same reports whether the hosts show a guest the same.
func (d *DiffResult) Same() bool {
	return len(d.Differences) == 0 && len(d.OnlyA) == 0 && len(d.OnlyB) == 0
}

// Diff compares two hosts in the richest setup that both were captured in. It
// fails where there is none.
func Diff(a, b *Capture) (*DiffResult, error) {
	if err := usableHosts(a, b); err != nil {
		return nil, err
	}
	if a.Power != nil || b.Power != nil {
		return diffPower(a, b)
	}
	setups := commonSetups([]*Capture{a, b}, &Policy{})
	if len(setups) == 0 {
		return nil, fmt.Errorf("%s and %s: no setup was captured on both; capture them with the same version of guise", a.Name, b.Name)
	}
	key := setups[0].Key()
	result := &DiffResult{Setup: key}
	from, to := newStance(a, a.Setup(key)), newStance(b, b.Setup(key))
	for place := range arm64.Registers {
		if !leftToVMM(place) {
			result.compare(place, from, to)
		}
	}
	result.compareCapabilities(a.Host.Capabilities, b.Host.Capabilities)
	result.compareSetup(&from.setup.Setup, &to.setup.Setup)
	if from.setup.Listed != nil && to.setup.Listed != nil {
		result.ListsKnown = true
		result.OnlyA = without(from.setup.Listed, to.setup.Listed)
		result.OnlyB = without(to.setup.Listed, from.setup.Listed)
	}
	var err error
	if result.AToB, err = move(a, b, key); err != nil {
		return nil, err
	}
	if result.BToA, err = move(b, a, key); err != nil {
		return nil, err
	}
	both, err := Baseline([]*Capture{a, b}, nil)
	if err != nil {
		return nil, err
	}
	result.NotKnown = both.NotKnown
	return result, nil
}

// move judges whether a VM that uses everything one host offers in a setup
// could go to another.
func move(from, to *Capture, key string) (HostVerdict, error) {
	only := *from
	only.Setups = []CapturedSetup{*from.Setup(key)}
	result, err := Baseline([]*Capture{&only}, nil)
	if err != nil {
		return HostVerdict{}, err
	}
	if result.Contract == nil {
		return HostVerdict{Host: to.Name, Verdict: result.Verdict, Findings: result.Findings}, nil
	}
	return Check(result.Contract, to, VMMNone), nil
}

// compare adds the differences of one register.
func (d *DiffResult) compare(place int, a, b *stance) {
	register := &arm64.Registers[place]
	inA, inB := a.setup.View.Present.Has(place), b.setup.View.Present.Has(place)
	va, vb := a.setup.View.Values[place], b.setup.View.Values[place]
	switch {
	case inA != inB:
		d.Differences = append(d.Differences, Difference{
			Register: register.Name, A: presentText(place, a.setup), B: presentText(place, b.setup), Means: meaning(register.Name, ""),
		})
		return
	case !inA || va == vb:
		return
	case register.Whole:
		who := "nobody"
		if _, free := a.mayTake().Rest(place); free {
			who = "a VMM"
		}
		if a.setup.Offers == nil || b.setup.Offers == nil {
			who = "not known"
		}
		d.Differences = append(d.Differences, Difference{
			Register: register.Name, A: registerText(place, va), B: registerText(place, vb), Who: who, Means: meaning(register.Name, ""),
		})
		return
	}
	first, end := arm64.SlotsOf(place)
	for slot := first; slot < end; slot++ {
		_, field := arm64.Slots[slot].Describe()
		fa, fb := field.Get(va), field.Get(vb)
		if fa != fb {
			d.Differences = append(d.Differences, Difference{
				Register: register.Name, Field: field.Name, A: field.Text(fa), B: field.Text(fb),
				More: more(field, fa, fb), Who: whoBetween(slot, a, b), Means: meaning(register.Name, field.Name),
			})
		}
	}
	if rest := arm64.RestMask(place); (va^vb)&rest != 0 {
		d.Differences = append(d.Differences, Difference{
			Register: register.Name, A: registerText(place, va&rest), B: registerText(place, vb&rest), Who: "nobody", Means: "bits outside the fields that have sets",
		})
	}
}

// compareCapabilities adds the capabilities that both hosts were asked for and
// answered differently.
func (d *DiffResult) compareCapabilities(a, b map[string]int64) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if value, asked := b[name]; asked && value != a[name] {
			d.Capabilities = append(d.Capabilities, CapabilityDifference{name, a[name], value})
		}
	}
}

// compareSetup adds what a setup has beside registers: IPA size and SVE vector
// lengths.
func (d *DiffResult) compareSetup(a, b *Setup) {
	if a.IPABits != b.IPABits && a.IPABits != 0 && b.IPABits != 0 {
		more := "a"
		if b.IPABits > a.IPABits {
			more = "b"
		}
		d.Differences = append(d.Differences, Difference{
			Register: "IPA size", A: fmt.Sprint(a.IPABits), B: fmt.Sprint(b.IPABits), More: more, Who: "a VMM", Means: "how much memory a VM can have",
		})
	}
	if a.VectorLengths != b.VectorLengths {
		who := "nobody"
		if _, ok := commonVectorLengths(a.VectorLengths, b.VectorLengths); ok {
			who = "a VMM"
		}
		d.Differences = append(d.Differences, Difference{
			Register: "SVE vector lengths", A: lengthsText(a.VectorLengths), B: lengthsText(b.VectorLengths), Who: who,
		})
	}
}

// presentText is what a host shows of a register, or why that is nothing.
func presentText(place int, setup *CapturedSetup) string {
	switch {
	case setup.View.Present.Has(place):
		return registerText(place, setup.View.Values[place])
	case setup.lacks(arm64.ID(arm64.Registers[place].ID)):
		return stateAbsent
	}
	return stateNotCaptured
}

// more says which of two values gives a guest more.
func more(field *isa.Field, a, b uint64) string {
	order := field.Compare(a, b)
	switch {
	case field.Order == isa.Exact || field.Order == isa.HigherOrZero || order == 0:
		return ""
	case (order > 0) != (field.Order == isa.Higher):
		return "a"
	}
	return "b"
}

// whoBetween says who can make two hosts equal in a field.
func whoBetween(slot int, a, b *stance) string {
	switch {
	case a.certain.Set(slot)&b.certain.Set(slot) != 0:
		return "a VMM"
	case a.mayTake().Set(slot)&b.mayTake().Set(slot) != 0:
		return "not known"
	}
	for _, t := range []*stance{a, b} {
		if since, ok := newerKernel(slot, t.capture.Host.Kernel); ok {
			return since
		}
	}
	return "nobody"
}
