package move

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// Refusal is a register that the new host did not take.
type Refusal struct {
	VCPU  int
	ID    arm64.ID
	Name  string
	Value []byte
	Errno syscall.Errno
}

// Arrival is what became of a VM on its new host.
type Arrival struct {
	Host guise.HostFacts
	// Contract are the parts of the contract that the host did not take;
	// Refused the other registers. Where there are any the VM was dropped and
	// nothing looked.
	Contract []vm.Refusal
	Refused  []Refusal
	// Left are registers that the host does not have and nobody misses: those
	// that the contract does not list, as some of its hosts do not have them,
	// and those that were 0.
	Left []arm64.ID
	// Differences are what did not survive; none where the move succeeded.
	Differences []Difference
	// Looked is how many vCPUs looked again; Traces are what each saw, on both
	// hosts.
	Looked int
	Traces []*probe.Trace
}

// Arrived reports whether the VM was moved whole.
func (a *Arrival) Arrived() bool {
	return len(a.Contract)+len(a.Refused)+len(a.Differences) == 0 && a.Looked > 0
}

// Restore makes the VM again on a host, runs it on, and has its guest compare.
// What the host refuses is in the answer; the error is for what could not be
// done.
//
// It does so in the order of a VMM: guise.VMMGuise gives the new VM the contract, with
// this host's own bits where they vary, and writes the rest; one of QEMU's compares the
// lists, and writes every register that the state has to a VM that was given the setup
// alone. Other VMMs are vm.ErrNotSupported.
func Restore(ctx context.Context, host vm.Host, state *State, as guise.VMM) (_ *Arrival, err error) {
	if err := CanMove(&state.Contract.Setup); err != nil {
		return nil, err
	}
	contract := state.Contract
	switch {
	case as == guise.VMMGuise:
	case as.ComparesLists():
		contract = &guise.Contract{Name: state.Contract.Name, Setup: state.Contract.Setup}
		contract.Complete(func(arm64.ID) bool { return false })
	default:
		return nil, fmt.Errorf("restoring as %s: %w", as, vm.ErrNotSupported)
	}
	arrival := &Arrival{}
	if describer, ok := host.(vm.Describer); ok {
		if arrival.Host, err = describer.Describe(); err != nil {
			return nil, err
		}
	}
	machine, _, err := vm.Apply(ctx, host, contract, len(state.VCPUs))
	var refused *vm.ApplyError
	if errors.As(err, &refused) {
		arrival.Contract = refused.Refusals
		return arrival, nil
	}
	var lacking *vm.CallError
	if errors.As(err, &lacking) && lacking.Lacking {
		arrival.Contract = []vm.Refusal{{Register: "setup", Errno: lacking.Errno, Hint: lacking.Hint}}
		return arrival, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	movable, err := asMovable(host, machine, &state.Contract.Setup)
	if err != nil {
		return nil, err
	}
	if err := filter(machine, state.Filters); err != nil {
		return nil, err
	}
	j := &journey{ctx: ctx, machine: movable, state: state, verbatim: as != guise.VMMGuise}
	if j.verbatim {
		if err := j.compareLists(arrival, as); err != nil || len(arrival.Refused) > 0 {
			return arrival, err
		}
	}
	memories, err := j.unpack(arrival)
	if err != nil || len(arrival.Refused) > 0 {
		return arrival, err
	}
	return arrival, j.arrive(memories, arrival)
}

// compareLists refuses registers of the state that the host does not list, and leaves
// behind those of which the VMM forgives it.
func (j *journey) compareLists(arrival *Arrival, as guise.VMM) error {
	listed, err := j.machine.List(0)
	if err != nil {
		return err
	}
	slices.Sort(listed)
	for _, register := range j.state.VCPUs[0].Registers {
		if _, found := slices.BinarySearch(listed, register.ID); found {
			continue
		}
		value := make([]byte, 8)
		copy(value, register.Value)
		switch as.Tolerates(register.ID, binary.LittleEndian.Uint64(value)) {
		case guise.Yes:
			arrival.Left = append(arrival.Left, register.ID)
		case guise.Unknown:
			return fmt.Errorf("%s is not listed: whether %s forgives it is not known", guise.NameOf(register.ID), as)
		default:
			arrival.Refused = append(arrival.Refused, Refusal{0, register.ID, guise.NameOf(register.ID), register.Value, 0})
		}
	}
	return nil
}

// stages is the order in which registers other than the contract's are written.
// The counters come last of all (clocks): time stands still until they are.
var stages = []func(id arm64.ID) bool{
	func(id arm64.ID) bool { _, system := id.Encoding(); return system && !timer(id) && !clock(id) },
	func(id arm64.ID) bool { _, system := id.Encoding(); return !system },
	timer,
}

func timer(id arm64.ID) bool {
	return slices.Contains([]arm64.ID{kvmabi.TimerCTL, kvmabi.TimerCVAL, kvmabi.PTimerCTL, kvmabi.PTimerCVAL}, id)
}

// clock reports whether the id is that of a counter. They are one per VM:
// writing one sets the distance to the host's counter.
func clock(id arm64.ID) bool { return id == kvmabi.TimerCNT || id == kvmabi.PTimerCNT }

// unpack writes the state into a new VM that has the contract already.
func (j *journey) unpack(arrival *Arrival) ([][]byte, error) {
	var memories [][]byte
	for _, region := range j.state.Memory {
		memory, err := j.machine.AddMemory(region.Base, uint64(len(region.Data)))
		if err != nil {
			return nil, err
		}
		copy(memory, region.Data)
		if region.Tags != nil {
			if err := j.tags().SetTags(region.Base, region.Tags); err != nil {
				return nil, err
			}
		}
		memories = append(memories, memory)
	}
	for _, stage := range stages {
		for vcpu := range j.state.VCPUs {
			for _, register := range j.state.VCPUs[vcpu].Registers {
				if stage(register.ID) {
					if err := j.write(arrival, vcpu, register); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	for vcpu := range j.state.VCPUs {
		if err := j.machine.SetEvents(vcpu, j.state.VCPUs[vcpu].Events); err != nil {
			return nil, err
		}
		if err := j.machine.SetMPState(vcpu, j.state.VCPUs[vcpu].MPState); err != nil {
			return nil, err
		}
	}
	if err := j.machine.SetVGICState(j.state.VGIC); err != nil {
		return nil, err
	}
	if j.state.Contract.Setup.VGIC == 2 {
		if err := j.holdLine(); err != nil {
			return nil, err
		}
	}
	for _, register := range j.state.VCPUs[0].Registers {
		if clock(register.ID) {
			if err := j.write(arrival, 0, register); err != nil {
				return nil, err
			}
		}
	}
	return memories, nil
}

// write writes one register. Unless the state is restored verbatim, the contract's have
// been written already: with this host's own bits where they vary.
func (j *journey) write(arrival *Arrival, vcpu int, register Register) error {
	place, ok := arm64.PlaceOf(register.ID)
	switch {
	case register.ID == arm64.IDSVEVectorLengths, ok && vm.ContractRegister(place) && !j.verbatim:
		return j.missing(arrival, vcpu, register)
	case j.verbatim && slices.Contains(arrival.Left, register.ID):
		return nil
	}
	err := j.machine.SetWide(vcpu, register.ID, register.Value)
	return j.judge(arrival, vcpu, register, err)
}

// missing finds out whether the host has a register of the contract at all.
func (j *journey) missing(arrival *Arrival, vcpu int, register Register) error {
	err := j.machine.GetWide(vcpu, register.ID, make([]byte, len(register.Value)))
	place, ok := arm64.PlaceOf(register.ID)
	if ok && vm.KeepsOwn(place) && errors.Is(err, syscall.ENOENT) {
		if vcpu == 0 {
			arrival.Left = append(arrival.Left, register.ID)
		}
		return nil
	}
	return j.judge(arrival, vcpu, register, err)
}

// judge sorts what became of a register.
func (j *journey) judge(arrival *Arrival, vcpu int, register Register, err error) error {
	var refused *vm.RegisterError
	if !errors.As(err, &refused) {
		return err
	}
	if !j.verbatim && refused.Errno == syscall.ENOENT && (j.unlisted(register.ID) || !slices.ContainsFunc(register.Value, func(b byte) bool { return b != 0 })) {
		if vcpu == 0 {
			arrival.Left = append(arrival.Left, register.ID)
		}
		return nil
	}
	arrival.Refused = append(arrival.Refused, Refusal{vcpu, register.ID, guise.NameOf(register.ID), register.Value, refused.Errno})
	return nil
}

// unlisted reports whether the contract is known not to list a register. What
// such a register holds is of no use to a guest: 6.12 lists PIR_EL1 whether or
// not the vCPU has it, and it then holds what KVM resets registers to that the
// architecture leaves unknown.
func (j *journey) unlisted(id arm64.ID) bool {
	listed := j.state.Contract.Listed
	_, found := slices.BinarySearch(listed, id)
	return listed != nil && !found
}

// arrive runs every vCPU to its end and compares.
func (j *journey) arrive(memories [][]byte, arrival *Arrival) error {
	for vcpu, memory := range memories {
		guest, err := image(&j.state.Contract.Setup, vcpu)
		if err != nil {
			return err
		}
		run, err := guest.NewRun(memory)
		if err != nil {
			return err
		}
		err = j.resume(vcpu, func(access *vm.Access) (bool, error) { return run.Store(access.Address, access.Data) })
		trace, incomplete := run.Trace()
		if err = errors.Join(err, incomplete); err != nil {
			return fmt.Errorf("vCPU %d after the move: %w", vcpu, err)
		}
		arrival.Traces = append(arrival.Traces, trace)
		arrival.Looked++
		arrival.Differences = append(arrival.Differences, compare(j.state.Contract, &j.state.Contract.Setup, vcpu, trace)...)
	}
	return nil
}
