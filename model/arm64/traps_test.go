package arm64

import (
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// TestWitness: what KVM's tracepoints showed on hosts of the lab. The rest is
// held against the tracepoints themselves (kvm, TestLiveTraps).
func TestWitness(t *testing.T) {
	read := func(name string) probe.Op {
		for _, op := range append(probe.FeatureSpace().Ops, probe.Hardware().Ops...) {
			if op.Kind == probe.MRS && op.Name == name {
				return op
			}
		}
		t.Fatalf("no read of %s", name)
		return probe.Op{}
	}
	execute := func(feature string) probe.Op { row := probe.InstructionFor(feature); return row.Op() }
	for _, row := range []struct {
		host     string
		features []guise.Feature
		op       probe.Op
		want     Witness
	}{
		{"5.10/neoverse-v1", nil, read("ID_AA64PFR0_EL1"), ComesToKVM},
		{"5.10/neoverse-v1", nil, read("S3_0_C0_C7_7"), ComesToKVM},
		{"5.10/neoverse-v1", nil, read("S3_0_C0_C0_1"), StaysWithCPU},
		{"5.10/neoverse-v1", nil, read("MIDR_EL1"), StaysWithCPU},
		{"5.10/neoverse-v1", nil, read("CLIDR_EL1"), StaysWithCPU},
		{"6.12/neoverse-v1", nil, read("CLIDR_EL1"), ComesToKVM},
		{"6.12/neoverse-v1", nil, read("CCSIDR_EL1[0]"), ComesToKVM},
		{"6.12/neoverse-v1", nil, read("REVIDR_EL1"), StaysWithCPU},
		{"6.18/neoverse-v1", nil, read("REVIDR_EL1"), ComesToKVM},
		{"6.12/cortex-a53", nil, read("CCSIDR2_EL1"), StaysWithCPU}, // no FEAT_CCIDX
		{"6.12/neoverse-v1", nil, read("CCSIDR2_EL1"), ComesToKVM},
		{"6.12/cortex-a53", nil, read("CTR_EL0"), ComesToKVM},
		{"7.2/neoverse-v1", nil, read("CTR_EL0"), StaysWithCPU}, // FEAT_EVT, and the VM's is the CPU's
		{"5.10/neoverse-n1", nil, read("PMMIR_EL1"), StaysWithCPU},
		{"7.2/neoverse-v1", nil, probe.Op{Kind: probe.MSR, Register: arm64.Encoding{Op0: 3, CRm: 4}}, StaysWithCPU},
		{"5.10/neoverse-v1", nil, execute("FEAT_SVE"), ComesToKVM},
		{"5.10/neoverse-v1", []guise.Feature{guise.FeatureSVE}, execute("FEAT_SVE"), StaysWithCPU},
		{"7.2/max", nil, execute("FEAT_SME_LUTv2"), ComesToKVM},
		{"7.2/neoverse-v1", nil, execute("FEAT_SME"), StaysWithCPU},
		{"7.2/neoverse-v1", nil, execute("FEAT_LSE"), StaysWithCPU},
	} {
		host, err := Open(row.host)
		if err != nil {
			t.Fatal(err)
		}
		machine, err := host.NewVM(t.Context(), guise.Setup{VGIC: 3, Features: row.features}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := machine.(*VM).Witness(&row.op); got != row.want {
			t.Errorf("%s, %v: %s %s: %d, want %d", row.host, row.features, row.op.Kind, row.op.Name, got, row.want)
		}
	}
}

// TestTrapRows: a register has one row.
func TestTrapRows(t *testing.T) {
	rows := map[arm64.Encoding]string{}
	for _, row := range trapRows {
		for _, register := range row.registers {
			if other, twice := rows[register]; twice {
				t.Errorf("%v is in the rows of %s and of %s", register, other, row.control)
			}
			rows[register] = row.control
		}
	}
}
