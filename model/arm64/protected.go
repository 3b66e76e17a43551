package arm64

import (
	"maps"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// A protected VM is made, and asked, through its host's KVM, which keeps for it
// what it keeps for any VM. The guest never sees that: it runs under the
// hypervisor at EL2, which has a view, controls and calls of its own, and passes
// on to the host only what it leaves to it (Linux 7.2, arch/arm64/kvm/hyp/nvhe:
// sys_regs.c, pkvm.c).

// protectedView is what EL2 shows the guest of a protected VM of the feature
// registers, by place.
func (h *Host) protectedView(vm kernel.VM) *[arm64.NumRegisters]uint64 {
	view := new([arm64.NumRegisters]uint64)
	for place := range view {
		if kernel.HeldByHypervisor(place) {
			view[place] = h.profile.Protected(place, h.hardware, vm)
		}
	}
	return view
}

// guests is what a guest reads of a feature register that KVM has and traps.
func (m *VM) guests(place int) uint64 {
	if m.held != nil {
		return m.held[place]
	}
	return m.values[place]
}

// hasSVE reports whether guests have SVE: EL2 keeps it from a protected VM,
// although its host makes it with it.
func (m *VM) hasSVE() bool { return m.kvm.SVE && !m.kvm.Protected }

// Calls that EL2 serves protected VMs, by HVC.
const (
	callMemoryInfo    = 0xc600_0002
	callMemoryShare   = 0xc600_0003
	callMemoryUnshare = 0xc600_0004

	invalidParameter = ^uint64(0) - 2 // SMCCC's -3
	// granule is how much memory a guest can share at least, in bytes.
	granule = 4096
	// protectedCalls has a bit for each of KVM's own functions at EL2: features,
	// memory's size, sharing and taking back.
	protectedCalls = 1<<0 | 1<<2 | 1<<3 | 1<<4
)

// callHypervisor makes a call of a protected VM that EL2 answers; answered is
// false for those that go on to the host. What becomes of memory that is shared
// or taken back is not modelled.
func callHypervisor(kind probe.Kind, args *[8]uint64) (r result, answer Answer, answered bool) {
	if kind != probe.HVC {
		return r, NotModelled, false
	}
	switch uint32(args[0]) {
	case callVendorFeatures:
		return result{protectedCalls}, Value, true
	case callMemoryInfo:
		if args[1]|args[2]|args[3] != 0 {
			return result{invalidParameter}, Value, true
		}
		return result{granule}, Value, true
	case callMemoryShare, callMemoryUnshare:
		if args[1]%granule|args[2]|args[3] != 0 {
			return result{invalidParameter}, Value, true
		}
		return r, NotModelled, true
	}
	return r, NotModelled, false
}

// trappedByHypervisor are the features whose registers and instructions EL2
// keeps from protected VMs by a trap, where the CPU has them, and answers itself.
// What it turns off (FEAT_MOPS) the CPU refuses; what it leaves to the host
// (pointer authentication, SME) that one's KVM does.
var trappedByHypervisor = func() map[string]bool {
	set := words("LOR PMUv3 PMUv3p4 CSV2_2")
	maps.Copy(set, withSVE)
	return set
}()

// trappedRegisters are the registers of those features that guests look at.
var trappedRegisters = map[arm64.Encoding]string{
	{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 0}: "FEAT_PMUv3",   // PMCR_EL0
	{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 6}: "FEAT_PMUv3",   // PMCEID0_EL0
	{Op0: 3, Op1: 3, CRn: 9, CRm: 12, Op2: 7}: "FEAT_PMUv3",   // PMCEID1_EL0
	{Op0: 3, Op1: 0, CRn: 9, CRm: 14, Op2: 6}: "FEAT_PMUv3p4", // PMMIR_EL1
	{Op0: 3, Op1: 0, CRn: 10, CRm: 4, Op2: 7}: "FEAT_LOR",     // LORID_EL1
}

// refusedByHypervisor reports whether it is EL2 that has an operation of a
// protected VM's guest raise an UNDEFINED exception, and not the CPU or the host.
func (m *VM) refusedByHypervisor(op *probe.Op) bool {
	if !m.kvm.Protected {
		return false
	}
	name := op.Name
	switch {
	case op.Kind != probe.Execute:
		name = trappedRegisters[op.Register]
	case withPMU[name]:
		name = "FEAT_PMUv3" // all of those rows begin with PMCR_EL0
	}
	return trappedByHypervisor[name] && arm64.FeatureNamed(name).Present.Holds(&m.host.machine.CPUs[0].Registers)
}
