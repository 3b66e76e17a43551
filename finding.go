package guise

// Verdict is the answer to "can it?". Unknown is never folded into the others.
type Verdict int

const (
	Yes Verdict = iota
	Unknown
	No
)

var verdictNames = [...]string{"yes", "unknown", "no"}

// String gives the word: yes, no or unknown, which what is no verdict is, too.
func (v Verdict) String() string {
	if v < Yes || v > No {
		v = Unknown
	}
	return verdictNames[v]
}

// worse returns the verdict that decides when both must hold.
func worse(a, b Verdict) Verdict { return max(a, b) }

// Kind says what sort of reason a finding is.
type Kind string

const (
	KindFixed    Kind = "fixed"    // hosts differ and nobody can change it
	KindRefused  Kind = "refused"  // the host does not take the value
	KindIdentity Kind = "identity" // MIDR_EL1, REVIDR_EL1, AIDR_EL1
	KindHardware Kind = "hardware" // a guest sees it and nobody can set it
	KindSetup    Kind = "setup"    // the host was not captured in the setup
	KindList     Kind = "list"     // the register is not in the host's list
	KindPolicy   Kind = "policy"   // the policy asks for what no host gives
	KindVectors  Kind = "vectors"  // SVE vector lengths
	KindUntried  Kind = "untried"  // what the host takes is not known
	KindVMM      Kind = "vmm"      // a VMM's own doing
	KindVaries   Kind = "varies"   // a field that may change when a VM moves
)

// HostValue is a value on a host.
type HostValue struct {
	Host  string
	Value string // as a person reads it
	Takes string // the set the host takes, "" where it is not known or not a set
}

// Finding is one reason for a verdict.
type Finding struct {
	Verdict  Verdict
	Kind     Kind
	Register string
	Field    string // "" where it is about the whole register
	Wanted   string // the value that was asked for, "" where hosts are compared
	// Hosts is the smallest set of hosts that shows it, nearly always two.
	Hosts []HostValue
	// Who could change it, what it means in a guest, what it rests on; each ""
	// where there is nothing to say.
	Who, Means, Rests string
	// Remedy is what would mend it. A proof has it in words, as the kernel's
	// answers give it: Mend.
	Remedy Remedy
	Mend   string
}

// Name gives the object of the finding: ID_AA64MMFR2_EL1.FWB.
func (f *Finding) Name() string {
	if f.Field == "" {
		return f.Register
	}
	return f.Register + "." + f.Field
}

// verdictOf returns what the findings amount to together.
func verdictOf(findings []Finding) Verdict {
	v := Yes
	for i := range findings {
		v = worse(v, findings[i].Verdict)
	}
	return v
}
