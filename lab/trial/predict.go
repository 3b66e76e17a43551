package trial

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// prediction is what a host should answer to a write in a VM that has not run.
type prediction struct {
	errno syscall.Errno
	// shown: the value is taken, and a guest sees it. Otherwise, where there is
	// no errno, it is accepted and a guest sees another.
	shown bool
}

func (p prediction) String() string {
	switch {
	case p.errno != 0:
		return vm.ErrnoName(p.errno)
	case p.shown:
		return "taken"
	}
	return "accepted, and shown otherwise"
}

// agrees reports whether an answer is the predicted one.
func (p prediction) agrees(value uint64, got *vm.Written) bool {
	return got.Errno == p.errno && (p.errno != 0 || got.Taken(value) == p.shown)
}

// predict says what a host answers to a member of a field's values. What the
// capture tells decides whether a guest will see the value; what KVM says to one
// that a guest will not see follows from the profile of the host's kernel:
// almost always EINVAL.
func (p *Plan) predict(host int, setup *guise.CapturedSetup, slot int, value uint64) prediction {
	place := int(arm64.Slots[slot].Register)
	if !setup.View.Present.Has(place) {
		return prediction{errno: syscall.ENOENT}
	}
	if setup.Offers.Set(slot).Has(value) {
		return prediction{shown: true}
	}
	profile := p.profile(host)
	limit, _ := arm64.Slots[slot].Extract(setup.View.Values[place])
	switch {
	case profile.IgnoresAArch32(place) && !hasAArch32(setup):
	case profile.StoresZero(slot, p.hardware(host, slot)).Has(value) && !profile.Refused(slot).Has(value):
	case profile.Takes(slot, limit, setup.KernelVM()).Has(value): // the first run changes it
	default:
		return prediction{errno: syscall.EINVAL}
	}
	return prediction{}
}

// hasAArch32 reports whether the host has AArch32: captures of the lab tell.
func hasAArch32(setup *guise.CapturedSetup) bool {
	has, _ := kernel.HasAArch32(&setup.View, setup.KernelVM())
	return has
}

// predictRest says what a host answers to bits of a register that are compared
// whole. Where it takes any, descriptions of caches are still judged.
func (p *Plan) predictRest(host int, setup *guise.CapturedSetup, place int, value uint64) prediction {
	own, free := setup.Offers.Rest(place)
	switch {
	case !setup.View.Present.Has(place):
		return prediction{errno: syscall.ENOENT}
	case own == value&arm64.RestMask(place), free && arm64.TakesWhole(place, value, &setup.View):
		return prediction{shown: true}
	case p.profile(host).IgnoresAArch32(place) && !hasAArch32(setup):
		return prediction{}
	}
	return prediction{errno: syscall.EINVAL}
}

// profile is that of the host's kernel.
func (p *Plan) profile(host int) *kernel.Profile {
	version, err := kernel.ParseVersion(p.captures[host].Host.Kernel)
	if err == nil {
		var profile *kernel.Profile
		if profile, err = kernel.At(version); err == nil {
			return profile
		}
	}
	panic(fmt.Sprintf("%s: %v", p.captures[host].Name, err)) // NewPlan's callers have captures with kernels
}

// hardware returns what the host itself has in a field that its kernel hides:
// what the same CPU shows under a kernel that does not.
func (p *Plan) hardware(host, slot int) uint64 {
	mine := p.captures[host]
	shown := uint64(0)
	for _, c := range p.captures {
		if !slices.Equal(c.Host.CPUs, mine.Host.CPUs) || c.Host.Emulator != mine.Host.Emulator {
			continue
		}
		for i := range c.Setups {
			value, _ := arm64.Slots[slot].Extract(c.Setups[i].View.Values[arm64.Slots[slot].Register])
			shown = max(shown, value)
		}
	}
	return shown
}

// OfferDifference is a field, or the rest of a register, of which a host takes
// other values than the profile of its kernel says.
type OfferDifference struct {
	Host, Setup, Name string
	Limit             uint64
	Tried, Derived    string
}

func (d OfferDifference) String() string {
	return fmt.Sprintf("%s: %s: %s with limit %#x: takes %s, derived %s", d.Host, d.Setup, d.Name, d.Limit, d.Tried, d.Derived)
}

// CompareOffers holds what the profile of the host's kernel derives from a
// setup's limits against what was tried. It returns how many sets were compared.
func CompareOffers(capture *guise.Capture) (differences []OfferDifference, compared int, err error) {
	version, err := kernel.ParseVersion(capture.Host.Kernel)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", capture.Name, err)
	}
	profile, err := kernel.At(version)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", capture.Name, err)
	}
	for i := range capture.Setups {
		s := &capture.Setups[i]
		if s.Offers == nil || s.Accepts != guise.Tried {
			continue
		}
		derived := profile.Offers(&s.View, s.KernelVM())
		add := func(name string, limit uint64, tried, says string) {
			differences = append(differences, OfferDifference{capture.Name, s.Key(), name, limit, tried, says})
		}
		for place := range arm64.Registers {
			if !s.View.Present.Has(place) || !vm.ContractRegister(place) {
				continue
			}
			first, end := arm64.SlotsOf(place)
			for slot := first; slot < end; slot++ {
				compared++
				if tried, says := s.Offers.Set(slot), derived.Set(slot); tried != says {
					limit, _ := arm64.Slots[slot].Extract(s.View.Values[place])
					add(arm64.Slots[slot].Name(), limit, tried.String(), says.String())
				}
			}
			_, tried := s.Offers.Rest(place)
			_, says := derived.Rest(place)
			says = says && (!identity(place) || slices.Contains(s.Capabilities, writableIdentity))
			if compared++; tried != says {
				words := map[bool]string{true: "any value", false: "only its own"}
				add(arm64.Registers[place].Name, s.View.Values[place], words[tried], words[says])
			}
		}
	}
	return differences, compared, nil
}

// writableIdentity is the capability without which nobody chooses a VM's
// identity registers.
const writableIdentity = "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"

// identity reports whether the register at place is one of them.
func identity(place int) bool {
	return place == arm64.MIDREL1 || place == arm64.REVIDREL1 || place == arm64.AIDREL1
}
