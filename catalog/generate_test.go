package catalog

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/kernel"
)

var update = flag.Bool("update", false, "write the captures that are imported")

// imported are the captures that come from Firecracker's fingerprints. Amazon's
// 5.10 and 6.1 carry backports, so nothing is assumed of what they take.
var imported = []struct{ name, fingerprint, assume string }{
	{"graviton2@5.10", "fingerprint_ARM_NEOVERSE_N1_5.10host.json", ""},
	{"graviton2@6.1", "fingerprint_ARM_NEOVERSE_N1_6.1host.json", ""},
	{"graviton2@6.18", "fingerprint_ARM_NEOVERSE_N1_6.18host.json", "6.18"},
	{"graviton3@5.10", "fingerprint_ARM_NEOVERSE_V1_5.10host.json", ""},
	{"graviton3@6.1", "fingerprint_ARM_NEOVERSE_V1_6.1host.json", ""},
	{"graviton3@6.18", "fingerprint_ARM_NEOVERSE_V1_6.18host.json", "6.18"},
	{"graviton4@5.10", "fingerprint_ARM_NEOVERSE_V2_5.10host.json", ""},
	{"graviton4@6.1", "fingerprint_ARM_NEOVERSE_V2_6.1host.json", ""},
	{"graviton4@6.18", "fingerprint_ARM_NEOVERSE_V2_6.18host.json", "6.18"},
}

// TestImportedCapturesAreUpToDate: what is embedded is what our importer makes
// of the originals. Run with -update to write them anew.
func TestImportedCapturesAreUpToDate(t *testing.T) {
	for _, c := range imported {
		original, err := os.ReadFile(filepath.Join("..", "interop", "testdata", "firecracker", c.fingerprint))
		if err != nil {
			t.Fatal(err)
		}
		capture, err := interop.ImportFirecracker(c.fingerprint, original)
		if err != nil {
			t.Fatal(err)
		}
		capture.Captured.Source = "Firecracker, " + c.fingerprint
		if c.assume != "" {
			version, err := kernel.ParseVersion(c.assume)
			if err != nil {
				t.Fatal(err)
			}
			if err := capture.Assume(version); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join("captures", c.name+".json")
		if *update {
			if err := os.WriteFile(path, capture.Marshal(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, capture.Marshal()) {
			t.Errorf("%s is not what the importer makes of %s; run: go test ./catalog -update", path, c.fingerprint)
		}
	}
}

func TestEveryCaptureLoads(t *testing.T) {
	names := Names()
	if len(names) < len(imported) {
		t.Fatalf("%d captures: %v", len(names), names)
	}
	for _, name := range names {
		capture, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if data, err := captures.ReadFile("captures/" + name + ".json"); err != nil || !bytes.Equal(data, capture.Marshal()) {
			t.Errorf("%s: is not in canonical form", name)
		}
	}
	if _, err := Load("graviton9@1.0"); err == nil {
		t.Error("a name that is not in the catalogue loads")
	}
}
