package vm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// Refusal is one part of a contract that a host did not take.
type Refusal struct {
	VCPU     int
	Register string
	Field    string // "" where it is about the whole register
	Wanted   uint64 // of the field where there is one, else of the register
	// There is what the host shows by itself, or after an accepted write what
	// it stored instead.
	There uint64
	// Errno is 0 where the write was accepted and stored as There.
	Errno syscall.Errno
	Hint  string
}

// Name gives the object of the refusal: ID_AA64MMFR2_EL1.NV.
func (r *Refusal) Name() string {
	if r.Field == "" {
		return r.Register
	}
	return r.Register + "." + r.Field
}

func (r *Refusal) String() string {
	wanted, there := r.Texts()
	if r.Errno == 0 {
		return fmt.Sprintf("%s: %s was accepted and stored as %s", r.Name(), wanted, there)
	}
	return fmt.Sprintf("%s: want %s, the host gives %s: %v", r.Name(), wanted, there, r.Errno)
}

// Texts gives both values in the notation that answers have for their kind.
func (r *Refusal) Texts() (wanted, there string) {
	register := arm64.Named(r.Register)
	if register == nil {
		return fmt.Sprintf("%#x", r.Wanted), fmt.Sprintf("%#x", r.There)
	}
	if field := register.Field(r.Field); field != nil {
		return field.Text(r.Wanted), field.Text(r.There)
	}
	return register.Text(r.Wanted), register.Text(r.There)
}

// ApplyError says that a host does not take a contract. The VM was dropped.
type ApplyError struct {
	Host     string
	Contract string
	Refusals []Refusal // at least one
}

func (e *ApplyError) Error() string {
	text := make([]string, len(e.Refusals))
	for i := range e.Refusals {
		text[i] = e.Refusals[i].String()
	}
	return fmt.Sprintf("%s: %s does not take the contract: %s", e.Contract, e.Host, strings.Join(text, "; "))
}

// Unwrap gives the errnos, so that errors.Is(err, syscall.EINVAL) holds.
func (e *ApplyError) Unwrap() []error {
	var errs []error
	for i := range e.Refusals {
		if e.Refusals[i].Errno != 0 {
			errs = append(errs, e.Refusals[i].Errno)
		}
	}
	return errs
}

// Applied is what applying a contract did.
type Applied struct {
	Setup  guise.Setup // of the VM that was made
	Writes int         // registers written, on all vCPUs
	Reads  int
}

// Apply makes a VM of the contract's setup with that many vCPUs and gives it
// the contract. Only what differs from what the host gives by itself is
// written: VM-wide registers once, the others on each vCPU. Where the host
// refuses anything the VM is dropped and the error is an *ApplyError that names
// everything it refuses; there is never half a contract.
func Apply(ctx context.Context, host Host, contract *guise.Contract, vcpus int) (VM, *Applied, error) {
	if host == nil || contract == nil {
		return nil, nil, errNothing
	}
	if err := contract.Incomplete(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", contractName(contract), err)
	}
	setup := contract.Setup
	machine, err := newContractVM(ctx, host, &setup, vcpus)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: setup %s: %w", contractName(contract), contract.Setup.Key(), err)
	}
	a := &applier{ctx: ctx, host: host, machine: machine, contract: contract, vcpus: vcpus, done: Applied{Setup: setup}}
	if err := a.apply(); err != nil {
		return nil, nil, errors.Join(err, machine.Close())
	}
	if len(a.refusals) > 0 {
		refused := &ApplyError{Host: host.String(), Contract: contractName(contract), Refusals: a.refusals}
		return nil, nil, errors.Join(refused, machine.Close())
	}
	return machine, &a.done, nil
}

// contractName names a contract in messages.
func contractName(c *guise.Contract) string {
	if c.Name == "" {
		return "contract"
	}
	return c.Name
}

// newContractVM makes the VM. The capability that makes identity writable is
// enabled where the host has it; where it does not, the identity must be the
// host's own, which comparing the registers shows.
func newContractVM(ctx context.Context, host Host, setup *guise.Setup, vcpus int) (VM, error) {
	// A contract's IPA size is what its hosts can give, not what a VM needs:
	// KVM's default will do for one that is only looked at.
	setup.IPABits = 0
	machine, err := host.NewVM(ctx, *setup, vcpus)
	identity := slices.Index(setup.Capabilities, kvmabi.CapWritableImpIDRegs.String())
	if identity < 0 || !errors.Is(err, ErrNotSupported) {
		return machine, err
	}
	setup.Capabilities = slices.Delete(slices.Clone(setup.Capabilities), identity, identity+1)
	return host.NewVM(ctx, *setup, vcpus)
}

// applier gives one VM one contract.
type applier struct {
	ctx      context.Context
	host     Host
	machine  VM
	contract *guise.Contract
	vcpus    int
	done     Applied
	refusals []Refusal
	alone    *arm64.View // see seenAlone
}

// stages is the order of writing. Within a stage registers go in the table's
// order. ID registers come before any other vCPU state, as the kernel's
// documentation asks; what is judged against another register comes after it:
// CLIDR_EL1 and CCSIDR_EL1 after CTR_EL0, and SMCCC_ARCH_WORKAROUND_2 after
// ID_AA64PFR1_EL1.SSBS.
var stages = []func(place int) bool{
	func(place int) bool { return arm64.Registers[place].Scope == isa.PerVM && !firmware(place) },
	func(place int) bool { return arm64.Registers[place].Scope == isa.PerVCPU && !cacheDescription(place) },
	cacheDescription,
	firmware,
}

// cacheDescription reports whether the register at place is one of the
// CCSIDR_EL1 values.
func cacheDescription(place int) bool {
	return strings.HasPrefix(arm64.Registers[place].Name, "CCSIDR_EL1[")
}

// firmware reports whether the register at place is one of KVM's own.
func firmware(place int) bool {
	_, system := arm64.ID(arm64.Registers[place].ID).Encoding()
	return !system && !cacheDescription(place)
}

func (a *applier) apply() error {
	if err := a.vectorLengths(); err != nil {
		return err
	}
	for i, stage := range stages {
		if i == 1 {
			if err := a.others(); err != nil {
				return err
			}
		}
		for place := range arm64.Registers {
			if !ContractRegister(place) || !stage(place) || (a.contract.Setup.Protected && kernel.HeldByHypervisor(place)) {
				continue
			}
			copies := 1
			if arm64.Registers[place].Scope == isa.PerVCPU {
				copies = a.vcpus
			}
			for vcpu := range copies {
				if err := a.register(vcpu, place); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// vectorLengths chooses the SVE vector lengths and finalises SVE.
func (a *applier) vectorLengths() error {
	if !a.contract.Setup.Has(guise.FeatureSVE) {
		return nil
	}
	wide, canChoose := a.machine.(WideRegisters)
	for vcpu := range a.vcpus {
		if wanted := a.contract.Setup.VectorLengths; canChoose && wanted != 0 {
			lengths := make([]byte, arm64.IDSVEVectorLengths.Size())
			if err := wide.GetWide(vcpu, arm64.IDSVEVectorLengths, lengths); err != nil {
				return err
			}
			a.done.Reads++
			if there := uint16(lengths[0]) | uint16(lengths[1])<<8; there != wanted {
				lengths[0], lengths[1] = byte(wanted), byte(wanted>>8)
				err := wide.SetWide(vcpu, arm64.IDSVEVectorLengths, lengths)
				a.done.Writes++
				if refused := a.refused(vcpu, err, "SVE vector lengths", uint64(wanted), uint64(there)); err != nil && !refused {
					return err
				}
			}
		}
		if finalizer, ok := a.machine.(Finalizer); ok {
			if err := finalizer.Finalize(vcpu); err != nil {
				return err
			}
		}
	}
	return nil
}

// refused records a refusal by the kernel; it reports false for an error that
// is none.
func (a *applier) refused(vcpu int, err error, name string, wanted, there uint64) bool {
	var register *RegisterError
	if !errors.As(err, &register) {
		return false
	}
	a.refusals = append(a.refusals, Refusal{VCPU: vcpu, Register: name, Wanted: wanted, There: there, Errno: register.Errno, Hint: register.Hint})
	return true
}

// register brings one register of one vCPU to the contract's value.
func (a *applier) register(vcpu, place int) error {
	id := arm64.ID(arm64.Registers[place].ID)
	limit, err := a.machine.Get(vcpu, id)
	a.done.Reads++
	inContract := a.contract.View.Present.Has(place)
	if errors.Is(err, syscall.ENOENT) {
		// Kernels before 6.3 have the cache levels that exist and no others.
		if !inContract || cacheDescription(place) {
			return nil
		}
		if there := a.unasked(place); a.contract.Value(place, there) != there {
			a.refused(vcpu, err, arm64.Registers[place].Name, a.contract.Value(place, there), there)
		}
		return nil
	}
	if err != nil {
		return err
	}
	wanted := a.contract.Value(place, limit)
	if !inContract {
		if cacheDescription(place) || a.contract.Leaves(id) && !hypercallBitmap(id) {
			return nil
		}
		// What must not exist gets the value of what nobody knows, 0; so does a
		// bitmap of services, which are denied where nobody names them.
		wanted = 0
	}
	if wanted == limit {
		return nil
	}
	err = a.machine.Set(vcpu, id, wanted)
	a.done.Writes++
	if err != nil {
		rest := a.withoutWriting(place, wanted, limit)
		if rest == wanted {
			return a.blame(vcpu, place, wanted, limit, err)
		}
		if wanted = rest; wanted == limit {
			return nil
		}
		err = a.machine.Set(vcpu, id, wanted)
		a.done.Writes++
		if err != nil {
			return a.blame(vcpu, place, wanted, limit, err)
		}
	}
	if floor(place) {
		return nil // judged by the host, and not stored
	}
	now, err := a.machine.Get(vcpu, id)
	a.done.Reads++
	if err != nil {
		return err
	}
	for _, part := range parts(place, wanted, now) {
		part.VCPU = vcpu
		a.refusals = append(a.refusals, part)
	}
	return nil
}

// KeepsOwn reports whether a host keeps its own value of a register that a
// contract is silent about: identity, descriptions of caches, and firmware that
// is not a bitmap.
func KeepsOwn(place int) bool {
	switch place {
	case arm64.MIDREL1, arm64.REVIDREL1, arm64.AIDREL1, arm64.CLIDREL1, arm64.PSCIVERSION:
		return true
	}
	return cacheDescription(place) || floor(place)
}

// floor reports whether the register holds levels that KVM judges and does not
// store.
func floor(place int) bool {
	fields := arm64.Registers[place].Fields
	return len(fields) > 0 && fields[0].Order == isa.Floor
}

// parts splits the difference of two values of a register into its fields, and
// what lies outside them. There is no errno: the kernel said nothing.
func parts(place int, wanted, there uint64) []Refusal {
	register := &arm64.Registers[place]
	var differing []Refusal
	rest := wanted ^ there
	if !register.Whole {
		for i := range register.Fields {
			field := &register.Fields[i]
			if rest&field.Mask() != 0 {
				differing = append(differing, Refusal{Register: register.Name, Field: field.Name, Wanted: field.Get(wanted), There: field.Get(there)})
				rest &^= field.Mask()
			}
		}
	}
	if rest != 0 {
		differing = append(differing, Refusal{Register: register.Name, Wanted: wanted, There: there})
	}
	return differing
}

// blame finds which fields of a refused value were at fault: each differing
// field is written alone. The VM is dropped afterwards, so that what is written
// here does not matter.
func (a *applier) blame(vcpu, place int, wanted, limit uint64, refusal error) error {
	var register *RegisterError
	if !errors.As(refusal, &register) {
		return refusal
	}
	found := false
	for _, part := range parts(place, wanted, limit) {
		part.VCPU, part.Hint = vcpu, register.Hint
		field := arm64.Registers[place].Field(part.Field)
		if part.Field == "" || field == nil {
			continue
		}
		var alone *RegisterError
		if errors.As(a.machine.Set(vcpu, register.ID, field.Put(limit, part.Wanted)), &alone) {
			part.Errno = alone.Errno
			a.refusals = append(a.refusals, part)
			found = true
		}
	}
	if !found {
		a.refused(vcpu, refusal, arm64.Registers[place].Name, wanted, limit)
	}
	return nil
}

// other writes a register that the table does not know.
func (a *applier) other(id arm64.ID, wanted uint64) error {
	there, err := a.machine.Get(0, id)
	a.done.Reads++
	if errors.Is(err, syscall.ENOENT) && wanted == 0 {
		return nil
	}
	if err == nil && there == wanted {
		return nil
	}
	if err == nil {
		err = a.machine.Set(0, id, wanted)
		a.done.Writes++
	}
	if err != nil && !a.refused(0, err, id.String(), wanted, there) {
		return err
	}
	return nil
}

// others writes the registers that the table does not know: the contract's,
// and 0 to those that nobody knew when it was made, which are hypercall bitmaps
// and encodings of the feature ID space.
func (a *applier) others() error {
	for _, id := range slices.Sorted(maps.Keys(a.contract.Extra)) {
		if err := a.other(id, a.contract.Extra[id]); err != nil {
			return err
		}
	}
	lister, ok := a.machine.(Lister)
	if !ok {
		return nil
	}
	ids, err := lister.List(0)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, known := arm64.PlaceOf(id)
		_, given := a.contract.Extra[id]
		e, system := id.Encoding()
		if known || given || !(hypercallBitmap(id) || system && e.InFeatureSpace()) {
			continue
		}
		if err := a.other(id, 0); err != nil {
			return err
		}
	}
	return nil
}

// hypercallBitmap reports whether the id is of the hypercall bitmaps
// (KVM_REG_ARM_FW_FEAT_BMAP).
func hypercallBitmap(id arm64.ID) bool { return id&^0xffff == arm64.FirmwareFeatureID(0) }
