package probe

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/guise-project/guise/isa/arm64"
)

// machines are the CPUs the images are tried on without KVM, with the
// exception level at which the program has to find itself.
var machines = []struct {
	name, machine, cpu string
	el                 int
}{
	{"cortex-a53", "", "cortex-a53", 1},
	{"cortex-a710", "", "cortex-a710", 1},
	{"a64fx", "", "a64fx", 1},
	{"neoverse-n1", "", "neoverse-n1", 1},
	{"neoverse-v1", "", "neoverse-v1", 1},
	{"max", "", "max", 1},
	{"max with MTE", ",mte=on", "max", 1},
	{"max with EL2", ",virtualization=on", "max", 2},
	{"neoverse-v1 with EL2", ",virtualization=on", "neoverse-v1", 2},
	{"cortex-a72 with EL2 without E2H", ",virtualization=on", "cortex-a72", 1},
}

// qemuRunsInStreamingMode are features whose instructions QEMU 10.0
// runs in streaming mode although the CPU it emulates lacks them and
// SMCR_EL1.FA64 is 0.
var qemuRunsInStreamingMode = []string{"FEAT_SSVE_AES", "FEAT_SSVE_BitPerm", "FEAT_SSVE_FEXPA"}

// Where nothing is hidden, what instructions show is what the ID registers
// say: of every feature that Arm ties to ID registers and whose instruction
// gives a clear sign.
func TestInstructionsShowWhatRegistersSay(t *testing.T) {
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			trace := runBareMetal(t, Join("registers and instructions", FeatureSpace(), Instructions()), m.machine, m.cpu)
			var values [arm64.NumRegisters]uint64
			for _, record := range trace.Records {
				if place, ok := arm64.Place(record.Name); ok && record.Kind == MRS {
					values[place] = record.Values[0]
				}
			}
			if trace.EL != m.el {
				t.Errorf("ran at EL%d; want EL%d", trace.EL, m.el)
			}
			usable, notUsable := 0, 0
			for _, record := range trace.Records {
				row := InstructionFor(record.Name)
				if row == nil {
					continue
				}
				shown := row.Shows(&record, trace.EL)
				present := arm64.FeatureNamed(record.Name).Present
				if shown == Unclear || present == nil || slices.Contains(qemuRunsInStreamingMode, record.Name) {
					continue
				}
				if present.Holds(&values) != (shown == Usable) {
					t.Errorf("%s is %s (%s, %s), and the ID registers say %t", record.Name, shown,
						record.Outcome, ExplainSyndrome(record.Syndrome), present.Holds(&values))
				}
				if shown == Usable {
					usable++
				} else {
					notUsable++
				}
			}
			if usable == 0 || notUsable == 0 {
				t.Errorf("%d features usable, %d not: the test could not fail", usable, notUsable)
			}
			t.Logf("EL%d: %d features usable and %d not, as the ID registers say", trace.EL, usable, notUsable)
		})
	}
}

// The long program runs to its end, and one operation does not disturb the
// next: the feature ID space reads the same after all others as before.
func TestOperationsDoNotDisturbEachOther(t *testing.T) {
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			again := FeatureSpace()
			for i := range again.Ops {
				again.Ops[i].Name = "again " + again.Ops[i].Name
			}
			count := len(again.Ops)
			trace := runBareMetal(t, Join("twice", everything(), again), m.machine, m.cpu)
			first, last := trace.Records[:count], trace.Records[len(trace.Records)-count:]
			if diff := cmp.Diff(first, last, cmpopts.IgnoreFields(Record{}, "Name")); diff != "" {
				t.Errorf("the feature ID space (-first +last):\n%s", diff)
			}
			for _, record := range trace.Records {
				if record.Outcome != Completed && record.Outcome != Exception {
					t.Errorf("%s %s: %s", record.Kind, record.Name, record.Outcome)
				}
			}
		})
	}
}

// Writing a register of the feature ID space is UNDEFINED on every CPU.
func TestWritesAreUndefined(t *testing.T) {
	trace := runBareMetal(t, Writes(), "", "neoverse-v1")
	for _, record := range trace.Records {
		if record.Outcome != Exception {
			t.Errorf("%s: %s", record.Name, record.Outcome)
		}
	}
}

// QEMU's machine has PSCI behind HVC, and behind SMC where there is an EL2;
// HVC then goes to the EL2 of the guest's own.
func TestServiceCallsWithoutKVM(t *testing.T) {
	for _, test := range []struct {
		machine, cpu       string
		answers, exception Kind
		class              uint64
	}{
		{"", "cortex-a53", HVC, SMC, classUnknown},
		{",virtualization=on", "max", SMC, HVC, classHVC},
		{",virtualization=on", "cortex-a72", SMC, HVC, classHVC},
	} {
		trace := runBareMetal(t, ServiceCalls(), test.machine, test.cpu)
		version := trace.Find(test.answers, "PSCI_VERSION")
		if version.Outcome != Completed || version.Values[0] < 0x1_0000 || version.Values[0] > 0x1_ffff {
			t.Errorf("%s%s: PSCI_VERSION by %s: %s, %#x", test.cpu, test.machine, test.answers, version.Outcome, version.Values[0])
		}
		other := trace.Find(test.exception, "PSCI_VERSION")
		if other.Outcome != Exception || Class(other.Syndrome) != test.class || other.Instruction != 0 {
			t.Errorf("%s%s: PSCI_VERSION by %s: %s, %s, instruction %d", test.cpu, test.machine, test.exception,
				other.Outcome, ExplainSyndrome(other.Syndrome), other.Instruction)
		}
	}
}

// Where in a sequence an exception was taken, and that Undo ran.
func TestExecuteTellsTheInstruction(t *testing.T) {
	const undefined, moveX3 = 0x00000000, 0xd28000e3 // udf #0; mov x3, #7
	trace := runBareMetal(t, &Program{Name: "positions", Ops: []Op{
		{Kind: Execute, Name: "third", Words: []uint32{wordNOP, wordNOP, undefined, wordNOP}, Undo: []uint32{undefined, wordNOP}},
		{Kind: Execute, Name: "values", Args: [8]uint64{1, 1 << 63, 0xffff_0000_1234_0000}, Words: []uint32{moveX3}, Results: 4},
		{Kind: Execute, Name: "unaligned", Words: []uint32{0x9100052c, 0xc8dffd80}}, // add x12, x9, #1; ldar x0, [x12]
		{Kind: Execute, Name: "scratch", Words: []uint32{0xf9000129, 0xf9400140}, Results: 1},
		{Kind: MRS, Name: "last", Register: regCurrentEL},
	}}, "", "cortex-a53")
	want := []Record{
		{Kind: Execute, Name: "third", Outcome: Exception, Syndrome: 0x02000000, Instruction: 2},
		{Kind: Execute, Name: "values", Outcome: Completed, Values: [4]uint64{1, 1 << 63, 0xffff_0000_1234_0000, 7}, Count: 4},
		{Kind: Execute, Name: "unaligned", Outcome: Exception, Syndrome: 0x96000021, Instruction: 1, FaultAddress: DefaultBase + scratchOffset + 1},
		// str x9, [x9]; ldr x0, [x10]: what was stored is read through the alias.
		{Kind: Execute, Name: "scratch", Outcome: Completed, Values: [4]uint64{DefaultBase + scratchOffset}, Count: 1},
		{Kind: MRS, Name: "last", Outcome: Completed, Values: [4]uint64{4}, Count: 1},
	}
	if diff := cmp.Diff(want, trace.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// An exception inside the handler ends the run with a letter of its own.
func TestExceptionInTheHandler(t *testing.T) {
	image := build(t, &Program{Name: "fatal", Ops: []Op{
		{Kind: Execute, Name: "lose the record", Words: []uint32{0xd2c0201c, 0x00000000}}, // mov x28, #0x10000000000; udf #0
	}}, Layout{})
	if _, letter := bareMetal(t, image, "", "cortex-a53"); letter != doorbellFatal {
		t.Errorf("the letter was %q; want %q", letter, rune(doorbellFatal))
	}
}

// The same image runs wherever in memory it lies.
func TestBases(t *testing.T) {
	for _, base := range []uint64{0x4021_0000, 0x4300_0000} {
		image := build(t, FeatureSpace(), Layout{Base: base})
		if _, letter := bareMetal(t, image, "", "cortex-a53"); letter != doorbellDone {
			t.Errorf("at %#x: the letter was %q", base, letter)
		}
	}
}

// An interrupt that an operation lets in is told from what it did. The
// operation sends itself one, by way of QEMU's GICv3.
func TestInterrupt(t *testing.T) {
	lines := []string{
		"mov x12, #0x08000000", "mov w13, #0x12", "str w13, [x12]", // GICD_CTLR: ARE, EnableGrp1
		"mov x14, #0x080a0000", "str wzr, [x14, #0x14]", // GICR_WAKER
		"mov x15, #0x080b0000", "mov w13, #-1",
		"str w13, [x15, #0x80]", "str w13, [x15, #0x100]", // GICR_IGROUPR0, GICR_ISENABLER0
		"mov x13, #0xff", "msr ICC_PMR_EL1, x13",
		"mov x13, #1", "msr ICC_IGRPEN1_EL1, x13", "isb",
		"msr ICC_SGI1R_EL1, x13", "isb",
		"msr DAIFClr, #2", "b #0",
	}
	trace := runBareMetal(t, &Program{Name: "interrupt", Ops: []Op{
		{Kind: Execute, Name: "let it in", Words: assembleLLVM(t, lines)},
		{Kind: MRS, Name: "DAIF", Register: arm64.Encoding{Op0: 3, Op1: 3, CRn: 4, CRm: 2, Op2: 1}},
	}}, "", "cortex-a53")
	want := []Record{
		{Kind: Execute, Name: "let it in", Outcome: Interrupted, Instruction: len(lines) - 1},
		{Kind: MRS, Name: "DAIF", Outcome: Completed, Values: [4]uint64{0x3c0}, Count: 1}, // masked again
	}
	// Whether the interrupt comes at the branch or just before is the CPU's.
	if trace.Records[0].Instruction == len(lines)-2 {
		want[0].Instruction--
	}
	if diff := cmp.Diff(want, trace.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}
