package arm64

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// openVM makes a VM of a setup on a host.
func openVM(t *testing.T, name, setup string) *VM {
	t.Helper()
	host, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	s := setupNamed(setup)
	m, err := host.newVM(&s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// seen is what a guest reads of a field.
func seen(t *testing.T, m *VM, place int, field string) uint64 {
	t.Helper()
	e, _ := arm64.ID(arm64.Registers[place].ID).Encoding()
	value, answer := m.Read(0, e)
	if answer != Value {
		t.Fatalf("%s: reading %s gives answer %d", m.host, arm64.Registers[place].Name, answer)
	}
	return arm64.Registers[place].Field(field).Get(value)
}

// TestRawView: up to 4.14 a guest sees what the CPU has, though the kernel does
// not know it, and userspace is given next to nothing; from 4.15 neither sees it.
func TestRawView(t *testing.T) {
	for _, c := range []struct {
		cpu      string
		place    int
		field    string
		has      uint64 // the CPU
		combined uint64 // what 4.15 makes of it
	}{
		{"max", arm64.IDAA64ISAR2EL1, "MOPS", 1, 0},
		{"max", arm64.IDAA64ISAR0EL1, "RNDR", 1, 0},
		{"neoverse-v1", arm64.IDAA64PFR0EL1, "SVE", 1, 0},
		{"neoverse-v1", arm64.IDAA64MMFR2EL1, "FWB", 1, 0},
		{"neoverse-v1", arm64.IDAA64ISAR0EL1, "DP", 1, 1},
		{"max", arm64.IDAA64DFR0EL1, "HPMN0", 1, 1},
		{"cortex-a53", arm64.MVFR0EL1, "FPDP", 2, 2},
	} {
		raw, combined := openVM(t, "4.14/"+c.cpu, "base"), openVM(t, "4.15/"+c.cpu, "base")
		if got := seen(t, raw, c.place, c.field); got != c.has {
			t.Errorf("%s: a guest sees %s=%d, the CPU has %d", raw.host, c.field, got, c.has)
		}
		if got := seen(t, combined, c.place, c.field); got != c.combined {
			t.Errorf("%s: a guest sees %s=%d, want %d", combined.host, c.field, got, c.combined)
		}
		id := arm64.ID(arm64.Registers[c.place].ID)
		if _, errno := raw.get(&raw.vcpus[0], id); errno != syscall.ENOENT {
			t.Errorf("%s: userspace reads %v with errno %d, want ENOENT", raw.host, id, errno)
		}
		value, errno := combined.get(&combined.vcpus[0], id)
		if errno != 0 {
			t.Fatalf("%s: get %v: errno %d", combined.host, id, errno)
		}
		if errno := combined.set(&combined.vcpus[0], id, value); errno != 0 {
			t.Errorf("%s: %v does not take what it holds: errno %d", combined.host, id, errno)
		}
		if errno := combined.set(&combined.vcpus[0], id, value^1<<12); errno != syscall.EINVAL {
			t.Errorf("%s: %v takes another value: errno %d", combined.host, id, errno)
		}
	}
}

// TestRawViewOfUnlikeCPUs: nothing is made safe over CPUs before 4.15.
func TestRawViewOfUnlikeCPUs(t *testing.T) {
	machine, err := NewMachine("neoverse-n1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewMachine("cortex-a53")
	if err != nil {
		t.Fatal(err)
	}
	machine.CPUs = append(machine.CPUs, other.CPUs...)
	for version, want := range map[string]uint64{"4.14": 1, "4.15": 0} {
		v, _ := kernel.ParseVersion(version)
		host, err := NewHost(machine, v)
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, newVM(host, kernel.VM{}, false, 1), arm64.IDAA64ISAR0EL1, "DP"); got != want {
			t.Errorf("%s: a guest on the boot CPU sees DP=%d, want %d", version, got, want)
		}
	}
}

// TestEarlyKernelsLeaveOpen: calls and instructions that the log does not speak
// of are recorded as not run, features that no VM had yet are unknown bits.
func TestEarlyKernelsLeaveOpen(t *testing.T) {
	program := &probe.Program{Name: "call", Ops: []probe.Op{{Kind: probe.HVC, Name: "SMCCC_VERSION", Args: [8]uint64{callVersion}}}}
	for version, want := range map[string]probe.Outcome{"4.14": probe.NotRun, "4.15": probe.NotRun, "5.10": probe.Completed} {
		trace, err := openVM(t, version+"/neoverse-v1", "base").Run(t.Context(), 0, program)
		if err != nil {
			t.Fatal(err)
		}
		if got := trace.Records[0].Outcome; got != want {
			t.Errorf("%s: a call comes out as %v, want %v", version, got, want)
		}
	}
	for _, feature := range []guise.Feature{guise.FeatureSVE, guise.FeaturePAuth} {
		host, err := Open("4.15/neoverse-v1")
		if err != nil {
			t.Fatal(err)
		}
		if errno := host.initErrno((&guise.Setup{Features: []guise.Feature{feature}}).KernelVM()); errno != syscall.ENOENT {
			t.Errorf("a vCPU with %s: errno %d, want ENOENT", feature, errno)
		}
	}
}

// TestMoveBeforeTheSeries: what text of the series says of an older kernel: it
// does not know the registers that a newer one saved.
func TestMoveBeforeTheSeries(t *testing.T) {
	refused, unknown, _ := moved(t, "4.15/cortex-a53", "4.14/cortex-a53", "base")
	if len(refused) != 42 || len(unknown) != 42 {
		t.Errorf("4.15 to 4.14: %d registers refused, %d not listed; want the 42 that the series exposed", len(refused), len(unknown))
	}
	for _, r := range refused {
		if r.Errno != syscall.ENOENT {
			t.Errorf("4.15 to 4.14: %v: errno %d, want ENOENT", r.ID, r.Errno)
		}
	}
	refused, unknown, kept := moved(t, "4.14/cortex-a53", "4.15/cortex-a53", "base")
	if len(refused) != 0 || len(unknown) != 0 || len(kept) != 42 || !slices.Contains(names(kept), "ID_AA64PFR0_EL1") {
		t.Errorf("4.14 to 4.15: refused %v, not listed %q, only there %d: want nothing refused and 42 registers that keep the target's values",
			refused, names(unknown), len(kept))
	}
}

// TestForecastIntoEarlyKernels: what the newer kernel hid is not known of the raw
// view, what it showed is; given the hardware, all is. Nothing can be brought to
// a kernel without the registers.
func TestForecastIntoEarlyKernels(t *testing.T) {
	host, err := Open("5.10/neoverse-v1")
	if err != nil {
		t.Fatal(err)
	}
	view := host.profile.View(host.hardware, kernel.VM{})
	capture := &guise.Capture{Setups: []guise.CapturedSetup{{View: view}}}
	capture.Host.Kernel = "5.10"
	slot := func(name string) int {
		return slices.IndexFunc(arm64.Slots[:], func(s arm64.Slot) bool { return s.Name() == name })
	}
	for _, version := range kernel.Early {
		f, err := Predict(capture, version)
		if err != nil {
			t.Fatal(err)
		}
		target, err := Open(version.String() + "/neoverse-v1")
		if err != nil {
			t.Fatal(err)
		}
		made := newVM(target, kernel.VM{}, false, 1)
		for i := range f.Setups[0].Fields {
			field := &f.Setups[0].Fields[i]
			place := int(arm64.Slots[field.Slot].Register)
			if classes()[place] != classFeature || place == arm64.CTREL0 {
				continue
			}
			_, described := arm64.Slots[field.Slot].Describe()
			if is := seen(t, made, place, described.Name); !field.Then.Has(is) {
				t.Errorf("%v: %s is %d, forecast %v", version, arm64.Slots[field.Slot].Name(), is, field.Then)
			}
		}
		find := func(name string) *FieldForecast {
			i := slices.IndexFunc(f.Setups[0].Fields, func(x FieldForecast) bool { return x.Slot == slot(name) })
			return &f.Setups[0].Fields[i]
		}
		sve, rndr := find("ID_AA64PFR0_EL1.SVE"), find("ID_AA64ISAR0_EL1.RNDR")
		if version == kernel.Early[0] {
			if sve.Known() || rndr.Then.String() != "1" || rndr.Taken != guise.No {
				t.Errorf("%v: SVE %v, RNDR %v taken %v: want SVE not known, RNDR as the CPU has it and nothing taken", version, sve.Then, rndr.Then, rndr.Taken)
			}
			if err := f.Setups[0].settle(made, &Machine{}); err != nil {
				t.Fatal(err)
			}
			if sve.Then.String() != "1" {
				t.Errorf("%v: with the hardware given, SVE is %v", version, sve.Then)
			}
			continue
		}
		if sve.Then.String() != "0" || rndr.Then.String() != "0" {
			t.Errorf("%v: SVE %v, RNDR %v, want both hidden", version, sve.Then, rndr.Then)
		}
		if csv2 := find("ID_AA64PFR0_EL1.CSV2"); csv2.Known() {
			t.Errorf("%v: CSV2 is forecast as %v; whether the version has it is not known", version, csv2.Then)
		}
	}
	if !strings.Contains(kernel.Between(kernel.Early[0], kernel.Early[1])[0].Text, "userspace has them") {
		t.Error("the series is not the first entry between 4.14 and 4.15")
	}
}

// TestForecastOfFeaturesNotOffered: setups that the other kernel cannot make are
// said to be so, and where that is not known, neither is it said.
func TestForecastOfFeaturesNotOffered(t *testing.T) {
	host, err := Open("7.2/neoverse-v1")
	if err != nil {
		t.Fatal(err)
	}
	setup := guise.Setup{Features: []guise.Feature{guise.FeatureSVE}}
	view := host.profile.View(host.hardware, setup.KernelVM())
	capture := &guise.Capture{Setups: []guise.CapturedSetup{{Setup: setup, View: view}}}
	capture.Host.Kernel = "7.2"
	for version, want := range map[string]guise.Verdict{"4.15": guise.No, "5.1": guise.No, "5.2": guise.Yes, "5.10": guise.Yes} {
		v, _ := kernel.ParseVersion(version)
		f, err := Predict(capture, v)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Setups[0].Made; got != want {
			t.Errorf("VMs with SVE on %s: %v, want %v", version, got, want)
		}
		if (len(f.Setups[0].Fields) == 0) != (want == guise.No) {
			t.Errorf("%s: %d fields are forecast", version, len(f.Setups[0].Fields))
		}
	}
}

// TestCapturesOfEarlyKernels: a host with the raw view can be captured: what
// userspace reads is recorded, what the log leaves open is not.
func TestCapturesOfEarlyKernels(t *testing.T) {
	for version, want := range map[string]bool{"4.14": false, "4.15": true} {
		host, err := Open(version + "/neoverse-n1")
		if err != nil {
			t.Fatal(err)
		}
		capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: []guise.Setup{{}}})
		if err != nil {
			t.Fatal(err)
		}
		view := &capture.Setups[0].View
		if !view.Present.Has(arm64.IDISAR5EL1) || view.Present.Has(arm64.IDAA64PFR0EL1) != want {
			t.Errorf("%s: ID_ISAR5_EL1 recorded: %v, ID_AA64PFR0_EL1: %v, want true and %v",
				version, view.Present.Has(arm64.IDISAR5EL1), view.Present.Has(arm64.IDAA64PFR0EL1), want)
		}
		if _, recorded := capture.Host.Capabilities["KVM_CAP_ARM_PMU_V3"]; recorded {
			t.Errorf("%s: a capability that the log leaves open is recorded", version)
		}
	}
}
