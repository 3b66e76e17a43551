package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/lab"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/scenario/difftest"
)

// answerSchema is the schema of what a command prints with --json, and command
// lines that print it. Commands that need KVM or QEMU have other tests, named in
// without.
var answerSchemas = []struct {
	command, schema string
	lines           []string
	without         string
}{
	{"catalog", "answer-catalog", []string{"catalog"}, ""},
	{"catalog", "answer-silicon", []string{"catalog --silicon", "catalog --silicon rk3588"}, ""},
	{"explain", "answer-explain", []string{
		"explain silicon:kunpeng-920",
		"explain graviton3@6.18", "explain qemu10-max@7.2 --setup pmu+sve/vgic3", "explain FEAT_SVE FEAT_PAuth", "explain ID_AA64PFR0_EL1.SVE=1 SCTLR_EL1=0x30d00980 PSCI_VERSION=0x10001",
		"explain fw reg 0 to 10003 (is 10001)", "explain 0x603000000013c000 value 0x410fd0c0: Invalid argument (os error 22)",
		"explain op0:3 op1:0 crn:0 crm:0 op2:0 to c00fac31 (is 413fd0c1)", "explain --arch power HFSCR=0x0aff00000000219f", "explain p9.json",
	}, ""},
	{"diff", "answer-diff", []string{
		"diff graviton2@6.1 graviton2@6.18", "diff graviton2@6.18 graviton2@6.18", "diff qemu10-max@6.1 qemu10-max@7.2", "diff qemu10-a64fx@7.2 qemu10-max@7.2",
		"diff qemu10-neoverse-n1@6.12 qemu10-neoverse-n1@7.2", "diff p9.json p10.json",
	}, ""},
	{"baseline", "answer-baseline", []string{
		"baseline graviton2@6.18 graviton3@6.18", "baseline graviton2@6.1 graviton2@6.18", "baseline graviton2@6.1 graviton3@6.1", "baseline graviton2@6.1 qemu10-a64fx@6.1 --with sve",
		"baseline --require FEAT_SVE graviton3@6.18", "baseline qemu10-a64fx@7.2 qemu10-max@7.2", "baseline --vary ID_AA64MMFR2_EL1 --hide FEAT_AES graviton2@6.18",
		"baseline p9.json p10.json", "baseline p9.json graviton2@6.18",
	}, ""},
	{"check", "answer-check", []string{
		"check graviton2@6.18 graviton2@6.1 graviton3@6.18", "check qemu10-max@7.2 graviton2@6.1 qemu10-a64fx@6.18", "check --for qemu graviton2@6.1 graviton2@6.18 qemu10-max@7.2", "check --for any graviton2@6.1 graviton2@6.18 graviton4@6.18",
		"check --for firecracker graviton2@6.18 graviton2@6.1", "check varied.json graviton2@6.18 graviton3@6.18", "check ten.json p9.json p10.json", "check ten.json graviton2@6.18",
	}, ""},
	{"pools", "answer-pools", []string{"pools graviton2@6.1 graviton2@6.18 graviton3@6.18", "pools --require FEAT_SVE graviton2@6.18", "pools qemu10-neoverse-n1@6.1 qemu10-neoverse-n1@6.12",
		"pools --for qemu@11.1 graviton2@6.1 graviton2@6.18 qemu10-neoverse-n1@6.12 qemu10-neoverse-n1@7.2"}, ""},
	{"lint", "answer-lint", []string{"lint varied.json p9.json", "lint missing.json"}, ""},
	{"forecast", "answer-forecast", []string{
		"forecast graviton2@6.1 --kernel 7.2", "forecast graviton2@6.1 --kernel 6.12,7.2", "forecast graviton3@6.1 --kernel 7.2 --raw neoverse-v1", "forecast qemu10-max@6.1 --kernel 4.15",
	}, ""},
	{"moves", "answer-moves", []string{
		"moves graviton3@6.1 graviton3@6.18 --for firecracker", "moves graviton2@6.1 graviton2@6.18 qemu10-max@7.2", "moves varied.json graviton2@6.18 graviton3@6.18", "moves varied.json graviton2@6.18 graviton3@6.18 --for guise",
		"moves model:6.12.118/neoverse-v1 model:7.2/neoverse-v1 --for qemu@11.1", "moves qemu10-a64fx@7.2 qemu10-max@7.2 --for qemu",
	}, ""},
	{"kernels", "answer-kernels", []string{"kernels", "kernels 6.12 6.19"}, ""},
	{"model changes", "answer-model-changes", []string{"model changes 6.1 7.2", "model changes 7.2 7.2"}, ""},
	{"model nested", "answer-model-nested", []string{"model nested --event msgsndp", "model nested --compare 5.10 7.2 ideal ideal-fail --event msgsndp"}, ""},
	{"model run", "answer-model-run", []string{"model run wrong.txt --on model:6.12/neoverse-n1", "model run reset.txt"}, ""},
	{"model test", "answer-model-test", []string{"model test --on model:6.12/neoverse-v1"}, ""},
	{"model compare", "answer-model-compare", nil, "TestReportIsAsItsSchema"},
	{"lab matrix", "answer-lab-matrix", nil, "TestMatrixIsAsItsSchema"},
	{"prove", "proof", nil, "tests of proofs' documents"},
	{"rehearse", "arrival", nil, "tests of arrivals' documents"},
	{"vm restore", "arrival", nil, "tests of arrivals' documents"},
}

// schemaNamed compiles one of docs/schema.
func schemaNamed(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "docs", "schema", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// holdAgainst wants data to be as a schema says.
func holdAgainst(t *testing.T, schema *jsonschema.Schema, what string, data []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestAnswersAreAsTheirSchemas runs every command that prints JSON.
func TestAnswersAreAsTheirSchemas(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{}
	for _, row := range answerSchemas {
		schemas[row.schema] = schemaNamed(t, row.schema)
	}
	files := map[string][]byte{}
	for _, script := range []string{"power", "model"} {
		archive, err := txtar.ParseFile(filepath.Join("testdata", "script", script+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			files[file.Name] = file.Data
		}
	}
	t.Chdir(t.TempDir())
	answerFiles(t, files)
	for _, row := range answerSchemas {
		for _, line := range row.lines {
			t.Run(line, func(t *testing.T) {
				args := append(strings.Fields(line), "--json")
				if strings.HasPrefix(line, "explain ") && strings.ContainsAny(line, "(:") {
					args = []string{"explain", "--json", strings.TrimPrefix(line, "explain ")}
				}
				var out, messages bytes.Buffer
				if status := run(context.Background(), args, nil, &out, &messages); status == statusCannot || status == statusUsage && row.command != "lint" {
					t.Fatalf("status %d: %s", status, messages.String())
				}
				holdAgainst(t, schemas[row.schema], line, out.Bytes())
			})
		}
	}
}

// TestEveryAnswerHasASchema: a command with --json has a row, and one that needs
// neither KVM nor QEMU is run.
func TestEveryAnswerHasASchema(t *testing.T) {
	rows := map[string]bool{}
	for _, row := range answerSchemas {
		rows[row.command] = true
		if (len(row.lines) == 0) == (row.without == "") {
			t.Errorf("%s: want command lines, or where it is tested without", row.command)
		}
	}
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		for _, flag := range node.Flags {
			if path := strings.TrimPrefix(node.Path(), "guise "); flag.Name == "json" && node.Leaf() {
				if !rows[path] {
					t.Errorf("%s: has --json and no schema", path)
				}
				delete(rows, path)
			}
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(newParser(&commandLine{}, nil, nil).Model.Node)
	for path := range rows {
		t.Errorf("%s: has a schema and no --json", path)
	}
}

// answerFiles writes the documents that command lines of answerSchemas name.
func answerFiles(t *testing.T, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"baseline --vary ID_AA64MMFR2_EL1.EVT,FWB,IDS --identity-of graviton2@6.18 -o varied.json graviton2@6.18 graviton3@6.18",
		"baseline p10.json -o ten.json",
	} {
		var messages bytes.Buffer
		if status := run(context.Background(), strings.Fields(line), nil, &messages, &messages); status != statusYes {
			t.Fatalf("guise %s: status %d: %s", line, status, messages.String())
		}
	}
}

// TestReportIsAsItsSchema: what model compare prints, of two models.
func TestReportIsAsItsSchema(t *testing.T) {
	one, err := model.Open("6.1/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := model.Open("6.12/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	report, err := difftest.Run(t.Context(), one, other, difftest.Options{Seed: 1, Operations: -1, Suites: []difftest.Suite{"services", "setups"}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&modelCompareCommand{JSON: true}).print(&session{stdout: &output{Writer: &out}}, report); err != nil {
		t.Fatal(err)
	}
	holdAgainst(t, schemaNamed(t, "answer-model-compare"), "model compare", out.Bytes())
}

// TestMatrixIsAsItsSchema: what lab matrix prints, of hosts that answered and failed.
func TestMatrixIsAsItsSchema(t *testing.T) {
	var out bytes.Buffer
	s := &session{stdout: &output{Writer: &out}}
	answers := []matrixAnswer{
		answerOf(lab.Cell{Host: lab.Host{Kernel: "6.12", CPU: "max"}, Err: context.Canceled}),
		answerOf(lab.Cell{Host: lab.Host{Kernel: "7.2", CPU: "max"}, Result: lab.Result{Release: "7.2.13", QEMU: "10.0.2", Status: 1, Stdout: []byte("no"), NotKept: 3, Restored: true}}),
	}
	if err := s.printJSON(answers); err != nil {
		t.Fatal(err)
	}
	holdAgainst(t, schemaNamed(t, "answer-lab-matrix"), "lab matrix", out.Bytes())
}

// TestEveryRemedyHasWords: what the library would have done is said as a command
// line says it.
func TestEveryRemedyHasWords(t *testing.T) {
	for code := range guise.RemedyCodes {
		for _, objects := range [][]string{nil, {"a"}, {"a", "b"}} {
			if code == guise.RemedyIdentityOf && len(objects) != 1 {
				continue
			}
			if text := remedyText(guise.Remedy{Code: code, Objects: objects}); text == "" && len(objects) > 0 {
				t.Errorf("%s of %q: no words", code, objects)
			}
		}
	}
	if len(remedyWords) != len(guise.RemedyCodes) {
		t.Errorf("words for %d remedies; there are %d", len(remedyWords), len(guise.RemedyCodes))
	}
	for want, r := range map[string]guise.Remedy{
		"--vary ID_AA64MMFR2_EL1.EVT,FWB --vary CTR_EL0": {Code: guise.RemedyVary, Objects: []string{"ID_AA64MMFR2_EL1.EVT", "ID_AA64MMFR2_EL1.FWB", "CTR_EL0"}},
		"--identity-of a":       {Code: guise.RemedyIdentityOf, Objects: []string{"a"}},
		"guise capture on a, b": {Code: guise.RemedyCapture, Objects: []string{"a", "b"}},
		"":                      {},
	} {
		if got := remedyText(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestValuesHaveOneNotation: over every pair of some hosts of the catalogue, a value
// of a kind is written in one way, and every text is a value or one of the states.
func TestValuesHaveOneNotation(t *testing.T) {
	var captures []*guise.Capture
	for _, name := range []string{"graviton2@6.1", "graviton2@6.18", "graviton3@6.18", "qemu10-a64fx@6.1", "qemu10-a64fx@7.2", "qemu10-max@7.2"} {
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		captures = append(captures, capture)
	}
	hold := func(register, field, text string) {
		v := typed(register, text)
		r := arm64.Named(register)
		want := "a state"
		got := v.State != ""
		switch {
		case text == "" || got:
			return
		case r != nil && field != "":
			f := r.Field(field)
			switch n := v.Value.(type) {
			case uint64:
				want, got = "no number", f.Width <= 4
			case string:
				want, got = "a version", f.Versions() && dottedNumber.MatchString(n) || f.Width > 4 && hexNumber.MatchString(n)
			}
		case r != nil && r.Name == "PSCI_VERSION":
			want, got = "a version", dottedNumber.MatchString(text)
		case register == "IPA size":
			_, got = v.Value.(uint64)
		case register == "SVE vector lengths":
			_, got = v.Value.([]int)
		case register == "setup":
			got = v.Setups != nil
		default:
			want, got = "hexadecimal with 0x", hexNumber.MatchString(text)
		}
		if !got {
			t.Errorf("%s.%s: %q; want %s", register, field, text, want)
		}
	}
	findings := func(findings []guise.Finding, wanted bool) {
		for i := range findings {
			f := &findings[i]
			if wanted {
				hold(f.Register, f.Field, f.Wanted)
			}
			for _, v := range f.Hosts {
				hold(f.Register, f.Field, v.Value)
			}
		}
	}
	for _, a := range captures {
		for _, b := range captures {
			result, err := guise.Baseline([]*guise.Capture{a, b}, nil)
			if err != nil {
				t.Fatal(err)
			}
			findings(result.Findings, false)
			if alone, err := guise.Baseline([]*guise.Capture{a}, nil); err == nil && alone.Contract != nil {
				for _, vmm := range []guise.VMM{guise.VMMNone, guise.VMMQEMU, guise.VMMFirecracker} {
					findings(guise.Check(alone.Contract, b, vmm).Findings, true)
				}
			}
			diff, err := guise.Diff(a, b)
			if err != nil {
				continue
			}
			for _, d := range diff.Differences {
				hold(d.Register, d.Field, d.A)
				hold(d.Register, d.Field, d.B)
			}
		}
	}
}
