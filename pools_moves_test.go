package guise_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
)

// TestPoolsThatMove: every host is in one pool, takes its contract, and every move within a
// pool leaves the guest with what it saw; pools are divided only where a move is in the way.
func TestPoolsThatMove(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 26))
	names := slices.DeleteFunc(catalog.Names(), func(name string) bool { return load(t, name).Power != nil })
	together, divided := 0, 0
	for range 60 {
		var captures []*guise.Capture
		for _, other := range []string{pick(r, names), pick(r, names)} {
			machine, _, _ := strings.Cut(other, "@")
			for _, name := range names {
				// The kernels of a machine, most of them.
				if strings.HasPrefix(name, machine+"@") && (name == other || r.IntN(4) > 0) {
					c := load(t, name)
					c.Name = fmt.Sprintf("%s#%d", name, len(captures))
					captures = append(captures, c)
				}
			}
		}
		// Two hosts of equal views, of which one speaks for both.
		twin := *captures[0]
		twin.Name = "twin"
		captures = append(captures, &twin)
		vmms := pick(r, [][]guise.VMM{{guise.VMMQEMU}, {"qemu@11.1"}, {guise.VMMFirecracker}, guise.VMMs})
		plain, err := guise.Pools(captures, withoutPMU(vmms), 1)
		if err != nil {
			t.Fatal(err)
		}
		result, err := guise.PoolsThatMove(captures, nil, vmms)
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Alone) == len(captures) {
			continue
		}
		pooled := 0
		for _, pool := range result.Rungs[0].Pools {
			pooled += len(pool.Hosts)
			members := slices.DeleteFunc(slices.Clone(captures), func(c *guise.Capture) bool { return !slices.Contains(pool.Hosts, c.Name) })
			for _, c := range members {
				if v := guise.Check(pool.Contract, c, guise.VMMNone); v.Verdict != guise.Yes {
					t.Errorf("%v: %s does not take the contract: %+v", pool.Hosts, c.Name, v.Findings)
				}
				if _, told := pool.GivesUp[c.Name]; !told {
					t.Errorf("%v: nothing is said of what %s gives up", pool.Hosts, c.Name)
				}
			}
			for _, from := range members {
				for _, to := range members {
					for _, vmm := range vmms {
						if from == to {
							continue
						}
						together++
						if m, err := guise.MoveOne(pool.Contract, from, to, "", vmm); err != nil || m.Outcome != guise.MoveSame {
							t.Errorf("%v: from %s to %s by %s: %v: %+v", pool.Hosts, from.Name, to.Name, vmm, m.Outcome, m.Points)
						}
					}
				}
			}
		}
		if pooled+len(result.Alone) != len(captures) {
			t.Errorf("%d hosts: %d in pools, %d alone", len(captures), pooled, len(result.Alone))
		}
		more := len(result.Rungs[0].Pools) - len(plain.Rungs[0].Pools)
		if more < 0 || more > 0 && len(result.Parted) == 0 {
			t.Errorf("%d pools instead of %d, apart for %d moves", len(result.Rungs[0].Pools), len(plain.Rungs[0].Pools), len(result.Parted))
		}
		if result.Exact && more > 0 && len(result.Rungs[0].Pools) > result.Bound {
			t.Error("is said to be the fewest, and was divided")
		}
		for i := range result.Parted {
			divided++
			m := &result.Parted[i]
			if m.Outcome == guise.MoveSame || len(m.Points) == 0 || slices.ContainsFunc(result.Rungs[0].Pools, func(p guise.Pool) bool {
				return slices.Contains(p.Hosts, m.From) && slices.Contains(p.Hosts, m.To)
			}) {
				t.Errorf("apart for %+v", m)
			}
		}
	}
	testenv.Figure(t, "pools of catalogue hosts that move: %d moves within pools, all same; apart for %d", together, divided)
	if together < 30 || divided < 30 {
		t.Errorf("%d moves within pools, %d apart: too few", together, divided)
	}
}

// withoutPMU is the policy that Firecracker's VMs imply.
func withoutPMU(vmms []guise.VMM) *guise.Policy {
	if slices.Contains(vmms, guise.VMMFirecracker) {
		return &guise.Policy{Without: []guise.Feature{guise.FeaturePMU}}
	}
	return nil
}

// TestPoolsThatMoveRefuses: what no VMM of the name makes is an error, not an empty answer.
func TestPoolsThatMoveRefuses(t *testing.T) {
	hosts := []*guise.Capture{load(t, "qemu10-neoverse-n1@7.2")}
	if _, err := guise.PoolsThatMove(hosts, &guise.Policy{With: []guise.Feature{guise.FeaturePMU}}, []guise.VMM{guise.VMMFirecracker}); err == nil || err.Error() != "with pmu: firecracker makes no VM with a PMU" {
		t.Errorf("with a PMU: %v", err)
	}
	if _, err := guise.PoolsThatMove(hosts, nil, []guise.VMM{"bhyve"}); err == nil {
		t.Error("of a VMM that nobody knows: no error")
	}
}

// TestMovesAreMoveOne: many at once are what each is alone, by the VMM that does worst.
func TestMovesAreMoveOne(t *testing.T) {
	captures := []*guise.Capture{load(t, "graviton3@6.1"), load(t, "graviton3@6.18"), load(t, "qemu10-max@7.2"), load(t, "graviton3@6.1")}
	captures[3].Name = "again"
	moves, err := guise.Moves(nil, captures, "", guise.VMMs, func(from, to *guise.Capture) bool { return to.Name != "graviton3@6.18" })
	if err != nil || len(moves) != 9 {
		t.Fatalf("%d moves: %v", len(moves), err)
	}
	i := 0
	for _, from := range captures {
		for _, to := range captures {
			if from == to || to.Name == "graviton3@6.18" {
				continue
			}
			worst := guise.MoveSame
			for _, vmm := range guise.VMMs {
				m, err := guise.MoveOne(nil, from, to, "", vmm)
				if err != nil {
					t.Fatal(err)
				}
				worst = max(worst, m.Outcome)
			}
			if m := &moves[i]; m.From != from.Name || m.To != to.Name || m.Outcome != worst {
				t.Errorf("%s to %s: %v, alone %v", m.From, m.To, m.Outcome, worst)
			}
			i++
		}
	}
}
