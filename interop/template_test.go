package interop_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/interop"
)

func importTemplate(t *testing.T, name string) *interop.Template {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "firecracker", name))
	if err != nil {
		t.Fatal(err)
	}
	if !interop.IsTemplate(data) {
		t.Fatalf("%s is not taken for a template", name)
	}
	template, err := interop.ImportFirecrackerTemplate(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// TestV1N1: Firecracker's template that makes a Neoverse V1 look like an N1.
func TestV1N1(t *testing.T) {
	template := importTemplate(t, "V1N1.json")
	want := map[string]uint64{
		"ID_AA64PFR0_EL1.DIT": 0, "ID_AA64PFR0_EL1.SVE": 0, "ID_AA64MMFR2_EL1.AT": 0,
		"ID_AA64ISAR0_EL1.RNDR": 0, "ID_AA64ISAR0_EL1.TS": 0, "ID_AA64ISAR0_EL1.FHM": 0, "ID_AA64ISAR0_EL1.SM4": 0, "ID_AA64ISAR0_EL1.SM3": 0,
		"ID_AA64ISAR0_EL1.SHA3": 0, "ID_AA64ISAR0_EL1.SHA2": 1,
		"ID_AA64ISAR1_EL1.I8MM": 0, "ID_AA64ISAR1_EL1.DGH": 0, "ID_AA64ISAR1_EL1.BF16": 0,
		"ID_AA64ISAR1_EL1.LRCPC": 1, "ID_AA64ISAR1_EL1.FCMA": 0, "ID_AA64ISAR1_EL1.JSCVT": 0, "ID_AA64ISAR1_EL1.DPB": 1,
	}
	if !maps.Equal(template.Policy.Force, want) {
		t.Errorf("forces %v, want %v", template.Policy.Force, want)
	}
	if len(template.With)+len(template.Without)+len(template.Capabilities) > 0 {
		t.Errorf("asks for more: %+v", template)
	}
}

// TestTemplateOfFeatures: vCPU features are the setup.
func TestTemplateOfFeatures(t *testing.T) {
	template := importTemplate(t, "AARCH64_WITH_SVE_AND_PAC.json")
	if !slices.Equal(template.With, []guise.Feature{guise.FeaturePAuth, guise.FeatureSVE}) || template.Without != nil || template.Policy.Force != nil {
		t.Errorf("asks for %+v", template)
	}
	if !slices.Equal(template.Capabilities, []string{"170", "171", "172"}) {
		t.Errorf("capabilities %q", template.Capabilities)
	}
}

// TestBadTemplates: what a policy cannot say is refused, the object first.
func TestBadTemplates(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"reg_modifiers": [{"addr": "0x603000000013c020", "bitmap": "0b0x"}]}`, "ID_AA64PFR0_EL1.EL0: the template writes bits 0x2 of it and keeps the others; a policy is about whole fields"},
		{`{"reg_modifiers": [{"addr": "0x6030000000100000", "bitmap": "0b0"}]}`, "is no register of the guest's view"},
		{`{"reg_modifiers": [{"addr": "0x603000000013c020", "bitmap": "0b0000"}, {"addr": "0x603000000013c020", "bitmap": "0b0001"}]}`, "stands in the template twice"},
		{`{"reg_modifiers": [{"addr": "0x603000000013c020", "bitmap": "0b2"}]}`, "want digits 0, 1, x or _"},
		{`{"vcpu_features": [{"index": 1, "bitmap": "0b1"}]}`, "vcpu_features: want word 0"},
		{`{"vcpu_features": [{"index": 0, "bitmap": "1"}]}`, `bitmap "1": want 0b`},
		{`{"reg_modifiers": [], "registers": 1}`, "registers"},
		{`{"reg_modifiers"`, "1"},
	} {
		_, err := interop.ImportFirecrackerTemplate("t.json", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
}
