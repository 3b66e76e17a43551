package guise_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// The rules of judging, one a test. Each was written for a change of the code that
// no other test noticed (docs/mutation.md).

// withSetup is a copy of a host with its first setup changed.
func withSetup(c *guise.Capture, name string, change func(*guise.CapturedSetup)) *guise.Capture {
	other := *c
	other.Name = name
	other.Setups = slices.Clone(c.Setups)
	if s := &other.Setups[0]; s.Offers != nil {
		offers := *s.Offers
		s.Offers = &offers
	}
	change(&other.Setups[0])
	return &other
}

// only is a copy of a host with one of its setups.
func only(t testing.TB, c *guise.Capture, key string) *guise.Capture {
	t.Helper()
	other := *c
	other.Setups = nil
	for _, s := range c.Setups {
		if s.Key() == key {
			other.Setups = append(other.Setups, s)
		}
	}
	if len(other.Setups) != 1 {
		t.Fatalf("%s has no setup %s", c.Name, key)
	}
	return &other
}

func findingOf(findings []guise.Finding, register string) *guise.Finding {
	for i := range findings {
		if findings[i].Register == register {
			return &findings[i]
		}
	}
	return nil
}

// TestProtectedVMsAreOthers: a policy that does not ask for protected VMs gets none,
// and one that does gets no other.
func TestProtectedVMsAreOthers(t *testing.T) {
	plain := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	protected := withSetup(plain, plain.Name, func(s *guise.CapturedSetup) { s.Protected = true })
	both := *plain
	both.Setups = append(slices.Clone(plain.Setups), protected.Setups...)
	for _, test := range []struct {
		name    string
		capture *guise.Capture
		policy  guise.Policy
		want    string
	}{
		{"both", &both, guise.Policy{}, "base/vgic3"},
		{"both", &both, guise.Policy{Protected: true}, "protected/vgic3"},
		{"plain only", plain, guise.Policy{Protected: true}, ""},
		{"protected only", protected, guise.Policy{}, ""},
	} {
		result := baseline(t, &test.policy, test.capture)
		got := ""
		if result.Contract != nil {
			got = result.Contract.Setup.Key()
		}
		if got != test.want {
			t.Errorf("%s, protected %v: a contract for %q, want %q", test.name, test.policy.Protected, got, test.want)
		}
	}
}

// TestVectorLengthsAreCutFromTheTop: a host gives a VM its lengths up to one, each
// of them, and no others.
func TestVectorLengthsAreCutFromTheTop(t *testing.T) {
	host := load(t, "qemu10-a64fx@6.18")
	at := slices.IndexFunc(host.Setups, func(s guise.CapturedSetup) bool {
		return s.Has(guise.FeatureSVE) && s.VGIC == 3 && !s.Has(guise.FeaturePMU)
	})
	if at < 0 {
		t.Fatal("no setup with SVE")
	}
	host = only(t, host, host.Setups[at].Key())
	contract := baseline(t, nil, host).Contract
	for _, test := range []struct {
		wanted, there uint16
		verdict       guise.Verdict
	}{
		{0b0001, 0b1011, guise.Yes}, {0b0011, 0b1011, guise.Yes}, {0b1011, 0b1011, guise.Yes},
		{0b1001, 0b1011, guise.No}, // lacks one that the host has below
		{0b0111, 0b1011, guise.No}, // has one that the host lacks
		{0b1011, 0b0011, guise.No}, {0b1000, 0b0111, guise.No},
		{0, 0b1011, guise.Unknown}, {0b1011, 0, guise.Unknown},
	} {
		wanted := *contract
		wanted.Setup.VectorLengths = test.wanted
		there := withSetup(host, "there", func(s *guise.CapturedSetup) { s.VectorLengths = test.there })
		result := guise.Check(&wanted, there, guise.VMMNone)
		if result.Verdict != test.verdict || (findingOf(result.Findings, "SVE vector lengths") == nil) != (test.verdict == guise.Yes) {
			t.Errorf("lengths %04b on a host with %04b: %v, %+v; want %v", test.wanted, test.there, result.Verdict, result.Findings, test.verdict)
		}
	}
}

// TestAMissingListIsNoEmptyOne: what QEMU would refuse for its list is not known
// where either list was not captured, and known where one is empty.
func TestAMissingListIsNoEmptyOne(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@6.18"), "base/vgic3")
	contract := baseline(t, nil, host).Contract
	if contract.Listed == nil {
		t.Fatal("the contract has no list")
	}
	id := contract.Listed[0]
	for _, test := range []struct {
		name          string
		wanted, there []arm64.ID
		verdict       guise.Verdict
		findings      int
	}{
		{"equal", contract.Listed, contract.Listed, guise.Yes, 0},
		{"no list there", contract.Listed, nil, guise.Unknown, 1},
		{"no list wanted", nil, contract.Listed, guise.Unknown, 1},
		{"empty there", []arm64.ID{id}, []arm64.ID{}, guise.No, 1},
		{"empty wanted", []arm64.ID{}, []arm64.ID{id}, guise.No, 1},
	} {
		c := *contract
		c.Listed = test.wanted
		there := withSetup(host, "there", func(s *guise.CapturedSetup) { s.Listed = test.there })
		result := guise.Check(&c, there, guise.VMMQEMU)
		n := 0
		for _, f := range result.Findings {
			if f.Register == "register list" && f.Verdict == guise.Unknown || strings.HasSuffix(f.Means, "does not list") || strings.HasPrefix(f.Means, "a state from this host") {
				n++
			}
		}
		if n != test.findings || result.Verdict != test.verdict {
			t.Errorf("%s: %v, %d findings of lists, %+v; want %v, %d", test.name, result.Verdict, n, result.Findings, test.verdict, test.findings)
		}
	}
}

// TestNoMoreRungsThanAskedFor: pools are divided further as often as is asked, and
// no more.
func TestNoMoreRungsThanAskedFor(t *testing.T) {
	hosts := distinct(t, 4, 1)
	all, err := guise.Pools(hosts, nil, 100)
	if err != nil || len(all.Rungs) < 2 {
		t.Fatalf("%d rungs, %v; want several", len(all.Rungs), err)
	}
	for most := 1; most <= len(all.Rungs)+1; most++ {
		result, err := guise.Pools(hosts, nil, most)
		if err != nil || len(result.Rungs) != min(most, len(all.Rungs)) {
			t.Errorf("at most %d rungs: %d, %v", most, len(result.Rungs), err)
		}
	}
	for i, rung := range all.Rungs[1:] {
		if before := all.Rungs[i]; len(rung.Pools) != len(before.Pools)+1 {
			t.Errorf("rung %d has %d pools after %d; want one more", i+1, len(rung.Pools), len(before.Pools))
		}
		if len(rung.Gains) == 0 {
			t.Errorf("rung %d: nobody gains by it", i+1)
		}
	}
}

// TestNothingIsDividedForNoGain: hosts whose VMs lose nothing by being one pool stay
// one.
func TestNothingIsDividedForNoGain(t *testing.T) {
	host := load(t, "graviton2@6.18")
	other := *host
	other.Name = "other"
	other.Host.Kernel = "6.18.99" // another view of the same values
	result, err := guise.Pools([]*guise.Capture{host, &other}, nil, 4)
	if err != nil || len(result.Rungs) != 1 || len(result.Rungs[0].Pools) != 1 || result.Distinct != 2 {
		t.Errorf("%+v, %v; want one rung of one pool of two views", result, err)
	}
	if lost := result.Rungs[0].Pools[0].GivesUp; len(lost[host.Name])+len(lost["other"]) != 0 {
		t.Errorf("gives up %v", lost)
	}
}

// TestServicesThatAHostLacks: a bitmap of services of a host without the register is
// as good as 0 where it came with its services, and not known where it did not.
func TestServicesThatAHostLacks(t *testing.T) {
	host := load(t, "qemu10-neoverse-n1@7.2")
	host = only(t, host, "base/vgic3")
	contract := baseline(t, nil, host).Contract
	place, _ := arm64.Place("VENDOR_HYP_BMAP_2")
	without := withSetup(host, "without", func(s *guise.CapturedSetup) {
		s.View.Present.Remove(place)
		s.View.Values[place] = 0
	})
	for value, want := range map[uint64]guise.Verdict{0: guise.Yes, 1: guise.No} {
		c := *contract
		c.View.Values[place] = value
		result := guise.Check(&c, without, guise.VMMNone)
		f := findingOf(result.Findings, "VENDOR_HYP_BMAP_2")
		if (f == nil) != (want == guise.Yes) || f != nil && f.Verdict != want {
			t.Errorf("VENDOR_HYP_BMAP_2 %d on a host without: %+v, want %v", value, f, want)
		}
	}
}

// TestWhatVariesIsSaid: bits that vary are findings with the name of their register,
// and say who can live with it.
func TestWhatVariesIsSaid(t *testing.T) {
	old, recent := load(t, "qemu10-a64fx@6.12"), load(t, "qemu10-a64fx@6.18")
	contract := baseline(t, nil, old, recent).Contract
	if contract == nil {
		t.Fatal("no contract")
	}
	result := guise.Check(contract, old, guise.VMMNone)
	n := 0
	for place, mask := range contract.Vary {
		name := arm64.Registers[place].Name
		f := findingOf(result.Findings, name)
		if (f != nil && f.Kind == guise.KindVaries) != (mask != 0) {
			t.Errorf("%s varies in %#x: %+v", name, mask, f)
		}
		if mask != 0 && strings.HasPrefix(name, "ID_") && !strings.HasPrefix(name, "ID_AA64") {
			if n++; f.Means != "UNKNOWN to a guest without AArch32" || f.Verdict != guise.Yes {
				t.Errorf("%s: %v, %q", name, f.Verdict, f.Means)
			}
		}
	}
	if n == 0 {
		t.Error("no AArch32 register varies")
	}
}

// TestDifferencesAreToldApart: what differs between two hosts is said with both
// values and who can change it.
func TestDifferencesAreToldApart(t *testing.T) {
	host := load(t, "qemu10-a64fx@6.18")
	at := slices.IndexFunc(host.Setups, func(s guise.CapturedSetup) bool { return s.Has(guise.FeatureSVE) })
	host = only(t, host, host.Setups[at].Key())
	place, _ := arm64.Place("ID_AA64ISAR2_EL1")
	lost, _ := arm64.Place("ID_AA64ISAR3_EL1") // listed, and not captured
	revision, _ := arm64.Place("REVIDR_EL1")
	other := withSetup(host, "other", func(s *guise.CapturedSetup) {
		s.View.Present.Remove(place)
		s.View.Values[place] = 0
		s.View.Present.Remove(lost)
		s.View.Values[lost] = 0
		s.Listed = slices.DeleteFunc(slices.Clone(s.Listed), func(id arm64.ID) bool { return id == arm64.ID(arm64.Registers[place].ID) })
		s.View.Values[revision] ^= 5
		s.VectorLengths &= 1
		s.IPABits = host.Setups[0].IPABits - 4
	})
	result, err := guise.Diff(host, other)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ register, b, more, who string }{
		{"ID_AA64ISAR2_EL1", "no such register", "", ""},
		{"ID_AA64ISAR3_EL1", "not captured", "", ""},
		{"REVIDR_EL1", fmt.Sprintf("%#x", other.Setups[0].View.Values[revision]), "", "?"},
		{"SVE vector lengths", "128", "", "a VMM"},
		{"IPA size", fmt.Sprint(other.Setups[0].IPABits), "a", "a VMM"},
	} {
		i := slices.IndexFunc(result.Differences, func(d guise.Difference) bool { return d.Register == want.register })
		if i < 0 {
			t.Errorf("%s: no difference in %+v", want.register, result.Differences)
			continue
		}
		if d := result.Differences[i]; d.B != want.b || d.A == d.B || d.More != want.more || want.who != "?" && d.Who != want.who {
			t.Errorf("%+v, want %+v", d, want)
		}
	}
	same, err := guise.Diff(host, host)
	if err != nil || len(same.Differences) != 0 {
		t.Errorf("a host differs from itself: %+v, %v", same, err)
	}
}

// TestFewestGiveUp: a pool counts what each of its hosts gives up against itself
// alone.
func TestFewestGiveUp(t *testing.T) {
	host := load(t, "graviton2@6.18")
	slot := plainSlots(1)[0]
	register := int(arm64.Slots[slot].Register)
	field := &arm64.Registers[register].Fields[arm64.Slots[slot].Field]
	lesser := withSetup(host, "lesser", func(s *guise.CapturedSetup) {
		s.View.Put(register, field.Put(s.View.Values[register], 0))
		s.Offers.PutSet(slot, isa.Only(0))
	})
	more := withSetup(host, "more", func(s *guise.CapturedSetup) {
		s.View.Put(register, field.Put(s.View.Values[register], 1))
		s.Offers.PutSet(slot, isa.Range(0, 1))
	})
	result, err := guise.Pools([]*guise.Capture{lesser, more}, nil, 1)
	if err != nil || len(result.Rungs) != 1 || len(result.Rungs[0].Pools) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	lost := result.Rungs[0].Pools[0].GivesUp
	if len(lost["lesser"]) != 0 || len(lost["more"]) != 1 {
		t.Errorf("gives up %v; want one field of the host that has more", lost)
	}
}
