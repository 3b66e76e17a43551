package guise_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// KVM's firmware registers, one rule a test.

// TestFirecrackerLeavesBitmaps: of the firmware registers Firecracker leaves the
// bitmaps as the host has them, and no others.
func TestFirecrackerLeavesBitmaps(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	contract := *baseline(t, nil, host).Contract
	for _, name := range []string{"PSCI_VERSION", "SMCCC_ARCH_WORKAROUND_1", "STD_BMAP", "VENDOR_HYP_BMAP"} {
		c := contract
		c.View.Values[place(name)] ^= 1
		findings := guise.Check(&c, host, guise.VMMFirecracker).Findings
		leaves := slices.ContainsFunc(findings, func(f guise.Finding) bool { return f.Kind == guise.KindVMM && f.Register == name })
		if leaves != strings.HasSuffix(name, "_BMAP") {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}

// TestServicesThatOneHostLacks: what a host without VENDOR_HYP_BMAP_2 does not offer
// cannot be asked of all.
func TestServicesThatOneHostLacks(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	bitmap := place("VENDOR_HYP_BMAP_2")
	without := withSetup(host, "without", func(s *guise.CapturedSetup) {
		s.View.Present.Remove(bitmap)
		s.View.Values[bitmap] = 0
	})
	for value, want := range map[uint64]guise.Verdict{0: guise.Yes, 1: guise.No} {
		policy := &guise.Policy{Force: map[string]uint64{"VENDOR_HYP_BMAP_2.DISCOVER_IMPL_VER": value}}
		for _, hosts := range [][]*guise.Capture{{host, without}, {without, host}} {
			if result := baseline(t, policy, hosts...); result.Verdict != want {
				t.Errorf("%d: %v, %+v; want %v", value, result.Verdict, result.Findings, want)
			}
		}
	}
}

// TestProtectedVMsAreAnsweredByEL2: whether a protected VM has the call that names
// services is the hypervisor's to say, whatever the bitmap takes.
func TestProtectedVMsAreAnsweredByEL2(t *testing.T) {
	plain := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	protected := withSetup(plain, "protected", func(s *guise.CapturedSetup) { s.Protected = true })
	bitmap := place("VENDOR_HYP_BMAP")
	field := arm64.Registers[bitmap].Field("FUNC_FEAT")
	for _, host := range []*guise.Capture{plain, protected} {
		contract := *baseline(t, &guise.Policy{Protected: host == protected}, host).Contract
		shown := field.Get(host.Setups[0].View.Values[bitmap])
		for value := range uint64(2) {
			contract.View.Values[bitmap] = field.Put(contract.View.Values[bitmap], value)
			want := guise.Yes
			if host == protected && value != shown {
				want = guise.No
			}
			f := findingOf(guise.Check(&contract, host, guise.VMMNone).Findings, "VENDOR_HYP_BMAP")
			if (f == nil) != (want == guise.Yes) || f != nil && f.Verdict != want {
				t.Errorf("%s, FUNC_FEAT %d where %d is shown: %+v, want %v", host.Name, value, shown, f, want)
			}
		}
	}
}

// TestFirmwareRegistersThatMustNotExist: a bitmap that nobody names is made 0, and no
// other firmware register can be; a host without a bitmap decides itself what its
// guests see, and one without another register is as it should be.
func TestFirmwareRegistersThatMustNotExist(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	contract := *baseline(t, nil, host).Contract
	for _, test := range []struct {
		name    string
		there   bool
		takes0  bool
		verdict guise.Verdict
	}{
		{"STD_BMAP", true, true, guise.Yes}, {"STD_BMAP", true, false, guise.No}, {"STD_BMAP", false, false, guise.Unknown},
		{"PSCI_VERSION", true, false, guise.No}, {"PSCI_VERSION", false, false, guise.Yes}, {"VENDOR_HYP_BMAP_2", false, false, guise.Yes},
	} {
		p := place(test.name)
		c := contract
		c.View.Present.Remove(p)
		c.View.Values[p] = 0
		c.Absent = append(slices.Clone(contract.Absent), arm64.ID(arm64.Registers[p].ID))
		slices.Sort(c.Absent)
		other := withSetup(host, "other", func(s *guise.CapturedSetup) {
			if !test.there {
				s.View.Present.Remove(p)
				s.View.Values[p] = 0
				return
			}
			first, end := arm64.SlotsOf(p)
			for slot := first; slot < end; slot++ {
				if !test.takes0 {
					s.Offers.PutSet(slot, isa.Range(1, 3))
				}
			}
		})
		f := findingOf(guise.Check(&c, other, guise.VMMNone).Findings, test.name)
		if (f == nil) != (test.verdict == guise.Yes) || f != nil && f.Verdict != test.verdict {
			t.Errorf("%+v: %+v", test, f)
		}
	}
}
