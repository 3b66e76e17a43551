package guise

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// ErrNoHosts is returned where a baseline or check is asked of no host.
var ErrNoHosts = errors.New("no hosts; want at least one capture")

// BaselineResult is a contract that every host takes, or why there is none.
type BaselineResult struct {
	Verdict Verdict
	// Setup is the setup that the answer is about.
	Setup Setup
	// Contract is nil unless the verdict is yes.
	Contract *Contract
	// Findings are the reasons for no or unknown, the certain ones first.
	Findings []Finding
	// Settled are the fields that hosts show differently and that go to a
	// common value.
	Settled []Settlement
	// GivesUp counts, for each host, the settled fields in which the contract
	// shows less than the host does.
	GivesUp []HostCount
	// RestsOn says what of the answer was not tried on the hosts themselves.
	RestsOn []string
	// NotKnown says what was not captured and so is not in the answer.
	NotKnown []string
	// Notes are remarks that do not change the verdict.
	Notes []string
}

// Settlement is a field that goes to a common value.
type Settlement struct {
	Register, Field string
	Value           uint64
	Text            string      // the value where it is a word and not a number
	Hosts           []HostValue // each distinct value, on the first host that shows it
	// Rests is what taking the value rests on, "" where it was tried.
	Rests string
}

// HostCount is a number that belongs to a host.
type HostCount struct {
	Host  string
	Count int
}

// Baseline computes the greatest contract that every host would take, shaped
// by the policy, or says exactly why there is none. It tries the setups that
// all hosts were captured in, those with the most features first, and reports a
// conflict only where no setup is left to lower to.
//
// The order of the captures does not matter to the contract. It returns
// ErrNoHosts for no captures, and an error for a policy that means nothing or a
// capture that shows nothing.
func Baseline(captures []*Capture, policy *Policy) (*BaselineResult, error) {
	if err := usableHosts(captures...); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(captures, func(c *Capture) bool { return c.Power != nil }) {
		return baselinePower(captures, policy)
	}
	policy, ways, err := ready(captures, policy)
	if err != nil {
		return nil, err
	}
	return baseline(pointers(foldViews(captures)), policy, ways, stances{}), nil
}

// ready checks that there are hosts and that the policy means something to them,
// and makes it ready: the ways to meet it.
func ready(captures []*Capture, policy *Policy) (*Policy, []*restriction, error) {
	if len(captures) == 0 {
		return nil, nil, ErrNoHosts
	}
	if err := usableHosts(captures...); err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(captures, func(c *Capture) bool { return c.Power != nil }) {
		return nil, nil, ErrPower
	}
	if policy == nil {
		policy = &Policy{}
	}
	ways, err := policy.compile()
	if err != nil {
		return nil, nil, err
	}
	policy, err = policy.withIdentity(captures)
	return policy, ways, err
}

// withIdentity returns the policy with the host that IdentityOf names.
func (p *Policy) withIdentity(captures []*Capture) (*Policy, error) {
	if p.IdentityOf == "" {
		return p, nil
	}
	named := slices.IndexFunc(captures, func(c *Capture) bool { return c.Name == p.IdentityOf })
	if named < 0 {
		names := func(yield func(string) bool) {
			for _, c := range captures {
				if !yield(c.Name) {
					return
				}
			}
		}
		return nil, fmt.Errorf("identity of %s: is not one of the hosts%s", p.IdentityOf, isa.DidYouMean(p.IdentityOf, names))
	}
	with := *p
	with.identity = captures[named]
	return &with, nil
}

// baseline is Baseline of distinct views, with the ways to meet a policy, and the
// stances that are known already. What it costs grows with the number of
// views; of hosts it only writes the names.
func baseline(views []*viewHosts, policy *Policy, ways []*restriction, known stances) *BaselineResult {
	captures := make([]*Capture, len(views))
	for i, v := range views {
		captures[i] = v.capture()
	}
	var best *BaselineResult
	for _, setup := range commonSetups(captures, policy) {
		stances := known.of(views, setup)
		for _, way := range ways {
			if result := newMeeting(stances, policy, way).settle(); best == nil || result.betterThan(best) {
				best = result
			}
		}
		if best.Verdict == Yes {
			break
		}
	}
	if best == nil {
		best = noCommonSetup(captures)
	}
	best.notCaptured(captures)
	return best
}

// betterThan reports whether an answer is nearer to yes than another, leaves less of
// the policy unmet, or gives up fewer fields.
func (b *BaselineResult) betterThan(other *BaselineResult) bool {
	switch {
	case b.Verdict != other.Verdict:
		return b.Verdict < other.Verdict
	case b.Verdict != Yes:
		return b.unmet() < other.unmet()
	}
	return b.givenUp() < other.givenUp()
}

// unmet counts the fields that cannot be as the policy wants them.
func (b *BaselineResult) unmet() int {
	n := 0
	for i := range b.Findings {
		if b.Findings[i].Kind == KindPolicy {
			n++
		}
	}
	return n
}

// givenUp counts the fields in which the contract shows less than a host does,
// over all hosts.
func (b *BaselineResult) givenUp() int {
	n := 0
	for _, count := range b.GivesUp {
		n += count.Count
	}
	return n
}

// commonSetups returns the setups that every host was captured in and that the
// policy allows, those with the most features first.
func commonSetups(captures []*Capture, policy *Policy) []*Setup {
	common := slices.Clone(captures[0].Setups)
	common = slices.DeleteFunc(common, func(s CapturedSetup) bool { return !policy.allows(&s.Setup) })
	for _, c := range captures[1:] {
		common = slices.DeleteFunc(common, func(s CapturedSetup) bool { return c.like(&s.Setup) == nil })
	}
	slices.SortFunc(common, func(a, b CapturedSetup) int {
		return compareSetups(len(a.Features), len(b.Features), a.Key(), b.Key())
	})
	var setups []*Setup
	newest := newestVGIC(common)
	for i := range common {
		// A VM without an interrupt controller is not a lesser VM but another.
		if common[i].VGIC == newest {
			setups = append(setups, &common[i].Setup)
		}
	}
	return setups
}

// compareSetups orders setups, those with the most features first.
func compareSetups(features, otherFeatures int, key, otherKey string) int {
	return cmp.Or(cmp.Compare(otherFeatures, features), cmp.Compare(key, otherKey))
}

// newestVGIC returns the newest interrupt controller among setups.
func newestVGIC(setups []CapturedSetup) int {
	newest := 0
	for i := range setups {
		newest = max(newest, setups[i].VGIC)
	}
	return newest
}

// allows reports whether the policy wants VMs of a setup.
func (p *Policy) allows(s *Setup) bool {
	for _, feature := range p.With {
		if !s.Has(feature) {
			return false
		}
	}
	for _, feature := range s.Features {
		special := feature == FeatureAArch32 || feature == FeatureEL2
		if slices.Contains(p.Without, feature) || (special && !slices.Contains(p.With, feature)) {
			return false
		}
	}
	return s.Protected == p.Protected && (s.VGIC == 0 || !p.NoVGIC)
}

// noCommonSetup is the answer where no setup was captured on every host.
func noCommonSetup(captures []*Capture) *BaselineResult {
	finding := Finding{
		Verdict: Unknown, Kind: KindSetup, Register: "setup",
		Means: "no setup that is allowed was captured on every host", Remedy: Remedy{Code: RemedyCapture},
	}
	if !slices.ContainsFunc(captures, func(c *Capture) bool { return !c.Complete }) {
		finding.Verdict, finding.Who, finding.Remedy = No, "nobody", Remedy{}
		finding.Means = "no setup that is allowed is accepted by every host"
	}
	for _, c := range captures[:min(len(captures), 4)] {
		names := make([]string, len(c.Setups))
		for i := range c.Setups {
			names[i] = c.Setups[i].Key()
		}
		finding.Hosts = append(finding.Hosts, HostValue{Host: c.Name, Value: strings.Join(names, ", ")})
	}
	return &BaselineResult{Verdict: finding.Verdict, Findings: []Finding{finding}}
}

// notCaptured notes the features that no host was captured with, and turns a no
// that only rests on one of them into unknown.
func (b *BaselineResult) notCaptured(captures []*Capture) {
	var missing []Feature
	for _, feature := range optional {
		if slices.ContainsFunc(captures, func(c *Capture) bool { return !c.triedWith(feature) }) {
			missing = append(missing, feature)
		}
	}
	if len(missing) > 0 {
		b.NotKnown = append([]string{fmt.Sprintf("any setup with %s (not captured on all hosts)", joinFeatures(missing))}, b.NotKnown...)
	}
	b.NotKnown = append(b.NotKnown, unknownRanges(captures...)...)
	for i := range b.Findings {
		f := &b.Findings[i]
		decided := FeatureDeciding(f.Register, f.Field)
		if f.Kind == KindPolicy && decided != "" && slices.Contains(missing, decided) {
			f.Verdict = Unknown
			f.Means = fmt.Sprintf("not captured in a setup with %s", decided.title())
			f.Remedy = Remedy{Code: RemedyCapture}
		}
	}
	if b.Contract == nil && len(b.Findings) > 0 {
		b.Verdict = verdictOf(b.Findings)
	}
}

// optional are the features of which a capture without them tells nothing.
var optional = []Feature{FeatureSVE, FeaturePMU, FeaturePAuth, FeatureMTE, FeatureEL2}

// NotCaptured returns the features of which it is not known whether the host
// can give them.
func (c *Capture) NotCaptured() []Feature {
	if c.Power != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(optional), c.triedWith)
}

// triedWith reports whether the capture tells if the host gives the feature.
func (c *Capture) triedWith(feature Feature) bool {
	return c.Complete || slices.ContainsFunc(c.Setups, func(s CapturedSetup) bool { return s.Has(feature) })
}

// contract turns the values that were chosen into a contract.
func (m *meeting) contract() *Contract {
	c := &Contract{Setup: m.setup(), View: *m.chosen(), Extra: m.extra, Listed: m.listed()}
	for place := range c.View.Present.All() {
		c.Vary[place] = m.vary[place]
	}
	for _, t := range m.stances {
		if t.setup.Registers != Imported {
			c.imported = nil
			break
		}
		c.imported = append(c.imported, t.capture)
	}
	for _, t := range m.stances {
		for _, from := range t.view.hosts {
			c.MadeFrom = append(c.MadeFrom, Origin{Name: from.Name, Kernel: from.Host.Kernel, View: t.view.digest})
		}
	}
	slices.SortFunc(c.MadeFrom, func(a, b Origin) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.View, b.View)) })
	c.Complete(m.lack)
	return c
}

// chosen is the view of the contract: what was chosen, and 0 for what varies.
func (m *meeting) chosen() *arm64.View {
	view := m.view
	for place := range view.Present.All() {
		view.Values[place] &^= m.vary[place]
	}
	return &view
}

// lack reports whether it is known of every host that it does not have a
// register which is not in its capture: its list is known, or no KVM has such a
// register. A host without one of the first hypercall bitmaps decides itself what
// its guests see of those services; the services of the last came with it.
func (m *meeting) lack(id arm64.ID) bool {
	if _, system := id.Encoding(); !system {
		return id == arm64.ID(arm64.Registers[arm64.VENDORHYPBMAP2].ID)
	}
	return !kvmHas(id) || !slices.ContainsFunc(m.stances, func(t *stance) bool {
		place, known := arm64.PlaceOf(id)
		_, extra := t.setup.Extra[id]
		return extra || known && t.setup.View.Present.Has(place) || !t.setup.lacks(id)
	})
}

// kvmHas reports whether KVM has a register for an encoding of the feature ID
// space: it has one for every encoding from S3_0_C0_C1_0 to S3_0_C0_C7_7,
// allocated or not (Linux, arch/arm64/kvm/sys_regs.c, ID_UNALLOCATED), and for
// some of those that the table knows.
func kvmHas(id arm64.ID) bool {
	e, ok := id.Encoding()
	place, known := arm64.PlaceOf(id)
	return ok && (e.Op1 == 0 && e.CRm != 0 || known && arm64.Registers[place].Scope != isa.Hardware)
}
