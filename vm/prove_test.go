package vm_test

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// findings gives the names of findings with the verdict, with their kinds.
func findings(p *guise.Proof, verdict guise.Verdict) map[string]guise.Kind {
	named := map[string]guise.Kind{}
	for i := range p.Findings {
		if f := &p.Findings[i]; f.Verdict == verdict {
			named[f.Name()] = f.Kind
		}
	}
	return named
}

func TestProveAsIs(t *testing.T) {
	proof, err := vm.Prove(t.Context(), fake(), nil, vm.ProveOptions{VCPUs: 2})
	if err != nil {
		t.Fatal(err)
	}
	if proof.Verdict() != guise.Yes || proof.Trace == nil || proof.Contract != "" || proof.View == "" {
		t.Errorf("verdict %v: %+v", proof.Verdict(), findings(proof, guise.No))
	}
}

// TestProveALyingHost: the guest sees less than userspace reads.
func TestProveALyingHost(t *testing.T) {
	host := fake()
	host.Shows = func(id arm64.ID, value uint64) uint64 {
		if id == isar0 {
			return value &^ 0xf0 // AES
		}
		return value
	}
	proof, err := vm.Prove(t.Context(), host, nil, vm.ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if no := findings(proof, guise.No); len(no) != 1 || no["ID_AA64ISAR0_EL1.AES"] != guise.KindUserspace {
		t.Errorf("as is: %v", no)
	}
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1021_2120})
	proof, err = vm.Prove(t.Context(), host, contract, vm.ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if no := findings(proof, guise.No); len(no) != 1 || no["ID_AA64ISAR0_EL1.AES"] != guise.KindShown {
		t.Errorf("with a contract: %v", no)
	}
	// A contract that says what the guest really sees holds, and the proof
	// notes that userspace is told otherwise.
	place, _ := arm64.PlaceOf(isar0)
	contract.View.Values[place] &^= 0xf0
	proof, err = vm.Prove(t.Context(), host, contract, vm.ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if proof.Verdict() != guise.Yes || proof.Contract != contract.Digest() {
		t.Errorf("a contract that holds: %v", findings(proof, guise.No))
	}
}

// TestProveAArch32: a guest in AArch32 looks with instructions of its own, and is
// held to the halves it reads.
func TestProveAArch32(t *testing.T) {
	isar5, clidr := arm64.Encoding{Op0: 3, CRm: 2, Op2: 5}.ID(), arm64.Encoding{Op0: 3, Op1: 1, Op2: 1}.ID()
	host := fake()
	host.Features = append(host.Features, guise.FeatureAArch32)
	host.Limits[isar5], host.Limits[clidr] = 0x0001_1121, 0x1_0a20_0023
	look := vm.ProveOptions{Setup: guise.Setup{Features: []guise.Feature{guise.FeatureAArch32}}}
	proof, err := vm.Prove(t.Context(), host, nil, look)
	if err != nil {
		t.Fatal(err)
	}
	if proof.Verdict() != guise.Yes || proof.Trace.Find(probe.MRC, "ID_ISAR5") == nil || proof.Trace.Find(probe.MRS, "ID_ISAR5_EL1") != nil {
		t.Errorf("verdict %v: %v", proof.Verdict(), findings(proof, guise.No))
	}
	host.Shows = func(id arm64.ID, value uint64) uint64 {
		switch id {
		case isar5:
			return value &^ 0xf0 // AES
		case clidr:
			return 0
		}
		return value
	}
	if proof, err = vm.Prove(t.Context(), host, nil, look); err != nil {
		t.Fatal(err)
	}
	no := findings(proof, guise.No)
	if no["ID_ISAR5_EL1.AES"] != guise.KindUserspace || len(no) < 2 {
		t.Errorf("as is: %v", no)
	}
	for name := range no {
		if name != "ID_ISAR5_EL1.AES" && !strings.HasPrefix(name, "CLIDR_EL1") {
			t.Errorf("as is: %s is %v", name, no[name])
		}
	}
}

func TestProveRefused(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{isar0: 0x1000_1111_1021_2120})
	proof, err := vm.Prove(t.Context(), fake(), contract, vm.ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if no := findings(proof, guise.No); no["ID_AA64ISAR0_EL1.RNDR"] != guise.KindRefused || proof.Trace != nil {
		t.Errorf("a refused contract: %v, trace %v", no, proof.Trace != nil)
	}
	contract.Setup.Features = []guise.Feature{guise.FeatureSVE}
	proof, err = vm.Prove(t.Context(), fake(), contract, vm.ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if no := findings(proof, guise.No); no["setup"] != guise.KindSetup {
		t.Errorf("a setup the host lacks: %v", no)
	}
}

// TestProveAbsent: an encoding that must not exist does.
func TestProveAbsent(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112})
	contract.Complete(func(id arm64.ID) bool { return id == isar0 })
	// Apply lowers what is unknown to 0; the register still answers.
	proof, err := vm.Prove(t.Context(), fake(), contract, vm.ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if no := findings(proof, guise.No); no["ID_AA64ISAR0_EL1"] != guise.KindShown {
		t.Errorf("a register that must not exist: %v", no)
	}
}

// TestServiceNames fails where a row names a call that no guest makes.
func TestServiceNames(t *testing.T) {
	made := map[string]bool{}
	for _, op := range probe.ServiceCalls().Ops {
		made[op.Name] = true
	}
	for _, name := range vm.ServiceCallNames() {
		if !made[name] {
			t.Errorf("%s is no call of the probe", name)
		}
	}
}
