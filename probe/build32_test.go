package probe

import (
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// everything32 is all programs of AArch32 in one.
func everything32() *Program {
	return Join("everything", FeatureSpace32(), Reserved32(), Hardware32(), ServiceCalls32(), Writes32(), Instructions32())
}

func buildIn(t testing.TB, state State, p *Program) *Image {
	t.Helper()
	image, err := p.Build(Layout{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestPrograms32AreSound(t *testing.T) {
	for _, test := range []struct {
		program *Program
		ops     int
	}{
		{FeatureSpace32(), 41}, {Reserved32(), 32}, {Writes32(), 72}, {Hardware32(), 51}, {everything32(), 0},
	} {
		if err := test.program.Check(); err != nil {
			t.Error(err)
		}
		if err := test.program.RunsIn(AArch32); err != nil {
			t.Error(err)
		}
		if test.ops != 0 && len(test.program.Ops) != test.ops {
			t.Errorf("%s has %d operations; want %d", test.program.Name, len(test.program.Ops), test.ops)
		}
	}
	all, narrow := len(ServiceCalls().Ops), len(ServiceCalls32().Ops)
	if narrow >= all || narrow < all-10 {
		t.Errorf("%d of %d calls fit into 32 bits", narrow, all)
	}
}

func TestStatesDoNotMix(t *testing.T) {
	for _, test := range []struct {
		name    string
		program *Program
		layout  Layout
		want    string
	}{
		{"A64 in AArch32", FeatureSpace(), Layout{State: AArch32}, "operation 0 (msr CSSELR_EL1) is of AArch64, and the guest runs in AArch32"},
		{"A32 in AArch64", Writes32(), Layout{}, "is of AArch32"},
		{"instructions", Instructions(), Layout{State: AArch32}, "is of AArch64"},
		{"values", ServiceCalls(), Layout{State: AArch32}, "more than 32 bits"},
		{"channel", Writes32(), Layout{State: AArch32, Channel: MMIO}, "through memory only"},
		{"coprocessor", &Program{Name: "p", Ops: []Op{{Kind: MRC, Name: "a", Coprocessor: arm64.Coprocessor{Number: 11}}}}, Layout{State: AArch32}, "coprocessor is 11"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.program.Build(test.layout); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want one with %q", err, test.want)
			}
		})
	}
	// A call is a call in both.
	calls := &Program{Name: "calls", Ops: []Op{{Kind: HVC, Name: "PSCI_VERSION"}, {Kind: SMC, Name: "PSCI_VERSION"}}}
	for state := range instructionSets {
		buildIn(t, State(state), calls)
	}
}

// The guest stores 32 bits at a time, and what AArch32 tells of an exception is
// put into the terms of ESR_ELx.
func TestRun32(t *testing.T) {
	image := buildIn(t, AArch32, FeatureSpace32())
	r, err := image.NewRun(make([]byte, image.MemorySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Store(Doorbell, make([]byte, 8)); err == nil || !strings.Contains(err.Error(), "8 bytes") {
		t.Errorf("a store of 8 bytes: %v", err)
	}
	if done, err := r.Store(Doorbell, []byte{'D', 0, 0, 0}); !done || err != nil {
		t.Errorf("the doorbell: %v, %v", done, err)
	}
	for _, test := range []struct {
		vector, status uint64
		outcome        Outcome
		syndrome       uint64
		words          string
	}{
		{1, 0, Exception, 0x0200_0000, "EC 0x00, undefined, or of unknown reason"},
		{2, 0, Exception, 0x4600_0000, "EC 0x11, SVC in AArch32"},
		{3, 0x205, Exception, 0x8600_0005, "EC 0x21, instruction abort: translation fault, level 1"},
		{4, 0xa0d, Exception, 0x9600_004d, "EC 0x25, data abort: write, permission fault, level 1"},
		{4, 0x211, Interrupted, 0xbe00_0000, "EC 0x2f, SError"},
		{4, 0x219, Interrupted, 0xbe00_0000, "EC 0x2f, SError"},
		{6, 0, Interrupted, 0, ""},
		{7, 0, Interrupted, 0, ""},
	} {
		outcome, syndrome := image.set.exception(recordException | test.vector<<recordVectorShift | test.status)
		if outcome != test.outcome || syndrome != test.syndrome {
			t.Errorf("vector %d, status %#x: %s, %#x; want %s, %#x", test.vector, test.status, outcome, syndrome, test.outcome, test.syndrome)
		}
		if test.words != "" && ExplainSyndrome(syndrome) != test.words {
			t.Errorf("vector %d, status %#x: %q; want %q", test.vector, test.status, ExplainSyndrome(syndrome), test.words)
		}
	}
}
