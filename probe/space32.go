package probe

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise/isa/arm64"
)

var (
	reg32CSSELR = arm64.CoprocessorID(2, 0, 0)
	reg32CCSIDR = arm64.CoprocessorID(1, 0, 0)
)

// FeatureSpace32 reads each encoding of AArch32's ID registers. CSSELR is
// written first, so that CCSIDR has a meaning.
func FeatureSpace32() *Program {
	p := &Program{Name: "aarch32-feature-space", Ops: []Op{
		{Kind: MCR, Name: "CSSELR", Coprocessor: reg32CSSELR},
	}}
	for _, c := range arm64.CoprocessorSpace() {
		p.Ops = append(p.Ops, Op{Kind: MRC, Name: c.String(), Coprocessor: c})
	}
	return p
}

// Reserved32 reads what is reserved for further ID registers. No guest of KVM from
// Linux 6.1 on comes past the first of them, which is why it is a program of its
// own (docs/findings.md).
func Reserved32() *Program {
	p := &Program{Name: "aarch32-reserved"}
	for _, c := range arm64.ReservedCoprocessorSpace() {
		p.Ops = append(p.Ops, Op{Kind: MRC, Name: c.String(), Coprocessor: c})
	}
	return p
}

// Writes32 tries to write each of all these. All are read-only.
func Writes32() *Program {
	p := &Program{Name: "aarch32-writes"}
	for _, c := range append(arm64.CoprocessorSpace(), arm64.ReservedCoprocessorSpace()...) {
		p.Ops = append(p.Ops, Op{Kind: MCR, Name: c.String(), Coprocessor: c})
	}
	return p
}

// Hardware32 reads what else describes the CPU or a device of the vCPU to a
// guest in AArch32: SIMD and floating-point, debug, PMU, interrupt controller,
// counter frequency, and every CCSIDR through CSSELR.
func Hardware32() *Program {
	p := &Program{Name: "aarch32-hardware"}
	space := append(arm64.CoprocessorSpace(), reg32CSSELR)
	for _, c := range arm64.NamedCoprocessors() {
		if !slices.Contains(space, c) {
			p.Ops = append(p.Ops, Op{Kind: MRC, Name: c.String(), Coprocessor: c})
		}
	}
	for level := range cacheLevels {
		p.Ops = append(p.Ops,
			Op{Kind: MCR, Name: fmt.Sprintf("CSSELR=%d", level), Coprocessor: reg32CSSELR, Value: uint64(level)},
			Op{Kind: MRC, Name: fmt.Sprintf("CCSIDR[%d]", level), Coprocessor: reg32CCSIDR})
	}
	return p
}

// ServiceCalls32 makes the calls of ServiceCalls whose arguments fit into 32
// bits. Those of the 64-bit calling convention are among them: a guest in
// AArch32 must not be answered (Arm DEN 0028, "SMC32/HVC32 calling convention").
func ServiceCalls32() *Program {
	p := ServiceCalls()
	p.Name = "aarch32-services"
	p.Ops = slices.DeleteFunc(p.Ops, func(op Op) bool { return !op.narrow() })
	return p
}
