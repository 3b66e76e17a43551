package guise

// Remedy is what would mend a finding: what to do, and with what. A program turns
// it into words of its own.
type Remedy struct {
	Code RemedyCode
	// Objects are what it is done with, as RemedyCodes says; empty for all hosts.
	Objects []string
}

// RemedyCode says what to do. The codes are stable.
type RemedyCode string

const (
	RemedyNone            RemedyCode = ""
	RemedyCapture         RemedyCode = "capture"           // capture hosts anew, with Capture of package vm
	RemedyCaptureOrAssume RemedyCode = "capture-or-assume" // that, or take a kernel's profile, with Capture.Assume
	RemedyBaseline        RemedyCode = "baseline"          // make the contract anew, with Baseline
	RemedyVary            RemedyCode = "vary"              // leave fields to each host: Policy.Vary
	RemedyIdentityOf      RemedyCode = "identity-of"       // give every VM the identity of a host: Policy.IdentityOf
	RemedyKernel          RemedyCode = "kernel"            // a kernel with a capability, or a later one
)

// RemedyCodes are all codes but RemedyNone, each with what its objects are.
var RemedyCodes = map[RemedyCode]string{
	RemedyCapture:         "hosts",
	RemedyCaptureOrAssume: "hosts",
	RemedyBaseline:        "hosts",
	RemedyVary:            "fields, REGISTER.FIELD, or registers",
	RemedyIdentityOf:      "one host",
	RemedyKernel:          "a capability and the first version that has it; none for a later kernel",
}

// identityKernel is the kernel on which identities can be set.
func identityKernel() Remedy {
	return Remedy{RemedyKernel, []string{identityCapability, "6.15"}}
}
