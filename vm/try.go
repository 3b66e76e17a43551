package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Question asks a host what becomes of values that it is given before any vCPU
// of a VM has run.
type Question struct {
	// Contract is what the VM is given first; nil leaves it as it is made.
	Contract *guise.Contract
	// Setup is that of the VM where there is no contract.
	Setup guise.Setup
	// Writes are each made alone, on top of the contract, and taken back.
	Writes []Write
}

// Write is a value of a field.
type Write struct {
	Register string // the architecture's name
	Field    string // "" for the whole register
	Value    uint64
}

// Name gives the object of the write: ID_AA64PFR0_EL1.EL0.
func (w *Write) Name() string {
	if w.Field == "" {
		return w.Register
	}
	return w.Register + "." + w.Field
}

// Answer is what became of a question.
type Answer struct {
	// NotMade says why the host makes no VM of the setup, "" where it does.
	NotMade string
	// Refusals are what of the contract the host refuses, or stores as
	// something else. Where there are any, nothing else was tried.
	Refusals []Refusal
	// Changed is what of the contract reads otherwise once a vCPU has run.
	Changed []Refusal
	// Writes are the answers to the question's writes, in their order.
	Writes []Written
}

// Written is what became of one write.
type Written struct {
	Errno syscall.Errno // 0: the value was accepted
	// Stored is what the field reads after an accepted write, and Shown what it
	// reads once a vCPU has run. Shown is Stored where that was something else
	// than what was written. Both are what was written where the kernel judges
	// values and does not store them.
	Stored, Shown uint64
}

// Taken reports whether the value was accepted and is what a guest sees.
func (w *Written) Taken(value uint64) bool {
	return w.Errno == 0 && w.Stored == value && w.Shown == value
}

// Try puts one question to a host. All writes share a VM, which is right
// because a write is judged against what the VM was made with and not against
// what it holds. What was accepted is then written anew, together, into VMs that
// run, because KVM changes some fields at the first run.
//
// An error means that the host could not be asked; what it refuses is an answer.
func Try(ctx context.Context, host Host, question *Question) (*Answer, error) {
	if host == nil || question == nil {
		return nil, errNothing
	}
	t := &trier{ctx: ctx, host: host, question: question, answer: &Answer{Writes: make([]Written, len(question.Writes))}}
	if err := t.resolve(); err != nil {
		return nil, err
	}
	if err := t.oneByOne(); err != nil {
		return nil, fmt.Errorf("%s: setup %s: %w", host, t.setup().Key(), err)
	}
	if t.answer.NotMade != "" || len(t.answer.Refusals) > 0 {
		t.answer.Writes = nil
		return t.answer, nil
	}
	for len(t.accepted) > 0 {
		if err := t.together(); err != nil {
			return nil, fmt.Errorf("%s: setup %s: %w", host, t.setup().Key(), err)
		}
	}
	return t.answer, nil
}

// trier puts one question to one host.
type trier struct {
	ctx      context.Context
	host     Host
	question *Question
	answer   *Answer
	targets  []target // of the writes
	accepted []int    // writes that a VM is still to run with
	made     guise.Setup
}

// target is where a write goes.
type target struct {
	place int
	field isa.Field
	floor bool
}

// resolve finds the registers and fields of the writes.
func (t *trier) resolve() error {
	for _, w := range t.question.Writes {
		place, ok := arm64.Place(w.Register)
		if !ok || !ContractRegister(place) {
			return fmt.Errorf("%s: is no register of a contract", w.Register)
		}
		at := target{place: place, field: isa.Field{Width: 64}, floor: floor(place)}
		if w.Field != "" {
			field := arm64.Registers[place].Field(w.Field)
			if field == nil {
				return fmt.Errorf("%s has no field %s", w.Register, w.Field)
			}
			at.field = *field
		}
		if at.field.Get(at.field.Put(0, w.Value)) != w.Value {
			return fmt.Errorf("%s.%s: %#x does not fit into %d bits", w.Register, w.Field, w.Value, at.field.Width)
		}
		t.targets = append(t.targets, at)
	}
	return nil
}

func (t *trier) setup() *guise.Setup {
	if t.question.Contract != nil {
		return &t.question.Contract.Setup
	}
	return &t.question.Setup
}

// machine makes the VM that writes go to. It returns nil where the host makes
// none or refuses the contract, which the answer then says.
func (t *trier) machine() (VM, error) {
	var machine VM
	var err error
	if t.question.Contract != nil {
		var applied *Applied
		if machine, applied, err = Apply(t.ctx, t.host, t.question.Contract, 1); err == nil {
			t.made = applied.Setup
		}
	} else {
		machine, err = t.host.NewVM(t.ctx, t.question.Setup, 1)
	}
	var refused *ApplyError
	switch {
	case errors.As(err, &refused):
		t.answer.Refusals = refused.Refusals
		return nil, nil
	case errors.Is(err, ErrNotSupported):
		t.answer.NotMade = err.Error()
		return nil, nil
	}
	return machine, err
}

// oneByOne makes each write in one VM and takes it back, then runs the VM and
// looks what became of the contract.
func (t *trier) oneByOne() (err error) {
	machine, err := t.machine()
	if err != nil || machine == nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	for i := range t.targets {
		if err := t.one(machine, i); err != nil {
			return err
		}
	}
	if t.question.Contract == nil {
		return nil
	}
	if err := runNothing(machine); err != nil {
		return err
	}
	contract := t.question.Contract
	own := applier{ctx: t.ctx, host: t.host, contract: contract, done: Applied{Setup: t.made}}
	for place := range arm64.Registers {
		if !contract.View.Present.Has(place) || !ContractRegister(place) || floor(place) {
			continue
		}
		now, err := machine.Get(0, arm64.ID(arm64.Registers[place].ID))
		if errors.Is(err, syscall.ENOENT) {
			continue // applying judged that
		}
		if err != nil {
			return err
		}
		wanted := contract.Value(place, now)
		if wanted == now {
			continue
		}
		// Userspace may be shown another value than the guest reads.
		if place == arm64.CTREL0 && own.withoutWriting(place, wanted, now) == now {
			continue
		}
		t.answer.Changed = append(t.answer.Changed, parts(place, wanted, now)...)
	}
	return nil
}

// one makes one write and takes it back.
func (t *trier) one(machine VM, i int) error {
	at, value, written := &t.targets[i], t.question.Writes[i].Value, &t.answer.Writes[i]
	id := arm64.ID(arm64.Registers[at.place].ID)
	before, err := machine.Get(0, id)
	if err != nil {
		return written.refused(err)
	}
	if err := machine.Set(0, id, at.field.Put(before, value)); err != nil {
		return written.refused(err)
	}
	if at.floor {
		written.Stored, written.Shown = value, value
		return nil
	}
	now, err := machine.Get(0, id)
	if err != nil {
		return err
	}
	written.Stored = at.field.Get(now)
	written.Shown = written.Stored
	if written.Stored == value {
		t.accepted = append(t.accepted, i)
	}
	if now == before {
		return nil
	}
	if err := machine.Set(0, id, before); err != nil {
		return fmt.Errorf("what the VM held it does not take back: %w", err)
	}
	return nil
}

// refused notes a refusal; it returns an error that is none.
func (w *Written) refused(err error) error {
	var register *RegisterError
	if !errors.As(err, &register) {
		return err
	}
	w.Errno = register.Errno
	return nil
}

// together makes accepted writes in one VM, one value a field, runs it and
// looks. A write that is refused in the company of others is left to a later
// VM; the first one is in none.
func (t *trier) together() (err error) {
	machine, err := t.machine()
	if err != nil {
		return err
	}
	if machine == nil {
		return errors.New("a contract that was accepted is refused the next time")
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	var written, later []int
	var touched [arm64.NumRegisters]uint64
	for n, i := range t.accepted {
		at := &t.targets[i]
		if touched[at.place]&at.field.Mask() != 0 {
			later = append(later, i)
			continue
		}
		id := arm64.ID(arm64.Registers[at.place].ID)
		now, err := machine.Get(0, id)
		if err != nil {
			return err
		}
		if err := machine.Set(0, id, at.field.Put(now, t.question.Writes[i].Value)); err != nil {
			if n == 0 || !refusal(err) {
				return err
			}
			later = append(later, i)
			continue
		}
		touched[at.place] |= at.field.Mask()
		written = append(written, i)
	}
	if err := runNothing(machine); err != nil {
		return err
	}
	for _, i := range written {
		now, err := machine.Get(0, arm64.ID(arm64.Registers[t.targets[i].place].ID))
		if err != nil {
			return err
		}
		t.answer.Writes[i].Shown = t.targets[i].field.Get(now)
	}
	t.accepted = slices.Clip(later)
	return nil
}

// runNothing enters and leaves the VM's first vCPU. A backend that cannot leaves
// what the VM holds as it is.
func runNothing(machine VM) error {
	interrupter, ok := machine.(Interrupter)
	if !ok {
		return nil
	}
	if err := interrupter.RunNothing(0); !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("KVM_RUN with immediate_exit: want EINTR, there is: %v", err)
	}
	return nil
}
