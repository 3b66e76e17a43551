package guise_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/isa/arm64"
)

// Every parser gives an error or a value, never both, and never panics. What it
// reads it can print, and then reads again as the same.

// addDocuments seeds a corpus with whole documents and with small ones.
func addDocuments(f *testing.F, more ...[]byte) {
	for _, name := range catalog.Names() {
		f.Add(load(f, name).Marshal())
	}
	for _, bad := range badDocuments {
		f.Add([]byte(bad.document))
	}
	for _, c := range powerHosts() {
		f.Add(c.Marshal())
	}
	for _, data := range more {
		f.Add(data)
	}
}

func FuzzReadCapture(f *testing.F) {
	addDocuments(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := guise.ReadCapture("fuzz.json", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("capture %v with error %v", c != nil, err)
		}
		if c == nil {
			return
		}
		printed := c.Marshal()
		again, err := guise.ReadCapture("fuzz.json", printed)
		if err != nil {
			t.Fatalf("does not read what it printed: %v\n%s", err, printed)
		}
		if !bytes.Equal(printed, again.Marshal()) || c.ViewDigest() != again.ViewDigest() {
			t.Fatalf("reads as something else what it printed:\n%s", printed)
		}
		if _, err := guise.Baseline([]*guise.Capture{c, again}, nil); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzReadContract(f *testing.F) {
	result, err := guise.Baseline([]*guise.Capture{load(f, "graviton2@6.18")}, &guise.Policy{Vary: []string{"CTR_EL0"}})
	if err != nil {
		f.Fatal(err)
	}
	power, err := guise.Baseline(powerHosts(), nil)
	if err != nil {
		f.Fatal(err)
	}
	addDocuments(f, result.Contract.Marshal(), power.Contract.Marshal())
	hosts := append(powerHosts(), load(f, "graviton3@6.18"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := guise.ReadContract("fuzz.json", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("contract %v with error %v", c != nil, err)
		}
		if c == nil {
			return
		}
		printed := c.Marshal()
		again, err := guise.ReadContract("fuzz.json", printed)
		if err != nil || !bytes.Equal(printed, again.Marshal()) {
			t.Fatalf("does not read what it printed: %v\n%s", err, printed)
		}
		for _, vmm := range []guise.VMM{guise.VMMNone, guise.VMMQEMU, guise.VMMFirecracker} {
			for _, host := range hosts {
				guise.Check(c, host, vmm)
			}
		}
	})
}

func FuzzReadFleet(f *testing.F) {
	addDocuments(f, guise.MarshalFleet([]*guise.Capture{load(f, "graviton2@6.1"), load(f, "graviton2@6.18")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		captures, err := guise.ReadFleet("fuzz.json", data)
		if err != nil && captures != nil {
			t.Fatal("captures with an error")
		}
		if err == nil {
			guise.MarshalFleet(captures)
		}
	})
}

func FuzzImportFirecracker(f *testing.F) {
	names, err := filepath.Glob("interop/testdata/firecracker/fingerprint_*.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("no fingerprints: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := interop.ImportFirecracker("fuzz.json", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("capture %v with error %v", c != nil, err)
		}
		if c != nil {
			if _, err := guise.ReadCapture("fuzz.json", c.Marshal()); err != nil {
				t.Fatalf("does not read what it imported: %v", err)
			}
		}
	})
}

func FuzzParseEncoding(f *testing.F) {
	for _, e := range arm64.FeatureSpace() {
		f.Add(e.String())
	}
	f.Add("S3_0_C0_C4_03")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := arm64.ParseEncoding(text)
		switch {
		case err != nil && e != (arm64.Encoding{}):
			t.Errorf("%q: %v and %v", text, e, err)
		case err == nil && e.String() != text:
			t.Errorf("%q reads as %v", text, e)
		}
	})
}

// FuzzPolicy: a policy of any names is an error or an answer.
func FuzzPolicy(f *testing.F) {
	f.Add("FEAT_AES", "FEAT_SVE2", "ID_AA64MMFR2_EL1.EVT,FWB", "graviton2@6.18", "ID_AA64PFR0_EL1.RAS", uint64(1))
	f.Add("FEAT_NOPE", "", "identity", "", "CTR_EL0", uint64(99))
	f.Add("FEAT_PAuth", "FEAT_LSE", "DCZID_EL0", "nobody", "PSCI_VERSION.Version", uint64(0x10001))
	captures := []*guise.Capture{load(f, "graviton2@6.18"), load(f, "graviton3@6.18")}
	f.Fuzz(func(t *testing.T, hide, require, vary, identity, field string, value uint64) {
		policy := &guise.Policy{
			Vary: guise.ParseVary(vary), IdentityOf: identity, Restrict: map[string]uint64{field: value},
			Allow: map[string][]string{field: {hide}},
		}
		for _, p := range []*guise.Policy{
			policy, {Hide: []string{hide}, Require: []string{require}},
			{Force: map[string]uint64{field: value}}, {AtLeast: map[string]uint64{field: value}},
		} {
			result, err := guise.Baseline(captures, p)
			if (result == nil) == (err == nil) {
				t.Fatalf("result %v with error %v", result != nil, err)
			}
			if result != nil && result.Verdict == guise.No && len(result.Findings) == 0 {
				t.Fatal("a no without a reason")
			}
		}
	})
}
