package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// Marshal writes the capture as a document; equal captures give equal bytes.
func (c *Capture) Marshal() []byte {
	document := c.view()
	document["schema"] = SchemaCapture
	if captured := c.Captured.members(); len(captured) > 0 {
		document["captured"] = captured
	}
	return marshal(document)
}

func (o *Occasion) members() members {
	m := members{}
	put(m, "at", o.At)
	put(m, "by", o.By)
	put(m, "source", o.Source)
	return m
}

// view returns the members that say what the host is, shows and takes.
func (c *Capture) view() members {
	document := members{}
	if host := c.Host.members(); len(host) > 0 {
		document["host"] = host
	}
	if c.Power != nil {
		document["power"] = c.Power.members()
		return document
	}
	setups := make([]members, len(c.Setups))
	for i := range c.Setups {
		setups[i] = c.Setups[i].members()
		if i > 0 {
			setups[i] = c.Setups[i].differences(&c.Setups[0], setups[i])
		}
	}
	document["setups"] = setups
	put(document, "complete", c.Complete)
	return document
}

func (h *HostFacts) members() members {
	m := members{}
	put(m, "kernel", h.Kernel)
	put(m, "mode", h.Mode)
	put(m, "pageSize", h.PageSize)
	put(m, "emulator", h.Emulator)
	var cpus []members
	for _, cpu := range h.CPUs {
		cpus = append(cpus, members{"midr": hexText(cpu.MIDR, 64), "revidr": hexText(cpu.REVIDR, 64), "count": cpu.Count})
	}
	if cpus != nil {
		m["cpus"] = cpus
	}
	if len(h.Capabilities) > 0 {
		capabilities := members{}
		for name, value := range h.Capabilities {
			capabilities[name] = value
		}
		m["capabilities"] = capabilities
	}
	return m
}

// members writes the setup whole.
func (s *CapturedSetup) members() members {
	m := members{}
	appendSetup(m, &s.Setup)
	registers, firmware := viewMembers(&s.View)
	for id, value := range s.Extra {
		registers[id.String()] = hexText(value, 64)
	}
	m["registers"] = registers
	if len(firmware) > 0 {
		m["firmware"] = firmware
	}
	if s.Listed != nil {
		m["listed"] = idList(s.Listed)
	}
	basis := members{"registers": string(s.Registers)}
	if s.Offers != nil {
		m["accepts"] = s.acceptedMembers()
		basis["accepts"] = string(s.Accepts)
		put(basis, "kernel", s.AssumedKernel)
	}
	m["basis"] = basis
	if s.Masks != nil {
		masks := members{}
		for id, mask := range s.Masks {
			masks[id.String()] = hexText(mask, 64)
		}
		m["masks"] = masks
	}
	if s.MaskRanges != 0 {
		m["maskRanges"] = hexText(s.MaskRanges, 64)
	}
	return m
}

// acceptedMembers writes the sets that hold more than the limit.
func (s *CapturedSetup) acceptedMembers() members {
	accepts := members{}
	entry := func(place int) members {
		name := arm64.Registers[place].Name
		if accepts[name] == nil {
			accepts[name] = members{}
		}
		return accepts[name].(members)
	}
	var limits arm64.Offers
	limits.FromView(&s.View)
	for slot := range arm64.Slots {
		place := int(arm64.Slots[slot].Register)
		if set := s.Offers.Set(slot); s.Offers.Present(place) && set != limits.Set(slot) {
			_, field := arm64.Slots[slot].Describe()
			entry(place)[field.Name] = acceptedText(&arm64.Slots[slot], set)
		}
	}
	for place := range arm64.Registers {
		if _, free := s.Offers.Rest(place); free {
			entry(place)["*"] = anyValue
		}
	}
	return accepts
}

// differences writes what a setup shows other than the first one does.
func (s *CapturedSetup) differences(first *CapturedSetup, whole members) members {
	registers, firmware, absent := members{}, members{}, []string{}
	for place := range arm64.Registers {
		switch here, there := s.View.Present.Has(place), first.View.Present.Has(place); {
		case here && (!there || s.View.Values[place] != first.View.Values[place]):
			putRegister(registers, firmware, place, s.View.Values[place])
		case !here && there:
			absent = append(absent, arm64.Registers[place].Name)
		}
	}
	for id, value := range s.Extra {
		if other, there := first.Extra[id]; !there || other != value {
			registers[id.String()] = hexText(value, 64)
		}
	}
	for id := range first.Extra {
		if _, here := s.Extra[id]; !here {
			absent = append(absent, id.String())
		}
	}
	for key, m := range map[string]members{"registers": registers, "firmware": firmware} {
		delete(whole, key)
		if len(m) > 0 {
			whole[key] = m
		}
	}
	if len(absent) > 0 {
		slices.Sort(absent)
		whole["absent"] = absent
	}
	delete(whole, "listed")
	if added := without(s.Listed, first.Listed); len(added) > 0 {
		whole["listedAdded"] = idList(added)
	}
	if removed := without(first.Listed, s.Listed); len(removed) > 0 {
		whole["listedRemoved"] = idList(removed)
	}
	return whole
}

// without returns the ids of a sorted list that a second sorted list lacks.
func without(ids, others []arm64.ID) []arm64.ID {
	var rest []arm64.ID
	for _, id := range ids {
		if _, found := slices.BinarySearch(others, id); !found {
			rest = append(rest, id)
		}
	}
	return rest
}
