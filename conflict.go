package guise

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// slotFinding says why no value of a field is certain to be taken by all hosts.
func (m *meeting) slotFinding(slot int) Finding {
	register, field := arm64.Slots[slot].Describe()
	allowed := m.limits.allowed[slot]
	f := Finding{Verdict: No, Kind: KindFixed, Register: register.Name, Field: field.Name, Means: meaning(register.Name, field.Name)}
	sets := make([]isa.Set, len(m.stances))
	certainly := make([]isa.Set, len(m.stances))
	for i, t := range m.stances {
		sets[i], certainly[i] = t.mayTake().Set(slot), t.certain.Set(slot)
	}
	if possible, _ := m.possibly(); possible.Set(slot)&allowed != 0 {
		f.Verdict, f.Kind, f.Who = Unknown, KindUntried, "not known"
		f.Remedy = Remedy{Code: RemedyCaptureOrAssume}
		sets = certainly
	}
	reason := m.limits.reasons[slot]
	if without := witness(sets, 0xffff); without == nil && reason != "" {
		f.Wanted = reason
		if f.Verdict == No {
			f.Kind = KindPolicy
		}
	}
	for _, host := range witness(sets, allowed) {
		t := m.stances[host]
		value := HostValue{
			Host:  t.capture.Name,
			Value: field.Text(field.Get(t.setup.View.Values[arm64.Slots[slot].Register])),
		}
		if t.setup.Offers != nil {
			value.Takes = acceptedText(&arm64.Slots[slot], t.certain.Set(slot))
		}
		f.Hosts = append(f.Hosts, value)
	}
	if f.Verdict == No {
		f.Who = m.whoCanChange(slot)
		f.Rests = m.rests(f.Hosts)
		if f.Kind == KindFixed {
			f.Remedy = varyRemedy(&f)
		}
	}
	return f
}

// judgePolicy adds what the policy asks of registers that have no value in the
// contract.
func (m *meeting) judgePolicy() {
	for _, slot := range slices.Sorted(maps.Keys(m.limits.reasons)) {
		place := int(arm64.Slots[slot].Register)
		if m.view.Present.Has(place) {
			continue
		}
		zero, known := arm64.Slots[slot].Extract(0)
		lacking := m.lists(place)
		if known && m.limits.allowed[slot].Has(zero) && lacking && !firmwareRegister(place) {
			continue // the encoding is one of the feature ID space, and reads as zero
		}
		m.add(func() Finding { return m.absentFinding(slot, lacking) })
	}
}

// lists reports whether every host's list of registers is known and lacks one.
func (m *meeting) lists(place int) bool {
	id := arm64.ID(arm64.Registers[place].ID)
	return !m.somewhere.Has(place) && !slices.ContainsFunc(m.stances, func(t *stance) bool { return !t.setup.lacks(id) })
}

// absentFinding says that the policy asks for a value of a register that the
// contract has none of. Lacking says that no host has the register.
func (m *meeting) absentFinding(slot int, lacking bool) Finding {
	register, field := arm64.Slots[slot].Describe()
	place := int(arm64.Slots[slot].Register)
	f := Finding{
		Verdict: Unknown, Kind: KindPolicy, Register: register.Name, Field: field.Name, Wanted: m.limits.reasons[slot],
		Hosts: m.presence(place), Means: meaning(register.Name, field.Name),
	}
	zero, known := arm64.Slots[slot].Extract(0)
	switch {
	case leftToVMM(place):
		f.Who, f.Means = "the VMM", "the VMM chooses it for each vCPU; it is in no contract"
	case lacking && !(known && m.limits.allowed[slot].Has(zero)):
		f.Verdict, f.Who, f.Means = No, "nobody", "no host has the register"
	case lacking:
		f.Who, f.Means = "nobody", "a host without the register decides itself which services its guests see"
	default:
		f.Kind, f.Remedy = KindList, Remedy{Code: RemedyCapture}
	}
	return f
}

// rests says on what assumed offers a finding rests, "" where all were tried.
func (m *meeting) rests(hosts []HostValue) string {
	for _, t := range m.stances {
		named := slices.ContainsFunc(hosts, func(v HostValue) bool { return v.Host == t.capture.Name })
		if named && t.setup.Accepts == Assumed {
			return "Linux " + t.setup.AssumedKernel + ", assumed"
		}
	}
	return ""
}

// whoCanChange says who could let hosts show another value of a field: the
// hosts that can already, a newer kernel, or nobody.
func (m *meeting) whoCanChange(slot int) string {
	var able []string
	hosts := 0
	for _, t := range m.stances {
		hosts += len(t.view.hosts)
		if t.mayTake().Set(slot).Len() > 1 {
			for _, c := range t.view.hosts {
				able = append(able, c.Name)
			}
		}
	}
	switch {
	case len(able) > 3:
		return fmt.Sprintf("%d of %d hosts", len(able), hosts)
	case len(able) > 0:
		return strings.Join(able, ", ")
	}
	for _, t := range m.stances {
		if since, ok := newerKernel(slot, t.capture.Host.Kernel); ok {
			return since
		}
	}
	return "nobody"
}

// varyRemedy is the wish that leaves the finding's field to each host.
func varyRemedy(f *Finding) Remedy { return Remedy{RemedyVary, []string{f.Name()}} }

// witness returns the smallest set of hosts whose sets for a slot, narrowed by
// the policy, have no member in common: a breadth-first search over
// intersections, of which there are at most 65,536.
func witness(sets []isa.Set, allowed isa.Set) []int {
	distinct := map[isa.Set]int{}
	for i, s := range sets {
		if _, seen := distinct[s]; !seen {
			distinct[s] = i
		}
	}
	type step struct {
		from isa.Set
		host int
	}
	order := make([]isa.Set, 0, len(distinct))
	for s := range distinct {
		order = append(order, s)
	}
	slices.SortFunc(order, func(a, b isa.Set) int { return distinct[a] - distinct[b] })
	came := map[isa.Set]step{allowed: {host: -1}}
	queue := []isa.Set{allowed}
	for len(queue) > 0 {
		here := queue[0]
		queue = queue[1:]
		if here == 0 {
			var hosts []int
			for at := here; came[at].host >= 0; at = came[at].from {
				hosts = append(hosts, came[at].host)
			}
			slices.Sort(hosts)
			return hosts
		}
		for _, s := range order {
			next := here & s
			if _, seen := came[next]; !seen {
				came[next] = step{from: here, host: distinct[s]}
				queue = append(queue, next)
			}
		}
	}
	return nil
}
