package arm64

import (
	"fmt"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
)

// CheckCapability is KVM_CHECK_EXTENSION on /dev/kvm. It fails with
// vm.ErrNotSupported where the change log does not say whether the version has
// the capability.
func (h *Host) CheckCapability(number uint32) (int, error) {
	value, errno, known := h.capability(number)
	return h.checked(number, value, errno, known)
}

// CheckCapability is KVM_CHECK_EXTENSION on the VM. It fails as the host's does,
// but not for capabilities that only a VM answers.
func (m *VM) CheckCapability(number uint32) (int, error) {
	if m.kvm.Protected && m.host.profile.Withholds(kvmabi.Capability(number).String()) {
		return 0, nil
	}
	value, _, known := m.host.capability(number)
	return m.host.checked(number, value, 0, known)
}

func (h *Host) checked(number uint32, value int, errno syscall.Errno, known bool) (int, error) {
	name := kvmabi.Capability(number).String()
	if !known {
		return 0, fmt.Errorf("%s: %s: what it answers is %w", h, name, vm.ErrNotSupported)
	}
	if errno != 0 {
		return 0, refusedCall(kvmabi.CheckExtension.String(), name, errno)
	}
	return value, nil
}

// capability is the value that the change log gives a capability on this
// machine.
func (h *Host) capability(number uint32) (value int, errno syscall.Errno, known bool) {
	entry, known := kernel.Capability(kvmabi.Capability(number).String(), h.profile.Version)
	if entry == nil {
		return 0, 0, known
	}
	dfr0 := func(field string) int { return int(h.hardware.Field(arm64.IDAA64DFR0EL1, field)) + 1 }
	switch entry.Rule {
	case kernel.Fixed:
		value = entry.Value
	case kernel.ForFeature:
		value = truth(h.offers(guise.Feature(entry.Feature)))
	case kernel.ForRAS:
		value = truth(h.has(arm64.IDAA64PFR0EL1, "RAS"))
	case kernel.ForE2H0:
		value = truth(h.nested() && h.e2h0())
	case kernel.Breakpoints:
		value = dfr0("BRPs")
	case kernel.Watchpoints:
		value = dfr0("WRPs")
	case kernel.IPABits:
		value = h.ipaBits()
	case kernel.CPUCount:
		value = len(h.machine.CPUs)
	case kernel.GICv3Capacity:
		const gicv2CPUs = 8
		if value = gicv2CPUs; h.machine.GICv3 {
			value = entry.Value
		}
	case kernel.RangeBitmap:
		value = int(h.profile.MaskRanges())
	case kernel.ForITS:
		value = 0 // nobody makes an ITS here
	case kernel.ForCacheablePFNMap:
		value = truth(h.has(arm64.IDAA64MMFR2EL1, "FWB") && h.has(arm64.CTREL0, "DIC"))
	}
	if entry.Rule.OfVM() {
		errno = syscall.EINVAL
	}
	return value, errno, known
}

// offers reports whether KVM can give VMs a feature.
func (h *Host) offers(feature guise.Feature) bool {
	switch feature {
	case guise.FeaturePMU:
		return h.pmu()
	case guise.FeatureSVE:
		return h.sanitised.VectorLengths != 0
	case guise.FeaturePAuth:
		return h.pauth()
	case guise.FeatureMTE:
		return h.mte()
	case guise.FeatureEL2:
		return h.nested()
	case guise.FeatureAArch32:
		return h.aarch32EL1()
	}
	return false
}

// e2h0 reports whether the CPU has an EL2 without VHE: KVM then knows
// KVM_ARM_VCPU_HAS_EL2_E2H0, whether or not it gives VMs an EL2.
func (h *Host) e2h0() bool { return !h.has(arm64.IDAA64MMFR4EL1, "E2H0") }

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
