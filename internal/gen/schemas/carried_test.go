package main

import (
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/move"
)

// smallContract is a contract with few places to change, for documents that
// hold one: contract.json is held against its reader by itself.
func smallContract() *guise.Contract {
	contract := &guise.Contract{Setup: guise.Setup{VGIC: 3, Features: []guise.Feature{guise.FeatureMTE}}}
	contract.View.Put(arm64.IDAA64PFR0EL1, 0x11)
	contract.Complete(func(arm64.ID) bool { return false })
	contract.Listed = []arm64.ID{0x603000000013c000, 0x603000000013c006}
	return contract
}

// contractBeyond are the reasons of a contract's reader that its schema cannot
// give.
var contractBeyond = []string{"ascending order", "the contract says nothing of it", "want it once", "want it uncontrolled", "has a value and must not have one", "has no value in the contract", "vary and have a value"}

// carriedKinds are the documents that are carried between hosts.
func carriedKinds(t *testing.T) []kind {
	marshal := func(data []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	host := guise.HostFacts{Kernel: "7.2.12", Mode: "vhe", PageSize: 4096, Emulator: "QEMU"}
	state := &move.State{
		Made: guise.Occasion{At: "2026-11-21T00:00:00Z", By: "guise test"}, Host: host, Contract: smallContract(),
		Filters: []move.Filter{{Base: 0x8600_0001, Count: 1, Action: 1}},
		VCPUs: []move.VCPU{{
			Registers: []move.Register{{ID: 0x6020_0000_0010_00d5, Value: []byte{1, 2, 3, 4}}}, Events: []byte{0, 1}, MPState: 3,
		}},
		VGIC:   []vm.VGICRegister{{Group: 1, Attr: 8, Value: 0x43b}},
		Memory: []move.Region{{Base: 0x4000_0000, Data: make([]byte, 64), Tags: []byte{1, 2, 3, 4}}},
	}
	arrival := &move.Arrival{
		Host: host, Looked: 1, Left: []arm64.ID{0x6030_0000_0013_c103},
		Contract:    []vm.Refusal{{Register: "ID_AA64MMFR2_EL1", Field: "NV", Wanted: 2, Errno: syscall.EINVAL, Hint: "h"}},
		Refused:     []move.Refusal{{VCPU: 1, ID: 0x6030_0000_0016_0003, Name: "VENDOR_HYP_BMAP_2", Value: []byte{1, 2}, Errno: syscall.ENOENT}},
		Differences: []move.Difference{{VCPU: 0, What: "V7", Wanted: "1", Here: "2"}},
	}
	questions := []vm.Question{
		{Contract: smallContract()},
		{Setup: guise.Setup{VGIC: 3, Features: []guise.Feature{guise.FeaturePMU}, Capabilities: []string{"KVM_CAP_ARM_MTE"}, Protected: true},
			Writes: []vm.Write{{Register: "ID_AA64PFR0_EL1", Field: "EL0", Value: 1}, {Register: "MIDR_EL1", Value: 0x413f_d0c1}}},
	}
	answers := []vm.Answer{{
		NotMade:  "no such host",
		Refusals: []vm.Refusal{{Register: "ID_AA64MMFR2_EL1", Field: "NV", Wanted: 2, Errno: syscall.EINVAL}},
		Changed:  []vm.Refusal{{Register: "ID_AA64PFR0_EL1", Field: "GIC", Wanted: 0, There: 1}},
		Writes:   []vm.Written{{Stored: 1, Shown: 1}, {Stored: 1, Shown: 0}, {Errno: syscall.EBUSY}, {Errno: syscall.EOPNOTSUPP}},
	}}
	return []kind{
		{"vmstate.json", marshal(state.Marshal()), func(data []byte) error {
			_, err := move.ReadState("vm.state", data)
			return err
		}, append([]string{"memory: region", "memory: 2 regions", "memory: 1 regions", "memory: 0 regions", "bytes in hex"}, contractBeyond...)},
		{"arrival.json", marshal(arrival.Marshal()), func(data []byte) error {
			_, err := move.ReadArrival("arrival.json", data)
			return err
		}, []string{"contradicts the rest"}},
		{"questions.json", marshal(vm.MarshalQuestions(questions)), func(data []byte) error {
			_, err := vm.ReadQuestions("questions.json", data)
			return err
		}, contractBeyond},
		{"answers.json", marshal(vm.MarshalAnswers("model:7.2/max", answers)), func(data []byte) error {
			_, _, err := vm.ReadAnswers("answers.json", data)
			return err
		}, nil},
	}
}
