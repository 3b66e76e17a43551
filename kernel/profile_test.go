package kernel

import (
	"testing"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// TestEveryEntryNamesWhatExists: registers and fields of the log are in the
// register table, and each entry touches something.
func TestEveryEntryNamesWhatExists(t *testing.T) {
	for _, c := range Changes() {
		places := c.places()
		if len(places) == 0 {
			t.Errorf("%s: not in the register table", c.Register)
			continue
		}
		for _, name := range c.Fields {
			if arm64.Registers[places[0]].Field(name) == nil {
				t.Errorf("%s.%s: not in the register table", c.Register, name)
			}
		}
		if c.Since.By == (Version{}) {
			t.Errorf("%s %v: no version", c.Register, c.Fields)
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"6.12": "6.12 Linux", "5.10.223": "5.10.223 Linux", "6.12.0": "6.12.0 Linux", "7.1.0-rc3": "7.1.0 Linux",
		"6.18.30-61.116.amzn2023.aarch64": "6.18.30 Amazon Linux", "6.12.95+deb12-arm64": "6.12.95 Debian's kernel",
		"6.1.0-18-arm64": "6.1 Debian's kernel", "6.1.0-56-arm64": "6.1.192 Debian's kernel", "6.8.0-63-generic": "6.8 Ubuntu's kernel",
		"5.14.0-284.11.1.el9_2.aarch64": "5.14 RHEL's kernel", "4.18.0-348.2.1.el8_5.aarch64": "4.18 RHEL's kernel",
		"5.15.0-3.60.5.1.el9uek.aarch64": "5.15 Oracle's UEK", "5.10.0-60.18.0.50.oe2203.aarch64": "5.10 openEuler's kernel",
		"5.15.74-android13-5-g1234": "5.15.74 Android's kernel", "5.14.21-150500.55.7-default": "5.14 SUSE's kernel",
		"6.6.0-5": "6.6 Linux", "6.6.32-local": "6.6.32 Linux",
	} {
		if got, err := ParseVersion(text); err != nil || got.String()+" "+got.Vendor.String() != want {
			t.Errorf("%s reads as %v of %v, %v, want %s", text, got, got.Vendor, err, want)
		}
	}
	for _, bad := range []string{"", "6", "six.one", ".1", "6.", "6.99999"} {
		if v, err := ParseVersion(bad); err == nil {
			t.Errorf("%q reads as %v", bad, v)
		}
	}
	span := between("6.1", "6.12")
	for v, want := range map[string][2]bool{"6.1": {false, true}, "6.5": {false, false}, "6.12": {true, true}, "7.2": {true, true}} {
		if in, known := span.In(must(v)); in != want[0] || known != want[1] {
			t.Errorf("%v in %s: %v, known %v", span, v, in, known)
		}
	}
	for want, span := range map[string]Span{
		"6.15": in("6.15"), "6.0": in("6.0"), "6.11, 6.1.149, 6.6.101": in("6.11").and("6.1.149", "6.6.101"),
		"7.0, (6.18.15, 6.18.35], perhaps 6.19.y": in("7.0").and("6.18.15-6.18.35", "6.19.14-"),
		"(5.15, 5.18], 5.17.10, perhaps 4.14.y":   between("5.15", "5.18").and("?-5.17.10", "4.14-"),
	} {
		if got := span.String(); got != want {
			t.Errorf("a span prints as %s, want %s", got, want)
		}
	}
}

// TestPointReleases: a change that came to stable series is in the point releases
// that have it, and where the point release is not said, or the update is not known,
// nobody knows.
func TestPointReleases(t *testing.T) {
	span := between("6.15", "6.17").and("6.1.149", "6.6.101", "6.12.15-6.12.35", "6.13.5-", "?-6.14.10", "5.15-")
	for v, want := range map[string]string{
		"6.1": "?", "6.1.0": "no", "6.1.148": "no", "6.1.149": "yes", "6.1.200": "yes", "6.0.9": "no", "6.2": "no", "6.2.7": "no",
		"6.12.15": "no", "6.12.16": "?", "6.12.34": "?", "6.12.35": "yes", "6.13.5": "no", "6.13.6": "?", "6.13": "?",
		"6.14.9": "?", "6.14.10": "yes", "5.15": "?", "5.15.180": "?", "6.15": "no", "6.15.3": "no", "6.16": "?", "6.16.4": "?", "6.17": "yes", "6.17.1": "yes", "7.0": "yes",
	} {
		in, known := span.In(must(v))
		if got := map[[2]bool]string{{true, true}: "yes", {false, true}: "no", {false, false}: "?"}[[2]bool{in, known}]; got != want {
			t.Errorf("%s: in %v, known %v, want %s", v, in, known, want)
		}
	}
}

func slotNamed(t *testing.T, name string) int {
	t.Helper()
	for i := range arm64.Slots {
		if arm64.Slots[i].Name() == name {
			return i
		}
	}
	t.Fatalf("%s: no such slot", name)
	return 0
}

// TestAcceptedSets holds derived sets against what was tried on kernels
// (those with a release in note) and what was read.
func TestAcceptedSets(t *testing.T) {
	for _, c := range []struct {
		version, field string
		limit          uint64
		vgic           int
		want           string
	}{
		{"6.12", "ID_AA64DFR0_EL1.DebugVer", 8, 3, "6-8"},
		{"7.2", "ID_AA64DFR0_EL1.DebugVer", 9, 3, "6-9"},
		{"6.1", "ID_AA64DFR0_EL1.DebugVer", 6, 3, "6"},
		{"6.12", "ID_AA64PFR0_EL1.EL0", 2, 3, "0-2"},
		{"7.2", "ID_AA64PFR0_EL1.EL0", 2, 3, "1-2"},
		{"7.2", "ID_AA64MMFR0_EL1.TGRAN4", 1, 3, "0-1,8-15"},
		{"7.2", "ID_AA64MMFR0_EL1.TGRAN16", 2, 3, "0-2"},
		{"7.2", "ID_AA64MMFR0_EL1.TGRAN4_2", 3, 3, "1,3"},
		{"6.12", "ID_AA64MMFR0_EL1.TGRAN4_2", 3, 3, "3"},
		{"7.2", "ID_AA64DFR0_EL1.DoubleLock", 0, 3, "0,8-15"},
		{"7.2", "ID_AA64DFR0_EL1.DoubleLock", 15, 3, "8-15"},
		{"7.2", "ID_AA64MMFR2_EL1.FWB", 1, 3, "1"},
		{"6.18", "ID_AA64PFR0_EL1.RAS", 2, 3, "0-2"},
		{"6.12", "ID_AA64PFR0_EL1.RAS", 2, 3, "2"},
		{"6.12", "ID_AA64PFR0_EL1.GIC", 1, 3, "0-1"},
		{"7.2", "ID_AA64PFR0_EL1.GIC", 1, 3, "1"},
		{"7.2", "ID_AA64PFR0_EL1.GIC", 1, 0, "0"},
		{"5.10", "ID_AA64PFR0_EL1.CSV2", 1, 3, "0-1"},
		{"5.10", "ID_AA64PFR0_EL1.CSV3", 1, 3, "1"},
		{"6.1", "ID_AA64PFR0_EL1.CSV3", 1, 3, "0-1"},
		{"7.2", "ID_AA64MMFR1_EL1.SpecSEI", 0, 3, "0-15"},
		{"7.2", "ID_MMFR0_EL1.InnerShr", 0, 3, "0,8-15"},
		{"7.2", "CTR_EL0.L1Ip", 3, 3, "2-3"},
		{"6.12", "CTR_EL0.L1Ip", 3, 3, "3"},
		{"7.2", "CTR_EL0.CWG", 4, 3, "4"},
		{"7.2", "ID_DFR0_EL1.PerfMon", 4, 3, "0,3-4"},
		{"7.2", "SMCCC_ARCH_WORKAROUND_1.Level", 2, 3, "0-2"},
		{"7.2", "STD_BMAP.TRNG_V1_0", 1, 3, "0-1"},
		{"7.2", "VENDOR_HYP_BMAP_2.DISCOVER_IMPL_VER", 0, 3, "0-1"},
		{"7.2", "PSCI_VERSION.Version", 5, 3, "1-5"}, // places in Values: 0.2 to 1.3
	} {
		p, err := At(must(c.version))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Accepts(slotNamed(t, c.field), c.limit, VM{VGIC: c.vgic}); got.String() != c.want {
			t.Errorf("Linux %s, %s with limit %d: takes %v, want %s", c.version, c.field, c.limit, got, c.want)
		}
	}
}

// TestTheLimitIsAlwaysTaken, unless the guest then sees another value.
func TestTheLimitIsAlwaysTaken(t *testing.T) {
	for _, v := range Known {
		p, err := At(v)
		if err != nil {
			t.Fatal(err)
		}
		for slot := range arm64.Slots {
			for limit := range uint64(16) {
				if set := p.Accepts(slot, limit, VM{VGIC: 3}); !set.Has(limit) {
					t.Errorf("Linux %v, %s: limit %d is not in %v", v, arm64.Slots[slot].Name(), limit, set)
				}
			}
		}
	}
}

// TestAArch32IsFixedWithoutAArch32: where EL0 runs AArch64 only, writes to
// AArch32 registers are ignored, so nothing but the limit is offered.
func TestAArch32IsFixedWithoutAArch32(t *testing.T) {
	p, err := At(must("7.2"))
	if err != nil {
		t.Fatal(err)
	}
	slot := slotNamed(t, "ID_ISAR0_EL1.Divide")
	for el0, want := range map[uint64]isa.Set{1: isa.Only(2), 2: isa.Range(0, 2)} {
		var view arm64.View
		view.Put(arm64.IDAA64PFR0EL1, el0)
		view.Put(arm64.IDISAR0EL1, 2<<24)
		offers := p.Offers(&view, VM{VGIC: 3})
		if got := offers.Set(slot); got != want {
			t.Errorf("EL0=%d: Divide offers %v, want %v", el0, got, want)
		}
	}
}

func TestVersionsBeforeTheOldestAreRefused(t *testing.T) {
	if p, err := At(must("4.13")); err == nil {
		t.Errorf("4.13 has profile %v", p.Version)
	}
}
