package guise

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// viewHosts are the hosts with one view, in the order in which they came.
type viewHosts struct {
	digest string
	hosts  []*Capture
	at     []int // their places among all hosts
}

// capture returns the first of the hosts, which speaks for all.
func (v *viewHosts) capture() *Capture { return v.hosts[0] }

// foldViews gathers the hosts of each distinct view, the views in the order of
// their first hosts. Captures that share a view's setups, as those of one fleet
// document do, cost a comparison; of the others a digest is taken each.
func foldViews(captures []*Capture) []viewHosts {
	shared := map[*CapturedSetup]int{} // the place in views of the first host with these setups
	var views []viewHosts
	for i, c := range captures {
		if len(c.Setups) > 0 {
			place, seen := shared[&c.Setups[0]]
			if seen && sharesView(views[place].hosts[0], c) {
				views[place].hosts = append(views[place].hosts, c)
				views[place].at = append(views[place].at, i)
				continue
			}
			if !seen {
				shared[&c.Setups[0]] = len(views)
			}
		}
		views = append(views, viewHosts{hosts: []*Capture{c}, at: []int{i}})
	}
	eachInParallel(len(views), func(i int) { views[i].digest = views[i].capture().knownDigest() })
	key := func(v *viewHosts) string { return v.digest + v.capture().servedKey() }
	byDigest := map[string]int{}
	folded := views[:0]
	for _, v := range views {
		place, seen := byDigest[key(&v)]
		if !seen {
			byDigest[key(&v)] = len(folded)
			folded = append(folded, v)
			continue
		}
		folded[place].hosts = append(folded[place].hosts, v.hosts...)
		folded[place].at = append(folded[place].at, v.at...)
	}
	return folded
}

// servedKey tells apart what was assumed of services, which no digest has in it.
func (c *Capture) servedKey() string {
	var text strings.Builder
	for i := range c.Setups {
		if served := c.Setups[i].Served; served != nil {
			fmt.Fprint(&text, i, served)
		}
	}
	return text.String()
}

// knownDigest is ViewDigest, which reading a fleet has taken already.
func (c *Capture) knownDigest() string {
	if c.packed != nil && sharesView(&c.packed.Capture, c) {
		return c.packed.digest
	}
	return c.ViewDigest()
}

// sharesView reports that two captures hold the same setups, not only equal
// ones, and equal facts of their hosts.
func sharesView(a, b *Capture) bool {
	x, y := &a.Host, &b.Host
	return len(a.Setups) == len(b.Setups) && a.Power == b.Power && a.Complete == b.Complete &&
		x.Kernel == y.Kernel && x.Mode == y.Mode && x.PageSize == y.PageSize && x.Emulator == y.Emulator &&
		slices.Equal(x.CPUs, y.CPUs) && maps.Equal(x.Capabilities, y.Capabilities)
}

// pointers returns views one by one.
func pointers(views []viewHosts) []*viewHosts {
	each := make([]*viewHosts, len(views))
	for i := range views {
		each[i] = &views[i]
	}
	return each
}
