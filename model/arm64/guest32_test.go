package arm64

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// Every register of the table is one, stands in it once, and is asked about by a
// program; the ID registers are not in it.
func TestCoprocessorRows(t *testing.T) {
	asked := map[arm64.Coprocessor]bool{arm64.CoprocessorID(2, 0, 0): true}
	for _, op := range probe.Join("all", probe.FeatureSpace32(), probe.Hardware32()).Ops {
		asked[op.Coprocessor] = true
	}
	seen := map[arm64.Coprocessor]bool{}
	for _, row := range coprocessorRows {
		for _, r := range row.registers {
			if r == (arm64.Coprocessor{}) || seen[r] || !asked[r] {
				t.Errorf("%v: stands in the table twice, or no program asks about it", r)
			}
			seen[r] = true
			if _, named := r.Place(); r.Number == 10 && named || r.Number == 15 && r.Opc1 == 0 && r.CRn == 0 && r.CRm != 0 {
				t.Errorf("%v is an ID register", r)
			}
		}
	}
}

func aarch32VM(t *testing.T, host string, features ...guise.Feature) *VM {
	t.Helper()
	h, err := Open(host)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := h.NewVM(t.Context(), guise.Setup{Features: append([]guise.Feature{guise.FeatureAArch32}, features...)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return machine.(*VM)
}

// What the model says of AArch32's registers, as kernels of the lab answer
// (cortex-a53; TestModelAgainstKernels puts all of it to them).
func TestAArch32Guest(t *testing.T) {
	for _, test := range []struct {
		name, kernel string
		value        uint64
		answer       Answer
	}{
		{"MIDR", "5.10", 0x410fd034, Value},
		{"ID_PFR1", "5.10", 0x10011001, Value}, // the CPU's: GIC 1
		{"ID_PFR1", "7.2", 0x11001, Value},
		{"ID_DFR0", "5.10", 0x3000006, Value},
		{"ID_DFR0", "6.1", 6, Value}, // the VM's: no PMU
		{"P15_0_C0_C3_0", "5.10", 0, Value},
		{"P15_0_C0_C3_0", "6.1", 0x10110222, Value}, // MVFR0's
		{"P15_0_C0_C4_0", "5.10", 0, Value},
		{"P15_0_C0_C4_0", "6.1", 0, Stuck},
		{"P15_0_C0_C7_7", "7.2", 0, Stuck},
		{"MVFR2", "5.10", 0x43, Value},
		{"MVFR2", "7.2", 0x43, Value},
		{"FPSID", "7.2", 0, NotModelled},
		{"TCMTR", "6.12", 0, NotModelled},
		{"TLBTR", "6.18", 0, Undefined},
		{"CLIDR", "6.1", 0xa200023, Value},
		{"CLIDR", "6.12", 0, Value},
		{"PMCR", "5.10", 0, Value},
		{"PMCR", "6.1", 0, Undefined},
		{"DBGDIDR", "5.10", 0x35160000, Value},
		{"DBGDIDR", "6.1", 0x35168000, Value},
		{"DBGDIDR", "7.2", 0x35168000, Value},
		{"ICC_CTLR", "6.12", 0, Undefined},
		{"P15_1_C0_C0_5", "7.2", 0, Undefined},
		{"P15_0_C1_C0_0", "7.2", 0, NotModelled}, // SCTLR
	} {
		r, err := arm64.CoprocessorNamed(test.name)
		if err != nil {
			t.Fatal(err)
		}
		m := aarch32VM(t, test.kernel+"/cortex-a53")
		_ = m.RunNothing(0) // ID registers are matched to there being no vGIC
		value, answer := m.ReadCoprocessor(0, r)
		if value != test.value || answer != test.answer {
			t.Errorf("%s on %s is %#x, answer %d; want %#x, %d", test.name, test.kernel, value, answer, test.value, test.answer)
		}
	}
}

// CCSIDR is what CSSELR selects: up to 6.1 of one set and way where it is data's,
// later what was chosen.
func TestAArch32Caches(t *testing.T) {
	for _, test := range []struct {
		kernel       string
		values       [3]uint64
		unselectable Answer
	}{
		{"6.1", [3]uint64{0x70000002, 0x203fe002, 0x70000002}, NotModelled},
		{"6.12", [3]uint64{2, 2, 2}, NotModelled},
	} {
		m := aarch32VM(t, test.kernel+"/cortex-a53")
		read := func(level uint64) (uint64, Answer) {
			op := probe.Op{Kind: probe.MCR, Name: "CSSELR", Coprocessor: arm64.CoprocessorID(2, 0, 0), Value: level}
			if err := m.runCoprocessor(0, &op, &probe.Record{}); err != nil {
				t.Fatal(err)
			}
			return m.ReadCoprocessor(0, arm64.CoprocessorID(1, 0, 0))
		}
		for level, want := range test.values {
			if value, answer := read(uint64(level)); value != want || answer != Value {
				t.Errorf("%s: CCSIDR of %d is %#x, answer %d; want %#x", test.kernel, level, value, answer, want)
			}
		}
		if _, answer := read(15); answer != test.unselectable {
			t.Errorf("%s: CCSIDR of 15: answer %d", test.kernel, answer)
		}
	}
}

// Programs run in VMs of their state only, on versions whose answers are known,
// and up to where a guest comes.
func TestAArch32Runs(t *testing.T) {
	m := aarch32VM(t, "7.2/cortex-a53")
	if _, err := m.Run(t.Context(), 0, probe.FeatureSpace()); !errors.Is(err, vm.ErrNotSupported) {
		t.Errorf("a program of AArch64: %v", err)
	}
	base, err := m.host.NewVM(t.Context(), guise.Setup{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := base.Run(t.Context(), 0, probe.FeatureSpace32()); !errors.Is(err, vm.ErrNotSupported) {
		t.Errorf("a program of AArch32: %v", err)
	}
	if _, err := aarch32VM(t, "4.15/cortex-a53").Run(t.Context(), 0, probe.FeatureSpace32()); !errors.Is(err, vm.ErrNotSupported) {
		t.Errorf("on 4.15: %v", err)
	}
	trace, err := m.Run(t.Context(), 0, probe.Join("stuck", probe.Writes32(), probe.Reserved32()))
	if err == nil || !strings.Contains(err.Error(), "P15_0_C0_C4_0") {
		t.Errorf("a reserved register: %v", err)
	}
	for i := range trace.Records {
		if record := &trace.Records[i]; (record.Kind == probe.MCR) != record.IsUndefined() {
			t.Errorf("%s %s: %s", record.Kind, record.Name, record.Outcome)
		}
	}
	if trace, err = aarch32VM(t, "5.10/cortex-a53").Run(t.Context(), 0, probe.Reserved32()); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(trace.Records, func(r probe.Record) bool { return r.Outcome != probe.Completed || r.Values[0] != 0 }) {
		t.Errorf("on 5.10: %+v", trace.Records)
	}
}

// PSCI's functions of 64 bits are denied, and others' are not.
func TestAArch32Calls(t *testing.T) {
	m := aarch32VM(t, "7.2/cortex-a53")
	setup := guise.Setup{}
	wide, err := m.host.newVM(&setup, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args         [8]uint64
		narrow, wide uint64
	}{
		{[8]uint64{psciAffinityInfo}, 0, 0},
		{[8]uint64{psciAffinityInfo | smc64}, 0xffff_ffff, 0},
		{[8]uint64{psciFeatures, psciCPUOn}, 0, 0},
		{[8]uint64{psciFeatures, psciCPUOn | smc64}, 0xffff_ffff, 0},
		{[8]uint64{psciFeatures, psciSystemOff2 | smc64}, 0xffff_ffff, 1},
		{[8]uint64{callTRNGFeatures, callTRNGRandom64}, 0, 0},
	} {
		program := &probe.Program{Name: "call", Ops: []probe.Op{{Kind: probe.HVC, Name: "call", Args: test.args}}}
		for m, want := range map[*VM]uint64{m: test.narrow, wide: test.wide} {
			trace, err := m.Run(t.Context(), 0, program)
			if err != nil {
				t.Fatal(err)
			}
			if got := trace.Records[0].Values[0]; got != want {
				t.Errorf("%#x in %v: %#x, want %#x", test.args[:2], m.state(), got, want)
			}
		}
	}
}
