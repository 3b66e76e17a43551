package guise

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/guise-project/guise/probe"
)

func proofForTest() *Proof {
	program := probe.FeatureSpace()
	trace := probe.NewTrace(program)
	for i := range trace.Records {
		trace.Records[i].Outcome = probe.Exception
		trace.Records[i].Syndrome = 1 << 25
	}
	return &Proof{
		Name:     "p.json",
		Made:     Occasion{At: "2026-11-21T00:00:00Z", By: "guise test"},
		Contract: "sha256:00",
		View:     "sha256:01",
		Setup:    Setup{Features: []Feature{FeaturePMU}, VGIC: 3},
		Host:     HostFacts{Kernel: "7.2.12", PageSize: 4096, CPUs: []HostCPU{{MIDR: 1, Count: 2}}},
		Trace:    trace,
		Traps: &probe.Traps{
			RestsOn: "a test", Trapped: probe.Operations{probe.MRS: {"ID_AA64PFR0_EL1"}}, NotTrapped: probe.Operations{probe.MRS: {"MIDR_EL1"}},
		},
		Findings: []Finding{
			{Verdict: No, Kind: KindShown, Register: "ID_AA64PFR0_EL1", Field: "GIC", Wanted: "0",
				Hosts: []HostValue{{Host: "kvm", Value: "1"}}, Who: "nobody", Means: "more", Mend: "a setup with a vGICv3", Rests: "a guest looked"},
			{Verdict: Yes, Kind: KindService, Register: "STD_BMAP"},
		},
	}
}

func TestProofDocument(t *testing.T) {
	p := proofForTest()
	data := p.Marshal()
	back, err := ReadProof("p.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, p) {
		t.Errorf("read back as\n%+v, want\n%+v", back, p)
	}
	if again := back.Marshal(); !bytes.Equal(again, data) {
		t.Error("the same proof gave other bytes")
	}
	if p.Verdict() != No {
		t.Errorf("verdict %v with a finding that says no", p.Verdict())
	}
}

func TestProofDocumentErrors(t *testing.T) {
	good := string(proofForTest().Marshal())
	for name, row := range map[string]struct{ old, replacement, want string }{
		"schema":   {SchemaProof, SchemaCapture, "is a capture; want a proof"},
		"verdict":  {"\"verdict\": \"no\",\n  \"view\"", "\"verdict\": \"yes\",\n  \"view\"", "amount to no"},
		"finding":  {"\"kind\": \"shown\"", "\"kynd\": \"shown\"", "kynd"},
		"word":     {"\"verdict\": \"yes\"", "\"verdict\": \"maybe\"", "\"maybe\": want yes, no or unknown"},
		"none":     {",\n      \"verdict\": \"yes\"", "", "has no verdict"},
		"trace":    {"\"outcome\": \"exception\"", "\"outcome\": \"explosion\"", "trace"},
		"traps":    {"\"restsOn\": \"a test\",\n    \"trapped\": {\n      \"mrs\"", "\"restsOn\": \"a test\",\n    \"trapped\": {\n      \"read\"", "kind \"read\""},
		"unknown":  {"\"setup\"", "\"setups\"", "setups"},
		"both":     {"\"setup\": {", "\"power\": {}, \"setup\": {", "power: stands beside what only documents of arm64 have"},
		"too soon": {"\n}\n", "", "too early"},
	} {
		if !strings.Contains(good, row.old) {
			t.Fatalf("%s: %q is not in the document", name, row.old)
		}
		_, err := ReadProof("p.json", []byte(strings.Replace(good, row.old, row.replacement, 1)))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, row.want)
		}
	}
}

// TestOneArchitectureAProof: what a guest on POWER saw stands beside nothing of arm64.
func TestOneArchitectureAProof(t *testing.T) {
	good := proofForTest()
	for name, change := range map[string]func(p *Proof){
		"a trace": func(p *Proof) { p.Trace = good.Trace }, "traps": func(p *Proof) { p.Traps = good.Traps },
		"nothing": func(*Proof) {},
	} {
		p := &Proof{Made: good.Made, Contract: good.Contract, View: good.View, Findings: good.Findings, Power: &PowerTrace{
			Instructions: map[string]InstructionOutcome{}, Facilities: map[string]FacilitySight{"FP": {Off: FacilityForwarded, On: FacilityReached}},
		}}
		change(p)
		back, err := ReadProof("p.json", p.Marshal())
		switch {
		case name == "nothing":
			if err != nil || back.Power == nil || back.Power.Facilities["FP"] != p.Power.Facilities["FP"] {
				t.Errorf("%+v, %v", back, err)
			}
		case err == nil || !strings.Contains(err.Error(), "arm64"):
			t.Errorf("%s beside POWER's: %v", name, err)
		}
	}
	bad := strings.Replace(string((&Proof{Power: &PowerTrace{Instructions: map[string]InstructionOutcome{"setb": InstructionCompleted}}}).Marshal()), "setb", "addi", 1)
	if _, err := ReadProof("p.json", []byte(bad)); err == nil || !strings.Contains(err.Error(), "addi") {
		t.Errorf("an instruction that no level brings: %v", err)
	}
}
