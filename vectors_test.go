package guise_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa/arm64"
)

// vector is one file of testdata/vectors; its README says what the keys mean.
type vector struct {
	hosts     []string
	policy    guise.Policy
	expect    string
	findings  []string
	witnesses map[string][]string
	values    []string
	setup     string
	lengths   string
	checks    map[string]string
	captures  map[string]*guise.Capture
}

// readVector reads a vector and refuses what it does not know.
func readVector(file string) (*vector, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	v := &vector{captures: map[string]*guise.Capture{}, checks: map[string]string{}, witnesses: map[string][]string{}}
	for _, f := range archive.Files {
		name, isJSON := strings.CutSuffix(f.Name, ".json")
		c, err := guise.ReadCapture(f.Name, f.Data)
		if err != nil || !isJSON {
			return nil, fmt.Errorf("%s: %v", f.Name, err)
		}
		c.Name = name
		v.captures[name] = c
	}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok && strings.TrimSpace(line) == "" {
			continue
		}
		if err := v.line(key, value); err != nil {
			return nil, fmt.Errorf("%q: %v", strings.TrimSpace(line), err)
		}
	}
	if v.expect == "" || len(v.hosts) == 0 {
		return nil, fmt.Errorf("want hosts and what to expect")
	}
	return v, nil
}

func (v *vector) line(key, value string) error {
	verdicts := []string{"yes", "no", "unknown"}
	words := strings.Fields(value)
	if len(words) == 0 {
		return fmt.Errorf("no value")
	}
	switch key {
	case "about":
	case "host":
		v.hosts = append(v.hosts, value)
	case "vary":
		v.policy.Vary = append(v.policy.Vary, guise.ParseVary(value)...)
	case "hide":
		v.policy.Hide = append(v.policy.Hide, value)
	case "require":
		v.policy.Require = append(v.policy.Require, value)
	case "identity-of":
		v.policy.IdentityOf = value
	case "expect":
		if !slices.Contains(append(verdicts, "error"), value) || v.expect != "" {
			return fmt.Errorf("want yes, no, unknown or error, once")
		}
		v.expect = value
	case "finding":
		if len(words) < 2 || !slices.Contains(verdicts, words[0]) {
			return fmt.Errorf("want a verdict and a name")
		}
		v.findings = append(v.findings, value)
	case "witness":
		v.witnesses[words[0]] = words[1:]
	case "value":
		v.values = append(v.values, value)
	case "setup":
		v.setup = value
	case "lengths":
		v.lengths = value
	case "check":
		if len(words) != 2 || !slices.Contains(verdicts, words[1]) {
			return fmt.Errorf("want a host and a verdict")
		}
		v.checks[words[0]] = words[1]
	default:
		return fmt.Errorf("not a key of a vector")
	}
	return nil
}

// capture finds a host in the archive or the catalogue.
func (v *vector) capture(t *testing.T, name string) *guise.Capture {
	t.Helper()
	if c := v.captures[name]; c != nil {
		return c
	}
	return load(t, name)
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			v, err := readVector(file)
			if err != nil {
				t.Fatal(err)
			}
			v.run(t)
		})
	}
}

func (v *vector) run(t *testing.T) {
	var captures []*guise.Capture
	for _, name := range v.hosts {
		captures = append(captures, v.capture(t, name))
	}
	result, err := guise.Baseline(captures, &v.policy)
	if v.expect == "error" {
		if err == nil {
			t.Fatalf("no error: %v", result.Verdict)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Verdict.String(); got != v.expect {
		t.Errorf("%s, want %s", got, v.expect)
	}
	want := slices.Sorted(slices.Values(v.findings))
	if got := names(result.Findings); !slices.Equal(got, want) {
		t.Errorf("findings\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	for i := range result.Findings {
		f := &result.Findings[i]
		hosts, given := v.witnesses[f.Name()]
		if !given {
			continue
		}
		var got []string
		for _, h := range f.Hosts {
			got = append(got, h.Host)
		}
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(hosts))) {
			t.Errorf("%s: the witness is %v, want %v", f.Name(), got, hosts)
		}
	}
	if result.Contract != nil {
		v.checkContract(t, result.Contract)
	} else if len(v.values)+len(v.checks)+len(v.setup)+len(v.lengths) > 0 {
		t.Error("the vector speaks of a contract, and there is none")
	}
}

func (v *vector) checkContract(t *testing.T, contract *guise.Contract) {
	for _, value := range v.values {
		name, text, _ := strings.Cut(value, "=")
		registerName, fieldName, dotted := strings.Cut(name, ".")
		p, ok := arm64.Place(registerName)
		want, err := strconv.ParseUint(text, 0, 64)
		if !ok || err != nil {
			t.Fatalf("value: %s: %v", value, err)
		}
		got := contract.View.Values[p]
		if dotted {
			got = arm64.Registers[p].Field(fieldName).Get(got)
		}
		if !contract.View.Present.Has(p) || got != want {
			t.Errorf("%s: the contract has %#x", value, got)
		}
	}
	if got := contract.Setup.Name(); v.setup != "" && got != v.setup {
		t.Errorf("setup %s, want %s", got, v.setup)
	}
	if v.lengths != "" {
		var got []string
		for i := range 16 {
			if contract.Setup.VectorLengths>>i&1 != 0 {
				got = append(got, strconv.Itoa((i+1)*128))
			}
		}
		if strings.Join(got, " ") != v.lengths {
			t.Errorf("lengths %v, want %s", got, v.lengths)
		}
	}
	checks := maps.Clone(v.checks)
	for _, host := range v.hosts {
		if checks[host] == "" {
			checks[host] = "yes" // every member takes the contract
		}
	}
	for host, want := range checks {
		if got := guise.Check(contract, v.capture(t, host), guise.VMMNone); got.Verdict.String() != want {
			t.Errorf("check of %s: %v, want %s: %+v", host, got.Verdict, want, got.Findings)
		}
	}
}

// TestVectorsCoverTheCatalogue: there is a vector for every pair of hosts.
func TestVectorsCoverTheCatalogue(t *testing.T) {
	pairs := map[string]bool{}
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		v, err := readVector(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(v.hosts) == 2 {
			pairs[v.hosts[0]+" "+v.hosts[1]] = true
		}
	}
	var gravitons []string
	for _, name := range catalog.Names() {
		if strings.HasPrefix(name, "graviton") {
			gravitons = append(gravitons, name)
		}
	}
	for i, a := range gravitons {
		for _, b := range gravitons[i+1:] {
			if !pairs[a+" "+b] {
				t.Errorf("no vector for %s and %s", a, b)
			}
		}
	}
}

// TestVectorParserRefuses: a vector that is not understood is not passed over.
func TestVectorParserRefuses(t *testing.T) {
	for _, line := range []string{"expect: maybe", "expects: yes", "finding: FWB", "check: a", "check: a maybe", "host: ", "nonsense"} {
		key, value, _ := strings.Cut(line, ": ")
		if err := (&vector{checks: map[string]string{}, witnesses: map[string][]string{}}).line(key, value); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}
