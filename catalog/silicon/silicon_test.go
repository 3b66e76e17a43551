package silicon

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// TestTable: every machine has cores, every core its MIDR_EL1 as a reading, every value
// lies within its known bits and has a source, and nothing stands twice.
func TestTable(t *testing.T) {
	all, err := parse(table)
	if err != nil {
		t.Fatal(err)
	}
	readings, how := 0, map[How]int{}
	for i := range all {
		m := &all[i]
		if Named(m.Name) == nil || len(m.Cores) == 0 || len(m.Products) == 0 {
			t.Errorf("%s: has no cores or no products", m.Name)
		}
		for j := range m.Cores {
			c := &m.Cores[j]
			if midr, ok := c.Reading("MIDR_EL1"); !ok || midr.Value != c.MIDR || midr.Known != ^uint64(0) {
				t.Errorf("%s, %s: MIDR_EL1 %#x is not the core's, %#x", m.Name, c.Part, midr.Value, c.MIDR)
			}
			var names []string
			for _, r := range c.Readings {
				names = append(names, r.Register)
				how[r.How]++
				if r.Value&^r.Known != 0 {
					t.Errorf("%s, %s: %s %#x has bits outside %#x", m.Name, c.Part, r.Register, r.Value, r.Known)
				}
			}
			readings += len(names)
			slices.Sort(names)
			if len(slices.Compact(names)) != len(c.Readings) {
				t.Errorf("%s, %s: a register stands twice", m.Name, c.Part)
			}
			sve, ok := c.Reading("ID_AA64PFR0_EL1")
			field := arm64.Registers[arm64.IDAA64PFR0EL1].Field("SVE")
			if ok && field.Mask()&^sve.Known == 0 && (field.Get(sve.Value) != 0) != (len(c.Vectors) > 0) {
				t.Errorf("%s, %s: SVE %d with vector lengths %v", m.Name, c.Part, field.Get(sve.Value), c.Vectors)
			}
		}
	}
	if len(all) != 28 || readings != 937 || how[Hardware]+how[Manual]+how[Decoded] != readings {
		t.Errorf("%d machines, %d readings, %v", len(all), readings, how)
	}
}

func TestNamedKnowsItsOwn(t *testing.T) {
	if m := Named("rk3588"); m == nil || len(m.Cores) != 2 || m.Cores[0].MIDR == m.Cores[1].MIDR {
		t.Errorf("rk3588: %+v", m)
	}
	if Named("") != nil || Named("nonesuch") != nil {
		t.Error("a machine without a name")
	}
	if _, ok := Named("rk3588").Cores[0].Reading("NONE"); ok {
		t.Error("a register that nobody has")
	}
}

// TestBadTables: what is wrong is said with its line.
func TestBadTables(t *testing.T) {
	const head = "source 1 s\nmachine m\ncore c\n"
	for text, want := range map[string]string{
		"product x":                    "line 1: product stands before the first machine",
		"machine m\nmidr 1":            "line 2: midr stands before the first core",
		head + "CTR_EL0 0x1":           "line 4: CTR_EL0: want a value",
		head + "CTR_EL0 x H 1":         `line 4: CTR_EL0: value "x"`,
		head + "CTR_EL0 1/x H 1":       `line 4: CTR_EL0: mask "x"`,
		head + "CTR_EL0 1 H 2":         `line 4: CTR_EL0: source "2"`,
		head + "CTR_EL0 1 H 1.4":       `line 4: CTR_EL0: view "4"`,
		head + "NONESUCH_EL1 1 H 1":    "line 4: NONESUCH_EL1: no such register",
		head + "midr x":                "line 4: ",
		head + "vectors 128 many":      "line 4: ",
		head + "CTR_EL0 1 hardware 1 ": "line 4: CTR_EL0: want a value",
	} {
		if _, err := parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
