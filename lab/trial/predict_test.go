package trial

import (
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/vm"
)

// TestRefusalsArePredicted: field and errno, for hosts that differ in one field
// each. TestLiveBaselinesHold puts the same values to the kernels.
func TestRefusalsArePredicted(t *testing.T) {
	const accepted = "accepted, and shown otherwise"
	for _, test := range []struct {
		hosts  [2]string
		writes [2]vm.Write
		want   [2]string
	}{
		// Until 6.16 KVM showed the CPU's NV; since then it takes what older
		// kernels showed, and holds 0.
		{[2]string{"qemu10-neoverse-v1@6.12", "qemu10-neoverse-v1@7.2"},
			[2]vm.Write{{Register: "ID_AA64MMFR2_EL1", Field: "NV"}, {Register: "ID_AA64MMFR2_EL1", Field: "NV", Value: 2}},
			[2]string{"EINVAL", accepted}},
		{[2]string{"qemu10-neoverse-n1@5.10", "qemu10-neoverse-n1@6.1"},
			[2]vm.Write{{Register: "ID_AA64DFR0_EL1", Field: "DebugVer", Value: 6}, {Register: "ID_AA64DFR0_EL1", Field: "DebugVer", Value: 8}},
			[2]string{"EINVAL", "EINVAL"}},
	} {
		captures := make([]*guise.Capture, len(test.hosts))
		for i, name := range test.hosts {
			var err error
			if captures[i], err = catalog.Load(name); err != nil {
				t.Fatal(err)
			}
		}
		plan := NewPlan(captures)
		result, err := plan.Add([]int{0, 1}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		for i, host := range test.hosts {
			e := plan.hosts[i].expected[plan.hosts[i].places["setup "+result.Setup.Key()]]
			at, ok := e.writes[test.writes[i]]
			if !ok {
				t.Errorf("%s: %s is not put to it", host, test.writes[i].String())
				continue
			}
			if got := e.said[at].String(); got != test.want[i] {
				t.Errorf("%s: %s: predicted %s, want %s", host, test.writes[i].String(), got, test.want[i])
			}
			if len(e.said) != 1 {
				t.Errorf("%s: %d values are put to it, want one", host, len(e.said))
			}
		}
	}
}
