package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/guise-project/guise/isa/arm64"
)

// machines32 are CPUs that run AArch32 at EL1.
var machines32 = []struct{ name, machine, cpu string }{
	{"cortex-a15", "", armv7},
	{"cortex-a53", ",virtualization=on", "cortex-a53"},
	{"cortex-a72", ",virtualization=on", "cortex-a72"},
	{"max", ",virtualization=on", "max"},
}

// The same program tells in both states of one CPU what it is: where AArch32 has
// an AArch64 register's lower half, both read the same.
func TestStatesShowTheSame(t *testing.T) {
	for _, m := range machines32[1:] {
		t.Run(m.name, func(t *testing.T) {
			wide := runBareMetal(t, FeatureSpace(), m.machine, m.cpu)
			narrow := runBareMetalIn(t, AArch32, Join("all", FeatureSpace32(), Hardware32()), m.machine, m.cpu)
			compared := 0
			for _, op := range append(FeatureSpace32().Ops, Hardware32().Ops...) {
				place, ok := op.Coprocessor.Place()
				if !ok || op.Kind != MRC {
					continue
				}
				got, want := narrow.Find(MRC, op.Name), wide.Find(MRS, arm64.Registers[place].Name)
				if want == nil {
					continue // CNTFRQ_EL0 is outside the feature ID space
				}
				compared++
				if got.Outcome != Completed || got.Values[0] != want.Values[0]&0xffff_ffff {
					t.Errorf("%s: %s, %#x; %s is %#x", op.Name, got.Outcome, got.Values[0], want.Name, want.Values[0])
				}
			}
			if compared != 28 {
				t.Errorf("%d registers compared", compared)
			}
			if midr := narrow.Find(MRC, "MIDR"); midr.Values[0] != wide.Find(MRS, "MIDR_EL1").Values[0] || narrow.EL != 1 {
				t.Errorf("EL%d, MIDR %#x", narrow.EL, midr.Values[0])
			}
		})
	}
}

// The long program runs to its end, and one operation does not disturb the next.
func TestOperationsDoNotDisturbEachOther32(t *testing.T) {
	for _, m := range machines32 {
		t.Run(m.name, func(t *testing.T) {
			again := FeatureSpace32()
			for i := range again.Ops {
				again.Ops[i].Name = "again " + again.Ops[i].Name
			}
			program := Join("twice", everything32(), again)
			trace := runBareMetalIn(t, AArch32, program, m.machine, m.cpu)
			completed, count := 0, len(again.Ops)
			for i, last := range trace.Records[len(trace.Records)-count:] {
				last.Name = trace.Records[i].Name
				if diff := cmp.Diff(trace.Records[i], last); diff != "" {
					t.Errorf("%s (-first +last):\n%s", last.Name, diff)
				}
			}
			for i, record := range trace.Records {
				if record.Outcome != Completed && !record.IsUndefined() || record.Instruction != 0 {
					t.Errorf("%s %s: %s, %s, instruction %d", record.Kind, record.Name, record.Outcome, ExplainSyndrome(record.Syndrome), record.Instruction)
				}
				if record.Outcome == Completed {
					completed++
				}
				if program.Ops[i].Kind == MCR && program.Ops[i].Coprocessor != reg32CSSELR && record.Outcome == Completed && m.cpu != armv7 {
					t.Errorf("a write of %s completed", record.Name)
				}
			}
			if completed < 50 || completed == len(trace.Records) {
				t.Errorf("%d of %d operations completed", completed, len(trace.Records))
			}
			t.Logf("%d of %d operations completed, the others were undefined", completed, len(trace.Records))
		})
	}
}

// PSCI answers behind HVC where the machine has no EL2, and behind SMC where it
// has one; the other is undefined.
func TestServiceCallsWithoutKVM32(t *testing.T) {
	for _, m := range machines32 {
		answers, undefined := SMC, HVC
		if m.cpu == armv7 {
			answers, undefined = HVC, SMC
		}
		trace := runBareMetalIn(t, AArch32, ServiceCalls32(), m.machine, m.cpu)
		version := trace.Find(answers, "PSCI_VERSION")
		if version.Outcome != Completed || version.Values[0] < 0x1_0000 || version.Values[0] > 0x1_ffff {
			t.Errorf("%s: PSCI_VERSION by %s: %s, %#x", m.cpu, answers, version.Outcome, version.Values[0])
		}
		if other := trace.Find(undefined, "PSCI_VERSION"); !other.IsUndefined() {
			t.Errorf("%s: PSCI_VERSION by %s: %s, %s", m.cpu, undefined, other.Outcome, ExplainSyndrome(other.Syndrome))
		}
	}
}

// Each exception is told by its vector, with where and why.
func TestExceptions32(t *testing.T) {
	const (
		nop, undefined, call, breakpoint = 0xe320f000, 0xe7f000f0, 0xef000005, 0xe1200070 // nop; udf #0; svc #5; bkpt #0
		moveR3                           = 0xe3a03007                                     // mov r3, #7
		zero, load, write                = 0xe3a08000, 0xe5980000, 0xe5880000             // mov r8, #0; ldr r0, [r8]; str r0, [r8]
		high                             = 0xe3e08003                                     // mvn r8, #3
		jump                             = 0xe12fff18                                     // bx r8
		odd, exclusive                   = 0xe2898001, 0xe1980f9f                         // add r8, r9, #1; ldrex r0, [r8]
		keep, read                       = 0xe5892000, 0xe5990000                         // str r2, [r9]; ldr r0, [r9]
	)
	execute := func(name string, results int, words ...uint32) Op {
		return Op{Kind: Execute, State: AArch32, Name: name, Words: words, Results: results}
	}
	values := execute("values", 4, moveR3)
	values.Args = [8]uint64{1, 1 << 31, 0x1234_0000}
	scratch := execute("scratch", 1, keep, read)
	scratch.Args[2] = 0xffff_fffe
	undone := execute("third", 0, nop, nop, undefined, nop)
	undone.Undo = []uint32{undefined, nop}
	program := &Program{Name: "exceptions", Ops: []Op{
		undone, values, scratch,
		execute("call", 0, nop, call),
		execute("unmapped load", 0, high, load),
		execute("unmapped store", 0, high, write),
		execute("unmapped jump", 0, high, jump),
		execute("unaligned", 0, odd, exclusive),
		execute("breakpoint", 0, nop, breakpoint),
		execute("execute a device", 0, zero, jump),
		{Kind: MRC, Name: "MIDR", Coprocessor: arm64.CoprocessorID(0, 0, 0)},
	}}
	exception := func(name string, syndrome uint64, instruction int, address uint64) Record {
		return Record{Kind: Execute, Name: name, Outcome: Exception, Syndrome: syndrome, Instruction: instruction, FaultAddress: address}
	}
	want := []Record{
		exception("third", 0x0200_0000, 2, 0),
		{Kind: Execute, Name: "values", Outcome: Completed, Values: [4]uint64{1, 1 << 31, 0x1234_0000, 7}, Count: 4},
		{Kind: Execute, Name: "scratch", Outcome: Completed, Values: [4]uint64{0xffff_fffe}, Count: 1},
		exception("call", 0x4600_0000, 1, 0),
		exception("unmapped load", 0x9600_0005, 1, 0xffff_fffc),
		exception("unmapped store", 0x9600_0045, 1, 0xffff_fffc),
		exception("unmapped jump", 0x8600_0005, -1, 0xffff_fffc),
		exception("unaligned", 0x9600_0021, 1, DefaultBase+scratchOffset+1),
		exception("breakpoint", 0x8600_0022, 1, 0),
		exception("execute a device", 0x8600_000d, -1, 0),
		{Kind: MRC, Name: "MIDR", Outcome: Completed, Values: [4]uint64{0x410f_d034}, Count: 1},
	}
	trace := runBareMetalIn(t, AArch32, program, ",virtualization=on", "cortex-a53")
	for i := range trace.Records {
		if program.Ops[i].Name == "breakpoint" {
			trace.Records[i].FaultAddress = 0 // IFAR is UNKNOWN after a debug exception
		}
	}
	if diff := cmp.Diff(want, trace.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// An interrupt is told from what an operation did, also an FIQ, which has
// registers of its own. The operation sends itself one of each, by way of QEMU's
// GICv3.
func TestInterrupt32(t *testing.T) {
	for _, test := range []struct{ name, groups, enable, generate, unmask string }{
		{"IRQ", "mvn r2, #0", "mcr p15, #0, r2, c12, c12, #7", "mcrr p15, #0, r2, r3, c12", "cpsie i"},
		{"FIQ", "mov r2, #0", "mcr p15, #0, r2, c12, c12, #6", "mcrr p15, #2, r2, r3, c12", "cpsie f"},
	} {
		lines := []string{
			"movw r0, #0", "movt r0, #0x0800", "mov r1, #0x13", "str r1, [r0]", // GICD_CTLR: ARE, EnableGrp0, EnableGrp1
			"movt r0, #0x080a", "mov r1, #0", "str r1, [r0, #0x14]", // GICR_WAKER
			"movt r0, #0x080b", test.groups, "str r2, [r0, #0x80]", // GICR_IGROUPR0
			"mvn r2, #0", "str r2, [r0, #0x100]", // GICR_ISENABLER0
			"mov r2, #0xff", "mcr p15, #0, r2, c4, c6, #0", // ICC_PMR
			"mov r2, #1", "mov r3, #0", test.enable, "isb",
			test.generate, "isb", // ICC_SGI1R or ICC_SGI0R
			test.unmask, "b #-8",
		}
		trace := runBareMetalIn(t, AArch32, &Program{Name: "interrupt", Ops: []Op{
			{Kind: Execute, State: AArch32, Name: test.name, Words: assembleLLVM32(t, lines)},
			{Kind: Execute, State: AArch32, Name: "CPSR", Words: []uint32{word32ReadCPSR}, Results: 1},
		}}, ",virtualization=on", "cortex-a53")
		want := []Record{
			{Kind: Execute, Name: test.name, Outcome: Interrupted, Instruction: len(lines) - 1},
			{Kind: Execute, Name: "CPSR", Outcome: Completed, Values: [4]uint64{cpsrMasked}, Count: 1},
		}
		if trace.Records[0].Instruction == len(lines)-2 {
			want[0].Instruction-- // at the branch or just before
		}
		trace.Records[1].Values[0] &= 0x1ff // condition flags are as they come
		if diff := cmp.Diff(want, trace.Records); diff != "" {
			t.Errorf("%s: records (-want +got):\n%s", test.name, diff)
		}
	}
}

// An exception inside the handler ends the run with a letter of its own.
func TestExceptionInTheHandler32(t *testing.T) {
	image := buildIn(t, AArch32, &Program{Name: "fatal", Ops: []Op{
		{Kind: Execute, State: AArch32, Name: "lose the record", Words: []uint32{0xe3e0a003, 0xe7f000f0}}, // mvn r10, #3; udf #0
	}})
	for _, m := range machines32 {
		if _, letter := bareMetal(t, image, m.machine, m.cpu); letter != doorbellFatal {
			t.Errorf("%s: the letter was %q; want %q", m.cpu, letter, rune(doorbellFatal))
		}
	}
}
