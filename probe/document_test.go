package probe

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// someTrace has every kind and outcome.
func someTrace() *Trace {
	return &Trace{Program: "some", EL: 2, Records: []Record{
		{Kind: MRS, Name: "MIDR_EL1", Outcome: Completed, Values: [4]uint64{0x413fd0c1}, Count: 1},
		{Kind: MSR, Name: "CSSELR_EL1=1", Outcome: Completed},
		{Kind: HVC, Name: "PSCI_VERSION", Outcome: Exception, Syndrome: 0x5a000000, Instruction: -1},
		{Kind: SMC, Name: "PSCI_VERSION", Outcome: Completed, Values: [4]uint64{1<<64 - 1, 2, 3, 4}, Count: 4},
		{Kind: Execute, Name: "FEAT_LSE2", Outcome: Exception, Syndrome: 0x96000021, Instruction: 1, FaultAddress: 0x40202001},
		{Kind: Execute, Name: "FEAT_AES", Outcome: Interrupted, Syndrome: 0x02000000},
		{Kind: Execute, Name: "FEAT_SB", Outcome: NotRun},
	}}
}

func TestTraceDocument(t *testing.T) {
	text, err := json.Marshal(someTrace())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"el":2,"program":"some","records":[` +
		`{"kind":"mrs","name":"MIDR_EL1","outcome":"completed","values":["0x00000000413fd0c1"]},` +
		`{"kind":"msr","name":"CSSELR_EL1=1","outcome":"completed"},` +
		`{"instruction":-1,"kind":"hvc","name":"PSCI_VERSION","outcome":"exception","syndrome":"0x000000005a000000"},` +
		`{"kind":"smc","name":"PSCI_VERSION","outcome":"completed","values":["0xffffffffffffffff","0x0000000000000002","0x0000000000000003","0x0000000000000004"]},` +
		`{"address":"0x0000000040202001","instruction":1,"kind":"execute","name":"FEAT_LSE2","outcome":"exception","syndrome":"0x0000000096000021"},` +
		`{"kind":"execute","name":"FEAT_AES","outcome":"interrupted","syndrome":"0x0000000002000000"},` +
		`{"kind":"execute","name":"FEAT_SB","outcome":"not-run"}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	canonical := jsontext.Value(bytes.Clone(text))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, text) {
		t.Errorf("the document is not canonical (%v); it would be\n%s", err, canonical)
	}
	var back Trace
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(someTrace(), &back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestTraceDocumentErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown member", `{"el":1,"program":"p","records":[],"more":1}`, "more"},
		{"duplicate member", `{"el":1,"el":1,"program":"p","records":[]}`, "duplicate"},
		{"no program", `{"el":1,"records":[]}`, "want the members"},
		{"no records", `{"el":1,"program":"p"}`, "want the members"},
		{"exception level", `{"el":3,"program":"p","records":[]}`, "el is 3"},
		{"kind", `{"el":1,"program":"p","records":[{"kind":"look","name":"x","outcome":"completed"}]}`, `kind "look"`},
		{"outcome", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"x","outcome":"fine"}]}`, `outcome "fine"`},
		{"no name", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"","outcome":"completed"}]}`, "no name"},
		{"short value", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"x","outcome":"completed","values":["0x1"]}]}`, `value "0x1"`},
		{"capital digits", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"x","outcome":"completed","values":["0x00000000000000AB"]}]}`, "lower-case"},
		{"five values", `{"el":1,"program":"p","records":[{"kind":"hvc","name":"x","outcome":"completed","values":["","","","",""]}]}`, "5 values"},
		{"values without completion", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"x","outcome":"not-run","values":["0x0000000000000000"]}]}`, "not-run"},
		{"exception without syndrome", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"x","outcome":"exception"}]}`, "belong together"},
		{"completion with syndrome", `{"el":1,"program":"p","records":[{"kind":"mrs","name":"x","outcome":"completed","syndrome":"0x0000000002000000"}]}`, "belong together"},
		{"position 0", `{"el":1,"program":"p","records":[{"instruction":0,"kind":"mrs","name":"x","outcome":"exception","syndrome":"0x0000000002000000"}]}`, "instruction 0"},
		{"address without abort", `{"el":1,"program":"p","records":[{"address":"0x0000000040000000","kind":"mrs","name":"x","outcome":"exception","syndrome":"0x0000000002000000"}]}`, "only there"},
		{"abort without address", `{"el":1,"program":"p","records":[{"kind":"execute","name":"x","outcome":"exception","syndrome":"0x0000000096000021"}]}`, "abort"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var trace Trace
			err := json.Unmarshal([]byte(test.text), &trace)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want one with %q", err, test.want)
			}
			if trace.Records != nil {
				t.Error("a trace was left beside the error")
			}
		})
	}
}

// FuzzTrace: a value or an error, never both, and what was read is written
// and read the same.
func FuzzTrace(f *testing.F) {
	text, err := json.Marshal(someTrace())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"el":1,"program":"p","records":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second Trace
		if err := first.UnmarshalJSONFrom(jsontext.NewDecoder(bytes.NewReader(text))); err != nil {
			if first.Records != nil {
				t.Fatalf("a trace beside the error %v", err)
			}
			return
		}
		written, err := json.Marshal(&first)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if err := json.Unmarshal(written, &second); err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("not the same after writing (-first +second):\n%s", diff)
		}
	})
}
