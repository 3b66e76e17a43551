package vm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	isaarm64 "github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// faulty is a host of the model of which one call fails, as where a disk or a kernel
// gives out.
type faulty struct {
	*arm64.Host
	calls, fails int // calls made so far, and which of them fails; 0 for none
	open         int // VMs
	name         string
}

// errBroken is no errno with which KVM refuses a value.
const errBroken = syscall.EIO

func (f *faulty) call(name string) error {
	if f.calls++; f.calls != f.fails {
		return nil
	}
	f.name = name
	return errBroken
}

func (f *faulty) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	if err := f.call("NewVM"); err != nil {
		return nil, err
	}
	machine, err := f.Host.NewVM(ctx, setup, vcpus)
	if err != nil {
		return nil, err
	}
	f.open++
	return &faultyVM{machine.(*arm64.VM), f}, nil
}

func (f *faulty) Describe() (guise.HostFacts, error) {
	if err := f.call("Describe"); err != nil {
		return guise.HostFacts{}, err
	}
	return f.Host.Describe()
}

func (f *faulty) CheckCapability(number uint32) (int, error) {
	if err := f.call("CheckCapability of the host"); err != nil {
		return 0, err
	}
	return f.Host.CheckCapability(number)
}

type faultyVM struct {
	*arm64.VM
	host *faulty
}

func (m *faultyVM) Get(vcpu int, id isaarm64.ID) (uint64, error) {
	if err := m.host.call(fmt.Sprintf("Get %v", id)); err != nil {
		return 0, err
	}
	return m.VM.Get(vcpu, id)
}

func (m *faultyVM) Set(vcpu int, id isaarm64.ID, value uint64) error {
	if err := m.host.call(fmt.Sprintf("Set %v", id)); err != nil {
		return err
	}
	return m.VM.Set(vcpu, id, value)
}

func (m *faultyVM) Run(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, error) {
	if err := m.host.call("Run"); err != nil {
		return nil, err
	}
	return m.VM.Run(ctx, vcpu, program)
}

func (m *faultyVM) List(vcpu int) ([]isaarm64.ID, error) {
	if err := m.host.call("List"); err != nil {
		return nil, err
	}
	return m.VM.List(vcpu)
}

func (m *faultyVM) GetWide(vcpu int, id isaarm64.ID, value []byte) error {
	if err := m.host.call("GetWide"); err != nil {
		return err
	}
	return m.VM.GetWide(vcpu, id, value)
}

func (m *faultyVM) SetWide(vcpu int, id isaarm64.ID, value []byte) error {
	if err := m.host.call("SetWide"); err != nil {
		return err
	}
	return m.VM.SetWide(vcpu, id, value)
}

func (m *faultyVM) Finalize(vcpu int) error {
	if err := m.host.call("Finalize"); err != nil {
		return err
	}
	return m.VM.Finalize(vcpu)
}

func (m *faultyVM) MaskRanges() (uint64, error) {
	if err := m.host.call("MaskRanges"); err != nil {
		return 0, err
	}
	return m.VM.MaskRanges()
}

func (m *faultyVM) WritableMasks(index uint32) ([192]uint64, error) {
	if err := m.host.call("WritableMasks"); err != nil {
		return [192]uint64{}, err
	}
	return m.VM.WritableMasks(index)
}

func (m *faultyVM) CheckCapability(number uint32) (int, error) {
	if err := m.host.call("CheckCapability"); err != nil {
		return 0, err
	}
	return m.VM.CheckCapability(number)
}

func (m *faultyVM) Close() error {
	m.host.open--
	err := m.host.call("Close")
	return errors.Join(err, m.VM.Close())
}

// TestEveryFailedCallIsTold: whichever call of a host fails, what was done is an error
// or says what failed; nothing is taken for an answer of the host, and no VM is left.
func TestEveryFailedCallIsTold(t *testing.T) {
	const (
		name  = "7.2/neoverse-v1"
		tried = 61 // calls of each kind of work that fail, about
	)
	setup := guise.Setup{Features: []guise.Feature{guise.FeaturePAuth, guise.FeatureSVE}, VGIC: 3}
	open := func() *faulty {
		host, err := arm64.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		return &faulty{Host: host}
	}
	capture, err := vm.Capture(t.Context(), open(), vm.CaptureOptions{Setups: []guise.Setup{setup}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := guise.Baseline([]*guise.Capture{capture}, &guise.Policy{Hide: []string{"FEAT_AES"}, With: setup.Features})
	if err != nil || result.Contract == nil {
		t.Fatalf("%v, %v", result, err)
	}
	contract := result.Contract
	contract.Setup.VectorLengths = 1
	questions := writes(t, "ID_AA64ISAR0_EL1.SHA1=0x0", "ID_AA64PFR0_EL1.EL0=0x3")
	told := func(err error, said string) error {
		if err == nil && !strings.Contains(said, errBroken.Error()) {
			return errors.New("nothing")
		}
		return nil
	}
	for what, do := range map[string]func(host *faulty) error{
		"capture": func(host *faulty) error {
			_, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: []guise.Setup{setup}})
			return told(err, "")
		},
		"capture of all": func(host *faulty) error {
			_, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
			return told(err, "")
		},
		"apply": func(host *faulty) error {
			machine, _, err := vm.Apply(t.Context(), host, contract, 2)
			if err == nil {
				err = machine.Close()
			}
			return told(err, "")
		},
		"prove": func(host *faulty) error {
			proof, err := vm.Prove(t.Context(), host, contract, vm.ProveOptions{VCPUs: 2})
			return told(err, fmt.Sprintf("%+v", proof))
		},
		"look": func(host *faulty) error {
			proof, err := vm.Prove(t.Context(), host, nil, vm.ProveOptions{Setup: setup})
			return told(err, fmt.Sprintf("%+v", proof))
		},
		"try": func(host *faulty) error {
			answer, err := vm.Try(t.Context(), host, &vm.Question{Contract: contract, Writes: questions})
			return told(err, fmt.Sprintf("%+v", answer))
		},
	} {
		whole := open()
		if err := do(whole); err == nil || whole.open != 0 {
			t.Fatalf("%s, with nothing that fails: %v, %d VMs are left", what, err, whole.open)
		}
		step := max(1, whole.calls/tried)
		for fails := 1; fails <= whole.calls; fails += step {
			host := open()
			host.fails = fails
			err := do(host)
			if err != nil && host.name != "" {
				t.Errorf("%s, call %d of %d, %s, fails: %v is told", what, fails, whole.calls, host.name, err)
			}
			if host.open != 0 {
				t.Errorf("%s, call %d, %s, fails: %d VMs are left", what, fails, host.name, host.open)
			}
		}
	}
}

// TestEAGAINTellsNothing: a KVM_RUN that is to be tried again is no setup that the host
// does not make.
func TestEAGAINTellsNothing(t *testing.T) {
	host, err := arm64.Open("7.2/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	if capture, err := vm.Capture(t.Context(), again{host}, vm.CaptureOptions{}); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("%+v, %v", capture, err)
	}
}

// again is a host whose vCPUs cannot be entered just now.
type again struct{ *arm64.Host }

func (h again) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	machine, err := h.Host.NewVM(ctx, setup, vcpus)
	if err != nil {
		return nil, err
	}
	return againVM{machine.(*arm64.VM)}, nil
}

type againVM struct{ *arm64.VM }

func (m againVM) RunNothing(int) error {
	return &vm.CallError{Call: "KVM_RUN", Subject: "vCPU 0", Errno: syscall.EAGAIN}
}
