package guise

import "github.com/guise-project/guise/probe"

// Kinds of findings that only a proof has.
const (
	KindShown       Kind = "shown"       // a guest sees another value than the contract's
	KindUserspace   Kind = "userspace"   // a guest sees another value than userspace reads
	KindService     Kind = "service"     // a hypervisor service answers other than it should
	KindInstruction Kind = "instruction" // an instruction works other than the registers say
	KindStopped     Kind = "stopped"     // an instruction that the registers hide does not run, and what stops it is known
	KindUnguarded   Kind = "unguarded"   // the CPU answers by itself what the contract says something of
)

// Proof is what came of giving one VM a contract and having a guest look.
type Proof struct {
	// Name is what messages call it: a file name. It is not part of the
	// document.
	Name string
	Made Occasion
	// Contract is the contract's digest; "" where nothing was applied, and the
	// guest's view was compared with what userspace reads.
	Contract string
	Setup    Setup // of the VM that was made
	Host     HostFacts
	// View is the digest of the limits that the host showed the VM before
	// anything was written.
	View string
	// Trace is what the guest saw, nil where the host refused the contract.
	Trace *probe.Trace
	// Traps says who answered the operations of the trace, the hypervisor or the
	// CPU; nil where nobody looked.
	Traps *probe.Traps
	// Power is what a guest of a POWER host saw, nil on arm64; Setup, Trace and
	// Traps are empty where it is not nil.
	Power    *PowerTrace
	Findings []Finding
}

// Verdict is what the findings amount to: Yes where the guest sees the
// contract.
func (p *Proof) Verdict() Verdict { return verdictOf(p.Findings) }
