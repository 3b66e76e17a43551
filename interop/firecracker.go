// Package interop reads and writes other people's formats: Firecracker's CPU
// fingerprints and templates, and what QEMU, libvirt and Node Feature Discovery
// take.
package interop

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/jsonread"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// fingerprint is what Firecracker's "cpu-template-helper fingerprint dump"
// writes.
type fingerprint struct {
	FirecrackerVersion string `json:"firecracker_version"`
	KernelVersion      string `json:"kernel_version"`
	MicrocodeVersion   string `json:"microcode_version"`
	BIOSVersion        string `json:"bios_version"`
	BIOSRevision       string `json:"bios_revision"`
	GuestCPUConfig     struct {
		KVMCapabilities []string       `json:"kvm_capabilities"`
		VCPUFeatures    []vcpuFeatures `json:"vcpu_features"`
		RegModifiers    []regModifier  `json:"reg_modifiers"`
	} `json:"guest_cpu_config"`
}

type regModifier struct {
	Address string `json:"addr"`
	Bitmap  string `json:"bitmap"`
}

// maxModifiers is how many registers a fingerprint that is read has at most; KVM
// lists some hundreds.
const maxModifiers = 1 << 14

// vcpuFeatures is one word of kvm_vcpu_init.features.
type vcpuFeatures struct {
	Index  int    `json:"index"`
	Bitmap string `json:"bitmap"`
}

// omitted are registers that KVM lists and Firecracker leaves out of its dumps:
// PC, which it sets at boot, and the counters, which move.
var omitted = []struct {
	id   arm64.ID
	with arm64.ID // listed only on kernels that list this one too; 0: always
}{
	{0x6030000000100040, 0}, // PC
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 3, Op2: 2}.ID(), 0},                                                            // KVM_REG_ARM_TIMER_CNT
	{arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 0, Op2: 1}.ID(), arm64.Encoding{Op0: 3, Op1: 3, CRn: 14, CRm: 2, Op2: 2}.ID()}, // KVM_REG_ARM_PTIMER_CNT, beside PTIMER_CVAL
}

// ImportFirecracker reads a fingerprint of Firecracker's cpu-template-helper as
// a capture of one setup: the one Firecracker runs without a template, no
// optional vCPU feature and a vGICv3. MPIDR_EL1 and CSSELR_EL1 are the VMM's
// and are dropped. What the host takes is not known from a fingerprint.
//
// File names the document in errors, which are *guise.DocumentError.
func ImportFirecracker(file string, data []byte) (*guise.Capture, error) {
	var f fingerprint
	if err := guise.CheckSize(file, data, guise.KindFingerprint); err != nil {
		return nil, err
	}
	bounds := []*json.Unmarshalers{
		jsonread.List[regModifier](maxModifiers, "reg_modifiers"), jsonread.List[vcpuFeatures](maxModifiers, "vcpu_features"),
		jsonread.List[string](maxModifiers, "kvm_capabilities"),
	}
	if err := jsonread.Into(data, &f, bounds...); err != nil {
		return nil, guise.NewDocumentError(file, data, err)
	}
	if len(f.GuestCPUConfig.RegModifiers) == 0 {
		return nil, &guise.DocumentError{File: file, Message: "no reg_modifiers; want a fingerprint as \"cpu-template-helper fingerprint dump\" writes it"}
	}
	features, err := firecrackerFeatures(f.GuestCPUConfig.VCPUFeatures)
	if err != nil {
		return nil, &guise.DocumentError{File: file, Message: err.Error()}
	}
	setup := guise.CapturedSetup{Setup: guise.Setup{Features: features, VGIC: 3}, Registers: guise.Imported}
	seen := make(map[arm64.ID]bool, len(f.GuestCPUConfig.RegModifiers))
	for _, m := range f.GuestCPUConfig.RegModifiers {
		id, value, err := parseModifier(m.Address, m.Bitmap)
		if err != nil {
			return nil, &guise.DocumentError{File: file, Message: err.Error()}
		}
		if seen[id] {
			return nil, &guise.DocumentError{File: file, Message: fmt.Sprintf("%v: stands in the fingerprint twice", id)}
		}
		seen[id] = true
		setup.Listed = append(setup.Listed, id)
		// PMCR_EL0 and its like hold reset values here, not what hardware has.
		if place, ok := arm64.PlaceOf(id); ok && place != arm64.MPIDREL1 && place != arm64.CSSELREL1 && arm64.Registers[place].Scope != isa.Hardware {
			setup.View.Put(place, value)
		}
	}
	for _, o := range omitted {
		if o.with == 0 || seen[o.with] {
			setup.Listed = append(setup.Listed, o.id)
		}
	}
	slices.Sort(setup.Listed)
	setup.Listed = slices.Compact(setup.Listed)
	return &guise.Capture{
		Name:     plain.Line(file),
		Captured: guise.Occasion{By: "Firecracker " + f.FirecrackerVersion, Source: "Firecracker fingerprint"},
		Host: guise.HostFacts{
			Kernel: f.KernelVersion,
			CPUs: []guise.HostCPU{{
				MIDR: setup.View.Values[arm64.MIDREL1], REVIDR: setup.View.Values[arm64.REVIDREL1],
			}},
		},
		Setups: []guise.CapturedSetup{setup},
	}, nil
}

// featureBits are the bits of kvm_vcpu_init.features
// (arch/arm64/include/uapi/asm/kvm.h, KVM_ARM_VCPU_*).
var featureBits = map[int]guise.Feature{1: guise.FeatureAArch32, 3: guise.FeaturePMU, 4: guise.FeatureSVE, 5: guise.FeaturePAuth, 6: guise.FeaturePAuth, 7: guise.FeatureEL2}

// firecrackerFeatures translates kvm_vcpu_init.features.
func firecrackerFeatures(words []vcpuFeatures) ([]guise.Feature, error) {
	var features []guise.Feature
	for _, word := range words {
		value, _, err := parseBitmap(word.Bitmap, 32)
		if err != nil || word.Index != 0 {
			return nil, fmt.Errorf("vcpu_features: word %d, %q: want word 0 and a bitmap of up to 32 digits", word.Index, word.Bitmap)
		}
		for rest := value; rest != 0; rest &= rest - 1 {
			if feature, known := featureBits[bits.TrailingZeros64(rest)]; known {
				features = append(features, feature)
			}
		}
	}
	slices.Sort(features)
	return slices.Compact(features), nil
}

// parseModifier reads one register of a fingerprint or template.
func parseModifier(address, bitmap string) (arm64.ID, uint64, error) {
	id, err := strconv.ParseUint(address, 0, 64)
	if err != nil || (!strings.HasPrefix(address, "0x") && !strings.HasPrefix(address, "0b")) {
		return 0, 0, fmt.Errorf("addr %q: want a KVM register id with 0x or 0b before it", address)
	}
	value, _, err := parseBitmap(bitmap, arm64.ID(id).Size()*8)
	if err != nil {
		return 0, 0, fmt.Errorf("%v: %v", arm64.ID(id), err)
	}
	return arm64.ID(id), value, nil
}

// parseBitmap reads 0b and digits 0, 1, x (keep) and _, at most 128. Digits
// beyond width bits must be 0 or x, as Firecracker's dumps of 64-bit registers
// have them. Of registers wider than 64 bits the low 64 are returned.
func parseBitmap(text string, width int) (value, keep uint64, err error) {
	digits, ok := strings.CutPrefix(text, "0b")
	digits = strings.ReplaceAll(digits, "_", "")
	if !ok || digits == "" || len(digits) > 128 {
		return 0, 0, fmt.Errorf("bitmap %q: want 0b and 1 to 128 digits", text)
	}
	for i, digit := range digits {
		place := len(digits) - 1 - i
		switch {
		case digit != '0' && digit != '1' && digit != 'x':
			return 0, 0, fmt.Errorf("bitmap %q: want digits 0, 1, x or _", text)
		case digit == '1' && place >= width:
			return 0, 0, fmt.Errorf("bitmap %q: does not fit into %d bits", text, width)
		case digit == '1' && place < 64:
			value |= 1 << place
		case digit == 'x' && place < 64:
			keep |= 1 << place
		}
	}
	return value, keep, nil
}
