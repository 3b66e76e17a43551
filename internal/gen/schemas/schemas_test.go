package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

var directory = filepath.Join("..", "..", "..", "docs", "schema")

// TestSchemasAreUpToDate: what stands in docs/schema is what the tables give.
func TestSchemasAreUpToDate(t *testing.T) {
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date; run: go generate ./internal/gen/schemas", name)
		}
	}
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decode(t *testing.T, data []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestCatalogueIsValid(t *testing.T) {
	schema := compile(t, "capture.json")
	for _, name := range catalog.Names() {
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(decode(t, capture.Marshal())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// kind is a kind of document, one with a member of every sort, and the reader
// that has the last word on it.
type kind struct {
	schema   string
	document []byte
	read     func(data []byte) error
	// beyond are the reader's reasons that a schema cannot give.
	beyond []string
}

func kinds(t *testing.T) []kind {
	capture := fullCapture(t)
	return []kind{
		{"capture.json", capture.Marshal(), func(data []byte) error {
			_, err := guise.ReadCapture("capture.json", data)
			return err
		}, []string{"ascending order", "stands in the capture twice", "stands in it twice", "from a lower to a higher value", "basis: says how", "the setup has no"}},
		{"contract.json", fullContract(t).Marshal(), func(data []byte) error {
			_, err := guise.ReadContract("contract.json", data)
			return err
		}, []string{"ascending order", "the contract says nothing of it", "want it once", "want it uncontrolled", "has a value and must not have one", "has no value in the contract", "vary and have a value"}},
		{"proof.json", fullProof(capture).Marshal(), func(data []byte) error {
			_, err := guise.ReadProof("proof.json", data)
			return err
		}, []string{"the findings amount to", "want one where the syndrome is that of an abort", "stands in it twice"}},
		{"fleet.json", guise.MarshalFleet([]*guise.Capture{capture}), func(data []byte) error {
			return readFleet(data)
		}, []string{"ascending order", "stands in the capture twice", "stands in it twice", "from a lower to a higher value", "the setup has no",
			"is not in the document", "want a name of its own"}},
		{"capture.json", fullPower().Marshal(), func(data []byte) error {
			_, err := guise.ReadCapture("power.json", data)
			return err
		}, nil},
		{"contract.json", fullPowerContract(t).Marshal(), func(data []byte) error {
			_, err := guise.ReadContract("power.json", data)
			return err
		}, nil},
		{"proof.json", fullPowerProof(t).Marshal(), func(data []byte) error {
			_, err := guise.ReadProof("power.json", data)
			return err
		}, []string{"the findings amount to"}},
		{"fleet.json", guise.MarshalFleet([]*guise.Capture{fullPower()}), func(data []byte) error {
			return readFleet(data)
		}, []string{"is not in the document", "want a name of its own"}},
	}
}

// changedView is what the reader of fleets says of a view that its digest is not
// of: the digest there, and the view's own.
var changedView = regexp.MustCompile(`view (sha256:\w+): its digest is (sha256:\w+)`)

// readFleet reads a fleet, and a fleet with a changed view as one that was packed
// with that view: a schema knows nothing of digests.
func readFleet(data []byte) error {
	_, err := guise.ReadFleet("fleet.json", data)
	if err == nil {
		return nil
	}
	digests := changedView.FindStringSubmatch(err.Error())
	if digests == nil {
		return err
	}
	_, err = guise.ReadFleet("fleet.json", bytes.ReplaceAll(data, []byte(digests[1]), []byte(digests[2])))
	return err
}

// fullCapture is a capture with two setups and something in every member.
func fullCapture(t *testing.T) *guise.Capture {
	t.Helper()
	capture, err := catalog.Load("graviton3@6.18")
	if err != nil {
		t.Fatal(err)
	}
	capture.Name = "host"
	capture.Captured = guise.Occasion{At: "2026-11-21T00:00:00Z", By: "guise test", Source: "a test"}
	capture.Host = guise.HostFacts{
		Kernel: "6.18.30", Mode: "vhe", PageSize: 4096, Emulator: "QEMU",
		CPUs:         []guise.HostCPU{{MIDR: 0x411fd401, REVIDR: 1, Count: 64}},
		Capabilities: map[string]int64{"KVM_CAP_ARM_SVE": 1, "KVM_CAP_ARM_MTE": 0},
	}
	first := &capture.Setups[0]
	for place := range arm64.Registers {
		if sameAsOthers(arm64.Registers[place].Name) {
			first.View.Present.Remove(place)
		}
	}
	first.Offers = nil
	if err := capture.Assume(kernel.Version{Major: 6, Minor: 18}); err != nil {
		t.Fatal(err)
	}
	first.Extra = map[arm64.ID]uint64{arm64.Encoding{Op0: 3, CRm: 7, Op2: 7}.ID(): 1}
	first.Listed = []arm64.ID{0x603000000013c000, 0x603000000013c006}
	first.Masks = map[arm64.ID]uint64{0x603000000013c020: 0xf, arm64.Encoding{Op0: 3, CRm: 7, Op2: 6}.ID(): 0}
	first.MaskRanges = 1
	second := *first
	second.Offers = nil
	second.Setup = guise.Setup{
		Features: []guise.Feature{guise.FeaturePMU, guise.FeatureSVE}, Protected: true, VGIC: 3, IPABits: 44,
		Capabilities: []string{"KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE"}, VectorLengths: 0x3,
	}
	second.Listed = []arm64.ID{0x603000000013c000, 0x603000000013c020}
	second.View.Put(arm64.IDAA64ZFR0EL1, 1)
	second.View.Put(arm64.PSCIVERSION, 0x10001)
	second.View.Present.Remove(arm64.AIDREL1)
	capture.Setups = append(capture.Setups, second)
	return capture
}

// sameAsOthers tells registers of which a document needs only a few to have one
// of every sort.
func sameAsOthers(name string) bool {
	return strings.HasPrefix(name, "S3_") || strings.HasPrefix(name, "CCSIDR_EL1[1") ||
		strings.HasPrefix(name, "ID_") && !strings.HasPrefix(name, "ID_AA64") && name != "ID_MMFR0_EL1"
}

// fullContract is a contract with something in every member.
func fullContract(t *testing.T) *guise.Contract {
	t.Helper()
	var captures []*guise.Capture
	for _, name := range []string{"graviton2@6.18", "graviton3@6.18"} {
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		captures = append(captures, capture)
	}
	result, err := guise.Baseline(captures, &guise.Policy{
		Vary: []string{"ID_AA64MMFR2_EL1.EVT", "ID_AA64MMFR2_EL1.FWB", "ID_AA64MMFR2_EL1.IDS"}, IdentityOf: "graviton2@6.18",
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Contract == nil {
		t.Fatalf("no contract: %+v", result)
	}
	contract := result.Contract
	contract.Listed = []arm64.ID{0x603000000013c000, 0x603000000013c006}
	contract.View.Put(arm64.CNTFRQEL0, 62_500_000)
	return contract
}

// fullProof is a proof with records and findings of every sort.
func fullProof(capture *guise.Capture) *guise.Proof {
	const dataAbort = 0x25 << 26
	return &guise.Proof{
		Made: capture.Captured, Contract: "sha256:00", View: "sha256:01", Setup: capture.Setups[1].Setup, Host: capture.Host,
		Trace: &probe.Trace{Program: "feature-space", EL: 1, Records: []probe.Record{
			{Kind: probe.MRS, Name: "MIDR_EL1", Outcome: probe.Completed, Values: [4]uint64{1}, Count: 1},
			{Kind: probe.HVC, Name: "PSCI_VERSION", Outcome: probe.Completed, Values: [4]uint64{1, 2, 3, 4}, Count: 4},
			{Kind: probe.Execute, Name: "FEAT_MOPS", Outcome: probe.Exception, Syndrome: dataAbort, FaultAddress: 1, Instruction: 2},
			{Kind: probe.Execute, Name: "FEAT_SVE", Outcome: probe.Exception, Syndrome: 1 << 25},
			{Kind: probe.SMC, Name: "never", Outcome: probe.NotRun},
		}},
		Traps: &probe.Traps{
			RestsOn: "a test", Trapped: probe.Operations{probe.MRS: {"ID_AA64PFR0_EL1"}, probe.HVC: {"PSCI_VERSION"}},
			NotTrapped: probe.Operations{probe.MRS: {"MIDR_EL1"}, probe.Execute: {"FEAT_MOPS"}},
		},
		Findings: []guise.Finding{{
			Verdict: guise.No, Kind: guise.KindShown, Register: "ID_AA64PFR0_EL1", Field: "GIC", Wanted: "0",
			Hosts: []guise.HostValue{{Host: "kvm", Value: "1", Takes: "0-1"}}, Who: "nobody", Means: "more", Mend: "a vGICv3", Rests: "a guest looked",
		}},
	}
}

// TestSchemasAgreeWithReaders changes each place of each document in every way
// below: the schema and the reader must give the same verdict, except where the
// reader has one of the reasons that a schema cannot give.
func TestSchemasAgreeWithReaders(t *testing.T) {
	for _, k := range slices.Concat(kinds(t), carriedKinds(t)) {
		t.Run(k.schema, func(t *testing.T) {
			schema := compile(t, k.schema)
			if err := errorsOf(schema.Validate(decode(t, k.document)), k.read(k.document)); err != "" {
				t.Fatalf("the document itself: %s", err)
			}
			counts := map[bool]int{}
			mutate(decode(t, k.document), func(root any, what string) {
				data, err := json.Marshal(root)
				if err != nil {
					t.Fatal(err)
				}
				invalid, refused := schema.Validate(root), k.read(data)
				counts[refused == nil]++
				switch {
				case (invalid == nil) == (refused == nil):
				case invalid == nil && slices.ContainsFunc(k.beyond, func(reason string) bool { return strings.Contains(refused.Error(), reason) }):
				default:
					t.Errorf("%s: %s", what, errorsOf(invalid, refused))
				}
			})
			if counts[true] < 10 || counts[false] < 100 {
				t.Errorf("%d changes were taken and %d refused: too few to show anything", counts[true], counts[false])
			}
			t.Logf("%d changes taken, %d refused", counts[true], counts[false])
		})
	}
}

func errorsOf(invalid, refused error) string {
	if invalid == nil && refused == nil {
		return ""
	}
	return fmt.Sprintf("schema: %v; reader: %v", invalid, refused)
}

// mutate calls try with the document changed in one place, over and over.
func mutate(root any, try func(root any, what string)) {
	var walk func(value any, path string, put func(any))
	change := func(what string, put func(any), from, to any) {
		put(to)
		try(root, what)
		put(from)
	}
	walk = func(value any, path string, put func(any)) {
		for name, other := range map[string]any{
			"a word": "word", "two lines": "a\nb", "a number": json.Number("17"), "minus one": json.Number("-1"), "a large number": json.Number("70000"),
			"a truth": true, "an empty list": []any{}, "an empty object": map[string]any{}, "an empty text": "",
		} {
			change(path+" becomes "+name, put, value, other)
		}
		switch value := value.(type) {
		case map[string]any:
			value["unheard"] = "of"
			try(root, path+" gets an unknown key")
			delete(value, "unheard")
			for key, member := range value {
				delete(value, key)
				try(root, path+"."+key+" goes")
				value[strings.ToLower(key)+"x"] = member
				try(root, path+"."+key+" has another name")
				delete(value, strings.ToLower(key)+"x")
				value[key] = member
				walk(member, path+"."+key, func(other any) { value[key] = other })
			}
		case []any:
			change(path+" has an element twice", put, value, append(slices.Clone(value), value[:min(len(value), 1)]...))
			for i, element := range value {
				walk(element, fmt.Sprintf("%s[%d]", path, i), func(other any) { value[i] = other })
			}
		case json.Number:
			change(path+" has a fraction of 0", put, value, value+".0")
			change(path+" has an exponent of 0", put, value, value+"e0")
			change(path+" has a fraction", put, value, value+".5")
		case string:
			change(path+" gets longer", put, value, value+"0")
			change(path+" in capitals", put, value, strings.ToUpper(value))
			if len(value) > 2 {
				change(path+" gets shorter", put, value, value[:len(value)-1])
			}
		}
	}
	walk(root, "$", func(other any) { root = other })
}
