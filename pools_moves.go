package guise

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

// PoolsThatMove divides the hosts into pools that each have a contract, and within which
// each of the VMMs moves a VM under that contract from any host to any other so that its
// guest sees what it saw. The ladder has one rung.
//
// The pools of Pools are the start; one in which a move is refused, changes what a guest
// sees, or is not known, is divided into hosts that move among themselves, each time the
// first that fits, and its parts are judged again under contracts of their own. Parted
// has, for each part but the first, a move that keeps it from the first. A host alone
// is a pool. Where a VMM makes
// no VM with a PMU, the policy is taken to say without pmu.
//
// It costs a judgement for each ordered pair of distinct views of a pool. Errors are those
// of Pools and of MoveOne.
func PoolsThatMove(captures []*Capture, policy *Policy, vmms []VMM) (*PoolsResult, error) {
	policy, err := policyFor(policy, vmms)
	if err != nil {
		return nil, err
	}
	result, err := Pools(captures, policy, 1)
	if err != nil || len(result.Rungs) == 0 {
		return result, err
	}
	d := &dividing{vmms: vmms, kinds: map[*Capture]string{}, shown: map[string]*arm64.View{}}
	if d.policy, d.ways, err = ready(captures, policy); err != nil {
		return nil, err
	}
	for _, c := range captures {
		d.kinds[c] = moveKind(c)
	}
	for i := range result.Rungs[0].Pools {
		if err := d.divide(&result.Rungs[0].Pools[i]); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(d.pools, func(a, b Pool) int { return slices.Compare(a.Hosts, b.Hosts) })
	result.Rungs = []Rung{{Pools: d.pools, Gains: map[string][]string{}}}
	result.Parted = d.parted
	result.Exact = len(d.pools) == result.Bound || result.Exact && len(d.parted) == 0
	return result, nil
}

// dividing makes pools into such as VMs move in.
type dividing struct {
	policy *Policy
	ways   []*restriction
	vmms   []VMM
	// kinds tells apart hosts between which a move may change something.
	kinds map[*Capture]string
	// shown is what the VMs of a host see where it is alone, by its kind.
	shown  map[string]*arm64.View
	pools  []Pool
	parted []Move
}

// divide judges the moves of one pool, and divides it where one does not work.
func (d *dividing) divide(pool *Pool) error {
	against, err := d.against(pool)
	if err != nil {
		return err
	}
	if len(against) == 0 {
		d.pools = append(d.pools, *pool)
		return nil
	}
	apart := func(a, b *Capture) *Move { return against[[2]string{d.kinds[a], d.kinds[b]}] }
	var parts [][]*Capture
	for _, c := range pool.captures {
		at := slices.IndexFunc(parts, func(part []*Capture) bool {
			return !slices.ContainsFunc(part, func(other *Capture) bool { return apart(other, c) != nil })
		})
		if at >= 0 {
			parts[at] = append(parts[at], c)
			continue
		}
		if len(parts) > 0 {
			first := slices.IndexFunc(parts[0], func(other *Capture) bool { return apart(other, c) != nil })
			d.parted = append(d.parted, *apart(parts[0][first], c))
		}
		parts = append(parts, []*Capture{c})
	}
	for _, part := range parts {
		smaller, err := d.pool(part)
		if err != nil {
			return err
		}
		if err := d.divide(smaller); err != nil {
			return err
		}
	}
	return nil
}

// against gives, for two kinds of hosts of a pool, a move that does not leave a guest
// with what it saw; both ways round, and for two hosts of one kind.
func (d *dividing) against(pool *Pool) (map[[2]string]*Move, error) {
	var two []*Capture // up to two hosts of each kind
	met := map[string]int{}
	for _, c := range pool.captures {
		if kind := d.kinds[c]; met[kind] < 2 {
			met[kind]++
			two = append(two, c)
		}
	}
	found := map[[2]string]*Move{}
	judged := map[[2]string]bool{}
	for i, from := range two {
		for j, to := range two {
			pair := [2]string{d.kinds[from], d.kinds[to]}
			if i == j || judged[pair] {
				continue
			}
			judged[pair] = true
			m, err := worstMove(pool.Contract, from, to, "", d.vmms)
			if err != nil {
				return nil, err
			}
			if m.Outcome != MoveSame {
				found[pair], found[[2]string{pair[1], pair[0]}] = m, m
			}
		}
	}
	return found, nil
}

// pool makes hosts into a pool.
func (d *dividing) pool(captures []*Capture) (*Pool, error) {
	result := baseline(pointers(foldViews(captures)), d.policy, d.ways, stances{})
	if result.Contract == nil {
		return nil, fmt.Errorf("pools: %s and %d more have no contract although the pool that they were in has", captures[0].Name, len(captures)-1)
	}
	pool := &Pool{Contract: result.Contract, GivesUp: map[string][]string{}, captures: captures}
	for _, c := range captures {
		kind := d.kinds[c]
		if d.shown[kind] == nil {
			alone := baseline(pointers(foldViews([]*Capture{c})), d.policy, d.ways, stances{})
			if alone.Contract == nil {
				return nil, fmt.Errorf("pools: %s has no contract alone although the pool that it was in has", c.Name)
			}
			d.shown[kind] = &alone.Contract.View
		}
		pool.Hosts = append(pool.Hosts, c.Name)
		pool.GivesUp[c.Name] = lostFeatures(d.shown[kind], &result.Contract.View)
	}
	slices.Sort(pool.Hosts)
	return pool, nil
}

// policyFor is a policy as the VMMs can meet it.
func policyFor(policy *Policy, vmms []VMM) (*Policy, error) {
	narrowed := Policy{}
	if policy != nil {
		narrowed = *policy
	}
	for _, vmm := range vmms {
		rules, err := moverOf(vmm)
		if err != nil {
			return nil, err
		}
		switch {
		case !rules.noPMU, slices.Contains(narrowed.Without, FeaturePMU):
		case slices.Contains(narrowed.With, FeaturePMU):
			return nil, fmt.Errorf("with pmu: %s makes no VM with a PMU", vmm)
		default:
			narrowed.Without = append(slices.Clone(narrowed.Without), FeaturePMU)
		}
	}
	return &narrowed, nil
}
