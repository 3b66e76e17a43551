package probe

import (
	"fmt"
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// Parts of ESR_ELx (Arm ARM, "ESR_EL1, Exception Syndrome Register").
const (
	syndromeIL    = 1 << 25
	syndromeClass = 26
	syndromeISS   = 1<<25 - 1
)

// Exception classes that are told apart in code.
const (
	classUnknown      = 0x00
	classBranchTarget = 0x0d
	classSVC32        = 0x11
	classSVC          = 0x15
	classHVC          = 0x16
	classSMC          = 0x17
	classSystem       = 0x18
	classPAC          = 0x1c
	classSME          = 0x1d
	classInstruction  = 0x20 // from a lower level; 0x21 from the same
	classPCAlignment  = 0x22
	classData         = 0x24 // from a lower level; 0x25 from the same
	classMemorySet    = 0x27
	classSError       = 0x2f
)

// classNames are the exception classes of ESR_ELx.EC that an exception taken
// from AArch64 to EL1 or EL2 can have, and an SVC in AArch32, which a guest there
// takes without such a register.
var classNames = map[uint64]string{
	0x00: "undefined, or of unknown reason",
	0x01: "trapped WFI, WFE, WFIT or WFET",
	0x07: "trapped SVE, SIMD or floating-point",
	0x08: "trapped VMRS",
	0x09: "trapped pointer authentication",
	0x0a: "trapped LD64B or ST64B",
	0x0d: "branch target exception",
	0x0e: "illegal execution state",
	0x11: "SVC in AArch32",
	0x14: "trapped MSRR, MRRS or 128-bit system instruction",
	0x15: "SVC",
	0x16: "HVC",
	0x17: "SMC",
	0x18: "trapped MSR, MRS or system instruction",
	0x19: "trapped SVE",
	0x1a: "trapped ERET, ERETAA or ERETAB",
	0x1b: "TSTART at EL0 or trapped",
	0x1c: "pointer authentication failure",
	0x1d: "trapped SME",
	0x20: "instruction abort from a lower level",
	0x21: "instruction abort",
	0x22: "PC alignment fault",
	0x24: "data abort from a lower level",
	0x25: "data abort",
	0x26: "SP alignment fault",
	0x27: "memory copy or memory set exception",
	0x2c: "trapped floating-point exception",
	0x2d: "GCS exception",
	0x2f: "SError",
	0x30: "breakpoint from a lower level",
	0x31: "breakpoint",
	0x32: "software step from a lower level",
	0x33: "software step",
	0x34: "watchpoint from a lower level",
	0x35: "watchpoint",
	0x3c: "BRK",
	0x3d: "PMU exception",
}

// faultNames are the fault status codes of aborts (ESR_ELx.DFSC and IFSC)
// without their level, by the upper bits of the code.
var faultNames = []struct {
	low, high uint64
	name      string
	level     bool
}{
	{0x00, 0x03, "address size fault", true},
	{0x04, 0x07, "translation fault", true},
	{0x08, 0x0b, "access flag fault", true},
	{0x0c, 0x0f, "permission fault", true},
	{0x10, 0x10, "external abort", false},
	{0x11, 0x11, "tag check fault", false},
	{0x14, 0x17, "external abort on a table walk", true},
	{0x18, 0x18, "parity or ECC error", false},
	{0x21, 0x21, "alignment fault", false},
	{0x30, 0x30, "TLB conflict", false},
	{0x34, 0x34, "lockdown fault", false},
	{0x35, 0x35, "unsupported exclusive or atomic access", false},
}

// Class returns the exception class (ESR_ELx.EC) of a syndrome.
func Class(syndrome uint64) uint64 { return syndrome >> syndromeClass & 0x3f }

// IsUndefined reports whether the syndrome is that of an UNDEFINED
// instruction: what a CPU raises for one it does not have, and what KVM
// injects for one it hides.
func (r *Record) IsUndefined() bool {
	return r.Outcome == Exception && Class(r.Syndrome) == classUnknown
}

// SystemAccess is what the syndrome of a trapped MSR, MRS or system
// instruction (EC 0x18) tells about it.
type SystemAccess struct {
	Register arm64.Encoding
	// Read is the direction: true for MRS and SYSL.
	Read bool
	// Rt is the general-purpose register, 31 for XZR.
	Rt uint8
}

// DecodeSystemAccess reads a syndrome of EC 0x18; ok is false for any other.
func DecodeSystemAccess(syndrome uint64) (access SystemAccess, ok bool) {
	if Class(syndrome) != classSystem {
		return SystemAccess{}, false
	}
	return SystemAccess{
		Register: arm64.Encoding{
			Op0: uint8(syndrome >> 20 & 3), Op2: uint8(syndrome >> 17 & 7), Op1: uint8(syndrome >> 14 & 7),
			CRn: uint8(syndrome >> 10 & 15), CRm: uint8(syndrome >> 1 & 15),
		},
		Read: syndrome&1 != 0,
		Rt:   uint8(syndrome >> 5 & 31),
	}, true
}

// EncodeSystemAccess gives the syndrome of a trapped access (EC 0x18, IL set).
func EncodeSystemAccess(access SystemAccess) uint64 {
	e := access.Register
	s := uint64(classSystem)<<syndromeClass | syndromeIL |
		uint64(e.Op0)<<20 | uint64(e.Op2)<<17 | uint64(e.Op1)<<14 | uint64(e.CRn)<<10 |
		uint64(access.Rt)<<5 | uint64(e.CRm)<<1
	if access.Read {
		s |= 1
	}
	return s
}

// ExplainSyndrome renders ESR_ELx in words: the exception class, and what the
// rest says where it says something of use to a reader.
func ExplainSyndrome(syndrome uint64) string {
	class := Class(syndrome)
	name, ok := classNames[class]
	if !ok {
		name = "reserved exception class"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "EC 0x%02x, %s", class, name)
	iss := syndrome & syndromeISS
	switch class {
	case classUnknown:
		if syndrome&syndromeIL == 0 {
			// Linux up to 6.18 injects it so into protected VMs.
			b.WriteString("; IL clear")
		}
	case classSVC, classHVC, classSMC:
		fmt.Fprintf(&b, " #%d", iss&0xffff)
	case classSystem:
		access, _ := DecodeSystemAccess(syndrome)
		b.WriteString(": ")
		b.WriteString(access.String())
	case classInstruction, classInstruction + 1, classData, classData + 1:
		b.WriteString(": ")
		if class >= classData {
			if iss>>6&1 != 0 {
				b.WriteString("write, ")
			} else {
				b.WriteString("read, ")
			}
		}
		b.WriteString(faultName(iss & 0x3f))
	default:
		if iss != 0 {
			fmt.Fprintf(&b, "; ISS %#x", iss)
		}
	}
	return b.String()
}

// String gives the access in words: "read of S3_0_C0_C4_3 to x0".
func (a SystemAccess) String() string {
	register := fmt.Sprintf("x%d", a.Rt)
	if a.Rt == zeroRegister {
		register = "xzr"
	}
	switch {
	case a.Register.Op0 == 1:
		return fmt.Sprintf("system instruction op1 %d, C%d, C%d, op2 %d with %s", a.Register.Op1, a.Register.CRn, a.Register.CRm, a.Register.Op2, register)
	case a.Read:
		return fmt.Sprintf("read of %v to %s", a.Register, register)
	}
	return fmt.Sprintf("write of %v from %s", a.Register, register)
}

func faultName(status uint64) string {
	for _, f := range faultNames {
		if f.low <= status && status <= f.high {
			if f.level {
				return fmt.Sprintf("%s, level %d", f.name, status-f.low)
			}
			return f.name
		}
	}
	return fmt.Sprintf("fault status 0x%02x", status)
}

// hasFaultAddress reports whether FAR_ELx holds something after an exception
// with the syndrome. (It also does after a watchpoint, but a guest that looks
// sets none.)
func hasFaultAddress(syndrome uint64) bool {
	switch Class(syndrome) {
	case classInstruction, classInstruction + 1, classData, classData + 1, classPCAlignment:
		return true
	}
	return false
}

// returnsAfter reports whether the preferred return address of an exception
// with the syndrome is the instruction after the one that took it.
func returnsAfter(syndrome uint64) bool {
	class := Class(syndrome)
	return class == classSVC || class == classHVC
}
