// Package scenario holds what userspace and a guest do to a VM, step by step,
// and what must come of it, and runs it on any backend: the reference model,
// this machine's KVM, or a host of the lab.
package scenario

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// Verb is what a step does.
type Verb uint8

const (
	// Get and Set are KVM_GET_ONE_REG and KVM_SET_ONE_REG.
	Get Verb = iota
	Set
	// List is KVM_GET_REG_LIST.
	List
	// Enter is KVM_RUN with immediate_exit.
	Enter
	// Guest runs a probe program of one operation or more.
	Guest
	// Reinit is a further KVM_ARM_VCPU_INIT.
	Reinit
	// VGIC makes a vGICv3.
	VGIC
	// Finalize is KVM_ARM_VCPU_FINALIZE, of SVE.
	Finalize
	// Filter is KVM_ARM_VM_SMCCC_FILTER.
	Filter
	// Lengths writes KVM_REG_ARM64_SVE_VLS.
	Lengths
	// Masks is KVM_ARM_GET_REG_WRITABLE_MASKS.
	Masks
	// Capability is KVM_CHECK_EXTENSION, of the VM.
	Capability
	// PMUInterrupt and PMUInit are KVM_ARM_VCPU_PMU_V3_IRQ and
	// KVM_ARM_VCPU_PMU_V3_INIT.
	PMUInterrupt
	PMUInit
)

var verbNames = [...]string{"get", "set", "list", "enter", "guest", "reinit", "vgic", "finalize", "filter", "lengths", "masks", "capability", "pmu-irq", "pmu-init"}

// String gives the word that scripts use.
func (v Verb) String() string { return verbNames[v] }

// Step is one thing done to a VM. Only the fields that its verb takes count.
type Step struct {
	Verb Verb
	VCPU int
	// ID and Value: Get and Set; Value also for Lengths (bit n-1 stands for n
	// quadwords), Masks (the range), Capability (its number) and PMUInterrupt.
	// Set writes it into the low bits of a wider register. Reserved is for
	// the first of Masks' reserved words.
	ID       arm64.ID
	Value    uint64
	Reserved uint32
	// Features are Reinit's.
	Features []guise.Feature
	// Base, Count and Action are Filter's.
	Base, Count uint32
	Action      uint8
	// Ops are Guest's.
	Ops []probe.Op
}

// Result is what came of a step.
type Result struct {
	// Errno is what KVM answered, 0 where it did as asked.
	Errno syscall.Errno
	// Missing: the backend cannot do such a step at all, or does not know what
	// comes of it.
	Missing bool
	// Values are what Get, List, Masks and Capability gave; of a register wider than 64
	// bits its words, the low one first.
	Values []uint64
	// Trace is what the guest saw.
	Trace *probe.Trace
}

// Do takes the step. An error is a failure to ask, not a refusal.
func (s *Step) Do(ctx context.Context, machine vm.VM) (r Result, err error) {
	switch s.Verb {
	case Get, Set:
		if s.ID.Size() > 8 {
			r.Values, r.Missing, err = s.wide(machine)
			break
		}
		if s.Verb == Set {
			err = machine.Set(s.VCPU, s.ID, s.Value)
			break
		}
		var value uint64
		value, err = machine.Get(s.VCPU, s.ID)
		r.Values = []uint64{value}
	case List:
		var ids []arm64.ID
		if ids, r.Missing, err = list(machine, s.VCPU); err == nil {
			for _, id := range ids {
				r.Values = append(r.Values, uint64(id))
			}
		}
	case Guest:
		r.Trace, err = machine.Run(ctx, s.VCPU, &probe.Program{Name: "scenario", Ops: s.Ops})
	default:
		r.Missing, err = s.doOptional(machine, &r)
	}
	if err == nil {
		if model, ok := machine.(vm.Knower); ok && !r.Missing && (s.Verb == Get || s.Verb == Set) {
			r.Missing = !model.Knows(s.VCPU, s.ID, s.Verb == Set)
		}
		return r, nil
	}
	if errors.As(err, &r.Errno) {
		r.Values = nil
		return r, nil
	}
	if errors.Is(err, vm.ErrNotSupported) {
		r.Missing = true
		return r, nil
	}
	return r, fmt.Errorf("%s: %w", s, err)
}

// wide reads or writes a register wider than 64 bits.
func (s *Step) wide(machine vm.VM) (words []uint64, missing bool, err error) {
	v, ok := machine.(vm.WideRegisters)
	if !ok {
		return nil, true, nil
	}
	value := make([]byte, s.ID.Size())
	if s.Verb == Set {
		binary.LittleEndian.PutUint64(value, s.Value)
		return nil, false, v.SetWide(s.VCPU, s.ID, value)
	}
	if err := v.GetWide(s.VCPU, s.ID, value); err != nil {
		return nil, false, err
	}
	for i := 0; i < len(value); i += 8 {
		words = append(words, binary.LittleEndian.Uint64(value[i:]))
	}
	return words, false, nil
}

func list(machine vm.VM, vcpu int) ([]arm64.ID, bool, error) {
	lister, ok := machine.(vm.Lister)
	if !ok {
		return nil, true, nil
	}
	ids, err := lister.List(vcpu)
	return ids, false, err
}

// doOptional takes the steps that not every backend can.
func (s *Step) doOptional(machine vm.VM, r *Result) (missing bool, err error) {
	ok := false
	switch s.Verb {
	case Enter:
		var v vm.Interrupter
		if v, ok = machine.(vm.Interrupter); ok {
			err = v.RunNothing(s.VCPU)
		}
	case Reinit:
		var v vm.Reinitializer
		if v, ok = machine.(vm.Reinitializer); ok {
			err = v.Reinit(s.VCPU, s.Features)
		}
	case VGIC:
		var v vm.GICMaker
		if v, ok = machine.(vm.GICMaker); ok {
			err = v.MakeVGIC()
		}
	case Finalize:
		var v vm.Finalizer
		if v, ok = machine.(vm.Finalizer); ok {
			err = v.Finalize(s.VCPU)
		}
	case PMUInterrupt:
		var v vm.Completer
		if v, ok = machine.(vm.Completer); ok {
			err = v.SetPMUInterrupt(s.VCPU, int32(s.Value))
		}
	case PMUInit:
		var v vm.Completer
		if v, ok = machine.(vm.Completer); ok {
			err = v.InitPMU(s.VCPU)
		}
	case Filter:
		var v vm.Filterer
		if v, ok = machine.(vm.Filterer); ok {
			err = v.Filter(s.Base, s.Count, s.Action)
		}
	case Lengths:
		var v vm.WideRegisters
		if v, ok = machine.(vm.WideRegisters); ok {
			value := make([]byte, arm64.IDSVEVectorLengths.Size())
			binary.LittleEndian.PutUint64(value, s.Value)
			err = v.SetWide(s.VCPU, arm64.IDSVEVectorLengths, value)
		}
	case Masks:
		var v vm.MaskAsker
		if v, ok = machine.(vm.MaskAsker); ok {
			var masks [192]uint64
			masks, err = v.AskMasks(uint32(s.Value), [13]uint32{s.Reserved})
			r.Values = masks[:]
		}
	case Capability:
		var v vm.CapabilityChecker
		if v, ok = machine.(vm.CapabilityChecker); ok {
			var value int
			value, err = v.CheckCapability(uint32(s.Value))
			r.Values = []uint64{uint64(value)}
		}
	}
	return !ok, err
}

// String gives the step as a line of a script.
func (s *Step) String() string {
	on := ""
	if s.VCPU != 0 {
		on = fmt.Sprintf(" vcpu=%d", s.VCPU)
	}
	switch s.Verb {
	case Get:
		return fmt.Sprintf("get%s %s", on, registerWord(s.ID))
	case Set:
		return fmt.Sprintf("set%s %s %#x", on, registerWord(s.ID), s.Value)
	case Lengths:
		return fmt.Sprintf("lengths%s %#x", on, s.Value)
	case Masks:
		if s.Reserved != 0 {
			return fmt.Sprintf("masks %d reserved=%d", s.Value, s.Reserved)
		}
		return fmt.Sprintf("masks %d", s.Value)
	case PMUInterrupt:
		return fmt.Sprintf("pmu-irq%s %d", on, s.Value)
	case Capability:
		return "capability " + kvmabi.Capability(s.Value).String()
	case Reinit:
		return fmt.Sprintf("reinit%s %s", on, featuresWord(s.Features))
	case Filter:
		return fmt.Sprintf("filter %#x %d %s", s.Base, s.Count, actionWord(s.Action))
	case Guest:
		lines := make([]string, len(s.Ops))
		for i := range s.Ops {
			lines[i] = "guest" + on + " " + opWords(&s.Ops[i])
		}
		return strings.Join(lines, "\n")
	case VGIC:
		return "vgic"
	}
	return s.Verb.String() + on
}

// registerWord names a register so that a script can name it again.
func registerWord(id arm64.ID) string {
	if _, ok := arm64.PlaceOf(id); ok {
		return id.String()
	}
	if e, ok := id.Encoding(); ok {
		return e.String()
	}
	return fmt.Sprintf("%#016x", uint64(id))
}

func featuresWord(features []guise.Feature) string {
	if len(features) == 0 {
		return "base"
	}
	words := make([]string, len(features))
	for i, f := range features {
		words[i] = string(f)
	}
	return strings.Join(words, "+")
}

var actionWords = [...]string{"handle", "deny", "forward"}

func actionWord(action uint8) string {
	if int(action) < len(actionWords) {
		return actionWords[action]
	}
	return fmt.Sprintf("%d", action)
}

// opWords gives a guest's operation as a script has it.
func opWords(op *probe.Op) string {
	switch op.Kind {
	case probe.MRS, probe.MRC:
		return op.Kind.String() + " " + op.Name
	case probe.MSR, probe.MCR:
		return fmt.Sprintf("%s %s %#x", op.Kind, op.Name, op.Value)
	case probe.HVC, probe.SMC:
		words := []string{op.Kind.String(), fmt.Sprintf("%#x", op.Args[0])}
		last := len(op.Args)
		for last > 1 && op.Args[last-1] == 0 {
			last--
		}
		for _, a := range op.Args[1:last] {
			words = append(words, fmt.Sprintf("%#x", a))
		}
		return strings.Join(words, " ")
	}
	return "execute " + op.Name
}
