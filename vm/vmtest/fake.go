// Package vmtest has what tests of backends need: a fake host of about a
// hundred lines, which shows that the interfaces of package vm can be met
// without a kernel, and TestHost, which any host can be put to.
package vmtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// Fake is a host with a handful of registers. A write is taken where every
// field of four bits is at most the limit's, as KVM does for most fields;
// everything is one copy per VM but MPIDR_EL1.
type Fake struct {
	// Limits are the registers of a new VM.
	Limits map[arm64.ID]uint64
	// Features are those a setup may name.
	Features []guise.Feature
	// Shows changes what a guest sees of a register; nil shows what was
	// written.
	Shows func(id arm64.ID, value uint64) uint64
	// AfterRun changes what a VM holds when a vCPU runs for the first time; nil
	// leaves it alone.
	AfterRun func(id arm64.ID, value uint64) uint64
}

// String gives "fake".
func (f *Fake) String() string { return "fake" }

// Close does nothing.
func (f *Fake) Close() error { return nil }

// NewVM makes a VM.
func (f *Fake) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, feature := range setup.Features {
		if !slices.Contains(f.Features, feature) {
			return nil, &vm.CallError{Call: "KVM_ARM_VCPU_INIT", Subject: string(feature), Errno: syscall.EINVAL, Lacking: true}
		}
	}
	if vcpus < 1 || setup.Protected || setup.VGIC != 0 || len(setup.Capabilities) > 0 {
		return nil, fmt.Errorf("fake: %d vCPUs of setup %s: %w", vcpus, setup.Name(), vm.ErrNotSupported)
	}
	return &fakeVM{host: f, vcpus: vcpus, values: maps.Clone(f.Limits)}, nil
}

type fakeVM struct {
	host   *Fake
	vcpus  int
	values map[arm64.ID]uint64
	ran    bool
}

var mpidr = arm64.Encoding{Op0: 3, Op2: 5}.ID()

func (m *fakeVM) Close() error { return nil }

func (m *fakeVM) check(op string, vcpu int, id arm64.ID, value uint64) error {
	if vcpu < 0 || vcpu >= m.vcpus {
		return fmt.Errorf("fake: vCPU %d of %d", vcpu, m.vcpus)
	}
	errno := syscall.Errno(0)
	limit, ok := m.host.Limits[id]
	switch {
	case !ok && id != mpidr:
		errno = syscall.ENOENT
	case op == "set" && m.ran && value != m.values[id]:
		errno = syscall.EBUSY
	case op == "set":
		for shift := 0; shift < 64; shift += 4 {
			if value>>shift&15 > limit>>shift&15 {
				errno = syscall.EINVAL
			}
		}
	}
	if errno == 0 {
		return nil
	}
	return &vm.RegisterError{Op: op, ID: id, Name: id.String(), Value: value, Errno: errno}
}

func (m *fakeVM) Get(vcpu int, id arm64.ID) (uint64, error) {
	if err := m.check("get", vcpu, id, 0); err != nil {
		return 0, err
	}
	if id == mpidr {
		return 1<<31 | uint64(vcpu), nil
	}
	return m.values[id], nil
}

func (m *fakeVM) Set(vcpu int, id arm64.ID, value uint64) error {
	if err := m.check("set", vcpu, id, value); err != nil {
		return err
	}
	m.values[id] = value
	return nil
}

func (m *fakeVM) List(int) ([]arm64.ID, error) {
	return slices.Sorted(maps.Keys(m.values)), nil
}

func (m *fakeVM) RunNothing(int) error {
	m.start()
	return syscall.EINTR
}

// start is the first run.
func (m *fakeVM) start() {
	if !m.ran && m.host.AfterRun != nil {
		for id, value := range m.values {
			m.values[id] = m.host.AfterRun(id, value)
		}
	}
	m.ran = true
}

// Run evaluates MRS and MSR, and MRC of what is half of an AArch64 register; it
// denies every call and executes nothing.
func (m *fakeVM) Run(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.start()
	trace := probe.NewTrace(program)
	for i, op := range program.Ops {
		record := &trace.Records[i]
		switch op.Kind {
		case probe.HVC, probe.SMC:
			record.Outcome, record.Count, record.Values[0] = probe.Completed, probe.MaxValues, ^uint64(0)
			continue
		case probe.Execute:
			continue
		}
		id, bits := op.Register.ID(), ^uint64(0)
		if place, half := op.Coprocessor.Place(); half && op.Kind == probe.MRC {
			id, bits = arm64.ID(arm64.Registers[place].ID), 0xffff_ffff
		}
		value, err := m.Get(vcpu, id)
		if op.Kind != probe.MRS && op.Kind != probe.MRC || err != nil {
			record.Outcome, record.Syndrome = probe.Exception, undefined
			continue
		}
		if m.host.Shows != nil {
			value = m.host.Shows(id, value)
		}
		value &= bits
		record.Outcome, record.Count, record.Values[0] = probe.Completed, 1, value
	}
	return trace, nil
}

// undefined is the syndrome of an undefined instruction: class 0, 32 bits long.
const undefined = 1 << 25
