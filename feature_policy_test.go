package guise_test

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
)

// arm64Captures are the catalogue's captures of arm64 hosts.
func arm64Captures(t *testing.T) []*guise.Capture {
	t.Helper()
	var captures []*guise.Capture
	for _, name := range catalog.Names() {
		c, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if c.Power == nil {
			captures = append(captures, c)
		}
	}
	return captures
}

// showsFeature reports whether a guest of a contract finds a feature.
func showsFeature(c *guise.Contract, f *arm64.Feature) bool { return f.Present.Holds(&c.View.Values) }

// TestEveryFeatureOnEveryHost: what is hidden is not shown, what is required is;
// hiding what a host does not show and requiring what it shows is always yes.
func TestEveryFeatureOnEveryHost(t *testing.T) {
	asked, counts := 0, map[string]int{}
	for _, c := range arm64Captures(t) {
		plain, err := guise.Baseline([]*guise.Capture{c}, nil)
		if err != nil || plain.Contract == nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		for i := range arm64.FeatureTable {
			f := &arm64.FeatureTable[i]
			if f.Present == nil {
				continue
			}
			shown := showsFeature(plain.Contract, f)
			for _, hide := range []bool{true, false} {
				policy, word := &guise.Policy{Require: []string{f.Name}}, "require "
				if hide {
					policy, word = &guise.Policy{Hide: []string{f.Name}}, "hide "
				}
				r, err := guise.Baseline([]*guise.Capture{c}, policy)
				if err != nil {
					t.Fatalf("%s %s: %v", word, f.Name, err)
				}
				asked++
				counts[word+r.Verdict.String()]++
				switch {
				case (r.Verdict == guise.Yes) != (r.Contract != nil):
					t.Errorf("%s: %s%s: %v with contract %v", c.Name, word, f.Name, r.Verdict, r.Contract != nil)
				case r.Verdict != guise.Yes && shown != hide:
					t.Errorf("%s: %s%s: %v, and it shows it: %v\n%v", c.Name, word, f.Name, r.Verdict, shown, r.Findings)
				case r.Verdict == guise.Yes && showsFeature(r.Contract, f) == hide:
					t.Errorf("%s: %s%s: yes, and the contract shows it: %v", c.Name, word, f.Name, !hide)
				case r.Verdict == guise.Yes && shown != hide && r.Contract.Digest() != plain.Contract.Digest():
					t.Errorf("%s: %s%s changes the contract although it was so", c.Name, word, f.Name)
				}
			}
		}
	}
	if counts["hide yes"] == 0 || counts["require no"] == 0 {
		t.Errorf("nothing was found out: %v", counts)
	}
	testenv.Figure(t, "--hide and --require of every feature on every host of the catalogue: %d answers, %v; 0 wrong", asked, counts)
}

// TestWaysToMeetAPolicy: features that several fields show together, on hosts
// that show them in different ways.
func TestWaysToMeetAPolicy(t *testing.T) {
	for _, test := range []struct {
		host   string
		policy guise.Policy
		want   guise.Verdict
		shows  map[string]uint64
	}{
		// The first field alone shows no mixed endianness at EL0 where EL1 has it.
		{"qemu10-cortex-a53@6.1", guise.Policy{Require: []string{"FEAT_MixedEndEL0"}}, guise.Yes, map[string]uint64{"ID_AA64MMFR0_EL1.BIGEND": 1}},
		{"qemu10-max@7.2", guise.Policy{Require: []string{"FEAT_PAuth"}}, guise.Yes, nil},
		{"graviton3@6.18", guise.Policy{Hide: []string{"FEAT_PMUv3p9"}}, guise.Yes, nil},
		// 15 is an IMPLEMENTATION DEFINED PMU, less than any version.
		{"qemu10-a64fx@7.2", guise.Policy{Hide: []string{"FEAT_PMUv3p9"}}, guise.Yes, nil},
		{"qemu10-a64fx@7.2", guise.Policy{Require: []string{"FEAT_AA32I8MM"}}, guise.No, nil},
		{"qemu10-a64fx@7.2", guise.Policy{Hide: []string{"FEAT_AA32I8MM"}}, guise.Yes, nil},
		{"qemu10-a64fx@7.2", guise.Policy{Force: map[string]uint64{"ID_ISAR0_EL1.Divide": 2}}, guise.No, nil},
		{"qemu10-a64fx@7.2", guise.Policy{Force: map[string]uint64{"ID_ISAR0_EL1.Divide": 0}}, guise.Yes, nil},
		{"qemu10-neoverse-v1@7.2", guise.Policy{AtLeast: map[string]uint64{"PSCI_VERSION.Version": 0x10002}}, guise.Yes, map[string]uint64{"PSCI_VERSION.Version": 0x10003}},
		{"qemu10-neoverse-v1@7.2", guise.Policy{Restrict: map[string]uint64{"PSCI_VERSION.Version": 0x10001}}, guise.Yes, map[string]uint64{"PSCI_VERSION.Version": 0x10001}},
		{"qemu10-neoverse-v1@7.2", guise.Policy{Force: map[string]uint64{"PSCI_VERSION.Version": 2}}, guise.Yes, map[string]uint64{"PSCI_VERSION.Version": 2}},
		// allow knows fields by their name, however it is written.
		{"qemu10-neoverse-v1@7.2", guise.Policy{Allow: map[string][]string{"ID_AA64ISAR0_EL1": {"aes", "ATOMIC"}}}, guise.Yes, map[string]uint64{"ID_AA64ISAR0_EL1.AES": 2, "ID_AA64ISAR0_EL1.ATOMIC": 2, "ID_AA64ISAR0_EL1.SHA1": 0}},
	} {
		captures := []*guise.Capture{load(t, test.host)}
		r, err := guise.Baseline(captures, &test.policy)
		if err != nil {
			t.Errorf("%s %+v: %v", test.host, test.policy, err)
			continue
		}
		if r.Verdict != test.want {
			t.Errorf("%s %+v: %v, want %v\n%v", test.host, test.policy, r.Verdict, test.want, r.Findings)
		}
		for name, want := range test.shows {
			if r.Contract == nil {
				break
			}
			register, field, _ := strings.Cut(name, ".")
			place, _ := arm64.Place(register)
			if got := arm64.Registers[place].Field(field).Get(r.Contract.View.Values[place]); got != want {
				t.Errorf("%s %+v: %s is %#x, want %#x", test.host, test.policy, name, got, want)
			}
		}
	}
}

// TestBoundsGoByTheOrder: the most and the least that a field may show are meant
// by what it gives a guest, which is not always the greater number.
func TestBoundsGoByTheOrder(t *testing.T) {
	host := []*guise.Capture{load(t, "qemu10-neoverse-v1@7.2")}
	shown := func(policy *guise.Policy, register, field string) (uint64, guise.Verdict) {
		t.Helper()
		r, err := guise.Baseline(host, policy)
		if err != nil {
			t.Fatal(err)
		}
		if r.Contract == nil {
			return 0, r.Verdict
		}
		place, _ := arm64.Place(register)
		return arm64.Registers[place].Field(field).Get(r.Contract.View.Values[place]), r.Verdict
	}
	cwg, _ := shown(nil, "CTR_EL0", "CWG")
	if cwg == 0 || cwg == 15 {
		t.Fatalf("CTR_EL0.CWG is %d, which shows nothing", cwg)
	}
	for _, test := range []struct {
		policy guise.Policy
		want   guise.Verdict
	}{
		// A greater granule promises a guest less; 0 promises nothing.
		{guise.Policy{Restrict: map[string]uint64{"CTR_EL0.CWG": cwg - 1}}, guise.Yes},
		{guise.Policy{AtLeast: map[string]uint64{"CTR_EL0.CWG": cwg + 1}}, guise.Yes},
		{guise.Policy{AtLeast: map[string]uint64{"CTR_EL0.CWG": cwg - 1}}, guise.No},
		{guise.Policy{AtLeast: map[string]uint64{"CTR_EL0.CWG": 0}}, guise.Yes},
		{guise.Policy{AtLeast: map[string]uint64{"CTR_EL0.CWG": cwg}, Restrict: map[string]uint64{"CTR_EL0.CWG": cwg}}, guise.Yes},
	} {
		value, verdict := shown(&test.policy, "CTR_EL0", "CWG")
		if verdict != test.want || verdict == guise.Yes && value != cwg {
			t.Errorf("%+v: %v with %d, want %v with %d", test.policy, verdict, value, test.want, cwg)
		}
	}
}

// TestContradictionsAreNoFacts: what contradicts itself is said before any host
// is looked at.
func TestContradictionsAreNoFacts(t *testing.T) {
	host := []*guise.Capture{load(t, "graviton3@6.18")}
	for want, policy := range map[string]guise.Policy{
		"hide FEAT_AES and require FEAT_AES contradict each other: no value of ID_AA64ISAR0_EL1.AES is both":                                          {Hide: []string{"FEAT_AES"}, Require: []string{"feat_aes"}},
		"hide FEAT_AES and require FEAT_PMULL contradict each other: no value of ID_AA64ISAR0_EL1.AES is both":                                        {Hide: []string{"FEAT_AES"}, Require: []string{"FEAT_PMULL"}},
		"restrict ID_AA64PFR0_EL1.SVE and force ID_AA64PFR0_EL1.SVE contradict each other: no value of ID_AA64PFR0_EL1.SVE is both":                   {Restrict: map[string]uint64{"ID_AA64PFR0_EL1.SVE": 0}, Force: map[string]uint64{"ID_AA64PFR0_EL1.SVE": 1}},
		"hide FEAT_AES: ID_AA64ISAR0_EL1.AES is to vary: what every host shows for itself cannot be chosen":                                           {Hide: []string{"FEAT_AES"}, Vary: []string{"ID_AA64ISAR0_EL1"}},
		"force: PSCI_VERSION.Version: 0x3 is not one of its values: 0x1 (0.1), 0x2 (0.2), 0x10000 (1.0), 0x10001 (1.1), 0x10002 (1.2), 0x10003 (1.3)": {Force: map[string]uint64{"PSCI_VERSION.Version": 3}},
		"with and without sve contradict each other": {With: []guise.Feature{guise.FeatureSVE}, Without: []guise.Feature{guise.FeatureSVE}},
	} {
		if _, err := guise.Baseline(host, &policy); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %q", policy, err, want)
		}
		if _, err := guise.Pools(host, &policy, 1); err == nil || err.Error() != want {
			t.Errorf("pools: %+v: %v, want %q", policy, err, want)
		}
	}
}
