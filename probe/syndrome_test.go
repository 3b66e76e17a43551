package probe

import (
	"testing"

	"github.com/guise-project/guise/isa/arm64"
	"pgregory.net/rapid"
)

func TestExplainSyndrome(t *testing.T) {
	for _, test := range []struct {
		syndrome uint64
		want     string
	}{
		{0x02000000, "EC 0x00, undefined, or of unknown reason"},
		{0, "EC 0x00, undefined, or of unknown reason; IL clear"},
		{0x62300001, "EC 0x18, trapped MSR, MRS or system instruction: read of S3_0_C0_C0_0 to x0"},
		{0x623a03e6, "EC 0x18, trapped MSR, MRS or system instruction: write of S3_0_C0_C3_5 from xzr"},
		{0x62120010, "EC 0x18, trapped MSR, MRS or system instruction: system instruction op1 0, C0, C8, op2 1 with x0"},
		{0x5a000007, "EC 0x16, HVC #7"},
		{0x96000021, "EC 0x25, data abort: read, alignment fault"},
		{0x9600004f, "EC 0x25, data abort: write, permission fault, level 3"},
		{0x86000006, "EC 0x21, instruction abort: translation fault, level 2"},
		{0x9600003f, "EC 0x25, data abort: read, fault status 0x3f"},
		{0x76000001, "EC 0x1d, trapped SME; ISS 0x1"},
		{0xfe000000, "EC 0x3f, reserved exception class"},
	} {
		if got := ExplainSyndrome(test.syndrome); got != test.want {
			t.Errorf("%#x: %q; want %q", test.syndrome, got, test.want)
		}
	}
}

// A syndrome of EC 0x18 as a real CPU gave it: QEMU's max reading
// S3_1_C0_C0_2 (CCSIDR2_EL1) to x0.
func TestDecodeSystemAccess(t *testing.T) {
	access, ok := DecodeSystemAccess(0x62344001)
	want := SystemAccess{Register: arm64.Encoding{Op0: 3, Op1: 1, Op2: 2}, Read: true}
	if !ok || access != want {
		t.Errorf("%+v, %v; want %+v", access, ok, want)
	}
	if _, ok := DecodeSystemAccess(0x02000000); ok {
		t.Error("an access was read out of EC 0")
	}
}

func TestSystemAccessBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, limit uint8) uint8 { return rapid.Uint8Max(limit).Draw(t, name) }
		access := SystemAccess{
			Register: arm64.Encoding{Op0: draw("op0", 3), Op1: draw("op1", 7), CRn: draw("CRn", 15), CRm: draw("CRm", 15), Op2: draw("op2", 7)},
			Read:     rapid.Bool().Draw(t, "read"),
			Rt:       draw("Rt", 31),
		}
		if back, ok := DecodeSystemAccess(EncodeSystemAccess(access)); !ok || back != access {
			t.Fatalf("%+v came back as %+v, %v", access, back, ok)
		}
	})
}
