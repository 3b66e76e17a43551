package arm64_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	model "github.com/guise-project/guise/model/arm64"
)

// bracketSeed is that of the random versions and contracts; other seeds are for those
// who look for more.
var bracketSeed = flag.Uint64("bracket-seed", 1, "seed of TestNoBracketContradictsAnAnswer")

// ends are the kernels that a version may be, on one machine, as hosts that were
// captured; blind are their captures as they are where nobody tried what the hosts
// take and the version is all that is known.
type ends struct {
	version kernel.Version
	hosts   []*agreeing
	blind   []*guise.Capture
}

// openEnds makes some of the hosts that a version stands for.
func openEnds(t *testing.T, random *rand.Rand, version kernel.Version, cpu string) *ends {
	t.Helper()
	machine, err := model.NewMachine(cpu)
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := kernel.Possible(version)
	if err != nil {
		t.Fatal(err)
	}
	const most = 3
	random.Shuffle(len(profiles), func(i, j int) { profiles[i], profiles[j] = profiles[j], profiles[i] })
	e := &ends{version: version}
	for i, profile := range profiles[:min(len(profiles), most)] {
		host, err := model.NewHostOf(machine, profile)
		if err != nil {
			t.Fatal(err)
		}
		a := captureAgreeing(t, host, fmt.Sprintf("%v/%s#%d", version, cpu, i))
		if a == nil {
			t.Fatalf("%v/%s makes no VM", version, cpu)
		}
		e.hosts = append(e.hosts, a)
		blind := *a.capture
		blind.Host.Kernel, blind.Complete = version.String(), false
		blind.Setups = slices.Clone(blind.Setups)
		for j := range blind.Setups {
			blind.Setups[j].Offers, blind.Setups[j].Accepts = nil, ""
		}
		if err := blind.Assume(version); err != nil {
			t.Fatal(err)
		}
		e.blind = append(e.blind, &blind)
	}
	return e
}

// tally counts answers, and those that one end of a bracket contradicts.
type tally struct {
	t                        *testing.T
	definite, unknown, wrong int
}

func (c *tally) judge(known, right bool, format string, args ...any) {
	c.t.Helper()
	switch {
	case !known:
		c.unknown++
	default:
		c.definite++
		if !right {
			if c.wrong++; c.wrong <= 20 {
				c.t.Errorf(format, args...)
			}
		}
	}
}

// TestNoBracketContradictsAnAnswer: random versions, of many of which it is open
// which kernel they are, on random CPUs; each kernel that a version may be is a host
// of the model. What check, baseline, forecast, moves and pools say definitely of a host of
// which only the version is known is true of every one of them.
func TestNoBracketContradictsAnAnswer(t *testing.T) {
	random := rand.New(rand.NewPCG(*bracketSeed, 11))
	releases := slices.DeleteFunc(kernel.Releases(), func(r kernel.Release) bool {
		return r.Series.Compare(kernel.Known[0]) < 0 // guests read what the CPU has, and no VM can be proved
	})
	checks, baselines, forecasts, moves, pools := tally{t: t}, tally{t: t}, tally{t: t}, tally{t: t}, tally{t: t}
	const rounds = 60
	draw := func() kernel.Version {
		r := &releases[random.IntN(len(releases))]
		if len(r.Cuts) > 0 && random.IntN(3) == 0 {
			return r.Cuts[random.IntN(len(r.Cuts))].Version
		}
		return r.Series
	}
	for range rounds {
		cpus := model.CPUModels()
		cpu := cpus[random.IntN(len(cpus))]
		here, there := openEnds(t, random, draw(), cpu), openEnds(t, random, draw(), cpu)
		m := &contractMaker{Rand: random, hosts: slices.Concat(here.hosts, there.hosts)}
		for i, host := range here.hosts {
			for range 8 {
				contract, kind := m.make(host)
				v := guise.Check(contract, here.blind[i], guise.VMMNone)
				if v.Verdict == guise.Unknown {
					checks.judge(false, true, "")
					continue
				}
				takes, why := taken(t.Context(), host, contract)
				checks.judge(true, takes == (v.Verdict == guise.Yes), "check says %v of %s on %s (%v), contract %s, setup %s; %s", v.Verdict, kind, host.capture.Name, host.host, kind, contract.Setup.Key(), why)
			}
			judgeBaseline(t, &baselines, m, here, there, i)
			judgeForecast(t, &forecasts, host, there)
			judgeMoves(t, &moves, random, here, there, i)
			judgePools(t, &pools, random, here, there, i)
		}
	}
	for _, c := range []struct {
		what string
		*tally
	}{{"check", &checks}, {"baseline", &baselines}, {"forecast", &forecasts}, {"moves", &moves}, {"pools", &pools}} {
		if c.definite < rounds || c.unknown == 0 {
			t.Errorf("%s: only %d definite answers and %d unknown", c.what, c.definite, c.unknown)
		}
	}
	testenv.Figure(t, "answers about versions that may be several kernels, against each of them: check %d definite, %d unknown; baseline %d, %d; forecast %d, %d; moves %d, %d; pools %d, %d; contradicted %d; seed %d",
		checks.definite, checks.unknown, baselines.definite, baselines.unknown, forecasts.definite, forecasts.unknown, moves.definite, moves.unknown, pools.definite, pools.unknown,
		checks.wrong+baselines.wrong+forecasts.wrong+moves.wrong+pools.wrong, *bracketSeed)
}

// judgeBaseline holds the baseline of two blind hosts against the hosts: they take
// the contract, and where there is none the same question of hosts that were tried
// has no contract either.
func judgeBaseline(t *testing.T, c *tally, m *contractMaker, here, there *ends, i int) {
	t.Helper()
	j := m.IntN(len(there.hosts))
	policy := m.policy(&here.hosts[i].capture.Setups[m.IntN(len(here.hosts[i].capture.Setups))].Setup)
	result, err := guise.Baseline([]*guise.Capture{here.blind[i], there.blind[j]}, policy)
	if err != nil || result.Verdict == guise.Unknown {
		c.judge(false, true, "")
		return
	}
	both := []*agreeing{here.hosts[i], there.hosts[j]}
	if result.Verdict == guise.No {
		tried, err := guise.Baseline([]*guise.Capture{both[0].capture, both[1].capture}, policy)
		c.judge(true, err == nil && tried.Verdict != guise.Yes, "baseline of %v and %v says no, and has a contract where they were tried: %+v", both[0].host, both[1].host, result.Findings)
		return
	}
	for _, host := range both {
		takes, why := taken(t.Context(), host, result.Contract)
		c.judge(true, takes, "baseline of %v and %v: %v does not take the contract, setup %s: %s; policy %+v", both[0].host, both[1].host, host.host, result.Contract.Setup.Key(), why, policy)
	}
}

// judgeMoves holds moves between two blind hosts against the same moves between the hosts
// that were tried, which TestMovesAgainstTheModel holds against replays: each way, of a VM
// that was given what its host shows, point by point.
func judgeMoves(t *testing.T, c *tally, random *rand.Rand, here, there *ends, i int) {
	t.Helper()
	j := random.IntN(len(there.hosts))
	vmm := []guise.VMM{guise.VMMQEMU, "qemu@11.1", guise.VMMFirecracker}[random.IntN(3)]
	for _, way := range [][2]struct {
		ends *ends
		at   int
	}{{{here, i}, {there, j}}, {{there, j}, {here, i}}} {
		from, to := way[0], way[1]
		known := from.ends.hosts[from.at].capture
		key := known.Setups[random.IntN(len(known.Setups))].Key()
		blind, err := guise.MoveOne(nil, from.ends.blind[from.at], to.ends.blind[to.at], key, vmm)
		if err != nil {
			t.Fatal(err)
		}
		tried, err := guise.MoveOne(nil, known, to.ends.hosts[to.at].capture, key, vmm)
		if err != nil {
			t.Fatal(err)
		}
		c.judge(blind.Outcome != guise.MoveUnknown, blind.Outcome == tried.Outcome || tried.Outcome == guise.MoveUnknown,
			"%s: %s from %v to %v, setup %s, by %s, where they were tried %s: %+v %+v", "moves", blind.Outcome, from.ends.hosts[from.at].host, to.ends.hosts[to.at].host, key, vmm, tried.Outcome, blind.Points, tried.Points)
		for k := range blind.Points {
			p := &blind.Points[k]
			same := slices.ContainsFunc(tried.Points, func(other guise.MovePoint) bool {
				return other.Register == p.Register && (other.Outcome == guise.MoveUnknown || other.Outcome == p.Outcome && (other.Errno == p.Errno || p.Errno == ""))
			})
			c.judge(p.Outcome != guise.MoveUnknown, same || tried.Outcome == guise.MoveUnknown, "%s from %v to %v, setup %s, by %s: %+v, where they were tried %+v", p.Name(), from.ends.hosts[from.at].host, to.ends.hosts[to.at].host, key, vmm, *p, tried.Points)
		}
	}
}

// judgePools holds the pools of two blind hosts against those of the hosts.
func judgePools(t *testing.T, c *tally, random *rand.Rand, here, there *ends, i int) {
	t.Helper()
	j := random.IntN(len(there.hosts))
	blind, err := guise.Pools([]*guise.Capture{here.blind[i], there.blind[j]}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	one := len(blind.Rungs) > 0 && len(blind.Rungs[0].Pools) == 1 && len(blind.Alone) == 0
	if !one {
		c.judge(false, true, "") // that two certain pools are needed is no claim that none is possible
		return
	}
	for _, host := range []*agreeing{here.hosts[i], there.hosts[j]} {
		takes, why := taken(t.Context(), host, blind.Rungs[0].Pools[0].Contract)
		c.judge(true, takes, "a pool of %v and %v: %v does not take its contract: %s", here.hosts[i].host, there.hosts[j].host, host.host, why)
	}
}

// TestServicesLeftToAHostWithoutBitmaps: what a contract leaves to each host, a host
// without the register serves as its kernel does, and takes the contract.
func TestServicesLeftToAHostWithoutBitmaps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var both [2]*ends
	for i, release := range []string{"5.16.14", "6.1.100"} {
		version, err := kernel.ParseVersion(release)
		if err != nil {
			t.Fatal(err)
		}
		both[i] = openEnds(t, random, version, "cortex-a57")
	}
	without, with := both[0], both[1]
	hosts := []*agreeing{without.hosts[0], with.hosts[0]}
	policy := &guise.Policy{Vary: []string{"STD_BMAP.TRNG_V1_0"}, Without: []guise.Feature{guise.FeaturePMU}}
	result, err := guise.Baseline([]*guise.Capture{without.blind[0], with.blind[0]}, policy)
	if err != nil || result.Contract == nil {
		t.Fatalf("no contract: %v %+v", err, result)
	}
	for _, host := range hosts {
		if takes, why := taken(t.Context(), host, result.Contract); !takes {
			t.Errorf("%v: %s", host.host, why)
		}
	}
}

// judgeForecast holds what a host is said to show under another version against
// every kernel that the version may be.
func judgeForecast(t *testing.T, c *tally, from *agreeing, to *ends) {
	t.Helper()
	f, err := model.Predict(from.capture, to.version)
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Setups {
		setup := &f.Setups[i]
		for _, host := range to.hosts {
			truth := host.capture.Setup(setup.Setup.Key())
			if truth == nil {
				c.judge(setup.Made != guise.Unknown, setup.Made == guise.No, "%v makes no VM of setup %s, and %v is forecast", host.host, setup.Setup.Key(), setup.Made)
				continue
			}
			if setup.Made == guise.No {
				c.judge(true, false, "%v makes VMs of setup %s, and none is forecast", host.host, setup.Setup.Key())
				continue
			}
			for j := range setup.Fields {
				field := &setup.Fields[j]
				is, shown := arm64.Slots[field.Slot].Extract(truth.View.Values[arm64.Slots[field.Slot].Register])
				if !shown || !truth.View.Present.Has(int(arm64.Slots[field.Slot].Register)) {
					continue
				}
				name := arm64.Slots[field.Slot].Name()
				c.judge(field.Known(), field.Then.Has(is), "%s of %v, setup %s: is %d under %v, forecast %v", name, from.host, setup.Setup.Key(), is, host.host, field.Then)
				takes := truth.Offers.Set(field.Slot).Has(field.Now)
				c.judge(field.Taken != guise.Unknown, takes == (field.Taken == guise.Yes), "%s of %v, setup %s: %d is taken by %v: %v, forecast %v", name, from.host, setup.Setup.Key(), field.Now, host.host, takes, field.Taken)
			}
		}
	}
}
