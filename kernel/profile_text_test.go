package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/golden"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// hosts of the tests: a CPU whose every field has its lowest value but for some, one
// with AArch32, and one that has more than any field says today.
func patterned(value, el0 uint64, spectre Mitigation, safe, gicv3 bool) *Hardware {
	hw := &Hardware{SpectreV2: spectre, SpectreV4: spectre, SpectreBHB: spectre, MeltdownSafe: safe, GICv3: gicv3}
	for place := range arm64.Registers {
		r := &arm64.Registers[place]
		for i := range r.Fields {
			hw.Values[place] = r.Fields[i].Put(hw.Values[place], value)
		}
	}
	pfr0 := arm64.Registers[arm64.IDAA64PFR0EL1].Field("EL0")
	hw.Values[arm64.IDAA64PFR0EL1] = pfr0.Put(hw.Values[arm64.IDAA64PFR0EL1], el0)
	return hw
}

// described is all that a profile says of a VM on a host, by object.
func described(p *Profile, hw *Hardware, vm VM) map[string]string {
	texts := map[string]string{}
	view := p.View(hw, vm)
	offers := p.Offers(&view, vm)
	for place := range arm64.Registers {
		r := &arm64.Registers[place]
		shown := "none"
		if view.Present.Has(place) {
			shown = fmt.Sprintf("%#x", view.Values[place])
		}
		var marks []string
		for _, mark := range []struct {
			text string
			is   bool
		}{
			{"frozen", p.Frozen(place)}, {"made up", p.Fabricated(place)}, {"ignored without AArch32", p.IgnoresAArch32(place)}, {"absent", !p.Has(place)},
		} {
			if mark.is {
				marks = append(marks, mark.text)
			}
		}
		if v := p.Protected(place, hw, vm); v != 0 {
			marks = append(marks, fmt.Sprintf("protected VMs read %#x", v))
		}
		if _, free := offers.Rest(place); free {
			marks = append(marks, "any value accepted")
		}
		if v := p.Reported(place); v != 0 {
			marks = append(marks, fmt.Sprintf("reported %#x", v))
		}
		texts[r.Name] = strings.Join(append([]string{shown}, marks...), ", ")
		first, end := arm64.SlotsOf(place)
		for slot := first; slot < end; slot++ {
			limit, known := arm64.Slots[slot].Extract(view.Values[place])
			if !known || !view.Present.Has(place) {
				continue
			}
			_, field := arm64.Slots[slot].Describe()
			host, _ := arm64.Slots[slot].Extract(hw.Values[place])
			follows, cleared := p.VGICSets(slot)
			text := offers.Set(slot).String()
			if set := p.Accepts(slot, limit, vm); set != offers.Set(slot) {
				text += fmt.Sprintf(", accepted %v", set)
			}
			if set := p.Takes(slot, limit, vm); set != offers.Set(slot) {
				text += fmt.Sprintf(", taken %v", set)
			}
			for _, set := range []struct {
				text string
				set  fmt.Stringer
			}{
				{"as 0", p.StoresZero(slot, host)}, {"as the limit", p.StoresLimit(slot, vm)}, {"refused", p.Refused(slot)}, {"refused with EL2", p.RefusedWithEL2(slot)},
			} {
				if s := set.set.String(); s != "" && s != "none" {
					text += ", " + set.text + " " + s
				}
			}
			if follows || cleared || p.Derives(slot) {
				text += fmt.Sprintf(", follows %v, cleared %v, derived %v", follows, cleared, p.Derives(slot))
			}
			if text != fmt.Sprint(isa.Only(limit)) { // nothing but what is shown
				texts[r.Name+"."+field.Name] = text
			}
		}
	}
	for _, l := range p.Listings() {
		texts["list "+l.Name] = "listed" + l.condition()
	}
	for _, b := range Behaviours() {
		texts["does "+b.Text] = fmt.Sprint(p.Does(b.Behaviour))
	}
	for _, name := range []string{"KVM_CAP_ARM_SVE", "KVM_CAP_ARM_MTE", "KVM_CAP_ARM_PMU_V3", "KVM_CAP_ARM_EL1_32BIT"} {
		texts[name] = fmt.Sprint("withheld ", p.Withholds(name))
	}
	texts["profile"] = fmt.Sprintf("identity %v, ranges %#x, extrapolates %v, unsettled %d", p.IdentityWritable(), p.MaskRanges(), p.Extrapolates(), len(p.Unsettled()))
	return texts
}

// differing writes what one description has otherwise than another, sorted.
func differing(b *strings.Builder, from, to map[string]string) {
	names := maps.Clone(from)
	maps.Copy(names, to)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if from[name] != to[name] {
			fmt.Fprintf(b, "  %s: %s\n", name, to[name])
		}
	}
}

// TestProfilesInWords holds what each version shows and takes on four made-up hosts,
// as changes from the version before it, and what each kind of VM has otherwise,
// against what it was when a person last read it.
func TestProfilesInWords(t *testing.T) {
	versions := slices.Concat(Early, []Version{must("5.0")}, Known)
	for _, point := range []string{"6.1.179", "6.6.101", "6.12.60", "6.12.118", "7.3"} {
		versions = append(versions, must(point))
	}
	slices.SortFunc(versions, Version.Compare)
	vms := []struct {
		name string
		vm   VM
	}{
		{"no vGIC", VM{}}, {"a vGICv2", VM{VGIC: 2}}, {"every feature", VM{VGIC: 3, SVE: true, PAuth: true, PMU: true, MTE: true}},
		{"EL2", VM{VGIC: 3, EL2: true}}, {"AArch32", VM{VGIC: 3, AArch32: true}}, {"protection", VM{VGIC: 3, SVE: true, Protected: true}},
	}
	var b strings.Builder
	for _, host := range []struct {
		name string
		hw   *Hardware
	}{
		{"all fields 1, vulnerable", patterned(1, 1, Vulnerable, false, false)}, {"all fields 1, AArch32, mitigated", patterned(1, 2, Mitigated, true, true)},
		{"all fields 0, unaffected", patterned(0, 1, Unaffected, true, true)}, {"all bits set, vulnerable", patterned(^uint64(0), 1, Vulnerable, false, true)},
	} {
		before := map[string]string{}
		for _, v := range versions {
			p, err := At(v)
			if err != nil {
				t.Fatal(err)
			}
			plain := described(p, host.hw, VM{VGIC: 3})
			fmt.Fprintf(&b, "# %s: %v\n", host.name, v)
			differing(&b, before, plain)
			before = plain
			if !slices.Contains([]string{"5.10", "6.12", "7.2"}, v.String()) {
				continue
			}
			for _, vm := range vms {
				fmt.Fprintf(&b, " with %s\n", vm.name)
				differing(&b, plain, described(p, host.hw, vm.vm))
			}
		}
	}
	golden.Check(t, "profiles.txt", b.String())
}

// TestPossibleOffersInWords: what versions that leave something open certainly and
// possibly take.
func TestPossibleOffersInWords(t *testing.T) {
	var b strings.Builder
	var everything []Behaviour
	for _, c := range Behaviours() {
		everything = append(everything, c.Behaviour)
	}
	for _, v := range []Version{must("4.14"), must("5.10"), must("5.15"), must("6.1"), must("6.2"), must("6.5"), must("6.6"), must("6.10"), must("6.11"), must("6.12"), must("6.12.60"), must("6.18"), must("7.2")} {
		p, err := At(v)
		if err != nil {
			t.Fatal(err)
		}
		possible, err := Possible(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %v: %d kernels, %d distinct, %d with what they do\n", v, len(possible), len(Distinct(possible, nil)), len(Distinct(possible, everything)))
		for _, hw := range []*Hardware{patterned(1, 2, Mitigated, true, true), patterned(2, 1, Unaffected, true, true)} {
			view := p.View(hw, VM{VGIC: 3})
			certain, maybe, err := Offers(v, &view, VM{VGIC: 3})
			if err != nil {
				t.Fatal(err)
			}
			for place := range arm64.Registers {
				_, always := certain.Rest(place)
				_, free := maybe.Rest(place)
				if always != free {
					fmt.Fprintf(&b, "  %s: free %v, perhaps %v\n", arm64.Registers[place].Name, always, free)
				}
				first, end := arm64.SlotsOf(place)
				for slot := first; slot < end; slot++ {
					if certain.Set(slot) != maybe.Set(slot) {
						_, field := arm64.Slots[slot].Describe()
						fmt.Fprintf(&b, "  %s.%s: %v, perhaps %v\n", arm64.Registers[place].Name, field.Name, certain.Set(slot), maybe.Set(slot))
					}
				}
			}
		}
	}
	golden.Check(t, "possible.txt", b.String())
}
