package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// guestLimit bounds one run of a probe program. The longest takes well under a
// second on hardware and some seconds where EL2 is emulated.
const guestLimit = time.Minute

// CaptureOptions choose what to capture. The zero value captures all there is.
type CaptureOptions struct {
	// Setups are the setups to capture; nil stands for every one the host
	// accepts.
	Setups []guise.Setup
	// Progress, where not nil, is told before each setup how many are done, and
	// of how many. On a machine with unlike cores it begins anew with each kind.
	Progress func(done, of int64)
}

// Capture finds what a host can give a guest, setup by setup, from the host
// itself: it makes VMs and drops them. On a machine with unlike cores it
// captures what the scheduler happens to give; CaptureCores keeps them apart.
func Capture(ctx context.Context, host Host, options CaptureOptions) (*guise.Capture, error) {
	if host == nil {
		return nil, errNothing
	}
	capture := &guise.Capture{Name: host.String()}
	if describer, ok := host.(Describer); ok {
		facts, err := describer.Describe()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", host, err)
		}
		capture.Host = facts
	}
	if checker, ok := host.(CapabilityChecker); ok {
		values, err := capabilityValues(checker)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", host, err)
		}
		capture.Host.Capabilities = values
	}
	setups := options.Setups
	if setups == nil {
		capture.Complete = true
		var err error
		if setups, err = acceptedSetups(ctx, host); err != nil {
			return nil, fmt.Errorf("%s: %w", host, err)
		}
	}
	for i, setup := range setups {
		if options.Progress != nil {
			options.Progress(int64(i), int64(len(setups)))
		}
		c := capturer{ctx: ctx, host: host, setup: setup}
		captured, err := c.capture()
		if options.Setups == nil && cannotRun(&setup, err) {
			// Vcpus of this setup can be made and never run.
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: setup %s: %w", host, setup.Key(), err)
		}
		capture.Setups = append(capture.Setups, *captured)
	}
	if len(capture.Setups) == 0 {
		return nil, fmt.Errorf("%s: no VM could be made: %w", host, ErrNotSupported)
	}
	return capture, nil
}

// CaptureCores captures a host once for each kind of core it has, tied to the
// CPUs of that kind: what a guest sees of caches, identity and counters is that
// of the CPU it runs on.
func CaptureCores(ctx context.Context, host Host, options CaptureOptions) ([]*guise.Capture, error) {
	pinner, ok := host.(Pinner)
	if !ok {
		capture, err := Capture(ctx, host, options)
		return []*guise.Capture{capture}, err
	}
	kinds, err := pinner.Cores()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	if len(kinds) < 2 {
		capture, err := Capture(ctx, host, options)
		return []*guise.Capture{capture}, err
	}
	var captures []*guise.Capture
	for _, kind := range kinds {
		capture, err := capturePinned(ctx, host, pinner, kind, options)
		if err != nil {
			return nil, fmt.Errorf("CPUs %v: %w", kind.CPUs, err)
		}
		captures = append(captures, capture)
	}
	return captures, nil
}

func capturePinned(ctx context.Context, host Host, pinner Pinner, kind CoreKind, options CaptureOptions) (capture *guise.Capture, err error) {
	release, err := pinner.Pin(kind.CPUs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	capture, err = Capture(ctx, host, options)
	if err != nil {
		return nil, err
	}
	capture.Host.CPUs = []guise.HostCPU{kind.CPU}
	return capture, nil
}

// cannotRun reports whether an error says that KVM_RUN refuses VMs of a setup
// as a whole: EINVAL, or EAGAIN of those with EL2 and without a GICv3
// (docs/findings.md). EAGAIN of others may pass, and tells nothing of the setup.
func cannotRun(setup *guise.Setup, err error) bool {
	var refused *CallError
	if !errors.As(err, &refused) || refused.Call != kvmabi.Run.String() {
		return false
	}
	neverRuns := setup.Has(guise.FeatureEL2) && setup.VGIC != 3
	return refused.Errno == syscall.EINVAL || refused.Errno == syscall.EAGAIN && neverRuns
}

// capturer captures one setup.
type capturer struct {
	ctx     context.Context
	host    Host
	setup   guise.Setup
	scratch VM // the VM that is written to before any run
	result  *guise.CapturedSetup
	// own holds the registers that a guest of an ordinary VM reads other than
	// userspace does.
	own arm64.View
}

func (c *capturer) capture() (_ *guise.CapturedSetup, err error) {
	c.result = &guise.CapturedSetup{Setup: c.setup, Registers: guise.Read, Accepts: guise.Tried}
	c.scratch, err = c.host.NewVM(c.ctx, c.setup, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.scratch.Close()) }()
	if err := c.readVectorLengths(); err != nil {
		return nil, err
	}
	if err := readRegisters(c.scratch, 0, &c.result.View); err != nil {
		return nil, err
	}
	if err := c.readList(); err != nil {
		return nil, err
	}
	if err := c.readMasks(); err != nil {
		return nil, err
	}
	if checker, ok := c.scratch.(CapabilityChecker); ok {
		bits, err := checker.CheckCapability(uint32(kvmabi.CapVMIPASize))
		if err != nil && !errors.Is(err, ErrNotSupported) {
			return nil, err
		}
		c.result.IPABits = bits
	}
	if err := c.findOffers(); err != nil {
		return nil, err
	}
	return c.result, nil
}

// readRegisters reads every register of the table that KVM has for the vCPU.
func readRegisters(machine VM, vcpu int, view *arm64.View) error {
	for place := range arm64.Registers {
		if !ContractRegister(place) {
			continue
		}
		value, err := machine.Get(vcpu, arm64.ID(arm64.Registers[place].ID))
		if errors.Is(err, syscall.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		view.Put(place, value)
	}
	return nil
}

// readVectorLengths reads the SVE vector lengths and finalises SVE, without
// which the registers cannot be listed.
func (c *capturer) readVectorLengths() error {
	if !c.setup.Has(guise.FeatureSVE) {
		return nil
	}
	if wide, ok := c.scratch.(WideRegisters); ok {
		lengths := make([]byte, arm64.IDSVEVectorLengths.Size())
		if err := wide.GetWide(0, arm64.IDSVEVectorLengths, lengths); err != nil {
			return err
		}
		c.result.VectorLengths = uint16(lengths[0]) | uint16(lengths[1])<<8
	}
	if finalizer, ok := c.scratch.(Finalizer); ok {
		return finalizer.Finalize(0)
	}
	return nil
}

// readList lists the registers, and reads those of the feature ID space that
// the table does not know.
func (c *capturer) readList() error {
	lister, ok := c.scratch.(Lister)
	if !ok {
		return nil
	}
	ids, err := lister.List(0)
	if err != nil {
		return err
	}
	c.result.Listed = ids
	for _, id := range ids {
		e, system := id.Encoding()
		if _, known := arm64.PlaceOf(id); known || !system || !e.InFeatureSpace() {
			continue
		}
		value, err := c.scratch.Get(0, id)
		if err != nil {
			return err
		}
		if c.result.Extra == nil {
			c.result.Extra = map[arm64.ID]uint64{}
		}
		c.result.Extra[id] = value
	}
	return nil
}

// readMasks records what the kernel says can be written.
func (c *capturer) readMasks() error {
	reporter, ok := c.scratch.(MaskReporter)
	if !ok {
		return nil
	}
	ranges, err := reporter.MaskRanges()
	if err != nil || ranges == 0 {
		return err
	}
	c.result.MaskRanges = ranges
	if ranges>>kvmabi.FeatureIDRange&1 == 0 {
		return nil
	}
	masks, err := reporter.WritableMasks(kvmabi.FeatureIDRange)
	if errors.Is(err, ErrNotSupported) {
		// A kernel refuses this for protected VMs.
		return nil
	}
	if err != nil {
		return err
	}
	c.result.Masks = map[arm64.ID]uint64{}
	for i, e := range arm64.FeatureSpace() {
		if masks[i] != 0 {
			c.result.Masks[e.ID()] = masks[i]
		}
	}
	return nil
}

// ContractRegister reports whether KVM holds the register at place for a guest
// and a contract may fix it. MPIDR_EL1 and CSSELR_EL1 are the VMM's.
func ContractRegister(place int) bool {
	register := &arm64.Registers[place]
	return register.Scope != isa.Hardware && register.Name != "MPIDR_EL1" && register.Name != "CSSELR_EL1"
}

// acceptedSetups finds the setups that the host accepts: it tries every
// combination of the features it has, without and with an interrupt
// controller, ordinary and protected.
func acceptedSetups(ctx context.Context, host Host) ([]guise.Setup, error) {
	accepts := func(setup guise.Setup) (bool, error) {
		machine, err := host.NewVM(ctx, setup, 1)
		if errors.Is(err, ErrNotSupported) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, machine.Close()
	}
	capabilities, err := acceptedCapabilities(accepts)
	if err != nil {
		return nil, err
	}
	// A feature that is refused alone is refused in company.
	var available []guise.Feature
	for _, feature := range guise.Features {
		ok, err := accepts(guise.Setup{Features: []guise.Feature{feature}, Capabilities: capabilities})
		if err != nil {
			return nil, err
		}
		if ok {
			available = append(available, feature)
		}
	}
	var setups []guise.Setup
	for _, protected := range []bool{false, true} {
		for choice := range 1 << len(available) {
			var features []guise.Feature
			for i, feature := range available {
				if choice>>i&1 != 0 {
					features = append(features, feature)
				}
			}
			for _, vgic := range []int{0, 2, 3} {
				setup := guise.Setup{Features: features, VGIC: vgic, Protected: protected, Capabilities: capabilities}
				if protected {
					setup.Capabilities = nil
				}
				ok, err := accepts(setup)
				if err != nil {
					return nil, err
				}
				if ok {
					setups = append(setups, setup)
				}
			}
		}
	}
	return setups, nil
}

// capabilityValues asks a host for every capability of the table. What can only
// be asked of a VM (KVM_CAP_MSI_DEVID: EINVAL) stays out.
func capabilityValues(checker CapabilityChecker) (map[string]int64, error) {
	values := map[string]int64{}
	for _, row := range kvmabi.Capabilities {
		value, err := checker.CheckCapability(uint32(row.Capability))
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, ErrNotSupported) {
			continue // or the model does not say
		}
		if err != nil {
			return nil, err
		}
		values[row.Name] = int64(value)
	}
	return values, nil
}

// acceptedCapabilities finds which of the capabilities that let a VMM change
// more the host has. They give a VM nothing by themselves, so that every setup
// is captured with them.
func acceptedCapabilities(accepts func(guise.Setup) (bool, error)) ([]string, error) {
	var found []string
	for _, capability := range []kvmabi.Capability{kvmabi.CapWritableImpIDRegs} {
		ok, err := accepts(guise.Setup{Capabilities: []string{capability.String()}})
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, capability.String())
		}
	}
	slices.Sort(found)
	return found, nil
}

// readings is what a capture has a guest read.
var readings = sync.OnceValue(func() *probe.Program {
	return probe.Join("capture", probe.FeatureSpace(), probe.Hardware())
})

// look has a guest read what no ioctl tells, and everything else as well.
func look(ctx context.Context, machine VM, vcpu int) (*probe.Trace, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, guestLimit, fmt.Errorf("the guest did not end within %v", guestLimit))
	defer cancel()
	return machine.Run(ctx, vcpu, readings())
}

// seenBy puts into view what the guest read of the table's registers. The
// CCSIDR_EL1 values are left out: a guest reads them one by one through
// CSSELR_EL1, where KVM need not hold them.
func seenBy(trace *probe.Trace, view *arm64.View, wanted func(place int) bool) {
	for i := range trace.Records {
		record := &trace.Records[i]
		if record.Kind != probe.MRS || record.Outcome != probe.Completed {
			continue
		}
		if place, ok := arm64.Place(record.Name); ok && wanted(place) {
			view.Put(place, record.Values[0])
		}
	}
}
