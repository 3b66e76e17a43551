package guise_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/golden"
	isapower "github.com/guise-project/guise/isa/power"
)

// What the library answers, whole and in words, for hosts of the catalogue and of
// POWER. The rules are in other tests; these show what a change of the code makes
// of the answers.

// answer writes answers, a line for each part.
type answer struct{ strings.Builder }

func (a *answer) line(format string, args ...any) { fmt.Fprintf(a, format+"\n", args...) }

func (a *answer) lists(lists ...[]string) {
	for i, list := range lists {
		for _, line := range list {
			a.line("  %s: %s", []string{"rests on", "not known", "note"}[i], line)
		}
	}
}

func (a *answer) findings(findings []guise.Finding) {
	for i := range findings {
		f := &findings[i]
		a.line("  %v %s %s: want %q, there is %s; who %q, means %q, rests %q; %s %q; %q",
			f.Verdict, f.Kind, f.Name(), f.Wanted, hostValues(f.Hosts), f.Who, f.Means, f.Rests, f.Remedy.Code, f.Remedy.Objects, f.Mend)
	}
}

func hostValues(values []guise.HostValue) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%s %q", v.Host, v.Value)
		if v.Takes != "" {
			texts[i] += " takes " + v.Takes
		}
	}
	return strings.Join(texts, ", ")
}

func (a *answer) baseline(r *guise.BaselineResult) {
	a.line("  %v for %s", r.Verdict, r.Setup.Key())
	a.findings(r.Findings)
	for i := range r.Settled {
		s := &r.Settled[i]
		a.line("  settled %s.%s: %#x %q of %s; rests %q", s.Register, s.Field, s.Value, s.Text, hostValues(s.Hosts), s.Rests)
	}
	for _, c := range r.GivesUp {
		a.line("  %s gives up %d", c.Host, c.Count)
	}
	a.lists(r.RestsOn, r.NotKnown, r.Notes)
	if r.Contract != nil {
		a.line("  contract %s", r.Contract.Digest())
	}
}

// hosts loads hosts by names as "graviton[23]@6.18", and those of POWER as "p9".
func hosts(t *testing.T, names string) []*guise.Capture {
	t.Helper()
	var captures []*guise.Capture
	for _, name := range strings.Fields(names) {
		if i := slices.IndexFunc(powerHosts(), func(c *guise.Capture) bool { return c.Name == name }); i >= 0 {
			captures = append(captures, powerHosts()[i])
			continue
		}
		captures = append(captures, load(t, name))
	}
	return captures
}

const (
	gravitons = "graviton2@6.1 graviton3@6.1 graviton2@6.18 graviton3@6.18"
	of7_2     = "qemu10-a64fx@7.2 qemu10-cortex-a53@7.2 qemu10-cortex-a72@7.2 qemu10-max@7.2 qemu10-neoverse-n1@7.2 qemu10-neoverse-v1@7.2"
	ofN1      = "qemu10-neoverse-n1@5.10 qemu10-neoverse-n1@6.1 qemu10-neoverse-n1@6.12 qemu10-neoverse-n1@6.18 qemu10-neoverse-n1@7.2"
)

func TestBaselinesInWords(t *testing.T) {
	identity := []string{"identity"}
	var a answer
	for _, row := range []struct {
		hosts, name string
		policy      guise.Policy
	}{
		{"graviton2@6.18", "", guise.Policy{}},
		{gravitons, "", guise.Policy{}},
		{"graviton2@5.10 graviton3@5.10", "", guise.Policy{Vary: identity}},
		{"graviton2@6.1 graviton3@6.1", "vary identity", guise.Policy{Vary: identity}},
		{"graviton2@6.18 graviton3@6.18", "the identity of one", guise.Policy{IdentityOf: "graviton2@6.18"}},
		{of7_2, "", guise.Policy{}},
		{of7_2, "the identity of one", guise.Policy{IdentityOf: "qemu10-cortex-a72@7.2"}},
		{"qemu10-max@7.2 qemu10-neoverse-v1@7.2 qemu10-a64fx@7.2", "the identity of one, with SVE", guise.Policy{IdentityOf: "qemu10-max@7.2", With: []guise.Feature{guise.FeatureSVE}}},
		{ofN1, "", guise.Policy{}},
		{ofN1, "without a vGIC", guise.Policy{NoVGIC: true}},
		{"qemu10-neoverse-n1@6.12 qemu10-neoverse-n1@7.2", "protected", guise.Policy{Protected: true}},
		{"qemu10-max@7.2 qemu10-max@6.18", "with EL2", guise.Policy{With: []guise.Feature{guise.FeatureEL2}}},
		{"qemu10-cortex-a53@6.12 qemu10-cortex-a72@6.12", "with AArch32", guise.Policy{With: []guise.Feature{guise.FeatureAArch32}, Vary: identity}},
		{"qemu10-neoverse-n1@6.12 qemu10-cortex-a72@6.12", "", guise.Policy{}},
		{"qemu10-neoverse-n1@6.12 qemu10-cortex-a72@7.2", "the identity of one", guise.Policy{IdentityOf: "qemu10-cortex-a72@7.2"}},
		{"qemu10-max@6.12 qemu10-max@7.2", "without SVE and PAuth", guise.Policy{Without: []guise.Feature{guise.FeatureSVE, guise.FeaturePAuth}}},
		{"qemu10-neoverse-v1@6.12 qemu10-neoverse-v1@7.2", "hide", guise.Policy{Hide: []string{"FEAT_AES", "FEAT_RNG", "FEAT_SVE"}}},
		{"qemu10-neoverse-v1@6.12 qemu10-neoverse-v1@7.2", "require what is there", guise.Policy{Require: []string{"FEAT_AES", "FEAT_LSE"}}},
		{"qemu10-neoverse-v1@6.12 qemu10-cortex-a72@7.2", "require what one lacks", guise.Policy{Require: []string{"FEAT_LSE"}, Vary: identity}},
		{"qemu10-max@7.2", "allow", guise.Policy{Allow: map[string][]string{"ID_AA64ISAR0_EL1": {"AES", "SHA1"}}}},
		{"qemu10-max@7.2", "restrict", guise.Policy{Restrict: map[string]uint64{"ID_AA64ISAR0_EL1.AES": 1, "PSCI_VERSION.Version": 0x10001}}},
		{"qemu10-max@7.2", "force", guise.Policy{Force: map[string]uint64{"ID_AA64ISAR0_EL1.AES": 0, "ID_AA64MMFR2_EL1.FWB": 1}}},
		{"qemu10-max@7.2", "at least", guise.Policy{AtLeast: map[string]uint64{"ID_AA64ISAR0_EL1.RNDR": 1, "ID_AA64PFR0_EL1.RAS": 15}}},
		{"p9 p10 silent", "", guise.Policy{}},
		{"p9 p10", "", guise.Policy{}},
		{"p9 silent", "", guise.Policy{}},
		{"silent p10", "", guise.Policy{}},
		{"silent", "", guise.Policy{}},
		{"p9 graviton2@6.18", "", guise.Policy{}},
	} {
		a.line("# %s %s", row.hosts, row.name)
		captures := hosts(t, row.hosts)
		result, err := guise.Baseline(captures, &row.policy)
		if err != nil {
			a.line("  %v", err)
			continue
		}
		a.baseline(result)
		if result.Verdict == guise.Yes {
			continue
		}
		mended, err := guise.Mend(captures, &row.policy, result)
		switch {
		case err != nil:
			a.line("  mend: %v", err)
		case mended == nil:
			a.line("  nothing mends it")
		default:
			a.line("  mended by %v; varies %v, identity %q", mended.Remedies, mended.Varies, mended.IdentityOf)
			a.baseline(mended.Result)
		}
	}
	golden.Check(t, "baselines.txt", a.String())
}

func TestChecksInWords(t *testing.T) {
	var a answer
	for _, row := range []struct {
		from   string
		policy guise.Policy
		hosts  []string
	}{
		{"qemu10-neoverse-n1@6.12", guise.Policy{}, strings.Fields("qemu10-neoverse-n1@6.12 qemu10-neoverse-n1@5.10 qemu10-neoverse-n1@7.2 qemu10-cortex-a72@6.12 qemu10-a64fx@6.1 qemu10-max@6.18 graviton2@6.18")},
		{"graviton2@6.18", guise.Policy{Vary: []string{"identity", "ID_AA64MMFR2_EL1.EVT"}}, []string{"graviton2@6.18", "graviton3@6.18", "graviton2@6.1", "graviton2@5.10"}},
		{"qemu10-max@7.2", guise.Policy{With: []guise.Feature{guise.FeatureSVE, guise.FeaturePAuth}}, strings.Fields("qemu10-max@7.2 qemu10-max@6.12 qemu10-neoverse-v1@7.2 graviton3@6.18 p9")},
		{"qemu10-cortex-a53@6.12", guise.Policy{With: []guise.Feature{guise.FeatureAArch32}}, strings.Fields("qemu10-cortex-a53@6.12 qemu10-cortex-a53@7.2 qemu10-cortex-a72@6.12 graviton2@6.18")},
		{"p9", guise.Policy{}, strings.Fields("p9 p10 silent graviton2@6.18")},
		{"p10", guise.Policy{}, strings.Fields("p9 p10 silent")},
		{"silent", guise.Policy{}, strings.Fields("p9 p10 silent")},
	} {
		contract := baseline(t, &row.policy, hosts(t, row.from)...).Contract
		if contract == nil {
			t.Fatalf("%s alone has no contract", row.from)
		}
		for _, vmm := range []guise.VMM{guise.VMMNone, guise.VMMQEMU, guise.VMMFirecracker} {
			for _, host := range row.hosts {
				if vmm != guise.VMMNone && host != row.from && host != row.hosts[1] {
					continue
				}
				result := guise.Check(contract, hosts(t, host)[0], vmm)
				a.line("# of %s on %s under %q: %v", row.from, result.Host, vmm, result.Verdict)
				a.findings(result.Findings)
				a.lists(result.RestsOn)
			}
		}
	}
	golden.Check(t, "checks.txt", a.String())
}

func TestDifferencesInWords(t *testing.T) {
	var a answer
	for _, pair := range []string{
		"graviton2@6.18 graviton3@6.18", "graviton2@5.10 graviton2@6.18", "qemu10-neoverse-n1@6.1 qemu10-neoverse-n1@7.2", "qemu10-max@7.2 qemu10-max@6.12",
		"qemu10-a64fx@7.2 qemu10-neoverse-v1@7.2", "qemu10-cortex-a53@6.18 qemu10-cortex-a72@6.18", "qemu10-max@7.2 qemu10-max@7.2", "p9 p10", "p10 silent", "p9 graviton2@6.18",
	} {
		captures := hosts(t, pair)
		a.line("# %s", pair)
		d, err := guise.Diff(captures[0], captures[1])
		if err != nil {
			a.line("  %v", err)
			continue
		}
		a.line("  in %s, the same %v, lists known %v", d.Setup, d.Same(), d.ListsKnown)
		for i := range d.Differences {
			x := &d.Differences[i]
			a.line("  %s: %q and %q; more %q, who %q, means %q", x.Name(), x.A, x.B, x.More, x.Who, x.Means)
		}
		a.line("  only a %v, only b %v", d.OnlyA, d.OnlyB)
		for _, c := range d.Capabilities {
			a.line("  %s: %d and %d", c.Name, c.A, c.B)
		}
		for i, v := range []guise.HostVerdict{d.AToB, d.BToA} {
			a.line("  %s: %v on %s, %d findings", []string{"a to b", "b to a"}[i], v.Verdict, v.Host, len(v.Findings))
			a.lists(v.RestsOn)
		}
		a.lists(nil, d.NotKnown)
	}
	golden.Check(t, "differences.txt", a.String())
}

func TestPoolsInWords(t *testing.T) {
	var a answer
	of7_2And6_12 := of7_2 + " " + strings.ReplaceAll(of7_2, "@7.2", "@6.12")
	for _, row := range []struct {
		hosts  string
		policy guise.Policy
		most   int
	}{
		{of7_2, guise.Policy{}, 3},
		{of7_2And6_12, guise.Policy{Vary: []string{"identity"}}, 6},
		{of7_2And6_12, guise.Policy{With: []guise.Feature{guise.FeatureSVE}}, 6},
		{gravitons, guise.Policy{IdentityOf: "graviton2@6.18"}, 4},
		{of7_2, guise.Policy{Require: []string{"FEAT_PAuth"}, Vary: []string{"identity"}}, 4},
		{of7_2, guise.Policy{Hide: []string{"FEAT_PAuth"}, Vary: []string{"identity"}}, 4},
		{gravitons, guise.Policy{Require: []string{"FEAT_PAuth"}}, 4},
		{"p9 p10 silent", guise.Policy{}, 4},
		{"graviton2@6.18", guise.Policy{}, 1},
		{"graviton2@6.18", guise.Policy{Require: []string{"FEAT_SVE"}}, 1},
		{"p9 graviton2@6.18", guise.Policy{}, 4},
	} {
		a.line("# %s", row.hosts)
		result, err := guise.Pools(hosts(t, row.hosts), &row.policy, row.most)
		if err != nil {
			a.line("  %v", err)
			continue
		}
		a.line("  exact %v, bound %d, distinct %d", result.Exact, result.Bound, result.Distinct)
		for i, rung := range result.Rungs {
			a.line("  rung %d", i+1)
			for _, pool := range rung.Pools {
				a.line("    %s for %v, contract %s", pool.Contract.Setup.Key(), pool.Hosts, pool.Contract.Digest())
				for _, host := range slices.Sorted(maps.Keys(pool.GivesUp)) {
					a.line("      %s gives up %v", host, pool.GivesUp[host])
				}
			}
			for _, host := range slices.Sorted(maps.Keys(rung.Gains)) {
				a.line("    %s gains %v", host, rung.Gains[host])
			}
		}
		for i := range result.Alone {
			a.line("  alone %s: %v", result.Alone[i].Host, result.Alone[i].Verdict)
			a.findings(result.Alone[i].Findings)
			a.lists(result.Alone[i].RestsOn)
		}
	}
	golden.Check(t, "pools.txt", a.String())
}

// TestNestedVerdictsInWords: what POWER's proofs say of traces that differ from
// what the contract and the host promise.
func TestNestedVerdictsInWords(t *testing.T) {
	var a answer
	captures := powerHosts()
	for _, from := range captures {
		contract := powerBaseline(t, from).Contract
		if contract == nil {
			continue
		}
		for _, on := range captures {
			trace := &guise.PowerTrace{Level: isapower.Level30, PVR: on.Power.PVR, Instructions: map[string]guise.InstructionOutcome{}, Facilities: on.Power.Facilities}
			for i, row := range isapower.Ladder {
				trace.Instructions[row.Mnemonic] = guise.InstructionOutcomes[i%len(guise.InstructionOutcomes)]
			}
			for _, sight := range []*guise.PowerTrace{nil, {}, trace} {
				a.line("# of %s on %s, seen %v", from.Name, on.Name, sight != nil && len(sight.Instructions) > 0)
				a.findings(guise.JudgePower(contract, on, sight))
			}
		}
	}
	golden.Check(t, "nested-verdicts.txt", a.String())
}
