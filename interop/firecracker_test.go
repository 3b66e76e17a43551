package interop

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

func readFingerprint(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "firecracker", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestImportFirecracker holds values that the fingerprints are known to have.
func TestImportFirecracker(t *testing.T) {
	for _, c := range []struct {
		file             string
		listed           int
		midr, pfr0, psci uint64
		bitmap2          bool
	}{
		{"fingerprint_ARM_NEOVERSE_N1_5.10host.json", 315, 0x413fd0c1, 0x1100000011111112, 0x10000, false},
		{"fingerprint_ARM_NEOVERSE_V1_6.1host.json", 245, 0x411fd401, 0x1101010021111112, 0x10001, false},
		{"fingerprint_ARM_NEOVERSE_V1_6.18host.json", 257, 0x411fd401, 0x1101000021111112, 0x10003, true},
	} {
		capture, err := ImportFirecracker(c.file, readFingerprint(t, c.file))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		s := &capture.Setups[0]
		if s.Key() != "base/vgic3" || s.Offers != nil || s.Registers != guise.Imported {
			t.Errorf("%s: setup %s, offers known %v, registers %s", c.file, s.Key(), s.Offers != nil, s.Registers)
		}
		for place, want := range map[int]uint64{arm64.MIDREL1: c.midr, arm64.IDAA64PFR0EL1: c.pfr0, arm64.PSCIVERSION: c.psci} {
			if got := s.View.Values[place]; got != want {
				t.Errorf("%s: %s is %#x, want %#x", c.file, arm64.Registers[place].Name, got, want)
			}
		}
		if got := s.View.Present.Has(arm64.VENDORHYPBMAP2); got != c.bitmap2 {
			t.Errorf("%s: VENDOR_HYP_BMAP_2 there: %v, want %v", c.file, got, c.bitmap2)
		}
		if s.View.Present.Has(arm64.MPIDREL1) || s.View.Present.Has(arm64.CSSELREL1) || s.View.Present.Has(arm64.PMCREL0) {
			t.Errorf("%s: keeps a register that is the VMM's or hardware's", c.file)
		}
		if len(s.Listed) != c.listed {
			t.Errorf("%s: lists %d registers, want %d", c.file, len(s.Listed), c.listed)
		}
	}
}

func TestImportFirecrackerFeatures(t *testing.T) {
	features, err := firecrackerFeatures([]vcpuFeatures{{Index: 0, Bitmap: "0b111xxxx"}})
	if err != nil || len(features) != 2 || features[0] != guise.FeaturePAuth || features[1] != guise.FeatureSVE {
		t.Errorf("0b111xxxx gives %v, %v; want pauth and sve", features, err)
	}
}

func TestImportFirecrackerBadInput(t *testing.T) {
	register := func(addr, bitmap string) string {
		return `{"guest_cpu_config": {"reg_modifiers": [{"addr": "` + addr + `", "bitmap": "` + bitmap + `"}]}}`
	}
	for name, c := range map[string]struct{ document, want string }{
		"unknown key":   {`{"firecracker_versoin": "1"}`, "firecracker_versoin"},
		"truncated":     {`{"guest_cpu_config": {`, "f.json:1:"},
		"no registers":  {`{}`, "no reg_modifiers"},
		"no prefix":     {register("603000000013c000", "0b1"), "want a KVM register id with 0x or 0b before it"},
		"digit":         {register("0x603000000013c000", "0b2"), "want digits 0, 1, x or _"},
		"too wide":      {register("0x603000000013c000", "0b1"+strings.Repeat("0", 64)), "does not fit into 64 bits"},
		"too long":      {register("0x603000000013c000", "0b"+strings.Repeat("0", 129)), "1 to 128 digits"},
		"feature index": {`{"guest_cpu_config": {"vcpu_features": [{"index": 1, "bitmap": "0b1"}], "reg_modifiers": [{"addr": "0x603000000013c000", "bitmap": "0b1"}]}}`, "want word 0"},
		"twice": {`{"guest_cpu_config": {"reg_modifiers": [{"addr": "0x603000000013c000", "bitmap": "0b1"}, {"addr": "0x603000000013c000", "bitmap": "0b1"}]}}`,
			"MIDR_EL1: stands in the fingerprint twice"},
	} {
		capture, err := ImportFirecracker("f.json", []byte(c.document))
		var document *guise.DocumentError
		if capture != nil || !errors.As(err, &document) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestDumpedBitmaps: Firecracker's dumps write 128 digits even for registers of
// 64 bits; what lies beyond must be 0.
func TestDumpedBitmaps(t *testing.T) {
	value, keep, err := parseBitmap("0b"+strings.Repeat("0", 124)+"1x_01", 64)
	if err != nil || value != 0b1001 || keep != 0b100 {
		t.Errorf("value %#b, keep %#b, %v", value, keep, err)
	}
}

func FuzzImportFirecracker(f *testing.F) {
	f.Add([]byte(`{"guest_cpu_config": {"reg_modifiers": [{"addr": "0x603000000013c000", "bitmap": "0b1x"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		capture, err := ImportFirecracker("f.json", data)
		if (capture == nil) == (err == nil) {
			t.Errorf("%v and %v", capture, err)
		}
	})
}
