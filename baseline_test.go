package guise_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// baseline computes one that must not fail.
func baseline(t testing.TB, policy *guise.Policy, captures ...*guise.Capture) *guise.BaselineResult {
	t.Helper()
	result, err := guise.Baseline(captures, policy)
	if err != nil {
		t.Fatal(err)
	}
	if (result.Contract != nil) != (result.Verdict == guise.Yes) {
		t.Fatalf("verdict %v with contract %v", result.Verdict, result.Contract != nil)
	}
	return result
}

// drawn is a random fleet as both sides see it.
type drawn struct {
	captures []*guise.Capture
	hosts    []*oracleHost
	policy   *guise.Policy
	identity *oracleHost
}

func (o *oracle) draw(t *rapid.T, outer testing.TB, m *fleetMaker) *drawn {
	d := &drawn{captures: m.fleet(t), policy: &guise.Policy{}}
	for _, c := range d.captures {
		d.hosts = append(d.hosts, o.host(outer, c.Name, c.Marshal()))
	}
	if rapid.Bool().Draw(t, "choose identity") {
		d.identity = rapid.SampledFrom(d.hosts).Draw(t, "identity of")
		d.policy.IdentityOf = d.identity.name
	}
	return d
}

// TestBaselineAgainstOracle: the verdict is the oracle's; every member takes
// the contract; in every field it is the greatest that all take; and one step
// more is refused by some member.
func TestBaselineAgainstOracle(t *testing.T) {
	o, m := newOracle(t), newFleetMaker(t)
	verdicts := map[guise.Verdict]int{}
	rapid.Check(t, func(rt *rapid.T) {
		d := o.draw(rt, t, m)
		result := baseline(t, d.policy, d.captures...)
		verdicts[result.Verdict]++
		judged := o.judge(d.hosts, d.identity)
		if got := result.Verdict.String(); got != judged.verdict {
			rt.Fatalf("verdict %s, the oracle says %s\nfindings %+v\nconflicts %v", got, judged.verdict, result.Findings, judged.conflicts)
		}
		switch result.Verdict {
		case guise.Yes:
			o.checkContract(rt, d, contractValues(t, result.Contract.Marshal()))
			o.checkMembers(rt, d, result.Contract)
		case guise.No:
			o.checkFindings(rt, d, result.Findings, judged)
		}
	})
	t.Logf("verdicts: %v", verdicts)
	if verdicts[guise.Yes] == 0 || verdicts[guise.No] == 0 {
		t.Errorf("only the verdicts %v were seen", verdicts)
	}
}

// checkContract holds a contract against the oracle.
func (o *oracle) checkContract(t *rapid.T, d *drawn, contract map[string]uint64) {
	for _, h := range d.hosts {
		if reasons := o.refuses(h, o.given(d.hosts, h, contract)); reasons != nil {
			t.Fatalf("%s refuses the contract: %s", h.name, strings.Join(reasons, "; "))
		}
	}
	for _, f := range o.fields {
		value, in := contract[f.register]
		if !in || !onAll(d.hosts, f.register) {
			continue
		}
		if o.leaves(d.hosts, f) {
			continue
		}
		common := o.common(d.hosts, f)
		got, want := f.get(value), o.best(d.hosts, f, common)
		if f.more(want, got) {
			t.Fatalf("%s is %d; all take %v, of which %d gives most", f, got, common, want)
		}
		if more, ok := o.oneMore(f, got); ok && slices.Contains(common, more) && !o.beyond(d.hosts, f, more) {
			t.Fatalf("%s is %d and all would take %d", f, got, more)
		}
	}
	for register, value := range contract {
		shown := func(h *oracleHost) bool { return (h.registers[register]^value)&o.rest(register) == 0 }
		if onAll(d.hosts, register) && !slices.ContainsFunc(d.hosts, shown) {
			t.Fatalf("%s=%#x: bits that no host shows", register, value)
		}
	}
}

// beyond reports whether the value gives more than some host shows by itself.
func (o *oracle) beyond(hosts []*oracleHost, f *oracleField, value uint64) bool {
	return slices.ContainsFunc(hosts, func(h *oracleHost) bool { return f.more(value, f.get(h.registers[f.register])) })
}

// oneMore returns the value of the field that gives a guest one step more.
func (o *oracle) oneMore(f *oracleField, value uint64) (next uint64, ok bool) {
	for _, candidate := range f.values() {
		if f.more(candidate, value) && (!ok || f.more(next, candidate)) {
			next, ok = candidate, true
		}
	}
	return next, ok
}

// checkMembers puts the contract, and the contract with one field changed, to
// Check, which must say of every host what the oracle does.
func (o *oracle) checkMembers(t *rapid.T, d *drawn, contract *guise.Contract) {
	for _, c := range d.captures {
		if v := guise.Check(contract, c, guise.VMMNone); v.Verdict != guise.Yes {
			t.Fatalf("%s does not take its own baseline: %+v", c.Name, v.Findings)
		}
	}
	for range 20 {
		f := rapid.SampledFrom(o.fields).Draw(t, "changed field")
		p := place(f.register)
		if !contract.View.Present.Has(p) || !onAll(d.hosts, f.register) || o.leaves(d.hosts, f) {
			continue
		}
		changed := *contract
		value := rapid.SampledFrom(f.values()).Draw(t, "changed value")
		changed.View.Values[p] = f.put(changed.View.Values[p], value)
		for i, c := range d.captures {
			want := guise.No
			if slices.Contains(o.takes(d.hosts[i], f), value) {
				want = guise.Yes
			}
			if v := guise.Check(&changed, c, guise.VMMNone); v.Verdict != want {
				t.Fatalf("%s with %s=%d: %v, the oracle says %v; takes %v, shows %d\n%+v", c.Name, f, value, v.Verdict, want,
					o.takes(d.hosts[i], f), f.get(d.hosts[i].registers[f.register]), v.Findings)
			}
		}
	}
}

// checkFindings: every finding of a no names what really conflicts, on hosts
// that show it and are as few as can be; and no conflict goes unnamed.
func (o *oracle) checkFindings(t *rapid.T, d *drawn, findings []guise.Finding, judged judgement) {
	named := map[string]bool{}
	for i := range findings {
		f := &findings[i]
		if f.Verdict != guise.No {
			continue
		}
		field, conflicts := judged.conflicts[f.Name()]
		if !conflicts {
			_, conflicts = judged.conflicts[f.Register]
			named[f.Register] = true
		}
		named[f.Name()] = true
		if !conflicts {
			t.Fatalf("%s is named and does not conflict: %+v", f.Name(), *f)
		}
		var shown []*oracleHost
		for _, v := range f.Hosts {
			i := slices.IndexFunc(d.hosts, func(h *oracleHost) bool { return h.name == v.Host })
			shown = append(shown, d.hosts[i])
		}
		switch {
		case field == nil:
			if len(shown) != 2 {
				t.Fatalf("%s: %d hosts in the witness", f.Name(), len(shown))
			}
			if shown[0].registers[f.Register] == shown[1].registers[f.Register] {
				t.Fatalf("%s: the hosts of the witness show the same", f.Name())
			}
		case len(o.common(shown, field)) != 0:
			t.Fatalf("%s: the hosts of the witness have %v in common", f.Name(), o.common(shown, field))
		case len(shown) != o.smallest(d.hosts, field):
			t.Fatalf("%s: %d hosts in the witness, %d would do", f.Name(), len(shown), o.smallest(d.hosts, field))
		}
	}
	for conflict := range judged.conflicts {
		if !named[conflict] {
			t.Fatalf("%s conflicts and no finding names it", conflict)
		}
	}
}

// TestBaselineOfOneHostIsThatHost: nothing is given up.
func TestBaselineOfOneHostIsThatHost(t *testing.T) {
	o, m := newOracle(t), newFleetMaker(t)
	rapid.Check(t, func(rt *rapid.T) {
		capture := m.fleet(rt)[0]
		host := o.host(t, capture.Name, capture.Marshal())
		result := baseline(t, nil, capture)
		if result.Verdict != guise.Yes {
			rt.Fatalf("%v: %+v", result.Verdict, result.Findings)
		}
		contract := contractValues(t, result.Contract.Marshal())
		for register, shown := range host.registers {
			value, in := contract[register]
			if slices.Contains(notContractValues, register) {
				if in {
					rt.Fatalf("%s is the VMM's and stands in the contract", register)
				}
				continue
			}
			for _, f := range o.byRegister[register] {
				if followsVGIC(f) && host.vgic == 0 || host.tried != nil {
					shown, value = shown&^f.mask(), value&^f.mask()
				}
			}
			if value != shown || !in {
				rt.Fatalf("%s is %#x, the host shows %#x", register, value, shown)
			}
		}
	})
}

// TestOrderOfHostsDoesNotMatter: neither to the contract, byte for byte, nor to
// the verdict and what is named.
func TestOrderOfHostsDoesNotMatter(t *testing.T) {
	o, m := newOracle(t), newFleetMaker(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := o.draw(rt, t, m)
		first := baseline(t, d.policy, d.captures...)
		second := baseline(t, d.policy, rapid.Permutation(d.captures).Draw(rt, "order")...)
		if first.Verdict != second.Verdict {
			rt.Fatalf("%v, in another order %v", first.Verdict, second.Verdict)
		}
		if first.Contract != nil && !bytes.Equal(first.Contract.Marshal(), second.Contract.Marshal()) {
			rt.Fatalf("other contracts:\n%s\n%s", first.Contract.Marshal(), second.Contract.Marshal())
		}
		if a, b := names(first.Findings), names(second.Findings); !slices.Equal(a, b) {
			rt.Fatalf("findings %v, in another order %v", a, b)
		}
	})
}

func names(findings []guise.Finding) []string {
	var all []string
	for i := range findings {
		all = append(all, findings[i].Verdict.String()+" "+findings[i].Name())
	}
	slices.Sort(all)
	return all
}

// TestRemovingOffersOnlyMakesUnknown: who knows less never says the opposite.
func TestRemovingOffersOnlyMakesUnknown(t *testing.T) {
	o, m := newOracle(t), newFleetMaker(t)
	m.lawful = true
	opposite := map[guise.Verdict]guise.Verdict{guise.Yes: guise.No, guise.No: guise.Yes}
	rapid.Check(t, func(rt *rapid.T) {
		d := o.draw(rt, t, m)
		known := baseline(t, d.policy, d.captures...)
		less := slices.Clone(d.captures)
		for i := range less {
			if rapid.Bool().Draw(rt, "forget") {
				less[i] = withoutOffers(less[i])
			}
		}
		forgotten := baseline(t, d.policy, less...)
		if was := known.Verdict; was != guise.Unknown && forgotten.Verdict == opposite[was] {
			rt.Fatalf("%v became %v\nbefore %+v\nafter %+v", was, forgotten.Verdict, known.Findings, forgotten.Findings)
		}
		contract := known.Contract
		if contract == nil {
			contract = baseline(t, nil, d.captures[0]).Contract
		}
		for i := range less {
			was := guise.Check(contract, d.captures[i], guise.VMMNone)
			is := guise.Check(contract, withoutOffers(d.captures[i]), guise.VMMNone)
			if was.Verdict != guise.Unknown && is.Verdict == opposite[was.Verdict] {
				rt.Fatalf("%s: check: %v became %v\nbefore %+v\nafter %+v", less[i].Name, was.Verdict, is.Verdict, was.Findings, is.Findings)
			}
		}
	})
}

// withoutOffers returns the capture of a host that nobody tried.
func withoutOffers(c *guise.Capture) *guise.Capture {
	less := *c
	less.Setups = slices.Clone(c.Setups)
	for i := range less.Setups {
		less.Setups[i].Offers, less.Setups[i].Accepts, less.Setups[i].AssumedKernel = nil, "", ""
	}
	return &less
}

// TestDerivedOffersAgainstFacts: for every limit of every field in every
// kernel, what the product derives is what the facts say.
func TestDerivedOffersAgainstFacts(t *testing.T) {
	o, m := newOracle(t), newFleetMaker(t)
	for _, version := range allKernels {
		for _, vgic := range []int{0, 3} {
			for _, f := range o.fields {
				for _, limit := range plausible(f) {
					view := m.bases[0].Setups[0].View
					m.apply(&view, []mutation{{f, limit}})
					m.settle(&view, version, vgic)
					p := place(f.register)
					if !view.Present.Has(p) || (aarch32(f.register) && f.get(view.Values[p]) != limit) {
						continue
					}
					o.checkDerived(t, version, vgic, f, &view)
				}
			}
		}
	}
}

// bootedVersion is the kernel of a series that the facts were read of: what the point
// releases of a series do not share, a bare version leaves open.
func bootedVersion(t interface{ Fatal(...any) }, series string) kernel.Version {
	version, err := kernel.ParseVersion(series)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kernel.Booted {
		if k.Version.Series() == version.Series() {
			version = k.Version
		}
	}
	return version
}

func (o *oracle) checkDerived(t *testing.T, version string, vgic int, f *oracleField, view *arm64.View) {
	t.Helper()
	c := &guise.Capture{Host: guise.HostFacts{Kernel: version + ".0"}, Setups: []guise.CapturedSetup{{
		Setup: guise.Setup{VGIC: vgic}, View: *view, Registers: guise.Read,
	}}}
	if err := c.Assume(bootedVersion(t, version)); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Setups []struct {
			Accepts map[string]map[string]string `json:"accepts"`
		} `json:"setups"`
	}
	if err := json.Unmarshal(c.Marshal(), &document); err != nil {
		t.Fatal(err)
	}
	host := &oracleHost{kernel: version, vgic: vgic, registers: map[string]uint64{}}
	for i := range arm64.Registers {
		if view.Present.Has(i) {
			host.registers[arm64.Registers[i].Name] = view.Values[i]
		}
	}
	want := o.takes(host, f)
	got := []uint64{f.get(host.registers[f.register])}
	if text, ok := document.Setups[0].Accepts[f.register][f.name]; ok {
		got = triedValues(f, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Linux %s, vGIC %d, %s limit %d: derived %v, the facts say %v", version, vgic, f, f.get(host.registers[f.register]), got, want)
	}
}
