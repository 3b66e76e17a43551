package guise_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// anyPooled draws hosts of many setups that are alike but for a few changes, of
// which several may have the same.
func anyPooled(t *rapid.T, outer testing.TB) []*guise.Capture {
	names := [][]string{
		{"graviton2@6.18"}, {"graviton2@6.18", "graviton2@6.1"}, {"qemu10-neoverse-n1@6.12"}, {"qemu10-neoverse-v1@7.2"},
		{"qemu10-neoverse-n1@6.1", "qemu10-neoverse-n1@6.12"}, {"qemu10-neoverse-v1@6.12", "qemu10-neoverse-v1@6.18", "qemu10-neoverse-v1@7.2"},
		{"qemu10-a64fx@6.1", "qemu10-a64fx@6.18"}, {"graviton2@6.18", "graviton3@6.18", "qemu10-neoverse-n1@6.18"}, {"qemu10-cortex-a53@6.12", "qemu10-cortex-a72@6.12"},
	}
	from := rapid.SampledFrom(names).Draw(t, "from")
	// One change of each kind comes in few forms, so that hosts meet in them.
	slots := rapid.SliceOfN(rapid.IntRange(0, arm64.NumSlots-1), 4, 4).Draw(t, "slots")
	places := rapid.SliceOfN(rapid.IntRange(0, arm64.NumRegisters-1), 3, 3).Draw(t, "registers")
	captures := make([]*guise.Capture, rapid.IntRange(2, 5).Draw(t, "hosts"))
	for i := range captures {
		c := *load(outer, rapid.SampledFrom(from).Draw(t, "host"))
		c.Name = fmt.Sprintf("host%d", i)
		c.Setups = slices.Clone(c.Setups)
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			change := rapid.IntRange(0, 8).Draw(t, "change")
			slot, place := rapid.SampledFrom(slots).Draw(t, "slot"), rapid.SampledFrom(places).Draw(t, "register")
			form := rapid.Uint64Range(0, 3).Draw(t, "form")
			if change == 8 {
				keep := func(s guise.CapturedSetup) bool {
					return form == 0 && s.VGIC != 0 || form == 1 && s.VGIC == 0 || form > 1 && len(s.Features) != int(form-1)
				}
				if some := slices.DeleteFunc(slices.Clone(c.Setups), func(s guise.CapturedSetup) bool { return !keep(s) }); len(some) > 0 {
					c.Setups = some
				}
				continue
			}
			withGIC := rapid.Bool().Draw(t, "setups with a vGIC")
			for j := range c.Setups {
				if s := &c.Setups[j]; change < 2 || (s.VGIC != 0) == withGIC || len(c.Setups) == 1 {
					changeSetup(s, change, slot, place, form)
				}
			}
		}
		captures[i] = &c
	}
	return captures
}

// changeSetup changes what a host shows or takes in one setup.
func changeSetup(s *guise.CapturedSetup, change, slot, place int, form uint64) {
	var offers arm64.Offers
	if s.Offers != nil {
		offers = *s.Offers
	} else {
		offers.FromView(&s.View)
	}
	show := func(place int, value uint64, present bool) {
		if s.View.Put(place, value); !present {
			s.View.Present.Remove(place)
		}
		var shown arm64.Offers
		shown.FromView(&s.View)
		offers.CopyAt(place, &shown)
	}
	switch change {
	case 0, 1, 2, 3:
		register, field := int(arm64.Slots[slot].Register), &arm64.Registers[arm64.Slots[slot].Register].Fields[arm64.Slots[slot].Field]
		if arm64.Slots[slot].Coded || field.Width < 2 || !s.View.Present.Has(register) {
			return
		}
		set := []isa.Set{isa.Range(0, 1), isa.Range(1, 2), isa.Only(0) | isa.Only(2), isa.Only(2)}[form]
		s.View.Put(register, field.Put(s.View.Values[register], set.Values()[set.Len()-1]))
		offers.PutSet(slot, set)
	case 4:
		show(place, s.View.Values[place]^form, s.View.Present.Has(place))
	case 5:
		show(place, 0, false)
	case 6:
		show(arm64.CLIDREL1, []uint64{0x0a200023, 0, 3, 0x0a200023}[form], true)
		if offers.Free(arm64.CLIDREL1); form == 3 {
			show(arm64.CLIDREL1, 3, true)
		}
	case 7:
		s.VectorLengths = []uint16{0b1011, 0b0111, 0b0001, 0b1000}[form]
		s.Extra = map[arm64.ID]uint64{arm64.Encoding{Op0: 3, Op1: 1, CRm: 5, Op2: 3}.ID(): form}
	}
	if s.Offers != nil {
		s.Offers = &offers
	}
}

// TestPoolsAgainstBaseline: Baseline alone is the judge of which hosts can be
// together. Pools finds the least number of pools that it leaves, and gives each
// the contract that it gives.
func TestPoolsAgainstBaseline(t *testing.T) {
	seen := map[int]int{}
	rapid.Check(t, func(rt *rapid.T) {
		captures := anyPooled(rt, t)
		policy := rapid.SampledFrom([]*guise.Policy{
			nil, {Vary: []string{"identity"}}, {Without: []guise.Feature{guise.FeaturePMU}}, {NoVGIC: true},
			{Hide: []string{"FEAT_AES"}}, {Vary: []string{"CLIDR_EL1", "identity"}}, {With: []guise.Feature{guise.FeatureAArch32}},
		}).Draw(rt, "policy")
		works := make([]bool, 1<<len(captures))
		var all int // the hosts that have a contract alone
		for mask := 1; mask < len(works); mask++ {
			works[mask] = baseline(t, policy, chosen(captures, mask)...).Verdict == guise.Yes
			if mask&(mask-1) == 0 && works[mask] {
				all |= mask
			}
		}
		result, err := guise.Pools(captures, policy, 3)
		if err != nil {
			rt.Fatal(err)
		}
		least := fewestParts(works, all)
		if len(result.Alone) != len(captures)-len(chosen(captures, all)) {
			rt.Fatalf("alone %v; with a contract %v", result.Alone, chosen(captures, all))
		}
		if all == 0 {
			return
		}
		seen[least]++
		if first := len(result.Rungs[0].Pools); first != least || !result.Exact || result.Bound > least {
			rt.Fatalf("%d pools, exact %v, bound %d; want %d pools", first, result.Exact, result.Bound, least)
		}
		for i := range result.Rungs {
			checkRung(rt, t, captures, policy, &result.Rungs[i])
		}
	})
	t.Logf("pools: %v", seen)
	if seen[1] == 0 || seen[2] == 0 || seen[3] == 0 {
		t.Errorf("numbers of pools: %v", seen)
	}
}

// chosen returns the captures of a bit mask.
func chosen(captures []*guise.Capture, mask int) []*guise.Capture {
	var some []*guise.Capture
	for i, c := range captures {
		if mask>>i&1 != 0 {
			some = append(some, c)
		}
	}
	return some
}

// fewestParts returns the least number of sets that work and make up all.
func fewestParts(works []bool, all int) int {
	least := make([]int, len(works))
	for mask := 1; mask < len(works); mask++ {
		least[mask] = len(works)
		for part := mask; part > 0; part = (part - 1) & mask {
			if works[part] {
				least[mask] = min(least[mask], 1+least[mask&^part])
			}
		}
	}
	return least[all]
}

// checkRung holds the pools of a rung against Baseline.
func checkRung(rt *rapid.T, t testing.TB, captures []*guise.Capture, policy *guise.Policy, rung *guise.Rung) {
	for _, pool := range rung.Pools {
		var members []*guise.Capture
		for _, c := range captures {
			if slices.Contains(pool.Hosts, c.Name) {
				members = append(members, c)
			}
		}
		// Equal views are judged once; a contract names every host it is from.
		want := baseline(t, policy, members...).Contract
		if want == nil || want.View != pool.Contract.View || want.Setup.Key() != pool.Contract.Setup.Key() {
			rt.Fatalf("pool %v: its contract is not that of its hosts", pool.Hosts)
		}
		for _, c := range members {
			var lost []string
			kept := guise.FeatureNames(&pool.Contract.View)
			for _, name := range guise.FeatureNames(&baseline(t, policy, c).Contract.View) {
				if !slices.Contains(kept, name) {
					lost = append(lost, name)
				}
			}
			if !slices.Equal(lost, pool.GivesUp[c.Name]) {
				rt.Fatalf("%s gives up %v, want %v", c.Name, pool.GivesUp[c.Name], lost)
			}
		}
	}
}

// TestLossesBySetup: what goes with the setup is lost too. Alone each host gives
// its VMs a PMU; together they cannot.
func TestLossesBySetup(t *testing.T) {
	names := []string{"qemu10-neoverse-n1@6.1", "qemu10-neoverse-n1@6.12"}
	result, err := guise.Pools(captures(names...), nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	pool := &result.Rungs[0].Pools[0]
	if len(result.Rungs[0].Pools) != 1 || pool.Contract.Setup.Has(guise.FeaturePMU) {
		t.Fatalf("want one pool without a PMU: %+v", result.Rungs[0])
	}
	for _, name := range names {
		if !slices.Contains(pool.GivesUp[name], "FEAT_PMUv3") {
			t.Errorf("%s gives up %v; want its PMU among it", name, pool.GivesUp[name])
		}
		if gains := result.Rungs[1].Gains[name]; !slices.Contains(gains, "FEAT_PMUv3") {
			t.Errorf("%s alone gains %v; want its PMU", name, gains)
		}
	}
	// What the policy takes is no loss of the pool.
	result, err = guise.Pools(captures(names...), &guise.Policy{Without: []guise.Feature{guise.FeaturePMU}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if lost := result.Rungs[0].Pools[0].GivesUp[names[0]]; len(lost) != 0 {
		t.Errorf("without a PMU anyway, %s gives up %v", names[0], lost)
	}
}
