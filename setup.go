package guise

import (
	"slices"
	"strconv"

	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// Feature is a vCPU feature or capability that is chosen when a VM is made and
// changes what its guest may see.
type Feature string

// The features a setup can name, in the order documents list them.
const (
	FeaturePMU     Feature = "pmu"     // KVM_ARM_VCPU_PMU_V3
	FeatureSVE     Feature = "sve"     // KVM_ARM_VCPU_SVE
	FeaturePAuth   Feature = "pauth"   // KVM_ARM_VCPU_PTRAUTH_ADDRESS and _GENERIC
	FeatureMTE     Feature = "mte"     // KVM_CAP_ARM_MTE
	FeatureEL2     Feature = "el2"     // KVM_ARM_VCPU_HAS_EL2
	FeatureAArch32 Feature = "aarch32" // KVM_ARM_VCPU_EL1_32BIT
)

// FeatureE2H0 is KVM_ARM_VCPU_HAS_EL2_E2H0: with FeatureEL2, an EL2 without VHE. It can be
// asked for when a VM is made, and stands in no document: captures do not try it.
const FeatureE2H0 Feature = "e2h0"

// Features lists every feature in canonical order.
var Features = []Feature{FeatureAArch32, FeatureEL2, FeatureMTE, FeaturePAuth, FeaturePMU, FeatureSVE}

// Setup is what is chosen when a VM is made. The zero value is the plainest
// VM: no optional feature, no in-kernel interrupt controller, 40-bit IPA.
type Setup struct {
	// Features holds the chosen features, sorted, each once.
	Features []Feature
	// Protected is true for a protected VM (KVM_VM_TYPE_ARM_PROTECTED).
	Protected bool
	// VGIC is the in-kernel interrupt controller: 0 none, 2 or 3.
	VGIC int
	// IPABits is the size of the guest-physical address space; 0 stands for
	// KVM's default of 40.
	IPABits int
	// Capabilities holds names of KVM_CAP_ARM_* enabled on the VM beyond those
	// that a feature stands for, sorted.
	Capabilities []string
	// VectorLengths is the set of SVE vector lengths: bit n-1 stands for n
	// quadwords. 0 stands for all that the host supports.
	VectorLengths uint16
}

// Has reports whether the setup names the feature.
func (s *Setup) Has(feature Feature) bool { return slices.Contains(s.Features, feature) }

// State returns the execution state of EL1, in which a guest looks.
func (s *Setup) State() probe.State {
	if s.Has(FeatureAArch32) {
		return probe.AArch32
	}
	return probe.AArch64
}

// KernelVM returns what of the setup decides which limits KVM shows and which
// values it takes.
func (s *Setup) KernelVM() kernel.VM {
	return kernel.VM{
		VGIC: s.VGIC, SVE: s.Has(FeatureSVE), PAuth: s.Has(FeaturePAuth), PMU: s.Has(FeaturePMU),
		MTE: s.Has(FeatureMTE), EL2: s.Has(FeatureEL2), E2H0: s.Has(FeatureE2H0), AArch32: s.Has(FeatureAArch32),
		Protected: s.Protected,
	}
}

// Key identifies the setup among those of a host: what decides which values
// KVM shows and takes. IPA size, capabilities and vector lengths are not in it;
// they are lowered within a setup.
func (s *Setup) Key() string { return string(s.appendKey(nil)) }

func (s *Setup) appendKey(b []byte) []byte {
	return strconv.AppendInt(append(s.appendName(b), "/vgic"...), int64(s.VGIC), 10)
}

// sameKey reports whether two setups have the same key.
func (s *Setup) sameKey(other *Setup) bool {
	return s.VGIC == other.VGIC && s.Protected == other.Protected && slices.Equal(s.Features, other.Features)
}

// Name gives the setup in one word for messages: its features joined with
// "+", "base" where it has none, with "protected" and the vGIC where chosen.
func (s *Setup) Name() string { return string(s.appendName(nil)) }

func (s *Setup) appendName(b []byte) []byte {
	if len(s.Features) == 0 && !s.Protected {
		return append(b, "base"...)
	}
	for i, f := range s.Features {
		if i > 0 {
			b = append(b, '+')
		}
		b = append(b, f...)
	}
	if s.Protected {
		if len(s.Features) > 0 {
			b = append(b, '+')
		}
		b = append(b, "protected"...)
	}
	return b
}
