package move

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kvm"
	"github.com/guise-project/guise/vm"
)

// TestLiveThere moves VMs from this host to itself, in the setups that it has.
func TestLiveThere(t *testing.T) {
	host, err := kvm.Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	defer host.Close()
	for _, setup := range []guise.Setup{
		{},
		{VGIC: 3},
		{VGIC: 3, Features: []guise.Feature{guise.FeaturePMU}},
		{VGIC: 3, Features: []guise.Feature{guise.FeaturePAuth, guise.FeaturePMU, guise.FeatureSVE}},
		{VGIC: 3, Features: []guise.Feature{guise.FeaturePMU, guise.FeatureSVE}},
		{VGIC: 3, Features: []guise.Feature{guise.FeatureMTE}},
		{VGIC: 2},
		{VGIC: 2, Features: []guise.Feature{guise.FeaturePMU}},
	} {
		t.Run(setup.Key(), func(t *testing.T) {
			capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: []guise.Setup{setup}})
			if errors.Is(err, vm.ErrNotSupported) {
				t.Logf("this host has no %s", setup.Key())
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			contract := asShownIn(capture, capture.Setups[0].Key())
			filters := []Filter{{Base: 0x8600_0001, Count: 1, Action: kvmabi.FilterDeny}}
			state, err := Save(t.Context(), host, contract, SaveOptions{Filters: filters})
			if errors.Is(err, vm.ErrNotSupported) {
				// Filters came with Linux 6.4.
				state, err = Save(t.Context(), host, contract, SaveOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			arrival, err := Restore(t.Context(), host, state, guise.VMMGuise)
			if err != nil {
				t.Fatal(err)
			}
			for i := range arrival.Contract {
				t.Errorf("contract: %v", &arrival.Contract[i])
			}
			for _, r := range arrival.Refused {
				t.Errorf("refused: %+v", r)
			}
			// Linux 5.10 gives userspace a cycle counter that lags behind the one
			// the guest sees, so that a move takes it back.
			if strings.HasPrefix(arrival.Host.Kernel, "5.10.") {
				arrival.Differences = slices.DeleteFunc(arrival.Differences, func(d Difference) bool { return d.What == "PMCCNTR_EL0" })
			}
			for i := range arrival.Differences {
				t.Errorf("%v", &arrival.Differences[i])
			}
			if !arrival.Arrived() {
				t.Error("the VM did not arrive")
			}
		})
	}
}

// TestLiveLossesAreFound changes the state on the way; the guest must miss what it
// lost.
func TestLiveLossesAreFound(t *testing.T) {
	host, err := kvm.Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	defer host.Close()
	// register finds the saved value of a register of vCPU 0.
	register := func(s *State, id arm64.ID) []byte {
		for _, r := range s.VCPUs[0].Registers {
			if r.ID == id {
				return r.Value
			}
		}
		t.Fatalf("%v was not saved", id)
		return nil
	}
	mte := guise.Setup{VGIC: 3, Features: []guise.Feature{guise.FeatureMTE}}
	lost := 0
	for _, row := range []struct {
		name  string
		setup guise.Setup
		spoil func(*State)
		want  string // what the guest misses
	}{
		{"FP register", guise.Setup{}, func(s *State) { register(s, kvmabi.CoreV(7))[9] ^= 1 }, "V7"},
		{"FPCR", guise.Setup{}, func(s *State) { register(s, kvmabi.CoreFPCR)[2] = 0 }, "FPCR"},
		{"time", guise.Setup{}, func(s *State) {
			// Further than any wait of the test.
			counter := register(s, kvmabi.TimerCNT)
			binary.LittleEndian.PutUint64(counter, binary.LittleEndian.Uint64(counter)-1<<40)
		}, "CNTVCT_EL0"},
		{"comparator", guise.Setup{}, func(s *State) { register(s, kvmabi.TimerCVAL)[0] ^= 0xff }, "CNTV_CVAL_EL0"},
		{"pending interrupts of a vGICv3", guise.Setup{VGIC: 3}, func(s *State) {
			s.VGIC = slices.DeleteFunc(s.VGIC, func(r vm.VGICRegister) bool {
				return r.Group == kvmabi.VGICGroupRedistRegs && r.Attr&0xffff_ffff == 0x1_0200 || r.Group == kvmabi.VGICGroupLevelInfo
			})
		}, "interrupt 2"},
		{"software generated interrupts of a vGICv2", guise.Setup{VGIC: 2}, func(s *State) {
			s.VGIC = slices.DeleteFunc(s.VGIC, func(r vm.VGICRegister) bool {
				return r.Group == kvmabi.VGICGroupDistRegs && r.Attr&0xffff_fff0 == 0xf20
			})
		}, "interrupt 2"},
		{"enabled interrupts of a vGICv2", guise.Setup{VGIC: 2}, func(s *State) {
			s.VGIC = slices.DeleteFunc(s.VGIC, func(r vm.VGICRegister) bool {
				return r.Group == kvmabi.VGICGroupDistRegs && r.Attr&0xffff_ffff == 0x104
			})
		}, "interrupt 3"},
		{"tags", mte, func(s *State) { clear(s.Memory[0].Tags) }, "tags"},
	} {
		t.Run(row.name, func(t *testing.T) {
			capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: []guise.Setup{row.setup}})
			if errors.Is(err, vm.ErrNotSupported) {
				t.Logf("this host has no %s", row.setup.Key())
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			contract := asShownIn(capture, capture.Setups[0].Key())
			state, err := Save(t.Context(), host, contract, SaveOptions{VCPUs: 1})
			if err != nil {
				t.Fatal(err)
			}
			row.spoil(state)
			arrival, err := Restore(t.Context(), host, state, guise.VMMGuise)
			if err != nil {
				t.Fatal(err)
			}
			var missed []string
			for _, d := range arrival.Differences {
				missed = append(missed, d.What)
			}
			if !slices.Contains(missed, row.want) {
				t.Errorf("the guest missed %q, not %s", missed, row.want)
			}
			lost++
		})
	}
	if lost < 5 {
		t.Errorf("%d losses were tried: too few to show anything", lost)
	}
}
