package move

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

func stateForTest() *State {
	contract := &guise.Contract{Name: "s.json", Setup: guise.Setup{VGIC: 3, Features: []guise.Feature{guise.FeaturePMU}}}
	contract.View.Put(arm64.IDAA64PFR0EL1, 0x11)
	contract.Complete(func(arm64.ID) bool { return false })
	return &State{
		Made:     guise.Occasion{At: "2026-11-21T00:00:00Z", By: "guise test"},
		Host:     guise.HostFacts{Kernel: "7.2.12", Mode: "vhe", PageSize: 4096},
		Contract: contract,
		Filters:  []Filter{{Base: 0x8600_0001, Count: 1, Action: kvmabi.FilterDeny}},
		VCPUs: []VCPU{{
			Registers: []Register{{kvmabi.CoreFPCR, []byte{1, 2, 3, 4}}, {kvmabi.CoreX(3), []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
			Events:    make([]byte, 64), MPState: 0,
		}},
		VGIC:   []vm.VGICRegister{{Group: 1, Attr: 8, Value: 0x43b}},
		Memory: []Region{{Base: travellerBase, Data: append(make([]byte, 1<<16), 7)}},
	}
}

func TestStateDocument(t *testing.T) {
	state := stateForTest()
	data, err := state.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadState("s.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if back.Contract.Digest() != state.Contract.Digest() {
		t.Error("the contract changed on the way")
	}
	back.Contract = state.Contract
	if !reflect.DeepEqual(back, state) {
		t.Errorf("read back as\n%+v, want\n%+v", back, state)
	}
	if again, err := back.Marshal(); err != nil || !bytes.Equal(again, data) {
		t.Errorf("the same state gave other bytes, %v", err)
	}
}

func TestStateDocumentErrors(t *testing.T) {
	data, err := stateForTest().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for name, row := range map[string]struct{ old, replacement, want string }{
		"schema":         {Schema, "guise/vmstate/v2", "want " + Schema},
		"unknown member": {`"vcpus"`, `"cpus"`, "cpus"},
		"contract":       {guise.SchemaContract, guise.SchemaProof, "contract"},
		"size":           {`"01020304"`, `"010203"`, "want 4 bytes"},
		"number":         {`"0x0000000000000008"`, `"0x8"`, "16 lower-case hex digits"},
		"too little":     {`"size": 65537`, `"size": 65538`, "does not have the 65538 bytes"},
		"too much":       {`"size": 65537`, `"size": 65536`, "does not have the 65536 bytes"},
		"too large":      {`"size": 65537`, `"size": 99999999`, "want at most"},
		"place":          {`"0x0000000040000000"`, `"0x0000000040010000"`, "want 0x40000000"},
		"type":           {`"size": 65537`, `"size": "65537"`, "/memory/0/size: want a whole number from 0 to 18446744073709551615, there is a string"},
		"action":         {`"action": 1`, `"action": 3`, "want 0 to 2"},
		"upper case":     {`"01020304"`, `"0102030A"`, "want 4 bytes"},
		"cut off":        {"}\n", "", ""},
	} {
		if !strings.Contains(good, row.old) {
			t.Fatalf("%s: %q is not in the document", name, row.old)
		}
		bad := strings.Replace(good, row.old, row.replacement, 1)
		if name == "cut off" {
			bad = good[:len(good)/2]
		}
		_, err := ReadState("s.json", []byte(bad))
		var document *guise.DocumentError
		if !errors.As(err, &document) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want a DocumentError with %q", name, err, row.want)
		}
	}
}

func FuzzReadState(f *testing.F) {
	data, err := stateForTest().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := ReadState("fuzz", data)
		if (err == nil) != (state != nil) {
			t.Fatalf("%v, %v", state, err)
		}
		if err != nil {
			return
		}
		again, err := state.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadState("fuzz", again); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

func TestArrivalDocument(t *testing.T) {
	for name, arrival := range map[string]*Arrival{
		"arrived": {Looked: 2, Left: []arm64.ID{0x6030_0000_0013_c103}, Host: guise.HostFacts{Kernel: "6.12"}},
		"refused": {
			Contract: []vm.Refusal{{Register: "ID_AA64MMFR2_EL1", Field: "NV", Wanted: 2, There: 0, Errno: syscall.EINVAL, Hint: "h"}},
			Refused:  []Refusal{{VCPU: 1, ID: 0x6030_0000_0016_0003, Name: "VENDOR_HYP_BMAP_2", Value: []byte{1, 2}, Errno: syscall.ENOENT}},
		},
		"changed": {Looked: 1, Differences: []Difference{{0, "V7", "1", "2"}}},
	} {
		data, err := arrival.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ReadArrival("a.json", data)
		if err != nil || !reflect.DeepEqual(back, arrival) {
			t.Errorf("%s: read back as %+v, %v", name, back, err)
		}
		if arrival.Arrived() != (name == "arrived") {
			t.Errorf("%s: Arrived is %v", name, arrival.Arrived())
		}
		if _, err := ReadArrival("a.json", bytes.Replace(data, []byte(`"arrived": `), []byte(`"arrived": !`), 1)); err == nil {
			t.Errorf("%s: a document that is no JSON was taken", name)
		}
	}
	if _, err := ReadArrival("a.json", []byte(`{"schema":"guise/arrival/v1","arrived":true,"looked":0}`)); err == nil {
		t.Error("a VM that nobody looked at has arrived")
	}
}
