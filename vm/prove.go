package vm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// ProveOptions choose what a proof looks at.
type ProveOptions struct {
	// Setup is the VM to look at where there is no contract.
	Setup guise.Setup
	// VCPUs is how many vCPUs look, each after the other; 0 stands for 1. The
	// trace of the first is in the proof; where another sees something else the
	// findings say so.
	VCPUs int
	// Traps has the hypervisor's own word on who answered the first vCPU, where
	// it can be had (TrapObserver).
	Traps bool
}

// Prove gives a VM the contract, has a guest look, and compares what it saw
// with the contract and with what userspace reads. With a nil contract nothing
// is written, and the question is only whether a guest sees what userspace
// reads. What a host refuses is in the proof, as findings; the error is for
// what could not be done.
func Prove(ctx context.Context, host Host, contract *guise.Contract, options ProveOptions) (_ *guise.Proof, err error) {
	if host == nil {
		return nil, errNothing
	}
	proof := &guise.Proof{Setup: options.Setup}
	if describer, ok := host.(Describer); ok {
		if proof.Host, err = describer.Describe(); err != nil {
			return nil, fmt.Errorf("%s: %w", host, err)
		}
	}
	p := &prover{ctx: ctx, host: host, contract: contract, proof: proof, vcpus: max(options.VCPUs, 1), traps: options.Traps}
	if contract != nil {
		proof.Contract, proof.Setup = contract.Digest(), contract.Setup
	}
	machine, err := p.makeVM()
	if err != nil || machine == nil {
		return proof, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := p.look(machine); err != nil {
		return nil, fmt.Errorf("%s: setup %s: %w", host, proof.Setup.Key(), err)
	}
	return proof, nil
}

// prover makes one proof.
type prover struct {
	ctx      context.Context
	host     Host
	contract *guise.Contract
	proof    *guise.Proof
	vcpus    int
	traps    bool
	limits   arm64.View // what the host shows before anything is written
}

// makeVM makes the VM that is looked at; nil where the host refused the
// contract, which the findings then say.
func (p *prover) makeVM() (VM, error) {
	if err := p.readLimits(); err != nil {
		return nil, err
	}
	if p.contract == nil {
		return p.host.NewVM(p.ctx, p.proof.Setup, p.vcpus)
	}
	machine, applied, err := Apply(p.ctx, p.host, p.contract, p.vcpus)
	var refused *ApplyError
	switch {
	case errors.As(err, &refused):
		for i := range refused.Refusals {
			p.refusal(&refused.Refusals[i])
		}
		return nil, nil
	case errors.Is(err, ErrNotSupported):
		p.add(guise.Finding{Verdict: guise.No, Kind: guise.KindSetup, Register: "setup", Wanted: p.contract.Setup.Key(),
			Hosts: p.hostValue(err.Error()), Mend: HintOf(err)})
		return nil, nil
	case err != nil:
		return nil, err
	}
	p.proof.Setup = applied.Setup
	return machine, nil
}

// readLimits reads what the host shows a VM of the setup, for the digest of the
// host's view and for fields that vary.
func (p *prover) readLimits() (err error) {
	setup := p.proof.Setup
	machine, err := newContractVM(p.ctx, p.host, &setup, 1)
	if errors.Is(err, ErrNotSupported) && p.contract != nil {
		return nil // Apply says so
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := readRegisters(machine, 0, &p.limits); err != nil {
		return err
	}
	seen := guise.Capture{Setups: []guise.CapturedSetup{{Setup: setup, View: p.limits, Registers: guise.Read}}}
	p.proof.View = seen.ViewDigest()
	return nil
}

func (p *prover) add(f guise.Finding) { p.proof.Findings = append(p.proof.Findings, f) }

func (p *prover) hostValue(value string) []guise.HostValue {
	return []guise.HostValue{{Host: p.host.String(), Value: value}}
}

// refusal turns what a host did not take into a finding.
func (p *prover) refusal(r *Refusal) {
	wanted, there := r.Texts()
	f := guise.Finding{
		Verdict: guise.No, Kind: guise.KindRefused, Register: r.Register, Field: r.Field,
		Wanted: wanted, Hosts: p.hostValue(there), Mend: r.Hint,
		Rests: "the kernel answered " + errnoName(r.Errno),
	}
	if r.Errno == 0 {
		f.Kind, f.Rests = guise.KindShown, "the kernel accepted the write and stored another value"
	}
	p.add(f)
}

// errnoName gives the name that manuals use.
func errnoName(errno syscall.Errno) string {
	for name, known := range map[string]syscall.Errno{
		"EINVAL": syscall.EINVAL, "EBUSY": syscall.EBUSY, "ENOENT": syscall.ENOENT, "EPERM": syscall.EPERM,
		"E2BIG": syscall.E2BIG, "EEXIST": syscall.EEXIST, "ENOEXEC": syscall.ENOEXEC, "ENXIO": syscall.ENXIO,
	} {
		if known == errno {
			return name
		}
	}
	return errno.Error()
}

// everything is all there is to look at, by the state of the guest.
var everything = sync.OnceValue(func() [2]*probe.Program {
	return [...]*probe.Program{
		probe.AArch64: probe.Join("proof", probe.FeatureSpace(), probe.Hardware(), probe.ServiceCalls(), probe.Writes(), probe.Instructions()),
		probe.AArch32: probe.Join("aarch32-proof", probe.FeatureSpace32(), probe.Hardware32(), probe.ServiceCalls32(), probe.Writes32(), probe.Instructions32()),
	}
})

// look has every vCPU look and compares.
func (p *prover) look(machine VM) error {
	program := everything()[p.proof.Setup.State()]
	for vcpu := range p.vcpus {
		trace, err := p.run(machine, vcpu, program)
		if err != nil {
			return err
		}
		if vcpu == 0 {
			p.proof.Trace = trace
		}
		var userspace arm64.View
		if err := readRegisters(machine, vcpu, &userspace); err != nil {
			return err
		}
		mpidr, err := machine.Get(vcpu, arm64.ID(arm64.Registers[arm64.MPIDREL1].ID))
		if err != nil {
			return err
		}
		userspace.Put(arm64.MPIDREL1, mpidr)
		expected := p.expected(&userspace)
		c := &comparison{prover: p, vcpu: vcpu, program: program, trace: trace, userspace: &userspace, expected: expected}
		c.registers()
		c.absent()
		c.services()
		c.writes()
		if vcpu == 0 {
			c.instructions()
			c.unguarded()
		}
	}
	p.listed(machine)
	slices.SortStableFunc(p.proof.Findings, func(a, b guise.Finding) int { return int(b.Verdict) - int(a.Verdict) })
	return nil
}

// expected returns the registers a guest should see: the contract's, with this
// host's own bits where they vary, or what userspace reads.
func (p *prover) expected(userspace *arm64.View) *arm64.View {
	if p.contract == nil {
		return userspace
	}
	view := p.contract.View
	for place := range arm64.Registers {
		if view.Present.Has(place) {
			view.Values[place] = p.contract.Value(place, p.limits.Values[place])
		}
	}
	for _, id := range p.contract.Absent {
		if place, known := arm64.PlaceOf(id); known && hypercallBitmap(id) {
			view.Put(place, 0) // services that nobody names are denied
		}
	}
	return &view
}

// listed compares the registers that a VMM sees with the contract's list.
func (p *prover) listed(machine VM) {
	lister, ok := machine.(Lister)
	if !ok || p.contract == nil || p.contract.Listed == nil {
		return
	}
	ids, err := lister.List(0)
	if err != nil {
		p.add(guise.Finding{Verdict: guise.Unknown, Kind: guise.KindList, Register: "register list", Hosts: p.hostValue(err.Error())})
		return
	}
	// guise moves VMs by the registers both sides have; that a list differs
	// matters to a VMM that wants them all.
	note := func(ids, others []arm64.ID, wanted, there string) {
		for _, id := range ids {
			if _, found := slices.BinarySearch(others, id); !found {
				p.add(guise.Finding{Verdict: guise.Yes, Kind: guise.KindList, Register: id.String(), Wanted: wanted, Hosts: p.hostValue(there),
					Means: "QEMU refuses a state with a register that a host does not list"})
			}
		}
	}
	note(p.contract.Listed, ids, "listed", "not listed")
	note(ids, p.contract.Listed, "not listed", "listed")
}

// comparison holds one vCPU's trace against what it should be.
type comparison struct {
	*prover
	vcpu      int
	program   *probe.Program
	trace     *probe.Trace
	userspace *arm64.View // what userspace reads after the run
	expected  *arm64.View
}

// saw gives what a record says for a finding.
func saw(record *probe.Record) string {
	if record.Outcome == probe.Completed {
		return fmt.Sprintf("%#x", record.Values[0])
	}
	if record.Outcome == probe.Exception {
		return probe.ExplainSyndrome(record.Syndrome)
	}
	return record.Outcome.String()
}

// registers compares each register that the guest read.
func (c *comparison) registers() {
	for i := range c.trace.Records {
		record := &c.trace.Records[i]
		place, bits, known := registerOf(record)
		if !known {
			continue
		}
		if c.expected.Present.Has(place) {
			c.register(place, bits, record)
		}
		// A contract says what a guest sees; whether userspace reads the same
		// is worth knowing, and no fault where the contract holds.
		if c.contract != nil && record.Outcome != probe.NotRun && c.userspace.Present.Has(place) && !agrees(place, bits, record, c.userspace.Values[place]) {
			c.add(guise.Finding{Verdict: guise.Yes, Kind: guise.KindUserspace, Register: arm64.Registers[place].Name,
				Wanted: arm64.Registers[place].Text(c.userspace.Values[place]), Hosts: c.hostValue(saw(record)),
				Means: "KVM_GET_ONE_REG tells the VMM other than the guest sees", Rests: c.looked()})
		}
	}
}

// agrees reports whether a record shows the register's value. KVM holds 32 bits
// of CCSIDR_EL1, of which a guest on a CPU with FEAT_CCIDX reads 64 (Linux 6.1;
// later kernels hide the feature); a guest in AArch32 reads 32 of any.
func agrees(place, bits int, record *probe.Record, value uint64) bool {
	mask := ^uint64(0) >> (64 - min(bits, int(arm64.Registers[place].Bits)))
	return record.Outcome == probe.Completed && (record.Values[0]^value)&mask == 0
}

// notRun says what is known of a register that a guest did not read.
const notRun = "the guest did not come so far as to read it"

// looked says what a finding rests on.
func (c *comparison) looked() string { return fmt.Sprintf("vCPU %d of the guest read it", c.vcpu) }

// registerOf returns the register of the table that a record is a read of, and
// how many of its bits, from the lowest, the guest reads.
func registerOf(record *probe.Record) (place, bits int, ok bool) {
	switch record.Kind {
	case probe.MRS:
		place, ok = arm64.Place(record.Name)
		return place, 64, ok
	case probe.MRC:
		if level, cache := strings.CutPrefix(record.Name, "CCSIDR["); cache {
			place, ok = arm64.Place("CCSIDR_EL1[" + level)
		} else if register, err := arm64.CoprocessorNamed(record.Name); err == nil {
			place, ok = register.Place()
		}
		return place, 32, ok
	}
	return 0, 0, false
}

// register compares one register with what it should be, field by field.
func (c *comparison) register(place, bits int, record *probe.Record) {
	wanted := c.expected.Values[place]
	if c.contract != nil && record.Outcome == probe.Completed {
		// Bits that are left to the host may be any.
		wanted = wanted&^c.contract.Vary[place] | record.Values[0]&c.contract.Vary[place]
	}
	if agrees(place, bits, record, wanted) {
		return
	}
	kind := guise.KindShown
	switch {
	case c.contract == nil:
		kind = guise.KindUserspace
	case arm64.Registers[place].Scope == isa.Hardware:
		kind = guise.KindHardware
	}
	f := guise.Finding{Verdict: guise.No, Kind: kind, Register: arm64.Registers[place].Name, Rests: c.looked()}
	if kind == guise.KindHardware {
		f.Who = "nobody"
	}
	if record.Outcome == probe.NotRun {
		f.Verdict, f.Means = guise.Unknown, notRun
	}
	if record.Outcome != probe.Completed {
		f.Wanted, f.Hosts = arm64.Registers[place].Text(wanted), c.hostValue(saw(record))
		c.add(f)
		return
	}
	for _, part := range parts(place, wanted, record.Values[0]|wanted>>bits<<bits) {
		wanted, there := part.Texts()
		f.Field, f.Wanted, f.Hosts = part.Field, wanted, c.hostValue(there)
		c.add(f)
	}
}

// absent looks for encodings that must not exist.
func (c *comparison) absent() {
	if c.contract == nil {
		return
	}
	for _, id := range c.contract.Absent {
		if record := c.trace.Find(probe.MRS, id.String()); record != nil && record.Outcome != probe.Exception {
			c.unnamed(record, "must not exist")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.contract.Extra)) {
		wanted := c.contract.Extra[id]
		if record := c.trace.Find(probe.MRS, id.String()); record != nil && (record.Outcome != probe.Completed || record.Values[0] != wanted) {
			c.unnamed(record, fmt.Sprintf("%#x", wanted))
		}
	}
}

// unnamed adds that a read of a register that no table has did not show what was
// wanted.
func (c *comparison) unnamed(record *probe.Record, wanted string) {
	f := guise.Finding{Verdict: guise.No, Kind: guise.KindShown, Register: record.Name, Wanted: wanted, Hosts: c.hostValue(saw(record)), Rests: c.looked()}
	if record.Outcome == probe.NotRun {
		f.Verdict, f.Means = guise.Unknown, notRun
	}
	c.add(f)
}

// writes looks for registers that should be read-only and are not.
func (c *comparison) writes() {
	for i := range c.program.Ops {
		op, record := &c.program.Ops[i], &c.trace.Records[i]
		readOnly := op.Kind == probe.MSR && op.Register.InFeatureSpace() || op.Kind == probe.MCR && op.Coprocessor.Opc1 != 2
		if readOnly && record.Outcome == probe.Completed {
			c.add(guise.Finding{Verdict: guise.No, Kind: guise.KindShown, Register: record.Name, Wanted: "read-only",
				Hosts: c.hostValue("a write completed"), Rests: c.looked()})
		}
	}
}

// instructions holds what instructions show against what the registers say.
func (c *comparison) instructions() {
	values := c.seenValues()
	for _, row := range probe.InstructionRows() {
		feature := arm64.FeatureNamed(row.Feature)
		if row.Unobservable != "" || feature == nil || feature.Present == nil {
			continue
		}
		record := c.trace.Find(probe.Execute, row.Feature)
		if record == nil {
			continue
		}
		shown, told := row.Shows(record, c.trace.EL), feature.Present.Holds(values)
		c.instruction(row.Feature, row.Asm, record, told, shown)
		if !told && shown == probe.NotUsable {
			if stopped := c.hidden(feature); stopped != nil {
				c.add(*stopped)
			}
		}
	}
	for _, row := range probe.Instruction32Rows() {
		record, said := c.trace.Find(probe.Execute, row.Name()), c.trace.Find(probe.MRC, row.Register)
		if record != nil && said != nil && said.Outcome == probe.Completed {
			c.instruction(row.Name(), row.Asm, record, row.Present(said.Values[0]), row.Shows(record))
		}
	}
}

// instruction holds what one shows against what the registers told.
func (c *comparison) instruction(name, asm string, record *probe.Record, told bool, shown probe.Shown) {
	f := guise.Finding{Kind: guise.KindInstruction, Register: name, Rests: "vCPU 0 of the guest executed " + asm}
	switch {
	case told && shown == probe.NotUsable:
		f.Verdict, f.Wanted, f.Hosts = guise.Unknown, "usable", c.hostValue(saw(record))
		f.Means = "the registers say that the guest has it, and it does not work"
		c.add(f)
	case !told && shown == probe.Usable:
		f.Verdict, f.Wanted, f.Hosts = guise.Yes, "hidden", c.hostValue("runs")
		f.Means = "the guest is told that it has none, and is not stopped from using it"
		if c.known() && c.proof.Traps.Trapped.Has(probe.Execute, name) {
			f.Means = "the guest is told that it has none; KVM is asked and answers"
		}
		c.add(f)
	}
}

// seenValues are the registers as the guest saw them, by place.
func (c *comparison) seenValues() *[arm64.NumRegisters]uint64 {
	var view arm64.View
	seenBy(c.trace, &view, func(int) bool { return true })
	return &view.Values
}
