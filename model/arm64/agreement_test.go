package arm64_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// agreeing is a host of the model with what guise knows of it.
type agreeing struct {
	host    *model.Host
	capture *guise.Capture
	// contracts are the baselines of its setups alone.
	contracts []*guise.Contract
}

// agreeingSetups are the setups that are captured of every host that makes them:
// each kind that shows or takes something of its own.
var agreeingSetups = []guise.Setup{
	{VGIC: 3},
	{},
	{VGIC: 3, Features: []guise.Feature{guise.FeaturePMU}},
	{VGIC: 3, Features: []guise.Feature{guise.FeatureSVE}},
	{VGIC: 3, Features: []guise.Feature{guise.FeaturePAuth}},
	{Features: []guise.Feature{guise.FeatureAArch32}},
	{VGIC: 3, Features: []guise.Feature{guise.FeatureMTE}},
	{VGIC: 3, Protected: true},
	{VGIC: 3, Features: []guise.Feature{guise.FeatureEL2}},
}

// agreeingParameters are the parameters that hosts are started with.
var agreeingParameters = []string{"", ",kvm-arm.mode=nested", ",kvm-arm.mode=protected"}

// openAgreeing captures every CPU model of the model under every version.
func openAgreeing(t *testing.T) []*agreeing {
	t.Helper()
	var names []string
	for _, version := range kernel.Known {
		for _, cpu := range model.CPUModels() {
			for _, parameters := range agreeingParameters {
				names = append(names, version.String()+"/"+cpu+parameters)
			}
		}
	}
	hosts := make([]*agreeing, len(names))
	inParallel(len(names), func(i int) {
		host, err := model.Open(names[i])
		if err != nil {
			t.Error(err)
			return
		}
		hosts[i] = captureAgreeing(t, host, names[i])
	})
	return slices.DeleteFunc(hosts, func(a *agreeing) bool { return a == nil })
}

// captureAgreeing captures a host and computes its own contracts. It returns nil
// for a host that makes no VM that another does not make as well: a mode that its
// kernel or CPU does not have.
func captureAgreeing(t *testing.T, host *model.Host, name string) *agreeing {
	var setups []guise.Setup
	special := false
	for _, setup := range agreeingSetups {
		machine, err := host.NewVM(t.Context(), setup, 1)
		switch {
		case errors.Is(err, vm.ErrNotSupported):
			continue
		case err != nil:
			t.Errorf("%s: %v", name, err)
			return nil
		}
		special = special || setup.Protected || setup.Has(guise.FeatureEL2)
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
		setups = append(setups, setup)
	}
	if facts, _ := host.Describe(); !special && (facts.Mode == "nested" || facts.Mode == "protected") {
		return nil
	}
	capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: setups})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	capture.Name = name
	a := &agreeing{host: host, capture: capture}
	for i := range capture.Setups {
		policy := policyFor(&capture.Setups[i].Setup)
		result, err := guise.Baseline([]*guise.Capture{capture}, policy)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if result.Contract != nil {
			a.contracts = append(a.contracts, result.Contract)
		}
	}
	return a
}

// policyFor asks for VMs of a setup.
func policyFor(s *guise.Setup) *guise.Policy {
	p := &guise.Policy{With: slices.Clone(s.Features), Protected: s.Protected, NoVGIC: s.VGIC == 0}
	for _, feature := range guise.Features {
		if !s.Has(feature) {
			p.Without = append(p.Without, feature)
		}
	}
	return p
}

// inParallel calls do for 0 to n-1 on all processors.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}

// contractMaker makes one contract after the other; the same number makes the
// same.
type contractMaker struct {
	*rand.Rand
	hosts []*agreeing
}

func (m *contractMaker) host() *agreeing { return m.hosts[m.IntN(len(m.hosts))] }

func one[T any](m *contractMaker, of []T) T { return of[m.IntN(len(of))] }

// vary names a field, or now and then a register, by either of its names.
func (m *contractMaker) vary() string {
	register := &arm64.Registers[m.IntN(arm64.NumRegisters)]
	name := register.Name
	if e, ok := arm64.ID(register.ID).Encoding(); ok && m.IntN(8) == 0 {
		name = e.String()
	}
	if len(register.Fields) == 0 || m.IntN(6) == 0 {
		return name
	}
	return name + "." + one(m, register.Fields).Name
}

// policy draws wishes for VMs of a setup.
func (m *contractMaker) policy(setup *guise.Setup) *guise.Policy {
	p := policyFor(setup)
	for range m.IntN(3) {
		p.Hide = append(p.Hide, one(m, arm64.FeatureTable[:]).Name)
	}
	if m.IntN(4) == 0 {
		p.Require = append(p.Require, one(m, arm64.FeatureTable[:]).Name)
	}
	for range m.IntN(3) {
		p.Vary = append(p.Vary, m.vary())
	}
	if m.IntN(4) == 0 {
		slot := &arm64.Slots[m.IntN(arm64.NumSlots)]
		p.Restrict = map[string]uint64{slot.Name(): m.Uint64N(3)}
	}
	return p
}

// make makes a contract, meant for a host, and says of what kind it is.
func (m *contractMaker) make(host *agreeing) (contract *guise.Contract, kind string) {
	contract = one(m, host.contracts)
	switch m.IntN(8) {
	case 0:
		return contract, "own"
	case 1:
		return one(m, m.host().contracts), "other"
	case 2, 3:
		captures := []*guise.Capture{host.capture}
		if m.IntN(2) == 0 {
			captures = append(captures, m.host().capture)
		}
		result, err := guise.Baseline(captures, m.policy(&contract.Setup))
		if err != nil || result.Contract == nil {
			return contract, "own"
		}
		return result.Contract, "policy"
	case 4:
		contract = one(m, m.host().contracts)
	}
	changed := *contract
	changed.Extra = maps.Clone(contract.Extra)
	if m.IntN(5) == 0 {
		m.drop(&changed)
		return &changed, "incomplete"
	}
	for range 1 + m.IntN(3) {
		m.mutate(&changed)
	}
	return &changed, "mutated"
}

// drop takes the rule of a register away, or gives it another.
func (m *contractMaker) drop(c *guise.Contract) {
	id := one(m, guise.Space())
	if place, known := arm64.PlaceOf(id); known {
		c.View.Present.Remove(place)
		c.View.Values[place], c.Vary[place] = 0, 0
	}
	delete(c.Extra, id)
	gone := func(other arm64.ID) bool { return other == id }
	c.Absent = slices.DeleteFunc(slices.Clone(c.Absent), gone)
	c.Uncontrolled = slices.DeleteFunc(slices.Clone(c.Uncontrolled), gone)
	switch m.IntN(3) {
	case 0:
		c.Absent = append(c.Absent, id)
	case 1:
		c.Uncontrolled = append(c.Uncontrolled, id)
	}
}

// mutate changes a value: a field to any other, mostly a near one, or a bit.
func (m *contractMaker) mutate(c *guise.Contract) {
	places := slices.Collect(c.View.Present.All())
	place := one(m, places)
	register, value := &arm64.Registers[place], &c.View.Values[place]
	switch {
	case m.IntN(12) == 0 && register.Scope != isa.Hardware && place != arm64.DCZIDEL0:
		mask := m.Uint64() & m.Uint64() & (^uint64(0) >> (64 - register.Bits))
		c.Vary[place] |= mask
	case len(register.Fields) == 0 || m.IntN(6) == 0:
		*value ^= 1 << m.IntN(int(register.Bits))
	default:
		field := one(m, register.Fields)
		next := field.Get(*value) + one(m, []uint64{1, ^uint64(0), 2})
		if m.IntN(3) == 0 {
			next = m.Uint64()
		}
		*value = field.Put(*value, next&(^uint64(0)>>(64-field.Width)))
	}
	*value &^= c.Vary[place]
}

// taken says what becomes of a contract on a host: whether it is applied and its
// guest sees it.
func taken(ctx context.Context, host *agreeing, contract *guise.Contract) (bool, string) {
	if err := contract.Incomplete(); err != nil {
		_, _, refused := vm.Apply(ctx, host.host, contract, 1)
		return refused == nil, fmt.Sprint(err)
	}
	proof, err := vm.Prove(ctx, host.host, contract, vm.ProveOptions{})
	if err != nil {
		return false, err.Error()
	}
	for i := range proof.Findings {
		if f := &proof.Findings[i]; f.Verdict == guise.No {
			return false, fmt.Sprintf("%s: want %s, there %v (%s %s)", f.Name(), f.Wanted, f.Hosts, f.Kind, f.Rests)
		}
	}
	return true, ""
}

// TestCheckApplyAndGuestAgree: where check says yes, Apply takes the contract and
// the guest sees it; where check says no, one of them does not. Contracts are a
// host's own, others', made by policies, changed and incomplete.
func TestCheckApplyAndGuestAgree(t *testing.T) {
	const cases = 50_000
	hosts := openAgreeing(t)
	var mu sync.Mutex
	verdicts, kinds, wrong := map[guise.Verdict]int{}, map[string]int{}, map[guise.Verdict]int{}
	inParallel(cases, func(i int) {
		m := &contractMaker{Rand: rand.New(rand.NewPCG(16, uint64(i))), hosts: hosts}
		host := m.host()
		contract, kind := m.make(host)
		v := guise.Check(contract, host.capture, guise.VMMNone)
		agrees, why := true, ""
		switch {
		case kind == "policy" && v.Verdict != guise.Yes:
			agrees, why = false, "it was made from this host"
		case v.Verdict != guise.Unknown:
			var takes bool
			takes, why = taken(t.Context(), host, contract)
			agrees = takes == (v.Verdict == guise.Yes)
		}
		mu.Lock()
		defer mu.Unlock()
		verdicts[v.Verdict]++
		kinds[kind]++
		if !agrees {
			wrong[v.Verdict]++
			if wrong[v.Verdict] <= 10 {
				t.Errorf("case %d, %s, %s, setup %s: check says %v; %s\n%+v", i, host.capture.Name, kind, contract.Setup.Key(), v.Verdict, why, v.Findings)
			}
		}
	})
	if verdicts[guise.Yes] < cases/20 || verdicts[guise.No] < cases/20 {
		t.Errorf("only the verdicts %v were seen", verdicts)
	}
	testenv.Figure(t, "check, Apply and the guest on %d hosts of the model, %d contracts: %d yes, %d no, %d unknown; wrong yes %d, wrong no %d (own %d, other %d, policy %d, mutated %d, incomplete %d)",
		len(hosts), cases, verdicts[guise.Yes], verdicts[guise.No], verdicts[guise.Unknown], wrong[guise.Yes], wrong[guise.No],
		kinds["own"], kinds["other"], kinds["policy"], kinds["mutated"], kinds["incomplete"])
}
