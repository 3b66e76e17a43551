package main

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/probe"
)

func TestPrintTraps(t *testing.T) {
	trace := &probe.Trace{Records: []probe.Record{
		{Kind: probe.MRS, Name: "ID_AA64PFR0_EL1", Outcome: probe.Completed},
		{Kind: probe.MRS, Name: "MIDR_EL1", Outcome: probe.Completed},
		{Kind: probe.MRS, Name: "S3_0_C0_C0_1", Outcome: probe.Exception},
		{Kind: probe.MRS, Name: "CCSIDR_EL1[0]", Outcome: probe.Completed},
		{Kind: probe.MRS, Name: "CCSIDR_EL1[1]", Outcome: probe.Completed},
		{Kind: probe.HVC, Name: "PSCI_VERSION", Outcome: probe.Completed},
	}}
	known := &probe.Traps{
		RestsOn:    "a test",
		Trapped:    probe.Operations{probe.MRS: {"ID_AA64PFR0_EL1"}, probe.HVC: {"PSCI_VERSION"}},
		NotTrapped: probe.Operations{probe.MRS: {"MIDR_EL1", "S3_0_C0_C0_1", "CCSIDR_EL1[0]", "CCSIDR_EL1[1]"}},
	}
	for want, traps := range map[string]*probe.Traps{
		"": nil,
		"not known: who answered the guest (no tracefs)\n": {Unknown: "no tracefs"},
		"answered by KVM: 1 of 5 reads, 1 of 1 HVCs (a test)\n" +
			"read from the CPU: MIDR_EL1 (VPIDR_EL2), CCSIDR_EL1\n": known,
	} {
		var out strings.Builder
		printTraps(&out, &guise.Proof{Trace: trace, Traps: traps})
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
