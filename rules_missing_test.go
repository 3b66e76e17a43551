package guise_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// What is not there and what is not known, one rule a test.

// TestLengthsThatNobodyCaptured: whether hosts have vector lengths in common is not
// known where one was not asked for them, and it is one that is named.
func TestLengthsThatNobodyCaptured(t *testing.T) {
	whole := load(t, "qemu10-a64fx@6.18")
	at := slices.IndexFunc(whole.Setups, func(s guise.CapturedSetup) bool {
		return s.Has(guise.FeatureSVE) && s.VGIC == 3 && !s.Has(guise.FeaturePMU)
	})
	host := only(t, whole, whole.Setups[at].Key())
	for _, test := range []struct {
		lengths uint16
		verdict guise.Verdict
		who     string
	}{{0, guise.Unknown, "not known"}, {0b1000, guise.No, "nobody: lengths can only be cut from the top"}} {
		other := withSetup(host, "other", func(s *guise.CapturedSetup) { s.VectorLengths = test.lengths })
		for _, hosts := range [][]*guise.Capture{{host, other}, {other, host}} {
			result := baseline(t, nil, hosts...)
			f := findingOf(result.Findings, "SVE vector lengths")
			if f == nil || f.Verdict != test.verdict || f.Who != test.who || (f.Remedy.Code == guise.RemedyCapture) != (test.verdict == guise.Unknown) ||
				!slices.ContainsFunc(f.Hosts, func(v guise.HostValue) bool { return v.Host == "other" }) {
				t.Errorf("lengths %04b: %+v, want %v", test.lengths, f, test.verdict)
			}
		}
	}
}

// TestEncodingsWithoutAName: a register that no table has must have its value, must
// not be there, or is not known where the host's list is not.
func TestEncodingsWithoutAName(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	encoding, err := arm64.ParseEncoding("S3_0_C0_C7_5")
	if err != nil {
		t.Fatal(err)
	}
	id := encoding.ID()
	with := func(values map[arm64.ID]uint64, listed bool) *guise.Capture {
		return withSetup(host, "with", func(s *guise.CapturedSetup) {
			s.Extra = values
			switch {
			case !listed:
				s.Listed = nil
			case values == nil:
				s.Listed = slices.DeleteFunc(slices.Clone(s.Listed), func(a arm64.ID) bool { return a == id })
			}
		})
	}
	contract := *baseline(t, nil, host).Contract
	contract.Extra = map[arm64.ID]uint64{id: 7}
	contract.Absent = slices.DeleteFunc(slices.Clone(contract.Absent), func(a arm64.ID) bool { return a == id })
	for _, test := range []struct {
		name    string
		host    *guise.Capture
		verdict guise.Verdict
	}{
		{"the value", with(map[arm64.ID]uint64{id: 7}, true), guise.Yes}, {"another", with(map[arm64.ID]uint64{id: 6}, true), guise.No},
		{"another, no list", with(map[arm64.ID]uint64{id: 6}, false), guise.No}, {"none", with(nil, true), guise.No}, {"none, no list", with(nil, false), guise.Unknown},
		{"listed, and not captured", with(map[arm64.ID]uint64{}, true), guise.Unknown},
	} {
		f := findingOf(guise.Check(&contract, test.host, guise.VMMNone).Findings, "S3_0_C0_C7_5")
		if (f == nil) != (test.verdict == guise.Yes) || f != nil && (f.Verdict != test.verdict || f.Wanted != "0x7") {
			t.Errorf("%s: %+v, want %v", test.name, f, test.verdict)
		}
	}
}

// TestGuestsThatReadTheCPU: what a guest in AArch32 reads is not known of a host whose
// kernel is not, and before 5.19.
func TestGuestsThatReadTheCPU(t *testing.T) {
	whole := load(t, "qemu10-cortex-a53@6.12")
	policy := &guise.Policy{With: []guise.Feature{guise.FeatureAArch32}}
	contract := baseline(t, policy, whole).Contract
	for release, want := range map[string]string{"": "Linux not known", "5.10.1": "Linux 5.10.1", "a kernel": "Linux a kernel", "6.12.95": ""} {
		host := *whole
		host.Host.Kernel = release
		f := findingOf(guise.Check(contract, &host, guise.VMMNone).Findings, "ID registers")
		if (f == nil) != (want == "") || f != nil && (f.Verdict != guise.Unknown || f.Hosts[0].Value != want || f.Remedy.Code != guise.RemedyKernel) {
			t.Errorf("kernel %q: %+v, want %q", release, f, want)
		}
	}
}

// TestPoliciesOnMissingRegisters: a register that no host has reads as zero, so that
// its features are hidden and cannot be required; where a list is not known, neither
// is that, and nor is it of one that is listed and whose value was not captured.
func TestPoliciesOnMissingRegisters(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	isar3, zero := place("ID_AA64ISAR3_EL1"), place("VENDOR_HYP_BMAP_2")
	without := func(list string) *guise.Capture {
		return withSetup(host, "without", func(s *guise.CapturedSetup) {
			for _, p := range []int{isar3, zero} {
				s.View.Present.Remove(p)
				s.View.Values[p] = 0
			}
			switch list {
			case "not known":
				s.Listed = nil
			case "without them":
				s.Listed = slices.DeleteFunc(slices.Clone(s.Listed), func(id arm64.ID) bool {
					return id == arm64.ID(arm64.Registers[isar3].ID) || id == arm64.ID(arm64.Registers[zero].ID)
				})
			}
		})
	}
	for _, test := range []struct {
		policy       guise.Policy
		object       string
		verdict      guise.Verdict
		who          string
		verdictNoYet guise.Verdict // where the list is not known
	}{
		{guise.Policy{Force: map[string]uint64{"ID_AA64ISAR3_EL1.CPA": 0}}, "ID_AA64ISAR3_EL1", guise.Yes, "", guise.Unknown},
		{guise.Policy{AtLeast: map[string]uint64{"ID_AA64ISAR3_EL1.CPA": 1}}, "ID_AA64ISAR3_EL1", guise.No, "nobody", guise.Unknown},
		{guise.Policy{Force: map[string]uint64{"VENDOR_HYP_BMAP_2.DISCOVER_IMPL_VER": 0}}, "VENDOR_HYP_BMAP_2", guise.Unknown, "nobody", guise.Unknown},
		{guise.Policy{Force: map[string]uint64{"VENDOR_HYP_BMAP_2.DISCOVER_IMPL_VER": 1}}, "VENDOR_HYP_BMAP_2", guise.No, "nobody", guise.Unknown},
	} {
		for list, want := range map[string]guise.Verdict{"without them": test.verdict, "not known": test.verdictNoYet, "with them": test.verdictNoYet} {
			listed := list == "without them"
			result := baseline(t, &test.policy, without(list))
			f := findingOf(result.Findings, test.object)
			if (f == nil) != (want == guise.Yes) || f != nil && (f.Verdict != want || listed && f.Who != test.who || !listed && f.Kind != guise.KindList) {
				t.Errorf("%v, list %s: %v, %+v; want %v", test.policy, list, result.Verdict, f, want)
			}
		}
	}
}

// TestIdentityOfNobody: the identity of a host that is not there is an error that
// names those that are alike.
func TestIdentityOfNobody(t *testing.T) {
	_, err := guise.Baseline([]*guise.Capture{load(t, "graviton2@6.18")}, &guise.Policy{IdentityOf: "graviton2@6.16"})
	if err == nil || !strings.Contains(err.Error(), "graviton2@6.16: is not one of the hosts") || !strings.Contains(err.Error(), "graviton2@6.18") {
		t.Errorf("%v", err)
	}
}

// TestVerdictsAreThreeWords: what is no verdict is unknown.
func TestVerdictsAreThreeWords(t *testing.T) {
	for verdict, want := range map[guise.Verdict]string{guise.Yes: "yes", guise.No: "no", guise.Unknown: "unknown", -1: "unknown", 99: "unknown"} {
		if got := verdict.String(); got != want {
			t.Errorf("%d: %s, want %s", int(verdict), got, want)
		}
	}
}

// TestLargePoolsAreDivided: a pool of more views than can be divided in every way is
// still divided where that gains something.
func TestLargePoolsAreDivided(t *testing.T) {
	host := load(t, "graviton2@6.18")
	host = only(t, host, host.Setups[0].Key())
	var captures []*guise.Capture
	slots := plainSlots(12)
	for i := range slots {
		captures = append(captures, withSetup(host, string(rune('a'+i)), func(s *guise.CapturedSetup) {
			for j, slot := range slots {
				register := int(arm64.Slots[slot].Register)
				field := &arm64.Registers[register].Fields[arm64.Slots[slot].Field]
				s.View.Put(register, field.Put(s.View.Values[register], 0))
				s.Offers.PutSet(slot, isa.Only(0))
				if i == j {
					s.View.Put(register, field.Put(s.View.Values[register], 1))
					s.Offers.PutSet(slot, isa.Range(0, 1))
				}
			}
		}))
	}
	result, err := guise.Pools(captures, nil, 4)
	if err != nil || len(result.Rungs) < 2 || result.Distinct != len(captures) {
		t.Fatalf("%+v, %v; want 12 views, and rungs", result, err)
	}
	for i, rung := range result.Rungs {
		var there []string
		for _, pool := range rung.Pools {
			there = append(there, pool.Hosts...)
			if !slices.IsSorted(pool.Hosts) {
				t.Errorf("rung %d: %v is not in order", i, pool.Hosts)
			}
		}
		slices.Sort(there)
		if len(rung.Pools) != i+1 || len(slices.Compact(there)) != len(captures) || i > 0 && len(rung.Gains) == 0 {
			t.Errorf("rung %d: %d pools of %v, gains %v", i, len(rung.Pools), there, rung.Gains)
		}
	}
}

// TestAssumedKernels: what a host takes under the kernel that was assumed decides, and
// where point releases of it differ nobody knows.
func TestAssumedKernels(t *testing.T) {
	contract := *baseline(t, nil, load(t, "graviton3@6.1")).Contract
	dit := place("ID_PFR0_EL1")
	contract.View.Values[dit] = arm64.Registers[dit].Field("DIT").Put(contract.View.Values[dit], 0)
	for release, want := range map[string]guise.Verdict{"": guise.Unknown, "6.12.10": guise.No, "6.12": guise.Unknown, "6.12.118": guise.Yes, "7.2": guise.Yes} {
		host := *load(t, "graviton3@6.1")
		host.Setups = slices.Clone(host.Setups)
		if release != "" {
			version, err := kernel.ParseVersion(release)
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Assume(version); err != nil {
				t.Fatal(err)
			}
		}
		f := findingOf(guise.Check(&contract, &host, guise.VMMNone).Findings, "ID_PFR0_EL1")
		if (f == nil) != (want == guise.Yes) || f != nil && f.Verdict != want {
			t.Errorf("assumed %q: %+v, want %v", release, f, want)
		}
	}
}

// TestWhatCannotBeJudgedHasItsHost: an answer names its host, whether there is
// something to judge or not, and no setup of a complete capture is a no.
func TestWhatCannotBeJudgedHasItsHost(t *testing.T) {
	host := *load(t, "qemu10-neoverse-n1@7.2")
	contract := *baseline(t, &guise.Policy{With: []guise.Feature{guise.FeaturePMU}}, &host).Contract
	if v := guise.Check(nil, &host, guise.VMMNone); v.Host != host.Name || v.Verdict != guise.Unknown {
		t.Errorf("of no contract: %+v", v)
	}
	if v := guise.Check(&contract, nil, guise.VMMNone); v.Host != "" || v.Verdict != guise.Unknown {
		t.Errorf("of no host: %+v", v)
	}
	host.Setups = only(t, &host, "base/vgic3").Setups
	for complete, want := range map[bool]guise.Verdict{true: guise.No, false: guise.Unknown} {
		host.Complete = complete
		v := guise.Check(&contract, &host, guise.VMMNone)
		f := findingOf(v.Findings, "setup")
		if v.Host != host.Name || v.Verdict != want || f == nil || (f.Who == "nobody") != complete || (f.Remedy.Code == guise.RemedyCapture) == complete || f.Hosts[0].Host != host.Name {
			t.Errorf("complete %v: %+v", complete, v)
		}
	}
}

// TestEncodingsWithoutANameInABaseline: hosts agree in a register that no table has, or
// there is no contract; where a host's list is not known neither is that.
func TestEncodingsWithoutANameInABaseline(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	encoding, err := arm64.ParseEncoding("S3_1_C0_C0_3")
	if err != nil {
		t.Fatal(err)
	}
	id := encoding.ID()
	with := func(name string, values map[arm64.ID]uint64, listed bool) *guise.Capture {
		return withSetup(host, name, func(s *guise.CapturedSetup) {
			s.Extra = values
			if !listed {
				s.Listed = nil
			}
		})
	}
	seven := with("seven", map[arm64.ID]uint64{id: 7}, true)
	for _, test := range []struct {
		name    string
		other   *guise.Capture
		verdict guise.Verdict
		there   string
	}{
		{"the same", with("other", map[arm64.ID]uint64{id: 7}, true), guise.Yes, ""}, {"another", with("other", map[arm64.ID]uint64{id: 6}, true), guise.No, "0x6"},
		{"none", with("other", nil, true), guise.No, "no such register"}, {"none, no list", with("other", nil, false), guise.Unknown, "no such register"},
	} {
		result := baseline(t, nil, seven, test.other)
		f := findingOf(result.Findings, encoding.String())
		if (f == nil) != (test.verdict == guise.Yes) || f != nil && (f.Verdict != test.verdict || f.Hosts[1].Value != test.there || (f.Remedy.Code == guise.RemedyCapture) != (test.verdict == guise.Unknown)) {
			t.Errorf("%s: %v, %+v; want %v", test.name, result.Verdict, f, test.verdict)
		}
	}
	// A host must not have what the contract was made without.
	without := baseline(t, nil, host).Contract
	if f := findingOf(guise.Check(without, seven, guise.VMMNone).Findings, encoding.String()); f == nil || f.Verdict != guise.No {
		t.Errorf("a host with more: %+v", f)
	}
}

// TestPoliciesThatNameNothing: a policy made by hand is judged as one that was read:
// each rule that names what nobody knows is an error about it.
func TestPoliciesThatNameNothing(t *testing.T) {
	hosts := []*guise.Capture{load(t, "graviton2@6.18")}
	for name, policy := range map[string]guise.Policy{
		"FEAT_NOBODY1": {Hide: []string{"FEAT_NOBODY1"}}, "FEAT_NOBODY2": {Require: []string{"FEAT_NOBODY2"}}, "NOBODY3_EL1": {Allow: map[string][]string{"NOBODY3_EL1": {"AES"}}},
		"NOBODY4": {Allow: map[string][]string{"ID_AA64ISAR0_EL1": {"NOBODY4"}}}, "NOBODY5": {Restrict: map[string]uint64{"ID_AA64ISAR0_EL1.NOBODY5": 1}},
		"NOBODY6": {Force: map[string]uint64{"NOBODY6_EL1.AES": 1}}, "NOBODY7": {AtLeast: map[string]uint64{"ID_AA64ISAR0_EL1.NOBODY7": 1}}, "NOBODY8": {Vary: []string{"ID_AA64ISAR0_EL1.NOBODY8"}},
		"nobody9": {IdentityOf: "nobody9"}, "nobody10": {With: []guise.Feature{"nobody10"}}, "nobody11": {Without: []guise.Feature{"nobody11"}},
	} {
		for what, do := range map[string]func() error{
			"Baseline": func() error { _, err := guise.Baseline(hosts, &policy); return err },
			"Pools":    func() error { _, err := guise.Pools(hosts, &policy, 2); return err },
		} {
			if err := do(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
}

// TestCapturesMadeByHand: what no reader gives is an error, whoever made it.
func TestCapturesMadeByHand(t *testing.T) {
	good := load(t, "graviton2@6.18")
	twice, both := *good, *good
	twice.Setups = append(slices.Clone(good.Setups), good.Setups[0])
	both.Power = powerHosts()[0].Power
	bad := withSetup(good, "bad", func(s *guise.CapturedSetup) { s.VGIC = 7 })
	odd := withSetup(good, "odd", func(s *guise.CapturedSetup) { s.Features = []guise.Feature{"nobody"} })
	for want, hosts := range map[string][]*guise.Capture{
		"stands in the capture twice": {&twice}, "want one of them": {&both}, "vgic: want": {bad}, "at most once, there is \"nobody\"": {odd}, "has no setups": {{Name: "empty"}}, "it is nil": {good, nil},
	} {
		if _, err := guise.Baseline(hosts, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestRegistersThatAGuestInAArch32MayNotReach: of a VM in AArch32 it is not known
// whether its guest comes to a register that must not exist.
func TestRegistersThatAGuestInAArch32MayNotReach(t *testing.T) {
	encoding, err := arm64.ParseEncoding("S3_1_C0_C0_3")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]guise.Verdict{"base/vgic3": guise.No, "aarch32/vgic3": guise.Unknown} {
		host := only(t, load(t, "qemu10-cortex-a53@6.12"), key)
		contract := baseline(t, &guise.Policy{With: host.Setups[0].Features}, host).Contract
		more := withSetup(host, "more", func(s *guise.CapturedSetup) { s.Extra = map[arm64.ID]uint64{encoding.ID(): 7} })
		if f := findingOf(guise.Check(contract, more, guise.VMMNone).Findings, encoding.String()); f == nil || f.Verdict != want || (f.Who == "nobody") != (want == guise.No) {
			t.Errorf("%s: %+v, want %v", key, f, want)
		}
	}
}

// TestAMoveToWhatWasNotCaptured: what the target lists and was not captured with is no
// register that it lacks.
func TestAMoveToWhatWasNotCaptured(t *testing.T) {
	from := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	id := arm64.ID(arm64.Registers[arm64.IDAA64MMFR2EL1].ID)
	for name, row := range map[string]struct {
		listed bool
		want   guise.Outcome
	}{"listed": {true, guise.MoveUnknown}, "not listed": {false, guise.MoveRefused}} {
		to := withSetup(from, "to", func(s *guise.CapturedSetup) {
			s.View.Present.Remove(arm64.IDAA64MMFR2EL1)
			s.View.Values[arm64.IDAA64MMFR2EL1] = 0
			if !row.listed {
				s.Listed = slices.DeleteFunc(slices.Clone(s.Listed), func(other arm64.ID) bool { return other == id })
			}
		})
		for _, vmm := range guise.VMMs {
			m, err := guise.MoveOne(nil, from, to, "base/vgic3", vmm)
			i := slices.IndexFunc(m.Points, func(p guise.MovePoint) bool { return p.Register == "ID_AA64MMFR2_EL1" })
			if err != nil || i < 0 || m.Points[i].Outcome != row.want {
				t.Errorf("%s, %s: %v %+v", name, vmm, err, m.Points)
			}
		}
	}
}
