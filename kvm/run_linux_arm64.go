package kvm

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// pmuInterrupt is PPI 7 (Arm Base System Architecture).
const pmuInterrupt = 23

// prepare does what the kernel wants before a vCPU's first KVM_RUN and what
// cannot be done before: SVE and the PMU are completed as late as possible, so
// that vector lengths and an interrupt controller can still be chosen. It does nothing
// where the user wants to.
func (m *machine) prepare(index int) error {
	v := m.vcpus[index]
	if m.incomplete {
		return nil
	}
	if m.setup.Has(guise.FeatureSVE) && !v.finalised {
		if err := m.Finalize(index); err != nil {
			return err
		}
	}
	if !m.setup.Has(guise.FeaturePMU) || v.pmuReady {
		return nil
	}
	if m.vgic >= 0 {
		if err := m.SetPMUInterrupt(index, pmuInterrupt); err != nil {
			return err
		}
	}
	return m.InitPMU(index)
}

// LeaveIncomplete leaves it to the user to complete vCPUs.
func (m *machine) LeaveIncomplete() { m.incomplete = true }

// SetPMUInterrupt gives a vCPU's PMU its interrupt.
func (m *machine) SetPMUInterrupt(index int, interrupt int32) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	if errno := attribute(m.host, v.fd, kvmabi.SetDeviceAttr, kvmabi.VCPUPMUControl, kvmabi.VCPUPMUIRQ, &interrupt); errno != 0 {
		return m.refused(kvmabi.SetDeviceAttr, fmt.Sprintf("interrupt of vCPU %d's PMU", index), errno, false, "")
	}
	return nil
}

// InitPMU initialises a vCPU's PMU.
func (m *machine) InitPMU(index int) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	if errno := attribute[uint64](m.host, v.fd, kvmabi.SetDeviceAttr, kvmabi.VCPUPMUControl, kvmabi.VCPUPMUInit, nil); errno != 0 {
		return m.refused(kvmabi.SetDeviceAttr, fmt.Sprintf("initialisation of vCPU %d's PMU", index), errno, false, "")
	}
	v.pmuReady = true
	return nil
}

// RunNothing enters KVM_RUN with immediate_exit. It returns EINTR where the
// kernel did as it should.
func (m *machine) RunNothing(index int) error {
	v, err := m.vcpuAt(index)
	if err != nil {
		return err
	}
	if err := m.prepare(index); err != nil {
		return err
	}
	atomic.StoreUint32(&v.area.Control, kvmabi.ImmediateExit)
	defer atomic.StoreUint32(&v.area.Control, 0)
	_, errno := m.host.call(v.fd, kvmabi.Run, 0)
	if errno == 0 {
		return fmt.Errorf("kvm: KVM_RUN with immediate_exit came back with %s", v.area.Describe())
	}
	return m.refused(kvmabi.Run, fmt.Sprintf("vCPU %d with immediate_exit", index), errno, false, "")
}

// Run has a vCPU execute a probe program.
func (m *machine) Run(ctx context.Context, index int, program *probe.Program) (*probe.Trace, error) {
	trace, _, err := m.run(ctx, index, program)
	return trace, err
}

// run also returns the image that the vCPU executed.
func (m *machine) run(ctx context.Context, index int, program *probe.Program) (*probe.Trace, *probe.Image, error) {
	v, err := m.vcpuAt(index)
	if err != nil {
		return nil, nil, err
	}
	if err := program.RunsIn(m.setup.State()); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", vm.ErrNotSupported, err)
	}
	if m.setup.Has(guise.FeatureEL2) && m.setup.VGIC != 3 {
		// Linux 7.2 makes such a VM and then never lets its vCPU run.
		return nil, nil, fmt.Errorf("probe %s: %w: a vCPU with EL2 runs only with a vGICv3", program.Name, vm.ErrNotSupported)
	}
	if m.setup.Has(guise.FeatureEL2) && m.setup.Has(guise.FeatureE2H0) {
		return nil, nil, fmt.Errorf("probe %s: %w: probes start at an EL2 with VHE", program.Name, vm.ErrNotSupported)
	}
	if m.setup.Protected && m.setup.Has(guise.FeatureAArch32) {
		return nil, nil, fmt.Errorf("probe %s: %w: the records of a guest in AArch32 lie in memory, which of a protected VM is hidden", program.Name, vm.ErrNotSupported)
	}
	layout := probe.Layout{State: m.setup.State(), Base: m.nextImage}
	if m.setup.Protected {
		// The host cannot read a protected guest's memory.
		layout.Channel = probe.MMIO
	}
	image, err := program.Build(layout)
	if err != nil {
		return nil, nil, err
	}
	m.nextImage = image.Base + image.MemorySize
	memory, err := m.addMemory(image.Base, image.MemorySize)
	if err != nil {
		return nil, nil, err
	}
	copy(memory, image.Bytes)
	run, err := image.NewRun(memory)
	if err != nil {
		return nil, nil, err
	}
	if v.ran {
		// An image starts from the reset state.
		if err := m.rewind(index); err != nil {
			return nil, nil, err
		}
	}
	if err := m.prepare(index); err != nil {
		return nil, nil, err
	}
	if err := m.Set(index, kvmabi.CorePC, image.Entry); err != nil {
		return nil, nil, err
	}
	v.ran = true
	ctx, stop := whileMoving(ctx, patience, run.Completed)
	defer stop()
	err = m.untilDone(ctx, index, func(access *vm.Access) (bool, error) {
		if !access.Write {
			return false, fmt.Errorf("probe image: load from %#x, where there is no memory", access.Address)
		}
		return run.Store(access.Address, access.Data)
	})
	trace, incomplete := run.Trace()
	if err == nil {
		err = incomplete
	}
	return trace, image, err
}

// untilDone runs a vCPU until handle says that it is done. A load gets what
// handle puts into the access's Data.
func (m *machine) untilDone(ctx context.Context, index int, handle func(*vm.Access) (done bool, err error)) error {
	v := m.vcpus[index]
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	kicked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(kicked)
		// The flag first: a signal that comes before KVM_RUN is entered would
		// otherwise be lost.
		atomic.StoreUint32(&v.area.Control, kvmabi.ImmediateExit)
		kick(thread)
	})
	defer func() {
		if !stop() {
			<-kicked // or it would write to a mapping that is gone
			atomic.StoreUint32(&v.area.Control, 0)
		}
	}()
	for {
		_, errno := m.host.call(v.fd, kvmabi.Run, 0)
		if err := ctx.Err(); err != nil {
			pc, _ := m.Get(index, kvmabi.CorePC)
			return fmt.Errorf("vCPU %d: stopped at %#x after %s: %w", index, pc, v.area.Describe(), context.Cause(ctx))
		}
		if errno == unix.EINTR || errno == unix.EAGAIN {
			continue
		}
		if errno != 0 {
			return m.refused(kvmabi.Run, fmt.Sprintf("vCPU %d of %s", index, m.subject()), errno, false, "")
		}
		switch v.area.ExitReason {
		case kvmabi.ExitMMIO:
			exit := v.area.MMIO()
			access := vm.Access{Address: exit.Addr, Data: exit.Data[:min(exit.Len, 8)], Write: exit.Write}
			done, err := handle(&access)
			if !access.Write {
				v.area.PutMMIO(binary.LittleEndian.Uint64(exit.Data[:]))
			}
			if done || err != nil {
				return err
			}
		case kvmabi.ExitHypercall:
			// A filter forwarded the call and nobody here serves it.
			if err := m.Set(index, kvmabi.CoreX(0), smcccNotSupported); err != nil {
				return err
			}
		default:
			pc, _ := m.Get(index, kvmabi.CorePC)
			return fmt.Errorf("vCPU %d stopped at %#x: %s", index, pc, v.area.Describe())
		}
	}
}

// smcccNotSupported is NOT_SUPPORTED (Arm DEN 0028).
const smcccNotSupported = ^uint64(0)
