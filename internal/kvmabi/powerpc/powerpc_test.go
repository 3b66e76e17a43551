package powerpc

import (
	"strings"
	"testing"
)

func TestRequests(t *testing.T) {
	seen := map[Request]bool{}
	for _, row := range Requests {
		want := Request(row.Direction)<<directionShift | Request(row.Size)<<sizeShift | ioctlType<<typeShift | Request(row.Number)
		if row.Request != want {
			t.Errorf("%s: %#x, want %#x of direction %d, number %#x, size %d", row.Name, uint32(row.Request), uint32(want), row.Direction, row.Number, row.Size)
		}
		if seen[row.Request] || !strings.HasPrefix(row.Name, "KVM_") || row.Request.String() != row.Name {
			t.Errorf("%s: twice, or not found by number", row.Name)
		}
		seen[row.Request] = true
		if (row.Direction == None) != (row.Size == 0) || row.Size >= 1<<(directionShift-sizeShift) {
			t.Errorf("%s: direction %d with size %d", row.Name, row.Direction, row.Size)
		}
	}
	if got := Request(1).String(); got != "ioctl 0x1" {
		t.Errorf("an unknown request is named %q", got)
	}
}

// TestRegisterIDs computes ids from architecture, size and number, as
// Documentation/virt/kvm/api.rst has them.
func TestRegisterIDs(t *testing.T) {
	const arch, size32, size64 = uint64(0x1) << 60, uint64(0x2) << 52, uint64(0x3) << 52
	if RegArchCompat != arch|size32|0xb7 || RegLPCR64 != arch|size64|0xb5 {
		t.Errorf("%#x and %#x", RegArchCompat, RegLPCR64)
	}
}
