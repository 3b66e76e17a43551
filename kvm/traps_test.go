package kvm

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kvm/tracing"
	"github.com/guise-project/guise/probe"
)

// scene is a program of one operation of each kind and the addresses of their
// instructions.
type scene struct {
	program *probe.Program
	image   *probe.Image
	trace   *probe.Trace
	pc      []uint64
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{program: &probe.Program{Name: "scene", Ops: []probe.Op{
		{Kind: probe.MRS, Name: "ID_AA64PFR0_EL1", Register: arm64.Encoding{Op0: 3, CRm: 4}},
		{Kind: probe.MRS, Name: "MIDR_EL1", Register: arm64.Encoding{Op0: 3}},
		{Kind: probe.MSR, Name: "CSSELR_EL1", Register: arm64.Encoding{Op0: 3, Op1: 2}},
		{Kind: probe.HVC, Name: "PSCI_VERSION", Args: [8]uint64{0x8400_0000}},
		{Kind: probe.HVC, Name: "SMCCC_ARCH_WORKAROUND_1", Args: [8]uint64{0x8000_8000}},
		{Kind: probe.MRS, Name: "ICC_CTLR_EL1", Register: arm64.Encoding{Op0: 3, CRn: 12, CRm: 12, Op2: 4}},
		{Kind: probe.Execute, Name: "FEAT_LOR", Words: []uint32{0xd503201f, 0xd538a4e0}}, // NOP; MRS X0, LORID_EL1
		{Kind: probe.MRS, Name: "never", Register: arm64.Encoding{Op0: 3, Op2: 1}},
	}}}
	image, err := s.program.Build(probe.Layout{})
	if err != nil {
		t.Fatal(err)
	}
	s.image, s.trace = image, probe.NewTrace(s.program)
	s.pc = make([]uint64, len(s.program.Ops))
	for address := image.Base + uint64(len(image.Bytes)); address > image.Base; address -= 4 {
		if i, ok := image.Operation(address - 4); ok {
			s.pc[i] = address - 4 // the first, in the end
		}
	}
	for i := range s.trace.Records[:len(s.trace.Records)-1] {
		s.trace.Records[i].Outcome = probe.Completed
	}
	return s
}

func (s *scene) exit(op int, class uint64) tracing.Event {
	return tracing.Event{Kind: tracing.Exit, Trap: true, Class: class, PC: s.pc[op]}
}

func access(e arm64.Encoding, read bool) tracing.Event {
	return tracing.Event{Kind: tracing.SystemRegister, Syndrome: probe.EncodeSystemAccess(probe.SystemAccess{Register: e, Read: read})}
}

// called is what the HVC leaves: the program counter is after it.
func (s *scene) called(function uint64) []tracing.Event {
	return []tracing.Event{
		{Kind: tracing.Exit, Trap: true, Class: classHVC, PC: s.pc[3] + 4},
		{Kind: tracing.Hypercall, PC: s.pc[3] + 4, Function: function},
	}
}

func TestMatch(t *testing.T) {
	s := newScene(t)
	events := slices.Concat([]tracing.Event{
		// The image's own controls, then a page that is touched first.
		{Kind: tracing.Exit, Trap: true, Class: 0x18, PC: s.image.Entry}, access(arm64.Encoding{Op0: 3, CRn: 1}, false),
		s.exit(0, classInstructionAbort),
		s.exit(0, 0x18), access(s.program.Ops[0].Register, true),
		{Kind: tracing.Exit, PC: s.pc[1]}, // an interrupt of the host
		s.exit(2, classDataAbort),
	}, s.called(0x8400_0000), []tracing.Event{
		{Kind: tracing.Exit, Trap: true, Class: 0x18, PC: s.pc[6] + 4}, access(arm64.Encoding{Op0: 3, CRn: 10, CRm: 4, Op2: 7}, true),
	})
	traps, err := match(s.program, s.image, s.trace, events)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"trapped", "not trapped", "not trapped", "trapped", "not known", "not known", "trapped", "not known"} {
		op := &s.program.Ops[i]
		got := "not known"
		switch {
		case traps.Trapped.Has(op.Kind, op.Name):
			got = "trapped"
		case traps.NotTrapped.Has(op.Kind, op.Name):
			got = "not trapped"
		}
		if got != want {
			t.Errorf("%s %s is %s, want %s", op.Kind, op.Name, got, want)
		}
	}
	if traps.RestsOn == "" || traps.Unknown != "" {
		t.Errorf("%+v", traps)
	}
}

// TestMatchDoubts: events that cannot be this guest's, or not all of them, are
// no evidence.
func TestMatchDoubts(t *testing.T) {
	s := newScene(t)
	for reason, events := range map[string][]tracing.Event{
		"what was seen is not all":     nil,
		"while the guest was at mrs":   {s.exit(0, 0x18), access(arm64.Encoding{Op0: 3, CRm: 4}, false)},
		"read of S3_0_C0_C5_0":         {s.exit(0, 0x18), access(arm64.Encoding{Op0: 3, CRm: 5}, true)},
		"which is of none":             {s.exit(0, 0x18), {Kind: tracing.SystemRegister, Syndrome: 1 << 25}},
		"HVC of function 0x84000001":   s.called(0x8400_0001),
		"HVC of function 0x84000000 w": {s.exit(0, 0x18), {Kind: tracing.Hypercall, Function: 0x8400_0000}},
	} {
		if traps, err := match(s.program, s.image, s.trace, events); err == nil || !strings.Contains(err.Error(), reason) || traps != nil {
			t.Errorf("%s: %+v, %v", reason, traps, err)
		}
	}
}

// TestMatchAArch32: HVC has a class of its own there, and registers are reached
// with MRC.
func TestMatchAArch32(t *testing.T) {
	program := &probe.Program{Name: "scene", Ops: []probe.Op{
		{Kind: probe.MRC, Name: "ID_PFR0", Coprocessor: arm64.CoprocessorID(0, 1, 0)},
		{Kind: probe.MRC, Name: "MIDR", Coprocessor: arm64.CoprocessorID(0, 0, 0)},
		{Kind: probe.MRC, Name: "ICC_CTLR", Coprocessor: arm64.Coprocessor{Number: 15, CRn: 12, CRm: 12, Opc2: 4}},
		{Kind: probe.HVC, Name: "PSCI_VERSION", Args: [8]uint64{0x8400_0000}},
	}}
	image, err := program.Build(probe.Layout{State: probe.AArch32})
	if err != nil {
		t.Fatal(err)
	}
	trace := probe.NewTrace(program)
	var pc [4]uint64
	for address := image.Base + uint64(len(image.Bytes)); address > image.Base; address -= 4 {
		if i, ok := image.Operation(address - 4); ok {
			pc[i], trace.Records[i].Outcome = address-4, probe.Completed
		}
	}
	const classMRC = 0x03
	traps, err := match(program, image, trace, []tracing.Event{
		{Kind: tracing.Exit, Trap: true, Class: classMRC, PC: pc[0]},
		{Kind: tracing.Exit, Trap: true, Class: classHVC32, PC: pc[3] + 4},
		{Kind: tracing.Hypercall, PC: pc[3] + 4, Function: 0x8400_0000},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(traps.Trapped) != 2 || !traps.Trapped.Has(probe.MRC, "ID_PFR0") || !traps.Trapped.Has(probe.HVC, "PSCI_VERSION") ||
		len(traps.NotTrapped) != 1 || !slices.Equal(traps.NotTrapped[probe.MRC], []string{"MIDR"}) {
		t.Errorf("%+v", traps)
	}
}
