package guise

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// givesUp counts, host by host, the fields in which the choice differs from
// what the host shows, and collects those fields.
func (m *meeting) givesUp() []HostCount {
	counts := map[int]HostCount{} // by the places of hosts
	fields := map[int][]HostValue{}
	for _, t := range m.stances {
		count := 0
		for place := range arm64.Registers {
			differs := (t.setup.View.Values[place] ^ m.view.Values[place]) &^ m.vary[place]
			if differs == 0 || !m.everywhere.Has(place) || !m.view.Present.Has(place) {
				continue
			}
			first, end := arm64.SlotsOf(place)
			for slot := first; slot < end; slot++ {
				_, field := arm64.Slots[slot].Describe()
				if field.Mask()&differs == 0 || m.certain.Set(slot)&m.limits.allowed[slot] == 0 {
					continue
				}
				count++
				value := HostValue{Host: t.capture.Name, Value: field.Text(field.Get(t.setup.View.Values[place]))}
				if !slices.ContainsFunc(fields[slot], func(v HostValue) bool { return v.Value == value.Value }) {
					fields[slot] = append(fields[slot], value)
				}
			}
		}
		for i, c := range t.view.hosts {
			counts[t.view.at[i]] = HostCount{Host: c.Name, Count: count}
		}
	}
	for slot := range arm64.Slots {
		if hosts := fields[slot]; hosts != nil {
			register, field := arm64.Slots[slot].Describe()
			m.settled = append(m.settled, Settlement{
				Register: register.Name, Field: field.Name, Hosts: hosts,
				Value: field.Get(m.view.Values[arm64.Slots[slot].Register]), Rests: m.rests(hosts),
			})
		}
	}
	inOrder := make([]HostCount, 0, len(counts))
	for _, at := range slices.Sorted(maps.Keys(counts)) {
		inOrder = append(inOrder, counts[at])
	}
	return inOrder
}

// restsOn says what was not tried on the hosts themselves.
func (m *meeting) restsOn() []string {
	var lines []string
	assumed := map[string]int{}
	untried, all := 0, 0
	for _, t := range m.stances {
		all += len(t.view.hosts)
		switch {
		case t.setup.Offers == nil:
			untried += len(t.view.hosts)
		case t.setup.Accepts == Assumed:
			assumed[t.setup.AssumedKernel] += len(t.view.hosts)
		}
	}
	for _, version := range slices.Sorted(maps.Keys(assumed)) {
		hosts := "these hosts were"
		if assumed[version] == 1 {
			hosts = "one host was"
		}
		if assumed[version] < all && assumed[version] > 1 {
			hosts = fmt.Sprintf("%d hosts were", assumed[version])
		}
		lines = append(lines, fmt.Sprintf("what Linux %s accepts, assumed; %s not tried", version, hosts))
	}
	if fields := m.unseen(); len(fields) > 0 && len(assumed) > 0 {
		lines = append(lines, "source that was read, for "+strings.Join(fields, ", ")+": no CPU of the lab shows it")
	}
	lines = append(lines, m.servedUnasked()...)
	if untried > 0 {
		lines = append(lines, fmt.Sprintf("equal values, where what a host takes is not known (%d of %d hosts)", untried, all))
	}
	return lines
}

// servedUnasked says of which kernels it is assumed what they serve without the
// hypercall bitmaps that other hosts have.
func (m *meeting) servedUnasked() []string {
	kernels := map[string]bool{}
	for _, t := range m.stances {
		for place := range t.setup.Served {
			if m.view.Present.Has(place) {
				kernels[t.capture.Host.Kernel] = true
			}
		}
	}
	var lines []string
	for _, version := range slices.Sorted(maps.Keys(kernels)) {
		lines = append(lines, fmt.Sprintf("what Linux %s serves without hypercall bitmaps, assumed", version))
	}
	return lines
}

// unseen names the fields that some host shows, of which what it takes is assumed, and
// that no CPU of the lab has.
func (m *meeting) unseen() []string {
	var masks [arm64.NumRegisters]uint64
	for slot := range arm64.Slots {
		_, field := arm64.Slots[slot].Describe()
		place := int(arm64.Slots[slot].Register)
		if kernel.Unseen(slot) && slices.ContainsFunc(m.stances, func(t *stance) bool {
			return t.setup.Accepts == Assumed && t.setup.View.Present.Has(place) && there(field, field.Get(t.setup.View.Values[place]))
		}) {
			masks[place] |= field.Mask()
		}
	}
	var names []string
	for place, mask := range masks {
		if mask != 0 {
			names = append(names, variedText(place, mask))
		}
	}
	return names
}

// there reports whether a value of a field says that something is there.
func there(field *isa.Field, value uint64) bool {
	return value != 0 && !(field.Signed && value == 1<<field.Width-1)
}
