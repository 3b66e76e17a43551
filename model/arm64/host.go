package arm64

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// Host is a machine under a kernel of one version. It is immutable and safe for
// concurrent use.
type Host struct {
	machine  *Machine
	profile  *kernel.Profile
	hardware *kernel.Hardware
	// sanitised are the machine's registers as the kernel combines them.
	sanitised *Sanitised
	space     *[192]located
	// raw are the registers that guests read untrapped; nil where they are
	// trapped.
	raw       *[arm64.NumRegisters]uint64
	templates sync.Map // kernel.VM to *VM as it is made, without vCPUs
}

// NewHost makes the host of a machine under Linux of the given version. It
// fails for versions before the oldest that package kernel knows.
func NewHost(machine *Machine, version kernel.Version) (*Host, error) {
	profile, err := kernel.At(version)
	if err != nil {
		return nil, err
	}
	return NewHostOf(machine, profile)
}

// NewHostOf makes the host of a machine under a kernel of the given profile, which
// may be one that exists on paper only.
func NewHostOf(machine *Machine, profile *kernel.Profile) (*Host, error) {
	if machine == nil || profile == nil {
		return nil, errors.New("there is no machine or no profile; one of them is nil")
	}
	if len(machine.CPUs) == 0 {
		return nil, fmt.Errorf("machine %s: has no CPU", machine.Name)
	}
	hardware, sanitised := machine.Hardware(profile)
	h := &Host{machine: machine, profile: profile, hardware: hardware, sanitised: sanitised, space: space()}
	if !profile.Does(kernel.TrapsFeatures) {
		h.raw = &hardware.Values
	}
	return h, nil
}

// Open makes the host that a name such as "6.12/neoverse-v1" stands for: a
// kernel version, a CPU model that CPUModels lists, and after commas kernel
// parameters and "mte=on" ("7.2/max,mte=on,kvm-arm.mode=nested"). Of a version
// that may be several kernels it is the one that kernel.At has; see OpenAny.
func Open(name string) (*Host, error) {
	v, machine, err := parseName(name)
	if err != nil {
		return nil, err
	}
	return NewHost(machine, v)
}

// OpenAny makes a host for each kernel that the version of a name may be, oldest
// first (kernel.Possible): 6.12 is any of its point releases, and where nobody
// knows which of two releases brought a change, the version is with it and without.
// What they do not share is not known of the host.
func OpenAny(name string) ([]*Host, error) {
	v, machine, err := parseName(name)
	if err != nil {
		return nil, err
	}
	profiles, err := kernel.Possible(v)
	if err != nil {
		return nil, err
	}
	hosts := make([]*Host, len(profiles))
	for i, profile := range profiles {
		if hosts[i], err = NewHostOf(machine, profile); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

// parseName takes the name of a host apart.
func parseName(name string) (kernel.Version, *Machine, error) {
	version, rest, ok := strings.Cut(name, "/")
	if !ok {
		return kernel.Version{}, nil, fmt.Errorf("model host %q: want a kernel version and a CPU model, as in 6.12/neoverse-v1", name)
	}
	v, err := kernel.ParseVersion(version)
	if err != nil {
		return v, nil, err
	}
	model, parameters, _ := strings.Cut(rest, ",")
	// Hosts of the lab have options of QEMU's board among the parameters.
	if others, found := without(parameters, "mte=on"); found {
		model, parameters = model+"+mte", others
	}
	machine, err := NewMachine(model)
	if err != nil {
		return v, nil, err
	}
	machine.Overrides, machine.Mode, err = ParseOverrides(strings.ReplaceAll(parameters, ",", " "))
	if err != nil {
		return v, nil, err
	}
	machine.Name = rest
	return v, machine, nil
}

// without takes a word out of a list with commas.
func without(list, word string) (rest string, found bool) {
	words := strings.Split(list, ",")
	i := slices.Index(words, word)
	if i < 0 {
		return list, false
	}
	return strings.Join(slices.Delete(words, i, i+1), ","), true
}

// String names the host as Open takes it, with "model:" before.
func (h *Host) String() string {
	return fmt.Sprintf("model:%v/%s", h.profile.Version, h.machine.Name)
}

// Describe returns the facts that a capture of the host has.
func (h *Host) Describe() (guise.HostFacts, error) {
	cpu := &h.machine.CPUs[0]
	mode := h.machine.Mode
	if mode == "" {
		mode = "vhe"
		if h.hardware.Field(arm64.IDAA64MMFR1EL1, "VH") == 0 {
			mode = "nvhe"
		}
	}
	return guise.HostFacts{
		Kernel: h.profile.Version.String(), Mode: mode, PageSize: 4096,
		CPUs:     []guise.HostCPU{{MIDR: cpu.midr(), REVIDR: cpu.Registers[arm64.REVIDREL1], Count: len(h.machine.CPUs)}},
		Emulator: "the reference model",
	}, nil
}

// Profile returns KVM's behaviour at the host's version.
func (h *Host) Profile() *kernel.Profile { return h.profile }

// Hardware returns what of the machine decides what VMs are shown. The caller
// must not change it.
func (h *Host) Hardware() *kernel.Hardware { return h.hardware }

// Tainted names the fields in which the machine's CPUs differ and may not.
func (h *Host) Tainted() []string { return h.sanitised.Tainted }

// Close does nothing: a model holds nothing.
func (h *Host) Close() error { return nil }

// has says whether the hardware has a field at all.
func (h *Host) has(place int, field string) bool { return h.hardware.Field(place, field) != 0 }

// aarch32 reports whether the host runs AArch32 at EL0, and aarch32EL1 at EL1.
func (h *Host) aarch32() bool    { return h.hardware.Field(arm64.IDAA64PFR0EL1, "EL0") == 2 }
func (h *Host) aarch32EL1() bool { return h.hardware.Field(arm64.IDAA64PFR0EL1, "EL1") == 2 }

// pauth reports whether the host has an algorithm for both address and generic
// authentication.
func (h *Host) pauth() bool {
	any := func(isar1, isar2 []string) bool {
		for _, f := range isar1 {
			if h.has(arm64.IDAA64ISAR1EL1, f) {
				return true
			}
		}
		for _, f := range isar2 {
			if h.has(arm64.IDAA64ISAR2EL1, f) {
				return true
			}
		}
		return false
	}
	return any([]string{"APA", "API"}, []string{"APA3"}) && any([]string{"GPA", "GPI"}, []string{"GPA3"})
}

// pmu reports whether KVM can give a VM a PMU.
func (h *Host) pmu() bool {
	version := h.hardware.Field(arm64.IDAA64DFR0EL1, "PMUVer")
	return version != 0 && version != 15
}

// nested reports whether KVM offers VMs with EL2: it was started so, on CPUs
// with FEAT_NV2.
func (h *Host) nested() bool {
	nv := h.hardware.Field(arm64.IDAA64MMFR2EL1, "NV") >= 2 || h.hardware.Field(arm64.IDAA64MMFR4EL1, "NV_frac") != 0
	return h.machine.Mode == "nested" && nv && h.profile.Does(kernel.OffersEL2)
}

// protects reports whether KVM makes protected VMs: it was started so, on a GICv3
// (with a GICv2 Linux 7.2 then has no KVM at all).
func (h *Host) protects() bool {
	return h.machine.Mode == "protected" && h.machine.GICv3 && h.profile.Does(kernel.OffersProtected)
}

func (h *Host) ignoresIPASize() bool {
	return h.machine.Mode == "protected" && h.profile.Does(kernel.IgnoresIPASize)
}

// mte reports whether KVM can give a VM MTE.
func (h *Host) mte() bool {
	return h.profile.Does(kernel.OffersMTE) && h.hardware.Field(arm64.IDAA64PFR1EL1, "MTE") >= 2 && h.machine.Mode != "protected"
}

// initErrno is what KVM_ARM_VCPU_INIT answers to a set of features.
func (h *Host) initErrno(vm kernel.VM) syscall.Errno {
	switch {
	case (vm.EL2 || vm.E2H0) && !h.profile.Does(kernel.OffersEL2), vm.SVE && !h.profile.Does(kernel.OffersSVE),
		vm.PAuth && !h.profile.Does(kernel.OffersPAuth):
		return syscall.ENOENT // a bit that this version does not know
	case vm.PMU && !h.pmu(),
		vm.SVE && h.sanitised.VectorLengths == 0,
		vm.PAuth && !h.pauth(),
		vm.AArch32 && !h.aarch32EL1(),
		vm.EL2 && !h.nested(),
		vm.E2H0 && !h.e2h0(),
		vm.AArch32 && (vm.EL2 || vm.MTE):
		return syscall.EINVAL
	}
	return 0
}

// NewVM makes a VM of the setup with that many vCPUs.
func (h *Host) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if vcpus < 1 {
		return nil, fmt.Errorf("%s: a VM of %d vCPUs: want at least 1", h, vcpus)
	}
	if setup.VGIC != 0 && setup.VGIC != 2 && setup.VGIC != 3 {
		return nil, fmt.Errorf("%s: vgic: want 0 (none), 2 or 3, there is %d", h, setup.VGIC)
	}
	for _, feature := range setup.Features {
		if !slices.Contains(guise.Features, feature) && feature != guise.FeatureE2H0 {
			return nil, fmt.Errorf("feature %q: %w: not one of KVM's", feature, vm.ErrNotSupported)
		}
	}
	m, err := h.newVM(&setup, vcpus)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// newVM makes the calls that make a VM, in the order a VMM makes them.
func (h *Host) newVM(setup *guise.Setup, vcpus int) (*VM, error) {
	subject := "a VM of setup " + setup.Name()
	refused := func(request kvmabi.Request, errno syscall.Errno) error {
		return &vm.CallError{Call: request.String(), Subject: subject, Errno: errno, Lacking: true}
	}
	if setup.Protected && !h.protects() {
		return nil, refused(kvmabi.CreateVM, syscall.EINVAL)
	}
	if setup.IPABits != 0 && !h.ignoresIPASize() && (!h.profile.Does(kernel.ChoosesIPASize) || setup.IPABits < 32 || setup.IPABits > h.ipaBits()) {
		return nil, refused(kvmabi.CreateVM, syscall.EINVAL)
	}
	kvm := setup.KernelVM()
	if kvm.MTE && !h.mte() {
		return nil, refused(kvmabi.EnableCap, syscall.EINVAL)
	}
	identity := false
	for _, name := range setup.Capabilities {
		if name != "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS" || !h.profile.IdentityWritable() || h.profile.Withholds(name) && setup.Protected {
			return nil, &vm.CallError{Call: kvmabi.EnableCap.String(), Subject: name, Errno: syscall.EINVAL, Lacking: true}
		}
		identity = true
	}
	if errno := h.initErrno(kvm); errno != 0 {
		return nil, refused(kvmabi.VCPUInit, errno)
	}
	m := newVM(h, kvm, identity, vcpus)
	if setup.VGIC == 2 && h.machine.GICv3 {
		return nil, &vm.CallError{Call: kvmabi.CreateDevice.String(), Subject: "a vGICv2", Errno: syscall.ENODEV, Lacking: true}
	}
	if setup.VGIC != 0 {
		if !h.machine.GICv3 {
			return nil, &vm.CallError{Call: kvmabi.CreateDevice.String(), Subject: "a vGICv3", Errno: syscall.ENODEV, Lacking: true}
		}
		if err := m.MakeVGIC(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// physicalBits are the sizes that ID_AA64MMFR0_EL1.PARANGE stands for.
var physicalBits = []int{32, 36, 40, 42, 44, 48, 52, 56}

// ipaBits is KVM_CAP_ARM_VM_IPA_SIZE. With pages of 4 KiB, 52 bits need LPA2.
func (h *Host) ipaBits() int {
	bits := physicalBits[min(int(h.hardware.Field(arm64.IDAA64MMFR0EL1, "PARANGE")), len(physicalBits)-1)]
	lpa2 := h.hardware.Field(arm64.IDAA64MMFR0EL1, "TGRAN4_2") == 3 && h.profile.Does(kernel.HasLPA2)
	if bits > 48 && !lpa2 {
		return 48
	}
	return bits
}
