package guise

import (
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// pooling divides hosts into groups that each have a contract.
//
// Work is by distinct view, then by kind: views that no term of any setup tells
// apart in a way that matters are one kind. With n views, T terms in which some
// disagree, d classes in a term and k kinds, it costs n*T to tell classes apart,
// d*d judgements for each term, and k*T*k/64 to join the conflicts of classes
// into those of kinds; a first division then looks at each group for each kind.
type pooling struct {
	policy *Policy
	limits *restriction
	known  stances
	views  []viewHosts
	lanes  []*poolLane
	// without are the hosts that have no contract alone, alone what is said of
	// them.
	without map[*Capture]*BaselineResult
	alone   []HostVerdict
	shown   []*arm64.View // by view, what its VMs see where it is alone; nil: it has no contract
	kinds   [][]int       // views by kind, the kinds with the most conflicts first
	// conflicts holds, by kind, the kinds that no group can hold together with
	// it; rows the same for each lane.
	conflicts []bitset
	rows      [][]bitset
	terms     *meeting // judges terms
	bound     int
	effort    int // ways left to try in the search for fewer groups
	kept      map[string]int
	pools     map[string]*Pool
}

func newPooling(captures []*Capture, policy *Policy, limits *restriction) *pooling {
	p := &pooling{
		policy: policy, limits: limits, known: stances{}, views: foldViews(captures),
		without: map[*Capture]*BaselineResult{}, kept: map[string]int{}, pools: map[string]*Pool{},
	}
	p.lanes = lanesOf(p.views, policy, p.known)
	p.terms = &meeting{policy: policy, limits: limits, vary: limits.vary, deciding: true}
	p.shown = make([]*arm64.View, len(p.views))
	for v := range p.views {
		p.judgeAlone(v)
	}
	for _, c := range captures {
		if alone := p.without[c]; alone != nil {
			p.alone = append(p.alone, HostVerdict{Host: c.Name, Verdict: alone.Verdict, Findings: ofHost(alone.Findings, c.Name)})
		}
	}
	for _, l := range p.lanes {
		l.contest(p.terms)
	}
	p.sort()
	return p
}

// judgeAlone finds out in which setups a view has a contract by itself.
func (p *pooling) judgeAlone(v int) {
	newest := p.newest([]int{v})
	for _, l := range p.lanes {
		if l.stances[v] == nil {
			continue
		}
		m := decide(l.stances[v:v+1], p.policy, p.limits)
		l.stands[v] = !m.refused
		if l.stands[v] && l.vgic == newest && p.shown[v] == nil {
			p.shown[v] = m.chosen()
		}
	}
	if p.shown[v] != nil {
		return
	}
	for _, l := range p.lanes {
		l.stands[v] = false
	}
	first := p.views[v]
	first.hosts, first.at = first.hosts[:1], first.at[:1]
	alone := baseline([]*viewHosts{&first}, p.policy, []*restriction{p.limits}, stances{})
	for _, c := range p.views[v].hosts {
		p.without[c] = alone
	}
}

// ofHost returns findings about one host as they are for another with the same
// view.
func ofHost(findings []Finding, host string) []Finding {
	findings = slices.Clone(findings)
	for i := range findings {
		f := &findings[i]
		f.Hosts = slices.Clone(f.Hosts)
		for j := range f.Hosts {
			if f.Who == f.Hosts[j].Host {
				f.Who = host
			}
			f.Hosts[j].Host = host
		}
	}
	return findings
}

// newest returns the newest interrupt controller of the setups that all of the
// views were captured in (newestVGIC).
func (p *pooling) newest(views []int) int {
	newest := 0
	for _, l := range p.lanes {
		if l.vgic > newest && !slices.ContainsFunc(views, func(v int) bool { return l.stances[v] == nil }) {
			newest = l.vgic
		}
	}
	return newest
}

// sort gathers views into kinds and sets the kinds against each other.
func (p *pooling) sort() {
	places := map[string]int{}
	var key []byte
	for v := range p.views {
		if p.shown[v] == nil {
			continue
		}
		key = key[:0]
		for _, l := range p.lanes {
			key = l.appendClasses(key, v)
		}
		place, seen := places[string(key)]
		if !seen {
			place = len(p.kinds)
			places[string(key)] = place
			p.kinds = append(p.kinds, nil)
		}
		p.kinds[place] = append(p.kinds[place], v)
	}
	p.setAgainst()
	// Once more, with the hardest kinds first: numbers are then the order in
	// which they are placed.
	degree := make([]int, len(p.kinds))
	order := make([]int, len(p.kinds))
	for k := range p.kinds {
		degree[k], order[k] = p.conflicts[k].len(), k
	}
	slices.SortStableFunc(order, func(a, b int) int { return degree[b] - degree[a] })
	kinds := make([][]int, len(order))
	for place, k := range order {
		kinds[place] = p.kinds[k]
	}
	p.kinds = kinds
	p.setAgainst()
	p.bound = len(p.largestClique())
}

// setAgainst finds the conflicts between kinds: two conflict where they do so in
// every setup, and in one setup where their classes do in some term.
func (p *pooling) setAgainst() {
	n := len(p.kinds)
	p.rows = make([][]bitset, len(p.lanes))
	compatible := make([]bitset, n)
	for k := range compatible {
		compatible[k] = newBitset(n)
	}
	for i, l := range p.lanes {
		p.rows[i] = l.rows(p.kinds)
		stands := newBitset(n)
		for k := range p.kinds {
			if l.stands[p.kinds[k][0]] {
				stands.add(k)
			}
		}
		for k := range stands.all() {
			for w, row := range p.rows[i][k] {
				compatible[k][w] |= stands[w] &^ row
			}
		}
	}
	p.conflicts = make([]bitset, n)
	for k := range p.conflicts {
		p.conflicts[k] = firstNumbers(n)
		for w, word := range compatible[k] {
			p.conflicts[k][w] &^= word
		}
	}
}

// rows returns, for each kind, the kinds that it conflicts with in this setup.
func (l *poolLane) rows(kinds [][]int) []bitset {
	rows := make([]bitset, len(kinds))
	for k := range rows {
		rows[k] = newBitset(len(kinds))
	}
	for _, t := range l.terms {
		members := make([]bitset, len(t.hosts))
		against := make([]bitset, len(t.hosts))
		for class := range members {
			members[class], against[class] = newBitset(len(kinds)), newBitset(len(kinds))
		}
		for k, views := range kinds {
			if l.stands[views[0]] {
				members[t.class[views[0]]].add(k)
			}
		}
		for class := range against {
			for other := range t.conflicts[class].all() {
				against[class].join(members[other])
			}
		}
		for k, views := range kinds {
			if l.stands[views[0]] {
				rows[k].join(against[t.class[views[0]]])
			}
		}
	}
	return rows
}

// largestClique returns a set of kinds no two of which can share a contract:
// the largest where there are few, one that is hard to extend where there are
// many.
func (p *pooling) largestClique() []int {
	var best []int
	budget := 200_000 // candidates looked at; 32 kinds never need as many
	var extend func(clique []int, candidates bitset)
	extend = func(clique []int, candidates bitset) {
		if len(clique) > len(best) {
			best = slices.Clone(clique)
		}
		left := candidates.len()
		for k := range candidates.all() {
			if budget--; budget < 0 || len(clique)+left <= len(best) {
				return
			}
			left--
			next := newBitset(len(p.kinds))
			for w := k / 64; w < len(next); w++ {
				next[w] = candidates[w] & p.conflicts[k][w]
			}
			next[k/64] &^= 1<<(k%64+1) - 1
			extend(append(clique, k), next)
		}
	}
	extend(nil, firstNumbers(len(p.kinds)))
	return best
}
