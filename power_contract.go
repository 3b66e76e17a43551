package guise

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	isapower "github.com/guise-project/guise/isa/power"
)

// PowerContract is the definition a VM on POWER is given. Whoever makes the VM
// writes the level to KVM_REG_PPC_ARCH_COMPAT, gives each capability at its
// value, answers H_GET_CPU_CHARACTERISTICS with the two words, and hands a
// nested hypervisor no more of HFSCR.
type PowerContract struct {
	Level isapower.Level
	// Capabilities holds the value of every ordered capability by its name.
	Capabilities map[string]string
	// Character and Behaviour are what the guest is told of the CPU; bits that
	// nobody has named are 0.
	Character, Behaviour uint64
	// HFSCR holds the facilities that L1 may give its own guests.
	HFSCR uint64
}

// ErrPower is returned where an answer is known for arm64 hosts only.
var ErrPower = errors.New("for arm64 hosts; there are POWER hosts among these")

// Objects of findings about POWER hosts beside capabilities.
const (
	objectArchitecture = "architecture"
	objectLevel        = "level"
	objectHFSCR        = "HFSCR"
)

// wordObject names a word of the characteristics in findings.
func wordObject(w isapower.Word) string { return "KVM_PPC_GET_CPU_CHAR." + w.String() }

// baselinePower computes the greatest contract of POWER hosts. It uses only what
// is certain, so that every host takes it; what is not known is left out of the
// contract and named in the result.
func baselinePower(captures []*Capture, policy *Policy) (*BaselineResult, error) {
	if policy != nil && !policy.empty() {
		return nil, errors.New("policy: is for arm64 hosts; a contract of POWER hosts has no policy")
	}
	if f := mixedArchitectures(captures); f != nil {
		return &BaselineResult{Verdict: No, Findings: []Finding{*f}}, nil
	}
	m := &powerMeeting{captures: captures, contract: &PowerContract{Capabilities: map[string]string{}}, gives: map[string]int{}}
	m.level()
	for i := range isapower.Capabilities {
		m.capability(&isapower.Capabilities[i])
	}
	for i := range isapower.CharacteristicTable {
		m.characteristic(&isapower.CharacteristicTable[i])
	}
	for i := range isapower.Facilities {
		if f := &isapower.Facilities[i]; f.HFSCR {
			m.facility(f)
		}
	}
	return m.result(), nil
}

// empty reports whether the policy asks for nothing.
func (p *Policy) empty() bool {
	lists := len(p.Hide) + len(p.Require) + len(p.With) + len(p.Without) + len(p.Vary) + len(p.Allow) + len(p.Restrict) + len(p.Force) + len(p.AtLeast)
	return lists == 0 && !p.Protected && !p.NoVGIC && p.IdentityOf == ""
}

// mixedArchitectures is the answer where hosts are of two architectures, nil
// where they are not.
func mixedArchitectures(captures []*Capture) *Finding {
	for _, c := range captures[1:] {
		if first := captures[0]; c.Arch() != first.Arch() {
			return &Finding{
				Verdict: No, Kind: KindFixed, Register: objectArchitecture, Who: "nobody",
				Hosts: []HostValue{{Host: first.Name, Value: first.Arch()}, {Host: c.Name, Value: c.Arch()}},
				Means: "no VM runs on both",
			}
		}
	}
	return nil
}

// powerMeeting finds what POWER hosts have in common.
type powerMeeting struct {
	captures []*Capture
	contract *PowerContract
	findings []Finding
	settled  []Settlement
	gives    map[string]int      // by host, what the contract takes from it
	open     map[string][]string // what is not known, by why
}

// distinct returns each distinct value on the first host that shows it.
func distinct(values []HostValue) []HostValue {
	var shown []HostValue
	for _, v := range values {
		if !slices.ContainsFunc(shown, func(have HostValue) bool { return have.Value == v.Value }) {
			shown = append(shown, v)
		}
	}
	return shown
}

// settle notes a value that some host shows otherwise.
func (m *powerMeeting) settle(register, field, value string, hosts []HostValue) {
	differs := false
	for _, h := range hosts {
		if h.Value != value {
			m.gives[h.Host]++
			differs = true
		}
	}
	if differs {
		m.settled = append(m.settled, Settlement{Register: register, Field: field, Text: value, Hosts: distinct(hosts)})
	}
}

// leaveOpen notes an object of which some host does not tell.
func (m *powerMeeting) leaveOpen(why, object string) {
	if m.open == nil {
		m.open = map[string][]string{}
	}
	m.open[why] = append(m.open[why], object)
}

// level chooses the highest level that every host takes.
func (m *powerMeeting) level() {
	possible := false
	for _, row := range isapower.Levels {
		verdict := Yes
		for _, c := range m.captures {
			verdict = worse(verdict, c.Power.takes(row.Level))
		}
		if verdict == Yes {
			m.contract.Level = row.Level
		}
		possible = possible || verdict == Unknown
	}
	var hosts, levels []HostValue
	for _, c := range m.captures {
		hosts = append(hosts, HostValue{Host: c.Name, Value: levelText(c.Power.highest())})
		levels = append(levels, HostValue{Host: c.Name, Value: levelsText(c.Power)})
	}
	if m.contract.Level != 0 {
		m.settle(objectLevel, "", m.contract.Level.String(), hosts)
		return
	}
	f := Finding{Verdict: No, Kind: KindFixed, Register: objectLevel, Hosts: m.strangers(levels), Who: "nobody", Means: "no level of the architecture is taken by every host"}
	if possible {
		f.Verdict, f.Kind, f.Who = Unknown, KindUntried, "not known"
		f.Means, f.Remedy = "levels were not tried on every host", Remedy{Code: RemedyCapture}
	}
	m.findings = append(m.findings, f)
}

// strangers returns two hosts that share no level, which show best that there
// is none; each distinct host where it takes more than two.
func (m *powerMeeting) strangers(levels []HostValue) []HostValue {
	for i, a := range m.captures {
		for j, b := range m.captures[:i] {
			if !shareLevel(a.Power, b.Power) {
				return []HostValue{levels[j], levels[i]}
			}
		}
	}
	return distinct(levels)
}

// shareLevel reports whether two hosts may both take some level.
func shareLevel(a, b *PowerHost) bool {
	return slices.ContainsFunc(isapower.Levels, func(row isapower.LevelRow) bool { return worse(a.takes(row.Level), b.takes(row.Level)) != No })
}

func levelText(level isapower.Level) string {
	if level == 0 {
		return "none known"
	}
	return level.String()
}

// levelsText lists the levels that a host takes.
func levelsText(p *PowerHost) string {
	var names []string
	for _, row := range isapower.Levels {
		if p.takes(row.Level) == Yes {
			names = append(names, row.Name)
		}
	}
	if names == nil {
		return levelText(0)
	}
	return strings.Join(names, " ")
}

// capability chooses the least value that a host may have.
func (m *powerMeeting) capability(o *isapower.OrderedCapability) {
	chosen, open := len(o.Values)-1, false
	var hosts []HostValue
	for _, c := range m.captures {
		least, greatest := c.capability(o)
		chosen, open = min(chosen, least), open || least != greatest
		hosts = append(hosts, HostValue{Host: c.Name, Value: o.Values[least]})
	}
	m.contract.Capabilities[o.Name] = o.Values[chosen]
	// A host that certainly has the least value decides whatever the others have.
	decided := slices.ContainsFunc(m.captures, func(c *Capture) bool {
		_, greatest := c.capability(o)
		return greatest == chosen
	})
	if open && !decided {
		m.leaveOpen("not told by every host, so at the value that is certain", o.Name)
	}
	m.settle(o.Name, "", o.Values[chosen], hosts)
}

// characteristic chooses the safe value of a bit: told where every host is known
// to have it, asked for unless every host is known not to need it.
func (m *powerMeeting) characteristic(row *isapower.Characteristic) {
	safe := row.Sense == isapower.Asks
	chosen, decided, open := !safe, false, false
	var hosts []HostValue
	for _, c := range m.captures {
		set, known := c.Power.Characteristics.Get(row)
		if !known || set == safe {
			chosen = safe
		}
		decided, open = decided || known && set == safe, open || !known
		value := bitText(set)
		if !known {
			value = bitText(safe)
		}
		hosts = append(hosts, HostValue{Host: c.Name, Value: value})
	}
	if chosen {
		word := &m.contract.Character
		if row.Word == isapower.Behaviour {
			word = &m.contract.Behaviour
		}
		*word |= row.Mask()
	}
	if open && !decided {
		m.leaveOpen("not told by every host, so as on one that has to be defended", row.Name)
	}
	m.settle(wordObject(row.Word), row.Name, bitText(chosen), hosts)
}

func bitText(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// facility permits a facility where every host is known to.
func (m *powerMeeting) facility(f *isapower.Facility) {
	verdict := Yes
	var hosts []HostValue
	for _, c := range m.captures {
		permitted := c.Power.permitted(f.Name)
		verdict = worse(verdict, permitted)
		hosts = append(hosts, HostValue{Host: c.Name, Value: permittedText(permitted == Yes)})
	}
	switch verdict {
	case Yes:
		m.contract.HFSCR |= f.Mask()
	case Unknown:
		m.leaveOpen("not seen to be permitted on every host, so not given", f.Name)
	}
	m.settle(objectHFSCR, f.Name, permittedText(verdict == Yes), hosts)
}

func permittedText(permitted bool) string {
	if permitted {
		return "permitted"
	}
	return "off"
}

// result puts the answer together.
func (m *powerMeeting) result() *BaselineResult {
	result := &BaselineResult{Verdict: verdictOf(m.findings), Findings: m.findings, Settled: m.settled}
	for _, c := range m.captures {
		result.GivesUp = append(result.GivesUp, HostCount{Host: c.Name, Count: m.gives[c.Name]})
	}
	for why, objects := range m.open {
		result.NotKnown = append(result.NotKnown, strings.Join(objects, ", ")+": "+why)
	}
	slices.Sort(result.NotKnown)
	if result.Verdict != Yes {
		return result
	}
	result.Contract = &Contract{Power: m.contract}
	for _, c := range m.captures {
		result.Contract.MadeFrom = append(result.Contract.MadeFrom, Origin{Name: c.Name, Kernel: c.Host.Kernel, View: c.ViewDigest()})
	}
	slices.SortFunc(result.Contract.MadeFrom, func(a, b Origin) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.View, b.View)) })
	return result
}

// usable says what a POWER contract lacks.
func (p *PowerContract) usable() error {
	if _, err := isapower.ParseLevel(p.Level.String()); err != nil {
		return fmt.Errorf("power: %w", err)
	}
	for i := range isapower.Capabilities {
		o := &isapower.Capabilities[i]
		if _, ok := o.ValueNamed(p.Capabilities[o.Name]); !ok {
			return fmt.Errorf("power: capabilities: %s: want one of %v, there is %q", o.Name, o.Values, p.Capabilities[o.Name])
		}
	}
	return nil
}
