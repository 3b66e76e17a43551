package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/kernel"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/scenario"
)

// TestConformance: every assertion of the suite holds on the model of every
// version and CPU.
func TestConformance(t *testing.T) {
	scripts, err := scenario.Conformance()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, version := range slices.Concat(kernel.Early, kernel.Known) {
		for _, cpu := range append(model.CPUModels(), "max,kvm-arm.mode=nested") {
			host, err := model.Open(version.String() + "/" + cpu)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range scripts {
				o, err := s.Run(t.Context(), host, nil)
				if err != nil {
					t.Fatal(err)
				}
				checked += o.Checked
				for _, f := range o.Failures {
					t.Errorf("%s: %s:%d: %s: want %s, got %s", host, o.Script, f.Line, f.Text, f.Want, f.Got)
				}
			}
		}
	}
	t.Logf("%d assertions", checked)
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "no steps",
		"nonsense":                           "1: nonsense: not a step",
		"vm base\n\nget NONSENSE":            "3: NONSENSE: no such register",
		"get ID_AA64PFR0_EL1.NONSENSE":       "no such field",
		"set ID_AA64PFR0_EL1":                "want 2 operands",
		"set ID_AA64PFR0_EL1 x":              "want a number",
		"get ID_AA64PFR0_EL1 : ENOSUCH":      "not an errno",
		"vm nonsense":                        "want base, or some of",
		"vm sve+sve":                         "each once",
		"vm base nonsense=1":                 "want vcpus=",
		"vm base vcpus=2000000000":           "want vcpus=1 to vcpus=512",
		"vm base\nfilter 0x184000000 1 deny": "0x184000000: want a number of at most 32 bits",
		"vm base\nfilter 0x84000000 0x100000001 deny": "0x100000001: want a number of at most 32 bits",
		"vm base\nfilter 0x84000000 1 257":            "257: want a number of at most 8 bits",
		"vm base vcpus=0":                             "want vcpus=1 to vcpus=512",
		"vm base vcpus=x":                             "want vcpus=1 to vcpus=512",
		"vm base vgic=7":                              "want vgic=0 (none), vgic=2 or vgic=3",
		"[>=x] vm base":                               "kernel version",
		"[ID_AA64PFR0_EL1==1] vm base":                "want a field",
		"[>=6.1":                                      "ends with ]",
		"guest mrs":                                   "want mrs, msr",
		"guest mrc ID_PFR9":                           "no such AArch32 register",
		"guest mrc ID_PFR0.NONSENSE":                  "no such field",
		"guest mrc P15_0_C0_C3_0.X":                   "no such field",
		"guest mcr ID_PFR0":                           "want a register and a value",
		"guest mcr ID_PFR0 0x100000000":               "want a number of 32 bits",
		"guest execute FEAT_NONSENSE":                 "no instruction",
		"list has":                                    "want 1 words",
		"vm base\n" + strings.Repeat("x", 100_000):    "s:2: has a word of 100000 bytes; no word of a scenario is longer than 200",
	} {
		_, err := scenario.Parse("s", text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want an error with %q", text, err, want)
		}
	}
}

// TestFailuresAreFound: a script that says otherwise fails, line by line.
func TestFailuresAreFound(t *testing.T) {
	host, err := model.Open("7.2/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("s", `
vm base : EINVAL
get MIDR_EL1 = 1
set MIDR_EL1 1
set MIDR_EL1 limit : EBUSY
list has S3_0_C0_C0_1
list lacks MIDR_EL1
guest mrs MIDR_EL1 undef
guest msr MIDR_EL1 0 runs
guest hvc 0x84000000 = 1
guest execute FEAT_SVE = 1
vm sve`)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Run(t.Context(), host, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.Passed != 0 || o.Checked != len(o.Failures) || o.Checked < 9 {
		t.Errorf("%d of %d passed, %v", o.Passed, o.Checked, o.Failures)
	}
	if _, err := (&scenario.Script{}).Run(t.Context(), host, nil); err != nil {
		t.Error(err)
	}
	s, _ = scenario.Parse("s", "get MIDR_EL1")
	if _, err := s.Run(t.Context(), host, nil); err == nil || !strings.Contains(err.Error(), "there is no VM") {
		t.Errorf("a step without VM gave %v", err)
	}
}

func FuzzParse(f *testing.F) {
	scripts, err := scenario.Conformance()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("vm base vcpus=2\n[>=6.12] set ID_AA64PFR0_EL1.GIC limit-1 : EINVAL")
	f.Add(scripts[0].Name)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse("fuzz", text)
		if (s == nil) == (err == nil) {
			t.Errorf("%q gives %v and %v", text, s, err)
		}
	})
}
