package kernel

import (
	"testing"

	"github.com/guise-project/guise/isa/arm64"
)

// TestLimitsOfEarlyProfiles: what becomes of registers that are all ones. The
// masks were put together by hand from the tables of a 4.15, without the fields of
// which it is not known whether a stable update brought them.
func TestLimitsOfEarlyProfiles(t *testing.T) {
	var hw Hardware
	for i := range hw.Values {
		hw.Values[i] = ^uint64(0)
	}
	combined := map[int]uint64{
		arm64.IDPFR0EL1:      0xffff,
		arm64.IDPFR1EL1:      0xffff_ffff,
		arm64.IDDFR0EL1:      0xffff_ffff,
		arm64.IDAFR0EL1:      0,
		arm64.IDMMFR0EL1:     0xffff_ffff,
		arm64.IDMMFR4EL1:     0xf0,
		arm64.IDISAR0EL1:     0x0fff_ffff,
		arm64.IDISAR5EL1:     0x0f0f_ffff,
		arm64.IDISAR6EL1:     0,
		arm64.MVFR2EL1:       0xff,
		arm64.IDPFR2EL1:      0,
		arm64.IDDFR1EL1:      0,
		arm64.IDMMFR5EL1:     0,
		arm64.IDAA64PFR0EL1:  0x0fff_ffff,
		arm64.IDAA64PFR1EL1:  0,
		arm64.IDAA64PFR2EL1:  0,
		arm64.IDAA64ZFR0EL1:  0,
		arm64.IDAA64SMFR0EL1: 0,
		arm64.IDAA64FPFR0EL1: 0,
		arm64.IDAA64DFR0EL1:  0xffff_ffff_f0f0_ffff,
		arm64.IDAA64ISAR0EL1: 0x000f_ffff_f0ff_fff0,
		arm64.IDAA64ISAR1EL1: 0x00ff_f00f,
		arm64.IDAA64ISAR2EL1: 0,
		arm64.IDAA64ISAR3EL1: 0,
		arm64.IDAA64MMFR0EL1: 0xffff_ffff,
		arm64.IDAA64MMFR1EL1: 0x00ff_ffff,
		arm64.IDAA64MMFR2EL1: 0xf_ffff,
		arm64.IDAA64MMFR3EL1: 0,
		arm64.IDAA64MMFR4EL1: 0,
	}
	for version, raw := range map[string]bool{"4.14": true, "4.15": false} {
		p, err := At(must(version))
		if err != nil {
			t.Fatal(err)
		}
		for place, want := range combined {
			if raw {
				want = ^uint64(0)
			}
			if got := p.Limit(place, &hw, VM{}); got != want {
				t.Errorf("Linux %s: %s shows %#x, want %#x", version, arm64.Registers[place].Name, got, want)
			}
			if has := p.Has(place); has == raw && !invariant(place) {
				t.Errorf("Linux %s: userspace has %s: %v", version, arm64.Registers[place].Name, has)
			}
		}
		// Equal writes only.
		for slot := range arm64.Slots {
			place := int(arm64.Slots[slot].Register)
			if featureRegister(place) && p.Takes(slot, 1, VM{}).String() != "1" {
				t.Errorf("Linux %s: %s takes more than what it holds", version, arm64.Slots[slot].Name())
			}
		}
	}
}

// TestChangesOfTheSeriesAreSettled: of the two versions at its sides nothing about
// who sees which registers is open.
func TestChangesOfTheSeriesAreSettled(t *testing.T) {
	for _, v := range Early {
		for _, c := range Changes() {
			if _, known := c.In(v); !known && (c.Kind == Exposes || c.Kind == Hides || c.Kind == Shows) {
				t.Errorf("Linux %v: %s %v is not settled", v, c.Register, c.Fields)
			}
		}
		for _, b := range Behaviours() {
			if _, known := b.In(v); !known && b.Behaviour == TrapsFeatures {
				t.Errorf("Linux %v: whether reads are trapped is not settled", v)
			}
		}
	}
}
