package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// State is a VM between two hosts.
type State struct {
	Made     guise.Occasion
	Host     guise.HostFacts // that it left
	Contract *guise.Contract
	Filters  []Filter
	VCPUs    []VCPU
	VGIC     []vm.VGICRegister
	Memory   []Region
}

// Filter is an SMCCC filter of the VM.
type Filter struct {
	Base, Count uint32
	Action      uint8 // kvmabi.FilterHandle, FilterDeny or FilterForwardToUser
}

// VCPU is the state of one vCPU.
type VCPU struct {
	Registers []Register // as KVM_GET_REG_LIST lists them
	Events    []byte
	MPState   uint32
}

// Register is one register, its value as the kernel has it in memory.
type Register struct {
	ID    arm64.ID
	Value []byte
}

// Region is guest memory.
type Region struct {
	Base uint64
	Data []byte
	// Tags are the allocation tags of a VM with MTE, one byte for each
	// tagGranule bytes of Data; nil without.
	Tags []byte
}

// tagGranule is how many bytes of memory have one tag.
const tagGranule = 16

// guestLimit bounds how long a guest may take to get ready, or to look again:
// it waits two seconds for its timer.
const guestLimit = time.Minute

// SaveOptions choose the VM that is moved.
type SaveOptions struct {
	VCPUs   int // 0 stands for 2
	Filters []Filter
}

// SetupError says that this package does not move VMs of a setup.
type SetupError struct {
	Setup  string // its key
	Reason string
}

func (e *SetupError) Error() string {
	return fmt.Sprintf("setup %s: such VMs are not moved: %s", e.Setup, e.Reason)
}

// Unwrap gives vm.ErrNotSupported.
func (e *SetupError) Unwrap() error { return vm.ErrNotSupported }

// CanMove returns a *SetupError for setups of which this package cannot take a VM
// along whole.
func CanMove(setup *guise.Setup) error {
	for _, row := range []struct {
		is   bool
		what string
	}{
		{setup.Protected, "the memory of a protected VM is hidden from its host"},
		{setup.Has(guise.FeatureAArch32), "the traveller is AArch64"},
		{setup.Has(guise.FeatureEL2), "the state of a guest hypervisor is not taken along"},
	} {
		if row.is {
			return &SetupError{setup.Key(), row.what}
		}
	}
	return nil
}

// asMovable returns the VM as one that can be moved.
func asMovable(host vm.Host, machine vm.VM, setup *guise.Setup) (vm.Movable, error) {
	movable, ok := machine.(vm.Movable)
	if _, tags := machine.(vm.TagMover); !ok || setup.Has(guise.FeatureMTE) && !tags {
		return nil, fmt.Errorf("%s: %w: its VMs have no state that can be taken along", host, vm.ErrNotSupported)
	}
	return movable, nil
}

// Save makes a VM under the contract, has its guest take up live state, and
// returns the VM as it stands then. An *vm.ApplyError says that the host does
// not take the contract.
func Save(ctx context.Context, host vm.Host, contract *guise.Contract, options SaveOptions) (_ *State, err error) {
	if err := CanMove(&contract.Setup); err != nil {
		return nil, err
	}
	vcpus := options.VCPUs
	if vcpus == 0 {
		vcpus = 2
	}
	machine, _, err := vm.Apply(ctx, host, contract, vcpus)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	movable, err := asMovable(host, machine, &contract.Setup)
	if err != nil {
		return nil, err
	}
	state := &State{Contract: contract, Filters: options.Filters}
	if describer, ok := host.(vm.Describer); ok {
		if state.Host, err = describer.Describe(); err != nil {
			return nil, err
		}
	}
	if err := filter(machine, state.Filters); err != nil {
		return nil, err
	}
	j := &journey{ctx: ctx, machine: movable, state: state}
	memories, err := j.depart(vcpus)
	if err != nil {
		return nil, err
	}
	if err := j.pack(vcpus); err != nil {
		return nil, err
	}
	for i, memory := range memories {
		region := Region{Base: travellerBase + uint64(i)*travellerStride, Data: slices.Clone(memory)}
		if contract.Setup.Has(guise.FeatureMTE) {
			if region.Tags, err = j.tags().Tags(region.Base, uint64(len(region.Data))); err != nil {
				return nil, err
			}
		}
		state.Memory = append(state.Memory, region)
	}
	return state, nil
}

// filter installs the SMCCC filters, before the first run.
func filter(machine vm.VM, filters []Filter) error {
	filterer, ok := machine.(vm.Filterer)
	if !ok && len(filters) > 0 {
		return fmt.Errorf("SMCCC filter: %w", vm.ErrNotSupported)
	}
	for _, f := range filters {
		if err := filterer.Filter(f.Base, f.Count, f.Action); err != nil {
			return err
		}
	}
	return nil
}

// journey is one VM on one of its two hosts.
type journey struct {
	ctx     context.Context
	machine vm.Movable
	state   *State
	// verbatim: every register of the state is written, the contract's too.
	verbatim bool
}

// tags is the VM as one with allocation tags, which asMovable has seen to.
func (j *journey) tags() vm.TagMover { return j.machine.(vm.TagMover) }

// image builds a vCPU's traveller.
func image(setup *guise.Setup, vcpu int) (*probe.Image, error) {
	return traveller(setup, vcpu).Build(probe.Layout{Base: travellerBase + uint64(vcpu)*travellerStride})
}

// depart has every vCPU run to the point of the move, the last one first: the
// first one's timer is the one that is told of.
func (j *journey) depart(vcpus int) ([][]byte, error) {
	memories := make([][]byte, vcpus)
	if err := j.holdLine(); err != nil {
		return nil, err
	}
	for vcpu := vcpus - 1; vcpu >= 0; vcpu-- {
		guest, err := image(&j.state.Contract.Setup, vcpu)
		if err != nil {
			return nil, err
		}
		if memories[vcpu], err = j.machine.AddMemory(guest.Base, guest.MemorySize); err != nil {
			return nil, err
		}
		copy(memories[vcpu], guest.Bytes)
		run, err := guest.NewRun(memories[vcpu])
		if err != nil {
			return nil, err
		}
		if err := j.machine.Start(vcpu, guest.Entry); err != nil {
			return nil, err
		}
		err = j.resume(vcpu, func(access *vm.Access) (bool, error) {
			if access.Write && access.Address == moveAddress {
				return true, nil
			}
			if _, err := run.Store(access.Address, access.Data); err != nil {
				return false, err
			}
			return false, errors.New("the guest ended before it was moved")
		})
		if err != nil {
			return nil, err
		}
	}
	return memories, nil
}

// holdLine has the VMM's device hold its line high. The state of a vGICv3 has
// the levels of lines; that of a vGICv2 leaves them to the devices.
func (j *journey) holdLine() error {
	if j.state.Contract.Setup.VGIC == 0 {
		return nil
	}
	return j.machine.SetLine(sharedInterrupt, true)
}

// resume runs a vCPU within the time limit.
func (j *journey) resume(vcpu int, handle func(*vm.Access) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(j.ctx, guestLimit, fmt.Errorf("the guest did not come on within %v", guestLimit))
	defer cancel()
	if err := j.machine.Resume(ctx, vcpu, handle); err != nil {
		return fmt.Errorf("vCPU %d: %w", vcpu, err)
	}
	return nil
}

// pack reads the state of the VM.
func (j *journey) pack(vcpus int) error {
	for vcpu := range vcpus {
		ids, err := j.machine.List(vcpu)
		if err != nil {
			return err
		}
		packed := VCPU{}
		for _, id := range ids {
			value := make([]byte, id.Size())
			if err := j.machine.GetWide(vcpu, id, value); err != nil {
				return err
			}
			packed.Registers = append(packed.Registers, Register{id, value})
		}
		if packed.Events, err = j.machine.Events(vcpu); err != nil {
			return err
		}
		if packed.MPState, err = j.machine.MPState(vcpu); err != nil {
			return err
		}
		j.state.VCPUs = append(j.state.VCPUs, packed)
	}
	state, err := j.machine.VGICState()
	j.state.VGIC = state
	return err
}

// sortRegisters puts registers into the order of their ids, as the kernel's
// list is.
func sortRegisters(registers []Register) {
	slices.SortFunc(registers, func(a, b Register) int { return cmp.Compare(a.ID, b.ID) })
}
