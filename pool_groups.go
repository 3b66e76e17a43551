package guise

import "slices"

// poolGroup is kinds that may share a contract: those of its setups that are
// open say in which.
type poolGroup struct {
	kinds   []int
	members bitset
	open    []openLane
}

// openLane is a setup in which nothing is known against a group, with the
// classes that its members have in each term.
type openLane struct {
	lane    int
	classes []uint64
}

// with returns the group with one more kind, nil where no further kind could
// make them share a contract.
func (p *pooling) with(g *poolGroup, kind int) *poolGroup {
	if g == nil {
		g = &poolGroup{members: newBitset(len(p.kinds))}
		for i, l := range p.lanes {
			g.open = append(g.open, openLane{i, make([]uint64, l.words)})
		}
	}
	if p.conflicts[kind].meets(g.members) {
		return nil
	}
	var open []openLane
	for _, o := range g.open {
		if joined := p.joined(&o, g, kind); joined != nil {
			open = append(open, openLane{o.lane, joined})
		}
	}
	if open == nil {
		return nil
	}
	larger := &poolGroup{kinds: append(slices.Clone(g.kinds), kind), members: slices.Clone(g.members), open: open}
	larger.members.add(kind)
	return larger
}

// joined returns the classes of a group and one more kind in a setup, nil where
// they disagree in it.
func (p *pooling) joined(o *openLane, g *poolGroup, kind int) []uint64 {
	l, view := p.lanes[o.lane], p.kinds[kind][0]
	if !l.stands[view] || p.rows[o.lane][kind].meets(g.members) {
		return nil
	}
	for _, t := range l.terms {
		set, class := t.among(o.classes), t.class[view]
		if !t.growing() && len(g.kinds) > 1 && !set.has(class) && !p.terms.agreedWith(t, set, class) {
			return nil
		}
	}
	classes := slices.Clone(o.classes)
	for _, t := range l.terms {
		t.among(classes).add(t.class[view])
	}
	return classes
}

// among returns a term's own part of the classes in all terms.
func (t *poolTerm) among(classes []uint64) bitset { return classes[t.first:t.end] }

// works reports whether a group has a contract: in one of its setups with the
// newest interrupt controller that all were captured with.
func (p *pooling) works(g *poolGroup) bool {
	views := make([]int, len(g.kinds))
	for i, kind := range g.kinds {
		views[i] = p.kinds[kind][0]
	}
	newest := p.newest(views)
	return slices.ContainsFunc(g.open, func(o openLane) bool {
		l := p.lanes[o.lane]
		return l.vgic == newest && !slices.ContainsFunc(l.terms, func(t *poolTerm) bool {
			return t.growing() && !p.terms.agreed(t, t.among(o.classes))
		})
	})
}

// fewest divides the kinds into the fewest groups: first fit, then branch and
// bound while the effort lasts.
func (p *pooling) fewest() (groups [][]int, exact bool) {
	best := p.firstFit()
	if len(best) > p.bound {
		p.branch(0, nil, &best)
	}
	for _, g := range best {
		var views []int
		for _, kind := range g.kinds {
			views = append(views, p.kinds[kind]...)
		}
		slices.Sort(views)
		groups = append(groups, views)
	}
	return groups, len(best) == p.bound || p.effort > 0
}

// firstFit puts each kind into the first group that has a contract with it.
func (p *pooling) firstFit() []*poolGroup {
	var groups []*poolGroup
next:
	for kind := range p.kinds {
		for i, g := range groups {
			if larger := p.with(g, kind); larger != nil && p.works(larger) {
				groups[i] = larger
				continue next
			}
		}
		groups = append(groups, p.with(nil, kind))
	}
	return groups
}

// branch places the next kind in every group that takes it, and in a group of
// its own, while that can still beat the best division.
func (p *pooling) branch(kind int, groups []*poolGroup, best *[]*poolGroup) {
	if p.effort <= 0 || len(groups) >= len(*best) || len(*best) == p.bound {
		return
	}
	if kind == len(p.kinds) {
		if !slices.ContainsFunc(groups, func(g *poolGroup) bool { return !p.works(g) }) {
			*best = slices.Clone(groups)
		}
		return
	}
	for i, g := range groups {
		p.effort--
		if larger := p.with(g, kind); larger != nil {
			groups[i] = larger
			p.branch(kind+1, groups, best)
			groups[i] = g
		}
	}
	p.branch(kind+1, append(slices.Clone(groups), p.with(nil, kind)), best)
}
