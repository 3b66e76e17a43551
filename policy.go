package guise

import (
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// Policy shapes a contract. The zero value asks for nothing.
type Policy struct {
	// Hide and Require name features, FEAT_SVE2.
	Hide, Require []string
	// With and Without choose setups: features that the VM must, and must not,
	// be made with. A VM of another kind than the usual one, with AArch32 at
	// EL1 or with an EL2 of its own, is only considered where With asks for it.
	With, Without []Feature
	// Protected asks for protected VMs.
	Protected bool
	// NoVGIC asks for VMs without an in-kernel interrupt controller. Without
	// it they have one wherever every host was captured with one.
	NoVGIC bool
	// Vary names fields, ID_AA64MMFR2_EL1.EVT, whole registers, or "identity"
	// for MIDR_EL1, REVIDR_EL1 and AIDR_EL1 together.
	Vary []string
	// IdentityOf names the host whose MIDR_EL1, REVIDR_EL1 and AIDR_EL1 every
	// VM is given.
	IdentityOf string
	identity   *Capture // that host
	// Allow names, by register, the only fields that may show anything; all
	// others of that register go to their lowest value. An allow-mask is not a
	// maximum: Restrict is.
	Allow map[string][]string
	// Restrict is the value than which a field may show a guest no more, by the
	// field's order; Force is the one value, AtLeast the one than which it may show
	// no less. Of PSCI_VERSION.Version the values are versions, 0x10002 for 1.2.
	Restrict, Force, AtLeast map[string]uint64
}

// Invalid returns what a policy says that means nothing, or that contradicts itself,
// nil where it means something: what Baseline says of it before it looks at hosts. A
// host that IdentityOf names may still be none.
func (p *Policy) Invalid() error {
	_, err := p.compile()
	return err
}

// ParseVary splits what follows --vary at its commas: registers, fields as
// ID_AA64MMFR2_EL1.EVT, further fields of the register before them, and "identity":
// ID_AA64MMFR2_EL1.EVT,FWB,identity,CTR_EL0 are four things.
func ParseVary(text string) []string {
	var names []string
	register := ""
	for name := range strings.SplitSeq(text, ",") {
		_, isRegister := arm64.Place(name)
		before, _, dotted := strings.Cut(name, ".")
		switch {
		case dotted:
			register = before
		case name == "identity" || isRegister:
			register = ""
		case register != "":
			name = register + "." + name
		}
		names = append(names, name)
	}
	return names
}
