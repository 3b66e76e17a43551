package vm

import (
	"context"
	"fmt"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// run has a vCPU look, and asks for the hypervisor's own word on the first.
func (p *prover) run(machine VM, vcpu int, program *probe.Program) (*probe.Trace, error) {
	ctx, cancel := context.WithTimeoutCause(p.ctx, guestLimit, fmt.Errorf("the guest did not end within %v", guestLimit))
	defer cancel()
	if !p.traps || vcpu != 0 {
		return machine.Run(ctx, vcpu, program)
	}
	observer, ok := machine.(TrapObserver)
	if !ok {
		p.proof.Traps = &probe.Traps{Unknown: p.host.String() + " does not tell"}
		return machine.Run(ctx, vcpu, program)
	}
	trace, traps, err := observer.RunObserved(ctx, vcpu, program)
	p.proof.Traps = traps
	return trace, err
}

// known reports whether it is known who answered the operations.
func (c *comparison) known() bool {
	return c.vcpu == 0 && c.proof.Traps != nil && c.proof.Traps.Unknown == ""
}

// unguarded looks for what the contract says of registers whose reads KVM never
// sees: the value is the CPU's own, so that the contract holds by what CPU it
// is. (With FEAT_EVT KVM traps CTR_EL0 only where the VM's is another than the
// CPU's: what is seen here is of this host.)
func (c *comparison) unguarded() {
	if c.contract == nil || !c.known() {
		return
	}
	note := func(name, wanted, there, means string) {
		c.add(guise.Finding{Verdict: guise.Yes, Kind: guise.KindUnguarded, Register: name, Wanted: wanted, Hosts: c.hostValue(there),
			Means: means, Rests: c.proof.Traps.RestsOn})
	}
	byCPU := func(name string) bool { return c.proof.Traps.NotTrapped.Has(probe.MRS, name) }
	for place := range arm64.Registers {
		name := arm64.Registers[place].Name
		if !c.contract.View.Present.Has(place) || !byCPU(name) || place == arm64.MIDREL1 || place == arm64.MPIDREL1 {
			continue // those two are VPIDR_EL2 and VMPIDR_EL2, which KVM writes
		}
		note(name, arm64.Registers[place].Text(c.expected.Values[place]), "read from the CPU",
			"KVM does not see the read: on another CPU a guest may see that one's own value")
	}
	for id, wanted := range c.contract.Extra {
		if byCPU(id.String()) {
			note(id.String(), fmt.Sprintf("%#x", wanted), "read from the CPU", "KVM does not see the read: on another CPU a guest may see that one's own value")
		}
	}
	var absent []string
	for _, id := range c.contract.Absent {
		if name := id.String(); byCPU(name) {
			absent = append(absent, name)
		}
	}
	if len(absent) > 0 {
		name := absent[0]
		if more := len(absent) - 1; more > 0 {
			name += fmt.Sprintf(" and %d more", more)
		}
		note(name, "must not exist", "refused by the CPU",
			"nothing stops it: a CPU that has a register there may show it to a guest")
	}
}

// hidden says of a feature that the guest is told it has none of, and whose
// instruction does not run, what stops it; nil where that is not known, or where
// the host has none of it to begin with.
func (c *comparison) hidden(feature *arm64.Feature) *guise.Finding {
	if !c.known() {
		return nil
	}
	f := &guise.Finding{Verdict: guise.Yes, Kind: guise.KindStopped, Register: feature.Name, Wanted: "hidden", Rests: c.proof.Traps.RestsOn}
	switch {
	case c.proof.Traps.Trapped.Has(probe.Execute, feature.Name):
		f.Hosts, f.Means = c.hostValue("stopped by KVM"), "KVM was asked and refused it"
	case c.proof.Traps.NotTrapped.Has(probe.Execute, feature.Name) && feature.Present.Holds(&c.limits.Values):
		f.Hosts, f.Means = c.hostValue("refused by the CPU"), "the host has it to give: it is turned off for this VM"
	default:
		return nil
	}
	return f
}
