package guise_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/guise-project/guise"
)

func TestReadPolicy(t *testing.T) {
	got, err := guise.ReadPolicy("p.yaml", []byte(`# What we may show.
hide: [FEAT_SVE2, FEAT_RNG]
require:
  FEAT_LSE: true
  ID_AA64MMFR0_EL1.PARANGE: 4
  PSCI_VERSION.Version: 1.0
restrict:
  ID_AA64ISAR0_EL1.SHA2: 0x1
force: {STD_BMAP.TRNG_V1_0: 0}
allow:
  ID_AA64ISAR1_EL1:
  - DPB
  - jscvt
vary: ["ID_AA64MMFR2_EL1.EVT,FWB", identity]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &guise.Policy{
		Hide: []string{"FEAT_SVE2", "FEAT_RNG"}, Require: []string{"FEAT_LSE"},
		AtLeast:  map[string]uint64{"ID_AA64MMFR0_EL1.PARANGE": 4, "PSCI_VERSION.Version": 0x10000},
		Restrict: map[string]uint64{"ID_AA64ISAR0_EL1.SHA2": 1}, Force: map[string]uint64{"STD_BMAP.TRNG_V1_0": 0},
		Allow: map[string][]string{"ID_AA64ISAR1_EL1": {"DPB", "jscvt"}},
		Vary:  []string{"ID_AA64MMFR2_EL1.EVT", "ID_AA64MMFR2_EL1.FWB", "identity"},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(guise.Policy{})); d != "" {
		t.Error(d)
	}
}

// TestBadPolicies: what is wrong is named with its place, and nothing is taken
// for something else.
func TestBadPolicies(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "p.yaml: no rules in it; want a map of allow, force, hide, require, restrict, vary",
		"# nothing\n":        "p.yaml: no rules in it; want a map of allow, force, hide, require, restrict, vary",
		"hide":               `p.yaml:1:1: policy: want a map, there is "hide"`,
		"[hide]":             "p.yaml:1:1: policy: want a map, there is a list",
		"hdie: [FEAT_AES]":   `p.yaml:1:1: "hdie" is no rule; did you mean hide?; want one of allow, force, hide, require, restrict, vary`,
		"1: [FEAT_AES]":      `p.yaml:1:1: a rule: want a name, there is "1"`,
		"hide: [FEAT_AES":    "p.yaml:1:7: not valid YAML: sequence end token ']' not found",
		"hide: \xff":         "p.yaml: not valid UTF-8",
		"hide: FEAT_AES":     `p.yaml:1:7: hide: want a list, there is "FEAT_AES"`,
		"hide:":              "p.yaml:1:7: hide: want a list, there is nothing",
		"hide: [[FEAT_AES]]": "p.yaml:1:8: hide: want a name, there is a list",
		"hide: [1]":          `p.yaml:1:8: hide: want a name, there is "1"`,
		"hide: [FEAT_NOPE]":  "p.yaml:1:8: hide FEAT_NOPE: not a feature that Arm names; want FEAT_SVE2 or the like",
		"hide: []\nhide: []": "p.yaml:2:1: not valid YAML: mapping key \"hide\" already defined at [1:1]",
		"hide: [FEAT_AES]\n---\nhide: [FEAT_SHA1]":                            "p.yaml:3:5: a second document begins here; a policy is one",
		"hide: !!binary RkVBVF9BRVM=":                                         "p.yaml:1:7: a tag (!); a policy is plain maps, lists, names and numbers",
		"a: &a [x]":                                                           "p.yaml:1:4: an anchor (&); a policy is plain maps, lists, names and numbers",
		"hide: *a":                                                            "p.yaml:1:7: an alias (*); a policy is plain maps, lists, names and numbers",
		"? hide\n: [FEAT_AES]":                                                "p.yaml:1:1: a key with ?; a policy is plain maps, lists, names and numbers",
		"<<: {}":                                                              "p.yaml:1:1: a merge key (<<); a policy is plain maps, lists, names and numbers",
		"%YAML 1.2\n---\nhide: []":                                            "p.yaml:1:1: a directive (%); a policy is plain maps, lists, names and numbers",
		"hide: [[[[[x]]]]]":                                                   "p.yaml:1:10: stands more than 4 lists and maps deep",
		"hide:\n- - - x":                                                      "p.yaml:2:3: hide: want a name, there is a list",
		"restrict: {ID_AA64ISAR0_EL1.AES: 1.9}":                               `p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is "1.9"`,
		"restrict: {ID_AA64ISAR0_EL1.AES: -1}":                                `p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is "-1"`,
		"restrict: {ID_AA64ISAR0_EL1.AES: true}":                              `p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is "true"`,
		"restrict: {ID_AA64ISAR0_EL1.AES: .inf}":                              `p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is ".inf"`,
		"restrict: {ID_AA64ISAR0_EL1.AES: }":                                  "p.yaml:1:33: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is nothing",
		"restrict: {ID_AA64ISAR0_EL1.AES: [1]}":                               "p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is a list",
		"restrict: {ID_AA64ISAR0_EL1.AES: 16}":                                "p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: 16 does not fit into 4 bits",
		"restrict: {ID_AA64ISAR0_EL1.AES: 99999999999999999999}":              `p.yaml:1:34: restrict: ID_AA64ISAR0_EL1.AES: want a whole number or one of 0x0 (NI), 0x1 (AES), 0x2 (PMULL), there is "99999999999999999999"`,
		"force:\n  ID_AA64ISAR0_EL1.AES: 1\n  ID_AA64ISAR0_EL1.NOPE: 1":       "p.yaml:3:3: force: ID_AA64ISAR0_EL1 has no field NOPE",
		"force: {PSCI_VERSION.Version: 3}":                                    "p.yaml:1:31: force: PSCI_VERSION.Version: 0x3 is not one of its values: 0x1 (0.1), 0x2 (0.2), 0x10000 (1.0), 0x10001 (1.1), 0x10002 (1.2), 0x10003 (1.3)",
		"allow:\n  ID_AA64ISAR0_EL1: [AES, NOPE]":                             "p.yaml:2:3: allow: ID_AA64ISAR0_EL1 has no field NOPE",
		"allow: {ID_AA64ISAR9_EL1: []}":                                       "p.yaml:1:9: allow: ID_AA64ISAR9_EL1 is not a register; did you mean ID_AA64ISAR0_EL1?",
		"require: {FEAT_AES: 1}":                                              `p.yaml:1:21: require: FEAT_AES: want true for a feature, or REGISTER.FIELD with a value; there is "1"`,
		"require: {FEAT_AES: false}":                                          `p.yaml:1:21: require: FEAT_AES: want true for a feature, or REGISTER.FIELD with a value; there is "false"`,
		"vary: [identity, ID_DFR9_EL1]":                                       "p.yaml:1:18: vary ID_DFR9_EL1: ID_DFR9_EL1 is not a register; did you mean ID_DFR0_EL1?",
		"hide: [FEAT_AES]\nrequire: {FEAT_AES: true}":                         "p.yaml:2:11: hide FEAT_AES and require FEAT_AES contradict each other: no value of ID_AA64ISAR0_EL1.AES is both",
		"require: {FEAT_AES: true}\n\nhide:\n  - FEAT_SHA3\n  - FEAT_AES":     "p.yaml:5:5: hide FEAT_AES and require FEAT_AES contradict each other: no value of ID_AA64ISAR0_EL1.AES is both",
		"force: {ID_AA64PFR0_EL1.SVE: 1}\nrestrict: {ID_AA64PFR0_EL1.SVE: 0}": "p.yaml:2:12: restrict ID_AA64PFR0_EL1.SVE and force ID_AA64PFR0_EL1.SVE contradict each other: no value of ID_AA64PFR0_EL1.SVE is both",
		"vary: [ID_AA64ISAR0_EL1.AES]\nallow: {ID_AA64ISAR0_EL1: []}":         "p.yaml:2:9: allow ID_AA64ISAR0_EL1: ID_AA64ISAR0_EL1.AES is to vary: what every host shows for itself cannot be chosen",
		"allow: {ID_AA64ISAR0_EL1: []}\nvary: [CTR_EL0, ID_AA64ISAR0_EL1]":    "p.yaml:2:17: allow ID_AA64ISAR0_EL1: ID_AA64ISAR0_EL1.RNDR is to vary: what every host shows for itself cannot be chosen",
	} {
		p, err := guise.ReadPolicy("p.yaml", []byte(text))
		var document *guise.DocumentError
		if p != nil || !errors.As(err, &document) || err.Error() != want {
			t.Errorf("%q: %v, %v; want %q", text, p, err, want)
		}
	}
}

// TestPoliciesAreBounded: whatever fills a file of the largest size, reading it
// allocates no more than 128 MiB, freed memory included, and nothing that is more
// than small change grows with the square of the file.
func TestPoliciesAreBounded(t *testing.T) {
	allocated := func(text string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := guise.ReadPolicy("p.yaml", []byte(text))
		runtime.ReadMemStats(&after)
		if err == nil && len(text) > 1000 {
			t.Errorf("%.40q is taken", text)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	keys := func(size int) string {
		var b strings.Builder
		b.WriteString("restrict:\n")
		for i := 0; b.Len() < size-40; i++ {
			fmt.Fprintf(&b, "  ID_AA64ISAR0_EL1.X%d: 1\n", i)
		}
		return b.String()
	}
	names := func(size int) string { return "hide: [" + strings.Repeat("FEAT_AES, ", size/10-2) + "FEAT_X]" }
	times := func(unit string) func(size int) string {
		return func(size int) string { return strings.Repeat(unit, size/len(unit)) }
	}
	for name, make := range map[string]func(size int) string{
		"keys": keys, "names": names, "brackets": times("["), "closed": times("[]"), "dashes": times("- "), "maps": times("a: "), "braces": times("{a: "),
		"lines": times("\n"), "words": times("a"), "comments": times("#x\n"), "anchors": times("&a "), "aliases": times("*a "), "questions": times("? "),
		"quotes": times("'"), "escapes": times(`"\n`), "blocks": times("|\n x\n"), "documents": times("---\n"), "colons": times(":\n"), "commas": times(","), "tabs": times("\t"),
	} {
		const small, large = guise.MaxPolicySize / 4, guise.MaxPolicySize
		less, most := allocated(make(small)), allocated(make(large))
		if most > 128<<20 {
			t.Errorf("%s: %d MiB for a file of %d KiB", name, most>>20, large>>10)
		}
		if most > 8*less+16<<20 {
			t.Errorf("%s: %d kB for a quarter, %d kB for the whole", name, less>>10, most>>10)
		}
	}
	if _, err := guise.ReadPolicy("p.yaml", make([]byte, guise.MaxPolicySize+1)); err == nil || !strings.Contains(err.Error(), "the most that a policy can have is 262144") {
		t.Error(err)
	}
}

// FuzzReadPolicy: whatever a file says, it is refused or it is a policy that
// Baseline takes or refuses; nothing panics.
func FuzzReadPolicy(f *testing.F) {
	for _, text := range []string{
		"hide: [FEAT_RNG]\nrequire:\n  FEAT_LSE: true\n  ID_AA64MMFR0_EL1.PARANGE: 4\n",
		"restrict: {ID_AA64ISAR0_EL1.SHA2: 1}\nforce: {STD_BMAP.TRNG_V1_0: 0}\nvary: [identity]\n",
		"allow: {ID_AA64ISAR1_EL1: [DPB, JSCVT]}\n", "require: {a: -1}\nrequire: {a: 1}\n", "hide: !!binary RkVBVF9BRVM=", "a: &a [*a]", "- - - x",
	} {
		f.Add([]byte(text))
	}
	capture := load(f, "graviton2@6.18")
	f.Fuzz(func(t *testing.T, data []byte) {
		policy, err := guise.ReadPolicy("p.yaml", data)
		if (policy == nil) == (err == nil) {
			t.Fatalf("%v and %v", policy, err)
		}
		if err != nil {
			return
		}
		if _, err := guise.Baseline([]*guise.Capture{capture}, policy); err != nil {
			t.Errorf("read, and then refused: %v", err)
		}
	})
}

func TestParseVary(t *testing.T) {
	for text, want := range map[string]string{
		"identity":                                   "identity",
		"ID_AA64MMFR2_EL1.EVT,FWB":                   "ID_AA64MMFR2_EL1.EVT ID_AA64MMFR2_EL1.FWB",
		"identity,ID_DFR0_EL1.CopDbg":                "identity ID_DFR0_EL1.CopDbg",
		"ID_DFR0_EL1.CopDbg,identity,FWB":            "ID_DFR0_EL1.CopDbg identity FWB",
		"ID_DFR0_EL1.CopDbg,CTR_EL0,CTR_EL0.CWG,ERG": "ID_DFR0_EL1.CopDbg CTR_EL0 CTR_EL0.CWG CTR_EL0.ERG",
		"ID_DFR0_EL1.CopDbg,NOPE":                    "ID_DFR0_EL1.CopDbg ID_DFR0_EL1.NOPE",
		"":                                           "",
		"identity,":                                  "identity ",
	} {
		if got := strings.Join(guise.ParseVary(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
