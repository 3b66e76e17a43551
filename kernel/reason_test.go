package kernel

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// TestEveryErrnoHasAReason: whatever register KVM answers an errno for, the log
// has a reason, and says it once.
func TestEveryErrnoHasAReason(t *testing.T) {
	for place := range arm64.Registers {
		id := arm64.ID(arm64.Registers[place].ID)
		for _, errno := range Errnos {
			reasons := Reasons(id, 0, false, errno)
			if len(reasons) == 0 {
				t.Errorf("%v: no reason for %s", id, errno)
			}
			for i, r := range reasons {
				if r.Text == "" || slices.Contains(reasons[:i], r) {
					t.Errorf("%v: %s: %+v is empty or there twice", id, errno, r)
				}
			}
		}
	}
	if reasons := Reasons(arm64.ID(arm64.Registers[0].ID), 0, false, "E2BIG"); reasons != nil {
		t.Errorf("E2BIG: %v", reasons)
	}
}

func TestReasons(t *testing.T) {
	id := func(name string) arm64.ID { return arm64.ID(arm64.Named(name).ID) }
	for _, row := range []struct {
		register     string
		value        uint64
		errno        string
		when, text   string
		unwantedText string
	}{
		{"MIDR_EL1", 0xc00fac31, "EINVAL", "since 6.15", "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS", ""},
		{"ID_AA64DFR0_EL1", 0x3, "EINVAL", "", "DebugVer: 0-5 refused", ""},
		{"ID_AA64DFR0_EL1", 0x9, "EINVAL", "", "can be chosen", "0-5 refused"},
		{"PSCI_VERSION", 0x10003, "EINVAL", "", "1.1 is the newest", "1.3 is the newest"},
		{"CCSIDR_EL1[2]", 0, "EINVAL", "before ", "big.LITTLE", ""},
		{"ID_DFR0_EL1", 0, "EINVAL", "", "hosts without AArch32", ""},
		{"VENDOR_HYP_BMAP_2", 0, "ENOENT", "before ", "no such register", ""},
		{"ID_AA64PFR0_EL1", 0, "EBUSY", "since ", "has run", ""},
		{"DCZID_EL0", 4, "EINVAL", "", "what the CPU answers", ""},
	} {
		found := false
		for _, r := range Reasons(id(row.register), row.value, true, row.errno) {
			found = found || strings.Contains(r.Text, row.text) && strings.HasPrefix(r.When, row.when)
			if row.unwantedText != "" && strings.Contains(r.Text, row.unwantedText) {
				t.Errorf("%s = %#x, %s: %q is no reason", row.register, row.value, row.errno, r.Text)
			}
		}
		if !found {
			t.Errorf("%s = %#x, %s: want %q %q, there is %+v", row.register, row.value, row.errno, row.when, row.text, Reasons(id(row.register), row.value, true, row.errno))
		}
	}
}

func TestListedName(t *testing.T) {
	for name, want := range map[string]string{"S3_0_C1_C0_0": "SCTLR_EL1", "S3_0_C2_C0_2": "TCR_EL1", "S2_0_C0_C3_5": "DBGBCR3_EL1", "S3_0_C0_C0_6": "REVIDR_EL1", "S3_7_C15_C0_0": ""} {
		e, err := arm64.ParseEncoding(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := ListedName(e.ID()); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
