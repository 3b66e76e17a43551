package interop

import (
	"strings"
	"testing"
)

// TestPaste reads what kernels, QEMU and Firecracker print.
func TestPaste(t *testing.T) {
	for _, row := range []struct {
		text, name, field string
		value, other      uint64
		hasValue, has     bool
		errno             string
	}{
		{text: "0x603000000013c020=0x0100010011111111", name: "ID_AA64PFR0_EL1", value: 0x0100010011111111, hasValue: true},
		{text: "0x603000000013c020", name: "ID_AA64PFR0_EL1"},
		{text: "603000000013C020: 0x11", name: "ID_AA64PFR0_EL1", value: 0x11, hasValue: true},
		{text: "SYS_ID_AA64DFR0_EL1=0x10305106", name: "ID_AA64DFR0_EL1", value: 0x10305106, hasValue: true},
		{text: "op0=3 op1=0 crn=0 crm=4 op2=0", name: "ID_AA64PFR0_EL1"},
		{text: " { Op0( 3), Op1( 0), CRn( 0), CRm( 4), Op2( 0), func_read },", name: "ID_AA64PFR0_EL1"},
		{text: "op0=3 op1=0 crn=0 crm=5 op2=0 = 0x10305408", name: "ID_AA64DFR0_EL1", value: 0x10305408, hasValue: true},
		{text: "CCSIDR_EL1=0x7007e07a", name: "CCSIDR_EL1[0]", value: 0x7007e07a, hasValue: true},
		{text: "ccsidr_el1[2] = 0x203fe002", name: "CCSIDR_EL1[2]", value: 0x203fe002, hasValue: true},
		{text: "ID_AA64PFR0_EL1 0x1100000010111112", name: "ID_AA64PFR0_EL1", value: 0x1100000010111112, hasValue: true},
		{text: "qemu-system-aarch64: Could not set register op0:3 op1:0 crn:0 crm:0 op2:0 to c00fac31 (is 413fd0c1)", name: "MIDR_EL1", value: 0xc00fac31, other: 0x413fd0c1, hasValue: true, has: true, errno: "EINVAL"},
		{text: "Could not set register fw reg 0 to 10003 (is 10001)", name: "PSCI_VERSION", value: 0x10003, other: 0x10001, hasValue: true, has: true, errno: "EINVAL"},
		{text: "Could not set register fw feat reg 3: unknown to KVM", name: "VENDOR_HYP_BMAP_2", errno: "ENOENT"},
		{text: "Could not set register demuxed reg 6020000000110002 to 7007e07a", name: "CCSIDR_EL1[2]", value: 0x7007e07a, hasValue: true, errno: "EINVAL"},
		{text: "Could not set register op0:3 op1:0 crn:2 crm:0 op2:3: unknown to KVM", name: "TCR2_EL1", errno: "ENOENT"},
		{text: "Failed to set register 0x603000000013c000 to value 0x410fd0c0: Invalid argument (os error 22)", name: "MIDR_EL1", value: 0x410fd0c0, hasValue: true, errno: "EINVAL"},
		{text: "set ID_AA64DFR0_EL1 = 0x6: EBUSY", name: "ID_AA64DFR0_EL1", value: 6, hasValue: true, errno: "EBUSY"},
		{text: "KVM_SET_ONE_REG 0x6030000000140000 failed: -22", name: "PSCI_VERSION", errno: "EINVAL"},
		{text: "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x413fd0c1]", name: "MIDR_EL1", value: 0x413fd0c1, hasValue: true},
		{text: "[    0.1] CPU3: Booted secondary processor 0x0000000300 [0x414fd0b0]", name: "MIDR_EL1", value: 0x414fd0b0, hasValue: true},
		{text: "CPU features: SANITY CHECK: Unexpected variation in SYS_ID_AA64MMFR0_EL1. Boot CPU: 0x00000000101122, CPU4: 0x00000000101124", name: "ID_AA64MMFR0_EL1", value: 0x101122, other: 0x101124, hasValue: true, has: true},
		{text: "CPU features: SYS_ID_AA64PFR0_EL1[35:32]: forced to 0", name: "ID_AA64PFR0_EL1", field: "SVE", value: 0, hasValue: true},
		{text: "KVM_REG_ARM_STD_BMAP = 1", name: "STD_BMAP", value: 1, hasValue: true},
		{text: "ID_AA64PFR0_EL1=1101", name: "ID_AA64PFR0_EL1", value: 1101, hasValue: true},
	} {
		said := Paste("nothing here\n" + row.text + "\n")
		if len(said) != 1 {
			t.Errorf("%s: %d things: %+v", row.text, len(said), said)
			continue
		}
		s := said[0]
		if s.Line != 2 || s.Name != row.name || s.Field != row.field || s.Errno != row.errno ||
			s.HasValue != row.hasValue || s.Value != row.value || s.HasOther != row.has || s.Other != row.other {
			t.Errorf("%s: %+v", row.text, s)
		}
	}
}

func TestPasteSeveral(t *testing.T) {
	said := Paste("ID_AA64PFR0_EL1=0x11 ID_AA64PFR1_EL1=0x20 op0:3 op1:0 crn:0 crm:7 op2:0 to 5: Invalid argument")
	if len(said) != 3 || said[1].Name != "ID_AA64PFR1_EL1" || said[2].Name != "ID_AA64MMFR0_EL1" || said[2].Value != 5 || said[0].Errno != "EINVAL" {
		t.Errorf("%+v", said)
	}
	core := "processor\t: %\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\n"
	if said := Paste(core + core); len(said) != 1 || said[0].Value != 0x413fd0c1 {
		t.Errorf("/proc/cpuinfo of two like cores: %+v", said)
	}
	said = Paste("qemu: Invalid value 269 expecting positive value <= 267\nFailed to load cpu:cpreg_vmstate_array_len\n")
	if len(said) != 2 || !strings.Contains(said[0].Note, "has 269 registers, this host lists 267") || said[1].ID != 0 {
		t.Errorf("%+v", said)
	}
}

// TestPasteKeepsQuiet: what is no register is not made one.
func TestPasteKeepsQuiet(t *testing.T) {
	for _, text := range []string{
		"", "\x00\xff", "CPU features: detected: LSE atomic instructions", "0x6030", "op0=3 op1=0", "op0=9 op1=0 crn=0 crm=4 op2=0",
		"a line at EL2 of 0x40", "MY_SETTING_EL9=1", "Invalid argument", strings.Repeat("x", 1<<16),
	} {
		if said := Paste(text); len(said) != 0 {
			t.Errorf("%.40q: %+v", text, said)
		}
	}
}

func FuzzPaste(f *testing.F) {
	f.Add("Could not set register op0:3 op1:0 crn:0 crm:0 op2:0 to c00fac31 (is 413fd0c1)")
	f.Add("SYS_ID_AA64PFR0_EL1[35:32]: forced to 0\nCPU implementer : 0x41")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range Paste(text) {
			if s.ID == 0 && s.Note == "" {
				t.Errorf("%q: says nothing: %+v", text, s)
			}
		}
	})
}
