package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Rules of the log, one a test.

// TestPaper: further entries hold beside those of the version, in it alone.
func TestPaper(t *testing.T) {
	fwb := slotNamed(t, "ID_AA64MMFR2_EL1.FWB")
	second := MaskRange{Index: 1, Since: in("7.0"), Text: "more", Masks: map[int]uint64{3: 5}}
	entry := Change{Kind: Writable, Register: "ID_AA64MMFR2_EL1", Fields: []string{"FWB"}, Since: in("7.0")}
	p, err := Paper(Newest, []Change{entry}, []MaskRange{second})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Accepts(fwb, 1, VM{VGIC: 3}); got != isa.Range(0, 1) {
		t.Errorf("FWB, which the entry lets be chosen: takes %v", got)
	}
	if p.MaskRanges() != 3 || p.MaskRange(0) == nil || p.MaskRange(0).Index != 0 || p.MaskRange(1) == nil || p.MaskRange(1).Masks[3] != 5 || p.MaskRange(2) != nil {
		t.Errorf("ranges %#x, %+v, %+v, %+v", p.MaskRanges(), p.MaskRange(0), p.MaskRange(1), p.MaskRange(2))
	}
	plain, err := At(Newest)
	if err != nil {
		t.Fatal(err)
	}
	if got := plain.Accepts(fwb, 1, VM{VGIC: 3}); got != isa.Only(1) || plain.MaskRanges() != 1 {
		t.Errorf("without the entries: takes %v, ranges %#x", got, plain.MaskRanges())
	}
	var vendor *VendorError
	if p, err := Paper(must("5.14.0-284.el9.aarch64"), nil, nil); !errors.As(err, &vendor) || p != nil {
		t.Errorf("of a rebased kernel: %v, %v", p, err)
	}
}

// TestRebasedKernelsHaveNoProfile: what a kernel only begins with says nothing of it.
func TestRebasedKernelsHaveNoProfile(t *testing.T) {
	rebased := 0
	for i := range vendors {
		v := must("6.12.60")
		v.Vendor = vendors[i].Vendor
		_, err := At(v)
		_, possibleErr := Possible(v)
		var refused *VendorError
		if got := errors.As(err, &refused); got != vendors[i].rebased || errors.As(possibleErr, &refused) != got || v.Vendor.Rebased() != got {
			t.Errorf("%v: %v, %v; rebased %v", v.Vendor, err, possibleErr, vendors[i].rebased)
		}
		if vendors[i].rebased {
			rebased++
			if text := err.Error(); !strings.Contains(text, vendors[i].Name) || !strings.Contains(text, "6.12,") || !strings.Contains(text, vendors[i].means) || !strings.HasSuffix(text, "capture the host itself") {
				t.Errorf("%v: %q", v.Vendor, text)
			}
		}
		if v.Vendor.Known() != vendors[i].means || v.Vendor.String() != vendors[i].Name {
			t.Errorf("%v: known %q, want %q", v.Vendor, v.Vendor.Known(), vendors[i].means)
		}
	}
	if nobody := Vendor(200); rebased == 0 || nobody.String() != "Linux" || nobody.Known() != "" || nobody.Rebased() {
		t.Errorf("%d rebased; a vendor that is not in the table: %v, %q, %v", rebased, nobody, nobody.Known(), nobody.Rebased())
	}
}

// TestWritableSince: since when fields can be chosen, and that some never can.
func TestWritableSince(t *testing.T) {
	for name, want := range map[string]string{
		"ID_AA64PFR0_EL1.CSV2": "5.10", "ID_AA64DFR0_EL1.PMUVer": "(6.1, 6.5]", "CTR_EL0.L1Ip": "6.13", "ID_AA64MMFR2_EL1.FWB": "",
	} {
		since, ever := WritableSince(slotNamed(t, name))
		if ever != (want != "") || ever && since.String() != want {
			t.Errorf("%s: %v, %v; want %q", name, since, ever, want)
		}
	}
}

// TestConditionsOfFields: a condition is about the VM and its host, or about a field
// of the VM that must not be 0.
func TestConditionsOfFields(t *testing.T) {
	for when, want := range map[Condition]string{
		WithTCRX: "ID_AA64MMFR3_EL1.TCRX", WithSCTLRX: "ID_AA64MMFR3_EL1.SCTLRX", WithS1PIE: "ID_AA64MMFR3_EL1.S1PIE", WithS1POE: "ID_AA64MMFR3_EL1.S1POE",
		WithFGT: "ID_AA64MMFR0_EL1.FGT", Always: "", WithSVE: "", NotAffectedByV2: "", CacheExists: "",
	} {
		place, field, ok := when.Field()
		got := ""
		if ok {
			got = arm64.Registers[place].Name + "." + field
			if arm64.Registers[place].Field(field) == nil {
				t.Errorf("%s is not in the table", got)
			}
		}
		if got != want {
			t.Errorf("condition %q is about %q, want %q", conditionText[when], got, want)
		}
	}
}

// TestFirstReleases: a change in the first release of a major version was in none of
// the one before.
func TestFirstReleases(t *testing.T) {
	if got := in("7.0"); got.After != (Version{Major: 6, Minor: lastMinor}) || got.By != must("7.0") {
		t.Errorf("in 7.0: %+v", got)
	}
	if got := in("6.1"); got.After != must("6.0") {
		t.Errorf("in 6.1: after %v", got.After)
	}
}

// TestVersionsInOrder: releases and their point releases, of which one that is not
// known is neither before nor after the others of its series.
func TestVersionsInOrder(t *testing.T) {
	ordered := []string{"5.10.0", "5.10.223", "6.1.3", "6.12.0", "6.12.95", "7.0.1"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := must(a).Compare(must(b)); got != cmp.Compare(i, j) {
				t.Errorf("%s against %s: %d, want %d", a, b, got, cmp.Compare(i, j))
			}
		}
		if series := must(a).Series(); series.Compare(must(a)) != 0 || must(a).Compare(series) != 0 {
			t.Errorf("%v against %s is not equal", series, a)
		}
	}
	for text, want := range map[string]bool{"6.8.0-9x": false, "6.8.0-0": false, "6.8.0-rc1": true, "6.8.0-": true, "6.8.0-a": true, "6.8.5-0": true, "6.8.0+": true} {
		if _, known := must(text).Point(); known != want {
			t.Errorf("%s: point release known %v, want %v", text, known, want)
		}
	}
}

// TestCapabilities: the last entry that holds decides, and one that may hold leaves
// the answer open.
func TestCapabilities(t *testing.T) {
	for _, row := range []struct {
		name, version string
		there, known  bool
	}{
		{"KVM_CAP_ARM_SEA_TO_USER", "6.18", false, true}, {"KVM_CAP_ARM_SEA_TO_USER", "6.19", true, true},
		{"KVM_CAP_NOBODY_KNOWS", "7.2", false, true},
	} {
		entry, known := Capability(row.name, must(row.version))
		if (entry != nil) != row.there || known != row.known || entry != nil && entry.Name != row.name {
			t.Errorf("%s of %s: %+v, known %v", row.name, row.version, entry, known)
		}
	}
	open := 0
	for _, c := range Capabilities() {
		for _, v := range []Version{must("4.14"), must("5.4"), must("5.15"), must("6.5")} {
			_, settled := c.In(v)
			if _, known := Capability(c.Name, v); known && !settled {
				t.Errorf("%s of %v: known, where an entry is open", c.Name, v)
			}
			if !settled {
				open++
			}
		}
	}
	if open == 0 {
		t.Error("nothing is open")
	}
}

// TestMadeUpCaches: a cache has the smallest line of its kind, and as few levels as
// CTR_EL0 lets a guest believe in.
func TestMadeUpCaches(t *testing.T) {
	p, err := At(Newest)
	if err != nil {
		t.Fatal(err)
	}
	ctr := &arm64.Registers[arm64.CTREL0]
	for _, row := range []struct {
		idc, dic, i, d uint64
		mte            bool
		clidr          string // Ctype1, Ctype2, LoUIS, LoC, LoUU, Ttype1, Ttype2
		instruction    uint64
		data           uint64
	}{
		{0, 0, 4, 4, false, "3 0 1 1 1 0 0", 2, 2},
		{0, 1, 3, 4, false, "2 0 1 1 1 0 0", 1, 2},
		{1, 0, 4, 3, false, "1 4 0 2 0 0 0", 2, 1},
		{1, 1, 2, 6, false, "4 0 0 1 0 0 0", 0, 4},
		{0, 0, 4, 4, true, "3 0 1 1 1 2 0", 2, 2},
		{1, 0, 4, 4, true, "1 4 0 2 0 0 2", 2, 2},
	} {
		hw := &Hardware{}
		hw.Values[arm64.CTREL0] = ctr.Field("IDC").Put(ctr.Field("DIC").Put(ctr.Field("IminLine").Put(ctr.Field("DminLine").Put(1<<31, row.d), row.i), row.dic), row.idc)
		hw.Values[arm64.IDAA64PFR1EL1] = arm64.Registers[arm64.IDAA64PFR1EL1].Field("MTE").Put(0, 2)
		view := p.View(hw, VM{VGIC: 3, MTE: row.mte})
		field := func(name string) uint64 {
			return arm64.Registers[arm64.CLIDREL1].Field(name).Get(view.Values[arm64.CLIDREL1])
		}
		if got := fmt.Sprint(field("Ctype1"), field("Ctype2"), field("LoUIS"), field("LoC"), field("LoUU"), view.Values[arm64.CLIDREL1]>>33&3, view.Values[arm64.CLIDREL1]>>35&3); got != row.clidr {
			t.Errorf("%+v: CLIDR_EL1 has %s", row, got)
		}
		for level := range 14 {
			want := row.data
			if level&1 != 0 {
				want = row.instruction
			}
			if got := view.Values[arm64.CCSIDREL1Level0+level]; got != want {
				t.Errorf("%+v: CCSIDR_EL1[%d] is %#x, want %#x", row, level, got, want)
			}
		}
	}
}
