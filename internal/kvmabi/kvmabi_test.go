package kvmabi

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

func TestCapabilities(t *testing.T) {
	if !slices.IsSortedFunc(Capabilities, func(a, b CapabilityRow) int { return int(a.Capability) - int(b.Capability) }) {
		t.Error("the table is not sorted by number")
	}
	seen := map[string]bool{}
	for i, row := range Capabilities {
		if i > 0 && Capabilities[i-1].Capability == row.Capability {
			t.Errorf("%d stands in the table twice", row.Capability)
		}
		if seen[row.Name] || !strings.HasPrefix(row.Name, "KVM_CAP_") {
			t.Errorf("%s: named twice, or not a capability's name", row.Name)
		}
		seen[row.Name] = true
		if got, ok := CapabilityByName(row.Name); !ok || got != row.Capability || got.String() != row.Name {
			t.Errorf("%s does not lead back to %d", row.Name, row.Capability)
		}
	}
	if _, ok := CapabilityByName("KVM_CAP_NOTHING"); ok {
		t.Error("a capability was found that does not exist")
	}
	if got := Capability(9999).String(); got != "KVM_CAP 9999" {
		t.Errorf("an unknown capability is named %q", got)
	}
}

// TestRegisterIDs holds computed ids against those of the kernel's headers.
func TestRegisterIDs(t *testing.T) {
	for _, row := range []struct {
		id   arm64.ID
		want uint64
		name string
		size int
	}{
		{CoreX(0), 0x6030_0000_0010_0000, "X0", 8},
		{CoreX(30), 0x6030_0000_0010_003c, "X30", 8},
		{CoreSP, 0x6030_0000_0010_003e, "SP_EL0", 8},
		{CorePC, 0x6030_0000_0010_0040, "PC", 8},
		{CorePState, 0x6030_0000_0010_0042, "PSTATE", 8},
		{CoreSPEL1, 0x6030_0000_0010_0044, "SP_EL1", 8},
		{CoreELREL1, 0x6030_0000_0010_0046, "ELR_EL1", 8},
		{CoreSPSREL1, 0x6030_0000_0010_0048, "SPSR_EL1", 8},
		{CoreV(0), 0x6040_0000_0010_0054, "V0", 16},
		{CoreV(31), 0x6040_0000_0010_00d0, "V31", 16},
		{CoreFPSR, 0x6020_0000_0010_00d4, "FPSR", 4},
		{CoreFPCR, 0x6020_0000_0010_00d5, "FPCR", 4},
		{SVEZ(0), 0x6080_0000_0015_0000, "Z0", 256},
		{SVEZ(31), 0x6080_0000_0015_03e0, "Z31", 256},
		{SVEP(0), 0x6050_0000_0015_0400, "P0", 32},
		{SVEP(15), 0x6050_0000_0015_05e0, "P15", 32},
		{SVEP(16), 0x6050_0000_0015_0600, "FFR", 32},
		{arm64.IDSVEVectorLengths, 0x6060_0000_0015_ffff, "KVM_REG_ARM64_SVE_VLS", 64},
		{TimerCTL, 0x6030_0000_0013_df19, "KVM_REG_ARM_TIMER_CTL", 8},
		{TimerCVAL, 0x6030_0000_0013_df02, "KVM_REG_ARM_TIMER_CVAL", 8},
		{TimerCNT, 0x6030_0000_0013_df1a, "KVM_REG_ARM_TIMER_CNT", 8},
		{arm64.FirmwareID(0), 0x6030_0000_0014_0000, "", 8},
	} {
		if uint64(row.id) != row.want || RegisterName(row.id) != row.name || row.id.Size() != row.size {
			t.Errorf("%#x named %q with %d bytes; want %#x, %q, %d",
				uint64(row.id), RegisterName(row.id), row.id.Size(), row.want, row.name, row.size)
		}
	}
}

func TestRunArea(t *testing.T) {
	var run RunArea
	run.ExitReason = ExitMMIO
	binary.LittleEndian.PutUint64(run.exit[0:], 0x9000_0008)
	binary.LittleEndian.PutUint64(run.exit[8:], 0x1122_3344_5566_7788)
	binary.LittleEndian.PutUint32(run.exit[16:], 4)
	run.exit[20] = 1
	m := run.MMIO()
	if m.Addr != 0x9000_0008 || m.Value() != 0x5566_7788 || !m.Write {
		t.Errorf("MMIO decoded as %+v with value %#x", m, m.Value())
	}
	if got := run.Describe(); got != "KVM_EXIT_MMIO: 4-byte write to 0x90000008" {
		t.Errorf("described as %q", got)
	}
	run = RunArea{ExitReason: ExitSystemEvent}
	binary.LittleEndian.PutUint32(run.exit[0:], SystemEventReset)
	binary.LittleEndian.PutUint32(run.exit[4:], 900) // more than the structure can hold
	if e := run.SystemEvent(); e.Type != SystemEventReset || len(e.Data) != 16 {
		t.Errorf("system event decoded as %+v", e)
	}
	run = RunArea{ExitReason: ExitHypercall}
	binary.LittleEndian.PutUint64(run.exit[0:], 0xc600_0040)
	binary.LittleEndian.PutUint64(run.exit[64:], HypercallSMC)
	if h := run.Hypercall(); h.Function != 0xc600_0040 || h.Flags != HypercallSMC {
		t.Errorf("hypercall decoded as %+v", h)
	}
	for reason, name := range ExitReasons {
		if reason.String() != name {
			t.Errorf("%d is named %s, want %s", reason, reason, name)
		}
	}
	if got := ExitReason(77).String(); got != "KVM_EXIT 77" {
		t.Errorf("an unknown exit is named %q", got)
	}
}

func TestVCPUEventsBytes(t *testing.T) {
	events := VCPUEvents{SErrorPending: 1, SErrorHasESR: 1, ExtDABTPending: 1, SErrorESR: 0x1122_3344}
	var back VCPUEvents
	if err := back.FromBytes(events.Bytes()); err != nil || back != events {
		t.Errorf("read back as %+v, %v", back, err)
	}
	if back.FromBytes(make([]byte, 63)) == nil {
		t.Error("63 bytes were taken for 64")
	}
	data := events.Bytes()
	data[40] = 1
	if back.FromBytes(data) == nil {
		t.Error("a reserved word was taken")
	}
}
