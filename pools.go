package guise

import (
	"fmt"
	"slices"
	"strconv"
)

// How far Pools looks for fewer pools, in ways tried: the first for an answer of
// its own, the second for a hint.
const (
	PoolsEffort = 50_000
	HintEffort  = 2_000
)

// Pool is a set of hosts with one contract.
type Pool struct {
	Hosts    []string
	Contract *Contract // its Setup is how the VMs of this pool are made
	// GivesUp holds, for each host, the FEAT_ names that its VMs have where it is
	// alone, under the same policy, and do not have in this pool: what the
	// contract hides, and what goes with the setup.
	GivesUp map[string][]string
	// captures are the hosts, in no order.
	captures []*Capture
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
	// Parted are moves that PoolsThatMove divided pools for; nil from others.
	Parted []Move
}

// Pools divides the hosts into the fewest pools that each have a contract, and
// shows what further pools buy, up to most rungs. It returns ErrNoHosts for no
// captures.
//
// Every way is tried as long as PoolsEffort lasts; beyond, Bound and the number
// of pools give the gap. What it costs grows as pooling says, by distinct views.
func Pools(captures []*Capture, policy *Policy, most int) (*PoolsResult, error) {
	return PoolsWithin(captures, policy, most, PoolsEffort)
}

// PoolsWithin is Pools that tries at most effort ways to place a host, to find a
// division with fewer pools than the first that it sees.
func PoolsWithin(captures []*Capture, policy *Policy, most, effort int) (*PoolsResult, error) {
	policy, ways, err := ready(captures, policy)
	if err != nil {
		return nil, err
	}
	var best *PoolsResult
	for _, way := range ways {
		result, err := poolsOneWay(captures, policy, way, most, effort)
		if err != nil {
			return nil, err
		}
		if best == nil || result.betterThan(best) {
			best = result
		}
	}
	// Pools that meet a policy each in its own way are not looked for.
	best.Exact = best.Exact && (len(ways) == 1 || best.Bound == best.pools())
	return best, nil
}

// betterThan reports whether a division leaves fewer hosts alone than another, or
// has fewer pools.
func (r *PoolsResult) betterThan(other *PoolsResult) bool {
	if len(r.Alone) != len(other.Alone) {
		return len(r.Alone) < len(other.Alone)
	}
	return r.pools() < other.pools()
}

// pools is the number of pools of the first rung.
func (r *PoolsResult) pools() int {
	if len(r.Rungs) == 0 {
		return 0
	}
	return len(r.Rungs[0].Pools)
}

// poolsOneWay is PoolsWithin for one way to meet the policy.
func poolsOneWay(captures []*Capture, policy *Policy, limits *restriction, most, effort int) (*PoolsResult, error) {
	p := newPooling(captures, policy, limits)
	p.effort = effort
	result := &PoolsResult{Alone: p.alone}
	for _, shown := range p.shown {
		if shown != nil {
			result.Distinct++
		}
	}
	if result.Distinct == 0 {
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
		rung, err := p.rung(groups, before)
		if err != nil {
			return nil, err
		}
		result.Rungs = append(result.Rungs, *rung)
		if groups = p.split(groups); groups == nil {
			break
		}
	}
	return result, nil
}

// mostHalves is the number of ways to divide groups in two up to which all are
// tried.
const mostHalves = 4096

// split divides one group in two, the way that lets VMs keep the most features;
// nil where nothing is gained any more.
func (p *pooling) split(groups [][]int) [][]int {
	all := 0
	for _, group := range groups {
		all += len(halves(len(group), true))
	}
	bestGain := 0
	var best [][]int
	for i, group := range groups {
		for _, part := range halves(len(group), all <= mostHalves) {
			var left, right []int
			for j, view := range group {
				if part>>j&1 != 0 {
					left = append(left, view)
				} else {
					right = append(right, view)
				}
			}
			keptLeft, keptRight := p.keep(left), p.keep(right)
			if gain := keptLeft + keptRight - p.keep(group); keptLeft > 0 && keptRight > 0 && gain > bestGain {
				bestGain = gain
				best = slices.Concat(groups[:i], [][]int{left, right}, groups[i+1:])
			}
		}
	}
	return best
}

// halves returns ways to divide n members in two, as bit masks: all of them up
// to ten members where all are wanted, otherwise each member alone, of the first
// 64.
func halves(n int, all bool) []uint64 {
	var masks []uint64
	switch {
	case n < 2:
	case n > 10 || !all:
		for i := range min(n, 64) {
			masks = append(masks, 1<<i)
		}
	default:
		for mask := uint64(1); mask < 1<<(n-1); mask++ {
			masks = append(masks, mask)
		}
	}
	return masks
}

// keep counts the features that VMs keep on the hosts of a group of views, 0
// where it has no contract.
func (p *pooling) keep(group []int) int {
	key := groupKey(group)
	kept, known := p.kept[key]
	if known {
		return kept
	}
	stances := make([]*stance, len(group))
	newest := p.newest(group)
	for _, l := range p.lanes {
		if l.vgic != newest || slices.ContainsFunc(group, func(v int) bool { return !l.stands[v] }) {
			continue
		}
		hosts := 0
		for i, v := range group {
			stances[i] = l.stances[v]
			hosts += len(p.views[v].hosts)
		}
		if m := decide(stances, p.policy, p.limits); !m.refused {
			kept = hosts * countFeatures(m.chosen())
			break
		}
	}
	p.kept[key] = kept
	return kept
}

// groupKey names a group of views.
func groupKey(group []int) string {
	var key []byte
	for _, v := range group {
		key = append(strconv.AppendInt(key, int64(v), 36), ' ')
	}
	return string(key)
}

// rung makes the groups into pools with their contracts.
func (p *pooling) rung(groups [][]int, before *Rung) (*Rung, error) {
	r := &Rung{Gains: map[string][]string{}}
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b []int) int { return slices.Min(a) - slices.Min(b) })
	for _, group := range groups {
		key := groupKey(group)
		if p.pools[key] == nil {
			pool, err := p.pool(group)
			if err != nil {
				return nil, err
			}
			p.pools[key] = pool
		}
		r.Pools = append(r.Pools, *p.pools[key])
	}
	if before == nil {
		return r, nil
	}
	lost := map[string][]string{}
	for i := range before.Pools {
		for host, names := range before.Pools[i].GivesUp {
			lost[host] = names
		}
	}
	for i := range r.Pools {
		for host, still := range r.Pools[i].GivesUp {
			r.Gains[host] = slices.DeleteFunc(slices.Clone(lost[host]), func(name string) bool { return slices.Contains(still, name) })
		}
	}
	return r, nil
}

// pool makes a group of views into a pool, with the contract that Baseline
// gives: it is the judge, and the search has only gone by its rules.
func (p *pooling) pool(group []int) (*Pool, error) {
	views := make([]*viewHosts, len(group))
	for i, v := range group {
		views[i] = &p.views[v]
	}
	result := baseline(views, p.policy, []*restriction{p.limits}, p.known)
	if result.Contract == nil {
		return nil, fmt.Errorf("pools: a pool of %d views from %s has no contract although its setups, registers and fields agree one by one", len(group), views[0].capture().Name)
	}
	pool := &Pool{Contract: result.Contract, GivesUp: map[string][]string{}}
	for _, v := range group {
		lost := lostFeatures(p.shown[v], &result.Contract.View)
		for _, host := range p.views[v].hosts {
			pool.Hosts = append(pool.Hosts, host.Name)
			pool.captures = append(pool.captures, host)
			pool.GivesUp[host.Name] = lost
		}
	}
	slices.Sort(pool.Hosts)
	return pool, nil
}
