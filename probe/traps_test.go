package probe

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/isa/arm64"
)

// TestOperation: every instruction of an operation is found by its address, and
// none of the image's own.
func TestOperation(t *testing.T) {
	program := Join("all", FeatureSpace(), ServiceCalls(), Instructions())
	image := build(t, program, Layout{})
	owned := map[uint64]int{}
	for i := range program.Ops {
		words := 1
		if program.Ops[i].Kind == Execute {
			words = len(program.Ops[i].Words)
		}
		for n := range words {
			owned[image.code[i]+uint64(n)*instructionLen] = i
		}
	}
	for address := image.Base; address < image.Base+uint64(len(image.Bytes)); address += instructionLen {
		want, own := owned[address]
		for _, alias := range []uint64{0, guardedAlias} {
			if i, ok := image.Operation(address + alias); ok != own || ok && i != want {
				t.Fatalf("%#x is of operation %d, %v; want %d, %v", address+alias, i, ok, want, own)
			}
		}
	}
	if i, ok := image.Operation(0); ok {
		t.Errorf("address 0 is of operation %d", i)
	}
}

func TestAccesses(t *testing.T) {
	register := arm64.Encoding{Op0: 3, Op1: 5, CRn: 9, CRm: 12, Op2: 7}
	op := Op{Kind: Execute, Words: []uint32{wordISB, mrs(3, register), 0x91000400, msr(register, 4)}}
	want := []SystemAccess{{Register: register, Read: true, Rt: 3}, {Register: register, Rt: 4}}
	if got := op.Accesses(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	read := Op{Kind: MRS, Register: register}
	if got := read.Accesses(); len(got) != 1 || got[0].Register != register || !got[0].Read {
		t.Errorf("MRS: %v", got)
	}
	write := Op{Kind: MSR, Register: register}
	if got := write.Accesses(); len(got) != 1 || got[0].Register != register || got[0].Read {
		t.Errorf("MSR: %v", got)
	}
}

func TestTrapsDocument(t *testing.T) {
	traps := &Traps{RestsOn: "a test"}
	traps.Trapped.Add(MRS, "ID_AA64PFR0_EL1")
	traps.Trapped.Add(MRS, "ID_AA64PFR1_EL1")
	traps.Trapped.Add(HVC, "PSCI_VERSION")
	traps.NotTrapped.Add(MSR, "ID_AA64PFR0_EL1")
	const want = `{"notTrapped":{"msr":["ID_AA64PFR0_EL1"]},"restsOn":"a test",` +
		`"trapped":{"hvc":["PSCI_VERSION"],"mrs":["ID_AA64PFR0_EL1","ID_AA64PFR1_EL1"]}}`
	data, err := json.Marshal(traps)
	if err != nil || string(data) != want {
		t.Fatalf("%s, %v\nwant %s", data, err, want)
	}
	var back Traps
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(&back); err != nil || string(again) != want {
		t.Errorf("read back: %s, %v", again, err)
	}
	for text, reason := range map[string]string{
		`{}`:                            "either restsOn",
		`{"restsOn":"a","unknown":"b"}`: "either restsOn",
		`{"unknown":"b","trapped":{}}`:  "want no operations",
		`{"restsOn":"a","trapped":{"mrs":["A"]},"notTrapped":{"mrs":["A"]}}`: "mrs A stands in it twice",
		`{"restsOn":"a","trapped":{"mrs":["A","A"]}}`:                        "mrs A stands in it twice",
		`{"restsOn":"a","trapped":{"mrs":[""]}}`:                             "has no name",
		`{"restsOn":"a","trapped":{"read":["A"]}}`:                           `kind "read"`,
		`{"restsOn":"a","traps":{}}`:                                         "unknown",
	} {
		if err := json.Unmarshal([]byte(text), new(Traps)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %s", text, err, reason)
		}
	}
}
