package arm64

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/guise-project/guise/isa"
)

// TestEveryEncodingIsInTheTable: all 56 encodings S3_0_C0_C1_0 to S3_0_C0_C7_7,
// whether named or reserved, and the registers beside them.
func TestEveryEncodingIsInTheTable(t *testing.T) {
	for crm := uint8(1); crm <= 7; crm++ {
		for op2 := uint8(0); op2 <= 7; op2++ {
			e := Encoding{Op0: 3, CRm: crm, Op2: op2}
			if _, ok := PlaceOf(e.ID()); !ok {
				t.Errorf("%v is not in the table", e)
			}
		}
	}
	for _, name := range []string{
		"MIDR_EL1", "MPIDR_EL1", "REVIDR_EL1", "AIDR_EL1", "CLIDR_EL1", "CSSELR_EL1",
		"CCSIDR_EL1[0]", "CCSIDR_EL1[13]", "CTR_EL0", "DCZID_EL0", "SMIDR_EL1", "GMID_EL1",
		"CNTFRQ_EL0", "PSCI_VERSION", "STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP", "VENDOR_HYP_BMAP_2",
		"SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_2", "SMCCC_ARCH_WORKAROUND_3",
	} {
		if _, ok := Place(name); !ok {
			t.Errorf("%s is not in the table", name)
		}
	}
	if n := len(FeatureSpace()); n != 192 {
		t.Errorf("the feature ID space has %d encodings, want 192", n)
	}
}

// TestIDsEqualTheKernelsHex holds computed ids against numbers as the kernel's
// headers and other people's documents write them.
func TestIDsEqualTheKernelsHex(t *testing.T) {
	for name, want := range map[string]ID{
		"MIDR_EL1":                0x603000000013c000,
		"ID_PFR0_EL1":             0x603000000013c008,
		"S3_0_C0_C3_7":            0x603000000013c01f,
		"ID_AA64PFR0_EL1":         0x603000000013c020,
		"ID_AA64MMFR4_EL1":        0x603000000013c03c,
		"S3_0_C0_C7_7":            0x603000000013c03f,
		"CLIDR_EL1":               0x603000000013c801,
		"AIDR_EL1":                0x603000000013c807,
		"CSSELR_EL1":              0x603000000013d000,
		"CTR_EL0":                 0x603000000013d801,
		"CCSIDR_EL1[0]":           0x6020000000110000,
		"CCSIDR_EL1[13]":          0x602000000011000d,
		"PSCI_VERSION":            0x6030000000140000,
		"SMCCC_ARCH_WORKAROUND_3": 0x6030000000140003,
		"STD_BMAP":                0x6030000000160000,
		"VENDOR_HYP_BMAP_2":       0x6030000000160003,
	} {
		place, ok := Place(name)
		if !ok || ID(Registers[place].ID) != want {
			t.Errorf("%s: id %#x, want %#x", name, Registers[place].ID, want)
		}
		if got := want.String(); got != name {
			t.Errorf("%#x is called %s, want %s", uint64(want), got, name)
		}
	}
}

// TestTableIsComplete: names are unique, fields lie inside their register, do
// not overlap, and stand from the highest to the lowest; safe values and named
// values fit.
func TestTableIsComplete(t *testing.T) {
	names, ids := map[string]bool{}, map[uint64]bool{}
	for i := range Registers {
		r := &Registers[i]
		if names[r.Name] || ids[r.ID] {
			t.Errorf("%s: stands in the table twice", r.Name)
		}
		names[r.Name], ids[r.ID] = true, true
		if size := ID(r.ID).Size() * 8; size != int(r.Bits) {
			t.Errorf("%s: %d bits, its id says %d", r.Name, r.Bits, size)
		}
		var seen uint64
		last := uint8(64)
		fields := map[string]bool{}
		for j := range r.Fields {
			f := &r.Fields[j]
			switch {
			case f.Name == "" || fields[f.Name]:
				t.Errorf("%s: field %q has no name of its own", r.Name, f.Name)
			case f.Width == 0 || f.LSB+f.Width > r.Bits || f.LSB+f.Width > last:
				t.Errorf("%s.%s: bits %d:%d", r.Name, f.Name, f.LSB+f.Width-1, f.LSB)
			case seen&f.Mask() != 0:
				t.Errorf("%s.%s: overlaps", r.Name, f.Name)
			case f.Put(0, f.Safe) == 0 && f.Safe != 0:
				t.Errorf("%s.%s: safe value %d does not fit", r.Name, f.Name, f.Safe)
			case f.Sanitised && r.Whole && f.Order != isa.Exact && r.Scope != isa.Hardware:
				t.Errorf("%s.%s: a register compared whole has an ordered field", r.Name, f.Name)
			}
			fields[f.Name] = true
			seen |= f.Mask()
			last = f.LSB
			for _, v := range f.Values {
				if f.Get(f.Put(0, v.Value)) != v.Value || v.Name == "" {
					t.Errorf("%s.%s: value %d=%s", r.Name, f.Name, v.Value, v.Name)
				}
			}
		}
		if mask := RestMask(i); mask&seen != 0 && len(r.Fields) > 0 && !r.Whole {
			for j := range r.Fields {
				if _, slotted := SlotOf(i, j); !slotted && r.Fields[j].Width <= 4 {
					t.Errorf("%s.%s: neither in a slot nor whole", r.Name, r.Fields[j].Name)
				}
			}
		}
	}
}

// TestSignedFields: exactly the fields whose all-ones value means "not there",
// and the two AArch32 ones, compare as signed numbers.
func TestSignedFields(t *testing.T) {
	want := map[string]bool{
		"ID_AA64PFR0_EL1.AdvSIMD": true, "ID_AA64PFR0_EL1.FP": true, "ID_AA64PFR1_EL1.MTE_frac": true,
		"ID_AA64MMFR0_EL1.TGRAN4": true, "ID_AA64MMFR0_EL1.TGRAN64": true, "ID_AA64DFR0_EL1.DoubleLock": true,
		"ID_AA64DFR0_EL1.MTPMU": true, "ID_AA64MMFR4_EL1.E2H0": true, "ID_MMFR0_EL1.InnerShr": true,
		"ID_MMFR0_EL1.OuterShr": true, "ID_DFR1_EL1.MTPMU": true,
	}
	for i := range Registers {
		for j := range Registers[i].Fields {
			f := &Registers[i].Fields[j]
			name := Registers[i].Name + "." + f.Name
			if f.Signed != want[name] {
				t.Errorf("%s: signed %v, want %v", name, f.Signed, want[name])
			}
			if f.Signed && f.Compare(15, 0) >= 0 {
				t.Errorf("%s: 15 (not there) does not sort below 0", name)
			}
		}
	}
}

// TestFeatureTable: every parameter of Arm's file is there once, with names
// that resolve, and features that are known by heart show as they should.
func TestFeatureTable(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("source", "Features.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Parameters []struct{ Name string } `json:"parameters"`
	}
	if err := json.Unmarshal(source, &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Parameters) != len(FeatureTable) {
		t.Errorf("%d features, Arm names %d", len(FeatureTable), len(document.Parameters))
	}
	for _, p := range document.Parameters {
		if FeatureNamed(p.Name) == nil {
			t.Errorf("%s is missing", p.Name)
		}
	}
	for i := range FeatureTable {
		for _, implied := range FeatureTable[i].Implies {
			if FeatureNamed(implied) == nil {
				t.Errorf("%s implies %s, which is not in the table", FeatureTable[i].Name, implied)
			}
		}
	}
	for _, c := range []struct {
		feature, register string
		value             uint64
		want              bool
	}{
		{"FEAT_LSE", "ID_AA64ISAR0_EL1", 2 << 20, true},
		{"FEAT_LSE", "ID_AA64ISAR0_EL1", 1 << 20, false},
		{"FEAT_SVE", "ID_AA64PFR0_EL1", 1 << 32, true},
		{"FEAT_FP", "ID_AA64PFR0_EL1", 0xf << 16, false},
		{"FEAT_FP", "ID_AA64PFR0_EL1", 0, true},
		{"FEAT_TGran64K", "ID_AA64MMFR0_EL1", 0xf << 24, false},
		{"FEAT_TGran64K", "ID_AA64MMFR0_EL1", 0, true},
		{"FEAT_PMUv3", "ID_AA64DFR0_EL1", 15 << 8, false},
		{"FEAT_PMUv3", "ID_AA64DFR0_EL1", 1 << 8, true},
		{"FEAT_S2FWB", "ID_AA64MMFR2_EL1", 1 << 40, true},
		{"FEAT_IDST", "ID_AA64MMFR2_EL1", 1 << 36, true},
		{"FEAT_LPA2", "ID_AA64MMFR0_EL1", 2 << 20, true},
	} {
		var values [NumRegisters]uint64
		place, _ := Place(c.register)
		values[place] = c.value
		if got := FeatureNamed(c.feature).Present.Holds(&values); got != c.want {
			t.Errorf("%s with %s=%#x: %v, want %v", c.feature, c.register, c.value, got, c.want)
		}
	}
}

func FuzzParseEncoding(f *testing.F) {
	f.Add("S3_0_C0_C4_3")
	f.Fuzz(func(t *testing.T, name string) {
		e, err := ParseEncoding(name)
		if (err == nil) != (err == nil && e.String() == name) || (err != nil && e != Encoding{}) {
			t.Errorf("%q: %v, %v", name, e, err)
		}
	})
}
