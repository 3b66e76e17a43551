package arm64

import (
	"errors"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// TestMaskRanges: which ranges are there, and what else is refused.
func TestMaskRanges(t *testing.T) {
	for _, c := range []struct {
		host     string
		index    uint32
		reserved uint32
		errno    syscall.Errno
	}{
		{"6.6/neoverse-n1", 0, 0, syscall.EINVAL},
		{"6.7/neoverse-n1", 0, 0, 0},
		{"7.2/neoverse-n1", 0, 0, 0},
		{"7.2/neoverse-n1", 0, 1, syscall.EINVAL},
		{"7.2/neoverse-n1", 1, 0, syscall.EINVAL},
		{"7.2/neoverse-n1", 1 << 31, 0, syscall.EINVAL},
	} {
		m := openVM(t, c.host, "base")
		for word := range 13 {
			var reserved [13]uint32
			reserved[word] = c.reserved
			_, err := m.AskMasks(c.index, reserved)
			var errno syscall.Errno
			errors.As(err, &errno)
			if errno != c.errno {
				t.Errorf("%s: range %d, reserved word %d = %d: errno %d, want %d", c.host, c.index, word, c.reserved, errno, c.errno)
			}
		}
	}
}

// TestSecondRange: the interface has room for further ranges. A kernel that has
// one is representable; what guise does not know of it is recorded as being
// there, and nothing is made of it.
func TestSecondRange(t *testing.T) {
	machine, err := NewMachine("neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := kernel.Paper(kernel.Newest, nil, []kernel.MaskRange{
		{Index: 1, Since: kernel.Span{By: kernel.Newest}, Text: "a range on paper", Masks: map[int]uint64{0: 0xff, 191: 1 << 63}},
	})
	if err != nil {
		t.Fatal(err)
	}
	host, err := NewHostOf(machine, profile)
	if err != nil {
		t.Fatal(err)
	}
	m := newVM(host, kernel.VM{}, false, 1)
	if ranges, err := m.MaskRanges(); err != nil || ranges != 3 {
		t.Errorf("ranges %#x, %v; want 0 and 1", ranges, err)
	}
	second, err := m.WritableMasks(1)
	if err != nil || second[0] != 0xff || second[191] != 1<<63 || second[1] != 0 {
		t.Errorf("range 1 reports %#x, %#x, %#x, %v", second[0], second[1], second[191], err)
	}
	first, err := m.WritableMasks(0)
	if err != nil || first[32] != profile.Reported(arm64.IDAA64PFR0EL1) {
		t.Errorf("range 0 reports %#x, %v", first[32], err)
	}
	if _, err := m.WritableMasks(2); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("range 2: %v, want EINVAL", err)
	}

	capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: []guise.Setup{{}}})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Open(kernel.Newest.String() + "/neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	usual, err := vm.Capture(t.Context(), plain, vm.CaptureOptions{Setups: []guise.Setup{{}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := &capture.Setups[0]; got.MaskRanges != 3 || len(got.Masks) != len(usual.Setups[0].Masks) {
		t.Errorf("the capture records ranges %#x and %d masks, want 0x3 and range 0's %d", got.MaskRanges, len(got.Masks), len(usual.Setups[0].Masks))
	}
	if got := capture.Host.Capabilities["KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES"]; got != 3 {
		t.Errorf("the capture records KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES %d, want 3", got)
	}
	if known, _ := kernel.At(kernel.Newest); known.MaskRanges() != 1 {
		t.Error("the paper changed the kernel that is")
	}
}

// TestOptOut: the opt-outs of negative features, found as the maintainers say: a
// signed field that the masks report, and that takes -1 where it shows that the
// feature is there.
func TestOptOut(t *testing.T) {
	want := map[string][]string{
		"6.12": {"ID_MMFR0_EL1.InnerShr", "ID_MMFR0_EL1.OuterShr", "ID_AA64DFR0_EL1.DoubleLock", "ID_AA64MMFR0_EL1.TGRAN4", "ID_AA64MMFR0_EL1.TGRAN64"},
		"6.16": {"ID_AA64DFR0_EL1.DoubleLock", "ID_AA64MMFR0_EL1.TGRAN4", "ID_AA64MMFR0_EL1.TGRAN64"},
	}
	for _, version := range []string{"6.1", "6.17", "6.18", "7.2"} {
		want[version] = want["6.12"]
	}
	want["6.1"] = nil
	for version, want := range want {
		var found []string
		m := openVM(t, version+"/cortex-a53", "base")
		masks, err := m.WritableMasks(0)
		if err != nil && version != "6.1" {
			t.Fatal(err)
		}
		for slot := range arm64.Slots {
			place := int(arm64.Slots[slot].Register)
			_, field := arm64.Slots[slot].Describe()
			e, system := arm64.ID(arm64.Registers[place].ID).Encoding()
			if !field.Signed || !system || !e.InFeatureSpace() {
				continue
			}
			value := m.values[place]
			minusOne := uint64(1)<<field.Width - 1
			if masks[spaceIndex(e)]&field.Mask() == 0 || field.Get(value) == minusOne {
				continue
			}
			id := arm64.ID(arm64.Registers[place].ID)
			if m.set(&m.vcpus[0], id, field.Put(value, minusOne)) == 0 {
				found = append(found, arm64.Slots[slot].Name())
				if seen(t, m, place, field.Name) != minusOne {
					t.Errorf("%s: %s was taken and is not shown", version, arm64.Slots[slot].Name())
				}
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: opt-outs %q, want %q", version, found, want)
			continue
		}
		for i := range found {
			if found[i] != want[i] {
				t.Errorf("%s: opt-outs %q, want %q", version, found, want)
			}
		}
	}
}

// TestRestoreWritesFeatureRegistersFirst: what other registers there are may
// depend on them, and KVM leaves open what comes of the other order.
func TestRestoreWritesFeatureRegistersFirst(t *testing.T) {
	m := openVM(t, "7.2/neoverse-v1", "pauth+pmu+sve")
	if err := m.Finalize(0); err != nil {
		t.Fatal(err)
	}
	snapshot, err := m.Save(0)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, r := range restoreOrder(snapshot) {
		rank := 2
		place, ok := arm64.PlaceOf(r.ID)
		switch {
		case r.ID == arm64.IDSVEVectorLengths:
			rank = 0
		case ok && classes()[place] == classFeature:
			rank = 1
		}
		if rank < last {
			t.Fatalf("%v is written after registers that depend on it", r.ID)
		}
		last = rank
	}
}

// TestTheSpaceOfCompleteSets: text says CRm={1-8}, Op2={0-8}; fields of three bits
// hold 0 to 7, and the registers with CRm 8 are no feature registers.
func TestTheSpaceOfCompleteSets(t *testing.T) {
	count := 0
	for _, e := range arm64.FeatureSpace() {
		if e.Op1 == 0 && e.CRm >= 1 {
			count++
		}
		if e.CRm > 7 || e.Op2 > 7 {
			t.Errorf("%v is in the space", e)
		}
	}
	if count != 56 {
		t.Errorf("%d encodings with CRm 1 to 7, want 56", count)
	}
	if (arm64.Encoding{Op0: 3, Op1: 0, CRn: 0, CRm: 8, Op2: 0}).InFeatureSpace() {
		t.Error("S3_0_C0_C8_0 is in the space")
	}
}
