package arm64

import (
	"errors"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// el2 makes a VM with EL2 on a nested host.
func el2(t *testing.T, host string, setup guise.Setup) *VM {
	t.Helper()
	h, err := Open(host + ",kvm-arm.mode=nested")
	if err != nil {
		t.Fatal(err)
	}
	setup.Features = append(setup.Features, guise.FeatureEL2)
	machine, err := h.NewVM(t.Context(), setup, 1)
	if err != nil {
		t.Fatal(err)
	}
	return machine.(*VM)
}

// lower writes 0 to a field.
func lower(t *testing.T, m *VM, place int, field string) {
	t.Helper()
	id := arm64.ID(arm64.Registers[place].ID)
	value, err := m.Get(0, id)
	if err == nil {
		err = m.Set(0, id, arm64.Registers[place].Field(field).Put(value, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestInstructionsAtEL2: what guests at EL2 were seen to get in the lab, and who
// answered them.
func TestInstructionsAtEL2(t *testing.T) {
	type hidden struct {
		place int
		field string
	}
	none := hidden{}
	for _, row := range []struct {
		host    string
		hidden  hidden
		feature string
		want    Answer
		witness Witness
	}{
		{"7.2/max", none, "FEAT_EL2", Value, StaysWithCPU},
		{"7.2/max", none, "FEAT_VHE", Value, StaysWithCPU},
		{"7.2/max", hidden{arm64.IDAA64MMFR0EL1, "FGT"}, "FEAT_FGT", Value, StaysWithCPU},
		{"7.2/neoverse-v1", none, "FEAT_FGT", Undefined, StaysWithCPU},
		{"7.2/max", none, "FEAT_TLBIW", Undefined, StaysWithCPU},
		{"7.2/max", none, "FEAT_PAN2", Value, ComesToKVM},
		{"7.2/neoverse-v1", hidden{arm64.IDAA64MMFR1EL1, "PAN"}, "FEAT_PAN2", Undefined, ComesToKVM},
		{"7.1/neoverse-v1", hidden{arm64.IDAA64MMFR1EL1, "PAN"}, "FEAT_PAN2", Value, ComesToKVM},
		{"7.1/max", none, "FEAT_TLBIOS", Value, NotWitnessed},
		{"7.2/max", none, "FEAT_TLBIOS", Value, ComesToKVM},
		{"6.18/neoverse-n2", hidden{arm64.IDAA64ISAR0EL1, "TLB"}, "FEAT_TLBIRANGE", Undefined, ComesToKVM},
		{"6.18/neoverse-n2", none, "FEAT_SPECRES", Undefined, ComesToKVM},
		{"6.16/max", none, "FEAT_RAS", Undefined, ComesToKVM},
		{"6.16/neoverse-v1", none, "FEAT_RAS", Value, ComesToKVM}, // no FEAT_FGT
		{"6.19/max", none, "FEAT_PAuth", Undefined, ComesToKVM},
		{"7.0/max", none, "FEAT_PAuth", NotModelled, NotWitnessed},
		{"7.2/max", none, "FEAT_SVE", Undefined, ComesToKVM},
	} {
		m := el2(t, row.host, guise.Setup{VGIC: 3})
		if row.hidden != none {
			lower(t, m, row.hidden.place, row.hidden.field)
		}
		instruction := probe.InstructionFor(row.feature)
		op := instruction.Op()
		if got := m.execute(&op); got != row.want {
			t.Errorf("%s, %s hidden: %s: %d, want %d", row.host, row.hidden.field, row.feature, got, row.want)
		}
		if got := m.Witness(&op); got != row.witness {
			t.Errorf("%s, %s hidden: %s: witness %d, want %d", row.host, row.hidden.field, row.feature, got, row.witness)
		}
	}
}

// TestCallsAtEL2: an HVC goes to the guest's own EL2, whatever is denied, and SMC
// to KVM.
func TestCallsAtEL2(t *testing.T) {
	m := el2(t, "7.2/max", guise.Setup{VGIC: 3})
	if err := m.Filter(0x8400_0000, 2, filterForward); err != nil {
		t.Fatal(err)
	}
	call := func(kind probe.Kind, name string, function uint64) probe.Op {
		return probe.Op{Kind: kind, Name: name, Args: [8]uint64{function}}
	}
	program := &probe.Program{Name: "calls", Ops: []probe.Op{
		call(probe.HVC, "PSCI_VERSION", 0x8400_0000),
		call(probe.HVC, "SMCCC_ARCH_WORKAROUND_1", 0x8000_8000),
		call(probe.SMC, "SMCCC_VERSION", 0x8000_0000),
	}}
	trace, err := m.Run(t.Context(), 0, program)
	if err != nil {
		t.Fatal(err)
	}
	if trace.EL != 2 {
		t.Errorf("the guest ran at EL%d", trace.EL)
	}
	if r := trace.Records[0]; r.Outcome != probe.Exception || r.Syndrome != hypervisorCall || probe.ExplainSyndrome(r.Syndrome) != "EC 0x16, HVC #0" {
		t.Errorf("HVC gave %v, %s", r.Outcome, probe.ExplainSyndrome(r.Syndrome))
	}
	if r := trace.Records[1]; r.Outcome != probe.Completed || r.Values[0] != 0 {
		t.Errorf("HVC of a workaround gave %v, %#x", r.Outcome, r.Values)
	}
	if r := trace.Records[2]; r.Outcome != probe.Completed || r.Values[0] != 0x1_0001 {
		t.Errorf("SMC gave %v, %#x", r.Outcome, r.Values)
	}
	forwarded := &probe.Program{Name: "forwarded", Ops: []probe.Op{call(probe.SMC, "PSCI_VERSION", 0x8400_0000)}}
	if _, err := m.Run(t.Context(), 0, forwarded); err == nil {
		t.Error("an SMC that is forwarded to userspace was answered")
	}
}

// TestEL2WithoutVGIC: no vCPU with EL2 runs without a GICv3.
func TestEL2WithoutVGIC(t *testing.T) {
	m := el2(t, "7.2/max", guise.Setup{})
	if _, err := m.Run(t.Context(), 0, probe.FeatureSpace()); !errors.Is(err, vm.ErrNotSupported) {
		t.Errorf("running gave %v", err)
	}
}

// TestEL2DoubleLock: 0, which 6.17 showed VMs with EL2, is taken from 6.18 on,
// and the host's 0xf shown in its place.
func TestEL2DoubleLock(t *testing.T) {
	field := arm64.Registers[arm64.IDAA64DFR0EL1].Field("DoubleLock")
	for host, want := range map[string]uint64{"6.17/neoverse-v1": 0, "6.18/neoverse-v1": 15, "7.2/max": 0} {
		m := el2(t, host, guise.Setup{})
		lower(t, m, arm64.IDAA64DFR0EL1, "DoubleLock")
		value, err := m.Get(0, arm64.ID(arm64.Registers[arm64.IDAA64DFR0EL1].ID))
		if got := field.Get(value); err != nil || got != want {
			t.Errorf("%s: DoubleLock %#x, %v; want %#x", host, got, err, want)
		}
	}
}
