package guise

import (
	"math/bits"
	"slices"
)

// exactViews is the largest number of distinct views for which the least
// number of pools is found exactly.
const exactViews = 32

// How far Pools looks for fewer pools, in ways tried: the first for an answer of
// its own, the second for a hint.
const (
	PoolsEffort = 5_000
	HintEffort  = 500
)

// Pool is a set of hosts with one contract.
type Pool struct {
	Hosts    []string
	Contract *Contract
	// GivesUp holds, for each host, the FEAT_ names it shows and the contract
	// does not.
	GivesUp map[string][]string
}

// Rung is one way to divide the hosts.
type Rung struct {
	Pools []Pool
	// Gains holds, for each host, the FEAT_ names that its VMs have here and
	// not on the rung before.
	Gains map[string][]string
}

// PoolsResult is a ladder: the fewest pools that work, then what each further
// pool buys.
type PoolsResult struct {
	Rungs []Rung
	// Exact says that there is no way with fewer pools than the first rung has:
	// every way was tried, or Bound is reached.
	Exact bool
	// Bound is a number of pools below which nothing works: the size of the
	// largest set found of hosts no two of which can share a contract.
	Bound int
	// Distinct is the number of distinct views; equal hosts are folded first.
	Distinct int
	// Alone are hosts that have no certain contract even by themselves.
	Alone []HostVerdict
}

// Pools divides the hosts into the fewest pools that each have a contract, and
// shows what further pools buy, up to most rungs. It returns ErrNoHosts for no
// captures.
//
// Up to 32 distinct views every way is tried, as long as PoolsEffort lasts;
// beyond, Bound and the number of pools give the gap.
func Pools(captures []*Capture, policy *Policy, most int) (*PoolsResult, error) {
	return PoolsWithin(captures, policy, most, PoolsEffort)
}

// PoolsWithin is Pools that tries at most effort ways to place a host, to find a
// division with fewer pools than the first that it sees.
func PoolsWithin(captures []*Capture, policy *Policy, most, effort int) (*PoolsResult, error) {
	policy, limits, err := ready(captures, policy)
	if err != nil {
		return nil, err
	}
	p := newPooling(captures, policy, limits)
	p.effort = effort
	result := &PoolsResult{Distinct: len(p.views), Alone: p.alone}
	if len(p.views) == 0 {
		result.Exact = true
		return result, nil
	}
	groups, exact := p.fewest()
	result.Bound, result.Exact = p.bound, exact
	for len(result.Rungs) < most {
		var before *Rung
		if n := len(result.Rungs); n > 0 {
			before = &result.Rungs[n-1]
		}
		result.Rungs = append(result.Rungs, p.rung(groups, before))
		if groups = p.split(groups); groups == nil {
			break
		}
	}
	return result, nil
}

// pooling divides distinct views into groups; a group is a sorted list of
// places in views.
type pooling struct {
	policy *Policy
	limits *restriction
	views  [][]*Capture // the hosts of each distinct view
	alone  []HostVerdict
	// conflicts holds, for each view, the views it cannot share a contract
	// with: a bit each.
	conflicts [][]uint64
	known     map[string]bool
	bound     int
	effort    int // ways left to try in the search for fewer pools
}

func newPooling(captures []*Capture, policy *Policy, limits *restriction) *pooling {
	p := &pooling{policy: policy, limits: limits, known: map[string]bool{}}
	places := map[string]int{}
	without := map[string]*BaselineResult{}
	for _, c := range captures {
		digest := c.ViewDigest()
		place, seen := places[digest]
		if !seen {
			alone := without[digest]
			if alone == nil {
				alone = baseline([]*Capture{c}, policy, limits, nil)
			}
			if alone.Contract == nil {
				without[digest] = alone
				p.alone = append(p.alone, HostVerdict{Host: c.Name, Verdict: alone.Verdict, Findings: ofHost(alone.Findings, c.Name)})
				continue
			}
			place = len(p.views)
			places[digest] = place
			p.views = append(p.views, nil)
		}
		p.views[place] = append(p.views[place], c)
	}
	n := len(p.views)
	p.conflicts = make([][]uint64, n)
	for i := range p.conflicts {
		p.conflicts[i] = make([]uint64, (n+63)/64)
	}
	for i := range n {
		for j := range i {
			if !p.works([]int{j, i}) {
				p.conflicts[i][j/64] |= 1 << (j % 64)
				p.conflicts[j][i/64] |= 1 << (i % 64)
			}
		}
	}
	p.bound = len(p.largestClique())
	return p
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

// group returns one capture of each view of a group.
func (p *pooling) group(views []int) []*Capture {
	captures := make([]*Capture, len(views))
	for i, v := range views {
		captures[i] = p.views[v][0]
	}
	return captures
}

// works reports whether the views of a group certainly have a contract.
func (p *pooling) works(views []int) bool {
	key := make([]byte, 0, 2*len(views))
	for _, v := range views {
		key = append(key, byte(v), byte(v>>8))
	}
	works, asked := p.known[string(key)]
	if !asked {
		p.effort--
		works = baseline(p.group(views), p.policy, p.limits, nil).Contract != nil
		p.known[string(key)] = works
	}
	return works
}

// fits reports whether a view can join a group.
func (p *pooling) fits(view int, group []int) bool {
	for _, other := range group {
		if p.conflicts[view][other/64]>>(other%64)&1 != 0 {
			return false
		}
	}
	if len(group) < 2 {
		return true
	}
	joined := append(slices.Clone(group), view)
	slices.Sort(joined)
	return p.works(joined)
}

// order returns the views with the most conflicts first.
func (p *pooling) order() []int {
	degree := make([]int, len(p.views))
	order := make([]int, len(p.views))
	for i := range order {
		order[i] = i
		for _, word := range p.conflicts[i] {
			degree[i] += bits.OnesCount64(word)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return degree[b] - degree[a] })
	return order
}

// fewest divides the views into the fewest groups: first fit, then, for up to
// 32 views, branch and bound while the effort lasts.
func (p *pooling) fewest() (groups [][]int, exact bool) {
	order := p.order()
	best := p.firstFit(order)
	if len(best) == p.bound {
		return best, true
	}
	if len(p.views) > exactViews {
		return best, false
	}
	p.branch(order, nil, &best)
	return best, p.effort > 0 || len(best) == p.bound
}

func (p *pooling) firstFit(order []int) [][]int {
	var groups [][]int
next:
	for _, view := range order {
		for i := range groups {
			if p.fits(view, groups[i]) {
				groups[i] = append(groups[i], view)
				slices.Sort(groups[i])
				continue next
			}
		}
		groups = append(groups, []int{view})
	}
	return groups
}

// branch places the next view in every group that takes it, and in a group of
// its own, while that can still beat the best division.
func (p *pooling) branch(rest []int, groups [][]int, best *[][]int) {
	if p.effort--; p.effort <= 0 || len(groups) >= len(*best) || len(*best) == p.bound {
		return
	}
	if len(rest) == 0 {
		*best = make([][]int, len(groups))
		for i := range groups {
			(*best)[i] = slices.Clone(groups[i])
		}
		return
	}
	view := rest[0]
	for i := range groups {
		if p.fits(view, groups[i]) {
			before := groups[i]
			groups[i] = append(slices.Clone(before), view)
			slices.Sort(groups[i])
			p.branch(rest[1:], groups, best)
			groups[i] = before
		}
	}
	p.branch(rest[1:], append(slices.Clone(groups), []int{view}), best)
}

// largestClique returns a set of views no two of which can share a contract:
// the largest, for up to 32 views; one that is hard to extend, beyond.
func (p *pooling) largestClique() []int {
	var best []int
	budget := 200_000 // steps; 32 views never need as many
	var extend func(clique, candidates []int)
	extend = func(clique, candidates []int) {
		if len(clique) > len(best) {
			best = slices.Clone(clique)
		}
		for i, v := range candidates {
			if budget--; budget < 0 || len(clique)+len(candidates)-i <= len(best) {
				return
			}
			var next []int
			for _, w := range candidates[i+1:] {
				if p.conflicts[v][w/64]>>(w%64)&1 != 0 {
					next = append(next, w)
				}
			}
			extend(append(clique, v), next)
		}
	}
	extend(nil, p.order())
	return best
}

// split divides one group in two, the way that lets VMs keep the most features;
// nil where nothing is gained any more.
func (p *pooling) split(groups [][]int) [][]int {
	bestGain := 0
	var best [][]int
	for i, group := range groups {
		for _, part := range halves(len(group)) {
			var left, right []int
			for j, view := range group {
				if part>>j&1 != 0 {
					left = append(left, view)
				} else {
					right = append(right, view)
				}
			}
			if gain := p.kept(left) + p.kept(right) - p.kept(group); gain > bestGain {
				bestGain = gain
				best = slices.Concat(groups[:i], [][]int{left, right}, groups[i+1:])
			}
		}
	}
	return best
}

// halves returns the ways to divide n members in two, as bit masks: all of them
// up to ten members, beyond that each member alone.
func halves(n int) []uint64 {
	var masks []uint64
	if n > 10 {
		for i := range min(n, 64) {
			masks = append(masks, 1<<i)
		}
		return masks
	}
	for mask := uint64(1); n > 1 && mask < 1<<(n-1); mask++ {
		masks = append(masks, mask)
	}
	return masks
}

// kept counts the features that VMs keep on the hosts of a group.
func (p *pooling) kept(group []int) int {
	result := baseline(p.group(group), p.policy, p.limits, nil)
	hosts := 0
	for _, view := range group {
		hosts += len(p.views[view])
	}
	if result.Contract == nil {
		return 0
	}
	return hosts * len(FeatureNames(&result.Contract.View))
}

// rung makes the groups into pools with their contracts.
func (p *pooling) rung(groups [][]int, before *Rung) Rung {
	r := Rung{Gains: map[string][]string{}}
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b []int) int { return slices.Min(a) - slices.Min(b) })
	for _, group := range groups {
		contract := baseline(p.group(group), p.policy, p.limits, nil).Contract
		pool := Pool{Contract: contract, GivesUp: map[string][]string{}}
		for _, view := range group {
			shown := &p.views[view][0].Setup(contract.Setup.Key()).View
			lost := lostFeatures(shown, &contract.View)
			for _, host := range p.views[view] {
				pool.Hosts = append(pool.Hosts, host.Name)
				pool.GivesUp[host.Name] = lost
			}
		}
		slices.Sort(pool.Hosts)
		r.Pools = append(r.Pools, pool)
	}
	for i := range r.Pools {
		for _, host := range r.Pools[i].Hosts {
			if before != nil {
				r.Gains[host] = before.lostBeyond(host, r.Pools[i].GivesUp[host])
			}
		}
	}
	return r
}

// lostBeyond returns what a host gives up on this rung and not in lost.
func (r *Rung) lostBeyond(host string, lost []string) []string {
	for i := range r.Pools {
		if given, in := r.Pools[i].GivesUp[host]; in {
			return slices.DeleteFunc(slices.Clone(given), func(name string) bool { return slices.Contains(lost, name) })
		}
	}
	return nil
}
