package vm_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// testAgreement puts the own contract of each setup of a host, and changed ones,
// to check, and to the kernel: where check says yes the host takes the contract
// and a guest sees it, and where it says no one of them does not. The reference
// model is asked the same of many more (model/arm64,
// TestCheckApplyAndGuestAgree).
func testAgreement(t *testing.T, host vm.Host, capture *guise.Capture, changes int) {
	t.Helper()
	random := rand.New(rand.NewPCG(16, 6))
	said := map[guise.Verdict]int{}
	for i := range capture.Setups {
		setup := &capture.Setups[i].Setup
		if setup.Has(guise.FeatureEL2) && setup.VGIC != 3 {
			continue // such VMs do not run
		}
		policy := &guise.Policy{With: setup.Features, Protected: setup.Protected, NoVGIC: setup.VGIC == 0}
		for _, feature := range guise.Features {
			if !setup.Has(feature) {
				policy.Without = append(policy.Without, feature)
			}
		}
		result, err := guise.Baseline([]*guise.Capture{capture}, policy)
		if err != nil {
			t.Fatal(err)
		}
		if result.Contract == nil {
			continue
		}
		for n := range 1 + changes {
			contract := *result.Contract
			if n > 0 {
				changeContract(random, &contract)
			}
			v := guise.Check(&contract, capture, guise.VMMNone)
			said[v.Verdict]++
			if v.Verdict == guise.Unknown {
				continue
			}
			proof, err := vm.Prove(t.Context(), host, &contract, vm.ProveOptions{})
			if errors.Is(err, vm.ErrNotSupported) {
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", setup.Key(), err)
				continue
			}
			no := slices.IndexFunc(proof.Findings, func(f guise.Finding) bool { return f.Verdict == guise.No })
			switch {
			case no >= 0 && v.Verdict == guise.Yes:
				t.Errorf("%s: check says yes; %+v", setup.Key(), proof.Findings[no])
			case no < 0 && v.Verdict == guise.No:
				t.Errorf("%s: a guest sees the contract; check says no: %+v", setup.Key(), v.Findings)
			}
		}
	}
	if said[guise.Yes] < len(capture.Setups)/4 || said[guise.No] == 0 && changes > 1 {
		t.Errorf("%d setups: only %v was said", len(capture.Setups), said)
	}
	t.Logf("check, the kernel and its guests agree on contracts: %v", said)
}

// changeContract gives one or two fields another value, mostly a near one.
func changeContract(random *rand.Rand, c *guise.Contract) {
	places := slices.Collect(c.View.Present.All())
	for range 1 + random.IntN(2) {
		place := places[random.IntN(len(places))]
		register, value := &arm64.Registers[place], &c.View.Values[place]
		if len(register.Fields) == 0 {
			*value ^= 1 << random.IntN(int(register.Bits))
			continue
		}
		field := &register.Fields[random.IntN(len(register.Fields))]
		next := field.Get(*value) + 1
		if random.IntN(2) == 0 {
			next = random.Uint64()
		}
		*value = field.Put(*value, next&(^uint64(0)>>(64-field.Width)))
	}
}
