package guise

import (
	"strings"
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// TestToleranceHasAVersion: QEMU up to 10.2 forgives nothing, from 11.1 on some
// registers, and of versions between nobody knows; what it forgives only as 0 depends on
// the value.
func TestToleranceHasAVersion(t *testing.T) {
	tcr2, bitmap := mustEncode("S3_0_C2_C0_3"), arm64.ID(arm64.Registers[arm64.VENDORHYPBMAP2].ID)
	for _, c := range []struct {
		vmm   VMM
		id    arm64.ID
		value uint64
		known bool
		want  Verdict
	}{
		{"qemu", tcr2, 0, false, No}, {"qemu@10.0", tcr2, 0, false, No}, {"qemu@10.2.2", tcr2, 0, false, No},
		{"qemu@10.3", tcr2, 0, false, Unknown}, {"qemu@11.0", tcr2, 0, false, Unknown}, {"qemu@11.0.9", bitmap, 1, true, No},
		{"qemu@11.1", tcr2, 1, true, Yes}, {"qemu@12.0", tcr2, 0, false, Yes}, {"qemu@9.2", tcr2, 0, false, No},
		{"qemu@11.1", bitmap, 0, true, Yes}, {"qemu@11.1", bitmap, 3, true, No}, {"qemu@11.1", bitmap, 0, false, Unknown},
		{"qemu@11.1", mustEncode("S3_0_C1_C0_3"), 0, true, No}, {"firecracker", tcr2, 0, true, No},
	} {
		m, err := moverOf(c.vmm)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.tolerates(c.id, c.value, c.known); got != c.want {
			t.Errorf("%s tolerates %v of %d (known: %v): %v, want %v", c.vmm, c.id, c.value, c.known, got, c.want)
		}
	}
}

func TestVMMNames(t *testing.T) {
	for text, want := range map[string]string{
		"qemu": "", "qemu@11.1": "", "qemu@11.1.3": "", "firecracker": "",
		"": "no VMM", "QEMU": "no VMM", "qemu@": "two numbers", "qemu@11": "two numbers", "qemu@11.x": "two numbers", "qemu@1.2.3.4": "two numbers",
		"qemu@-1.2": "two numbers", "firecracker@1.16": "not told apart",
	} {
		_, err := ParseVMM(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("ParseVMM(%q): %v, want %q", text, err, want)
		}
	}
}

// TestMoveRefusesWhatNobodyMeans: what cannot be judged is an error and not an outcome.
func TestMoveRefusesWhatNobodyMeans(t *testing.T) {
	host := &Capture{Name: "a", Setups: []CapturedSetup{{}}}
	for name, call := range map[string]func() (Move, error){
		"no VMM":       func() (Move, error) { return MoveOne(nil, host, host, "", VMMNone) },
		"nil host":     func() (Move, error) { return MoveOne(nil, nil, host, "", VMMQEMU) },
		"empty":        func() (Move, error) { return MoveOne(nil, &Capture{Name: "e"}, host, "", VMMQEMU) },
		"POWER":        func() (Move, error) { return MoveOne(nil, &Capture{Name: "p", Power: &PowerHost{}}, host, "", VMMQEMU) },
		"setup":        func() (Move, error) { return MoveOne(nil, host, host, "sve", VMMQEMU) },
		"bare":         func() (Move, error) { return MoveOne(&Contract{}, host, host, "", VMMQEMU) },
		"no such list": func() (Move, error) { return MoveOne(nil, host, host, "nonsense/vgic9", VMMFirecracker) },
	} {
		if move, err := call(); err == nil {
			t.Errorf("%s: %+v, want an error", name, move)
		}
	}
	// A capture in which nothing stands gives no definite answer.
	if move, err := MoveOne(nil, host, host, "", VMMQEMU); err != nil || move.Outcome != MoveUnknown {
		t.Errorf("an empty view: %v, %v; want unknown", move.Outcome, err)
	}
}
