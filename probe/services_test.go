package probe

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestServicesAreSound(t *testing.T) {
	functions, names := map[uint32]string{}, map[string]bool{}
	for _, s := range Services {
		if other, ok := functions[s.Function]; ok {
			t.Errorf("%s has the function number of %s", s.Name, other)
		}
		if names[s.Name] {
			t.Errorf("two services are called %s", s.Name)
		}
		functions[s.Function], names[s.Name] = s.Name, true
		if s.Never != "" && len(s.Calls) > 0 {
			t.Errorf("%s must never be called and has calls", s.Name)
		}
		labels := map[string]bool{}
		for _, call := range s.Calls {
			if call.Label == "" || labels[call.Label] {
				t.Errorf("%s: call label %q is empty or used twice", s.Name, call.Label)
			}
			labels[call.Label] = true
		}
	}
}

// What stops a vCPU or a VM, written down once more so that a slip in the
// table cannot end a guest: PSCI (Arm DEN 0022) by function number, and KVM's
// functions of PSCI 0.1.
func TestNoCallStopsTheGuest(t *testing.T) {
	stopping := []uint32{0x95c1_ba5e, 0x95c1_ba5f}
	for _, number := range []uint32{1, 2, 5, 8, 9, 0xb, 0xc, 0xe, 0x12, 0x15} {
		stopping = append(stopping, 0x8400_0000+number, 0xc400_0000+number)
	}
	for _, op := range ServiceCalls().Ops {
		if slices.Contains(stopping, uint32(op.Args[0])) {
			t.Errorf("%s %s calls %#x", op.Kind, op.Name, op.Args[0])
		}
	}
	// They are looked at all the same.
	for _, function := range stopping[2:] {
		name := fmt.Sprintf("PSCI_FEATURES(%#08x)", function)
		if !slices.ContainsFunc(ServiceCalls().Ops, func(op Op) bool { return op.Name == name && op.Args[1] == uint64(function) }) {
			t.Errorf("nothing asks %s", name)
		}
	}
}

// What KVM services in any version from 5.10 to 7.2, and gives guests no
// reason to fear.
func TestServicesCoverKVM(t *testing.T) {
	known := []uint64{
		0x8000_0000, 0x8000_0001, 0x8000_8000, 0x8000_7fff, 0x8000_3fff, // SMCCC and workarounds
		0x8400_0000, 0x8400_0003, 0xc400_0003, 0x8400_0004, 0xc400_0004, 0x8400_0006, 0x8400_000a, // PSCI
		0x95c1_ba60,                                                     // PSCI 0.1 CPU_ON
		0x8400_0050, 0x8400_0051, 0x8400_0052, 0x8400_0053, 0xc400_0053, // TRNG
		0xc500_0020, 0xc500_0021, // stolen time
		0x8600_ff01, 0x8600_0000, 0x8600_0001, 0xc600_0040, 0xc600_0041, // vendor hypervisor
	}
	called := map[Kind]map[uint64]bool{HVC: {}, SMC: {}}
	for _, op := range ServiceCalls().Ops {
		called[op.Kind][op.Args[0]] = true
	}
	for kind, functions := range called {
		for _, function := range known {
			if !functions[function] {
				t.Errorf("nothing calls %#x by %s", function, kind)
			}
		}
	}
}

// Both conduits are asked the same.
func TestConduitsAreAskedTheSame(t *testing.T) {
	ops := ServiceCalls().Ops
	half := len(ops) / 2
	for i, op := range ops[:half] {
		other := ops[half+i]
		if op.Kind != HVC || other.Kind != SMC || op.Name != other.Name || op.Args != other.Args {
			t.Errorf("operation %d: %s %s and %s %s", i, op.Kind, op.Name, other.Kind, other.Name)
		}
	}
}

// Registers are read at the encodings that the assembler knows under their
// names.
func TestRegisterEncodings(t *testing.T) {
	var lines, names []string
	var want []uint32
	for _, op := range Join("registers", FeatureSpace(), Hardware()).Ops {
		if op.Kind != MRS || strings.Contains(op.Name, "[") || strings.HasPrefix(op.Name, "S3_") {
			continue
		}
		lines, names = append(lines, "mrs x0, "+op.Name), append(names, op.Name)
		want = append(want, mrs(0, op.Register))
	}
	if len(lines) < 60 {
		t.Fatalf("only %d registers have names", len(lines))
	}
	for i, word := range assembleLLVM(t, lines) {
		if word != want[i] {
			t.Errorf("%s: %#08x; the assembler says %#08x", names[i], want[i], word)
		}
	}
}
