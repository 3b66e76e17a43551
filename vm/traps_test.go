package vm_test

import (
	"context"
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/vmtest"
)

// observed is a fake host that tells who answers: the CPU what cpu names, KVM
// the rest.
type observed struct {
	*vmtest.Fake
	cpu     []string
	unknown string
}

type observedVM struct {
	vm.VM
	host *observed
}

func (h *observed) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	machine, err := h.Fake.NewVM(ctx, setup, vcpus)
	return &observedVM{machine, h}, err
}

func (m *observedVM) RunObserved(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, *probe.Traps, error) {
	trace, err := m.Run(ctx, vcpu, program)
	if m.host.unknown != "" {
		return trace, &probe.Traps{Unknown: m.host.unknown}, err
	}
	traps := &probe.Traps{RestsOn: "a fake"}
	for i := range program.Ops {
		op := &program.Ops[i]
		if slices.Contains(m.host.cpu, op.Name) {
			traps.NotTrapped.Add(op.Kind, op.Name)
		} else {
			traps.Trapped.Add(op.Kind, op.Name)
		}
		// The fake knows no instructions: none runs.
		if op.Kind == probe.Execute {
			trace.Records[i].Outcome, trace.Records[i].Syndrome = probe.Exception, 1<<25
		}
	}
	return trace, traps, err
}

// of gives what the findings of a kind say, by register.
func of(p *guise.Proof, kind guise.Kind) map[string]string {
	said := map[string]string{}
	for i := range p.Findings {
		if f := &p.Findings[i]; f.Kind == kind {
			said[f.Register] = f.Hosts[0].Value
		}
	}
	return said
}

func TestProveTraps(t *testing.T) {
	absent := arm64.Encoding{Op0: 3, Op1: 1, CRm: 1}
	// The host has AES and LSE atomics to give, and no MOPS.
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1001_2100})
	contract.Complete(func(id arm64.ID) bool {
		return id == absent.ID() || id == arm64.Encoding{Op0: 3, Op1: 1, CRm: 2}.ID()
	})
	host := &observed{Fake: fake(), cpu: []string{absent.ID().String(), "ID_AA64PFR0_EL1", "FEAT_LSE"}}
	proof, err := vm.Prove(t.Context(), host, contract, vm.ProveOptions{Traps: true, VCPUs: 2})
	if err != nil {
		t.Fatal(err)
	}
	if proof.Verdict() == guise.No || proof.Traps == nil || !proof.Traps.Trapped.Has(probe.MRS, "ID_AA64ISAR0_EL1") {
		t.Errorf("%v, %+v", proof.Verdict(), findings(proof, guise.No))
	}
	unguarded := of(proof, guise.KindUnguarded)
	if len(unguarded) != 2 || unguarded["ID_AA64PFR0_EL1"] == "" || unguarded[absent.ID().String()] == "" {
		t.Errorf("unguarded: %v", unguarded)
	}
	stopped := of(proof, guise.KindStopped)
	if stopped["FEAT_LSE"] != "refused by the CPU" || stopped["FEAT_AES"] != "stopped by KVM" || stopped["FEAT_MOPS"] != "stopped by KVM" {
		t.Errorf("stopped: %v", stopped)
	}
	if _, err := guise.ReadProof("proof.json", proof.Marshal()); err != nil {
		t.Error(err)
	}
}

// TestProveTrapsUnknown: without evidence nothing is said of who answered.
func TestProveTrapsUnknown(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112})
	contract.Complete(func(id arm64.ID) bool { return id == arm64.Encoding{Op0: 3, Op1: 1, CRm: 1}.ID() })
	for want, host := range map[string]vm.Host{
		"the buffer lost events": &observed{Fake: fake(), unknown: "the buffer lost events"},
		"fake does not tell":     fake(),
	} {
		proof, err := vm.Prove(t.Context(), host, contract, vm.ProveOptions{Traps: true})
		if err != nil {
			t.Fatal(err)
		}
		if proof.Traps == nil || proof.Traps.Unknown != want || len(of(proof, guise.KindUnguarded))+len(of(proof, guise.KindStopped)) != 0 {
			t.Errorf("%s: %+v, %v", want, proof.Traps, proof.Findings)
		}
	}
	proof, err := vm.Prove(t.Context(), &observed{Fake: fake()}, contract, vm.ProveOptions{})
	if err != nil || proof.Traps != nil {
		t.Errorf("nobody asked: %+v, %v", proof.Traps, err)
	}
}
