package arm64

import (
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
)

// Return values of SMCCC and PSCI calls (Arm DEN 0028, DEN 0022).
const (
	notSupported  = ^uint64(0)     // -1
	notRequired   = ^uint64(0) - 1 // -2
	invalidParams = ^uint64(0) - 1 // PSCI's -2
	unaffected    = 1              // SMCCC_ARCH_WORKAROUND_1 and 3: not needed here
	success       = 0
)

// Function identifiers that KVM serves.
const (
	callVersion         = 0x8000_0000
	callArchFeatures    = 0x8000_0001
	callWorkaround3     = 0x8000_3fff
	callWorkaround2     = 0x8000_7fff
	callWorkaround1     = 0x8000_8000
	callPVTimeFeatures  = 0xc500_0020
	callPVTimeStolen    = 0xc500_0021
	callTRNGVersion     = 0x8400_0050
	callTRNGFeatures    = 0x8400_0051
	callTRNGUUID        = 0x8400_0052
	callTRNGRandom32    = 0x8400_0053
	callTRNGRandom64    = 0xc400_0053
	callVendorFeatures  = 0x8600_0000
	callPTP             = 0x8600_0001
	callVendorUID       = 0x8600_ff01
	psciOld, psciOldEnd = 0x95c1_ba5e, 0x95c1_ba61
)

// result is x0 to x3 after a call.
type result [4]uint64

// gate is the bit of a hypercall bitmap that lets a function through.
type gate struct {
	function uint32
	place    int // 0: nothing but the kernel's version gates it
	bit      uint8
}

// gates lists the functions that KVM serves beside PSCI. Any other is denied
// (Linux 7.2, arch/arm64/kvm/hypercalls.c, kvm_smccc_test_fw_bmap and
// kvm_smccc_default_allowed).
var gates = []gate{
	{callVersion, 0, 0},
	{callArchFeatures, 0, 0},
	{callTRNGVersion, arm64.STDBMAP, 0},
	{callTRNGFeatures, arm64.STDBMAP, 0},
	{callTRNGUUID, arm64.STDBMAP, 0},
	{callTRNGRandom32, arm64.STDBMAP, 0},
	{callTRNGRandom64, arm64.STDBMAP, 0},
	{callPVTimeFeatures, arm64.STDHYPBMAP, 0},
	{callPVTimeStolen, arm64.STDHYPBMAP, 0},
	{callVendorFeatures, arm64.VENDORHYPBMAP, 0},
	{callVendorUID, arm64.VENDORHYPBMAP, 0},
	{callPTP, arm64.VENDORHYPBMAP, 1},
}

// isPSCI reports whether KVM takes a function for PSCI's: numbers 0 to 0x1f of
// the standard services, fast or not, 32 bits or 64, and those of KVM's PSCI 0.1.
func isPSCI(function uint32) bool {
	owner, number := function>>24&0x3f, function&0xffff
	return (owner == 4 && number <= 0x1f) || (psciOld <= function && function <= psciOldEnd)
}

// allowed reports whether the VM's bitmaps let a function through.
func (m *VM) allowed(function uint32) bool {
	if isPSCI(function) {
		return true
	}
	for i := range gates {
		g := &gates[i]
		if g.function == function {
			return g.place == 0 || !m.view.Present.Has(g.place) || m.values[g.place]>>g.bit&1 != 0
		}
	}
	return false
}

// ending is what becomes of a call.
type ending uint8

const (
	answered  ending = iota
	forwarded        // it leaves for userspace
	// ownEL2: an HVC that goes to the guest's own EL2, whatever the SMCCC filter
	// says; SMC is the way to KVM then (Linux, arch/arm64/kvm/handle_exit.c,
	// handle_hvc).
	ownEL2
)

// call makes an SMCCC call.
func (m *VM) call(kind probe.Kind, args *[8]uint64) (r result, end ending) {
	if kind == probe.SMC && !m.host.profile.Does(kernel.ServesSMC) {
		// Only x0 is written.
		return result{notSupported, args[1], args[2], args[3]}, answered
	}
	function := uint32(args[0])
	if kind == probe.HVC {
		switch function {
		case callWorkaround1, callWorkaround2, callWorkaround3:
			// Answered at EL2 before KVM looks at the call (hyp-entry.S).
			return result{0, 0, args[2], args[3]}, answered
		}
		if m.kvm.EL2 {
			return r, ownEL2
		}
	}
	switch m.filter.action(function) {
	case filterDeny:
		return result{notSupported}, answered
	case filterForward:
		return r, forwarded
	}
	if !m.allowed(function) {
		return result{notSupported}, answered
	}
	return m.serve(function, args), answered
}

// servings are the services that came to KVM one after the other, by their functions.
var servings = map[uint32]kernel.Behaviour{
	callTRNGVersion: kernel.ServesTRNG, callTRNGFeatures: kernel.ServesTRNG, callTRNGUUID: kernel.ServesTRNG,
	callTRNGRandom32: kernel.ServesTRNG, callTRNGRandom64: kernel.ServesTRNG,
	callVendorFeatures: kernel.ServesVendor, callVendorUID: kernel.ServesVendor, callPTP: kernel.ServesVendor,
	callPVTimeFeatures: kernel.ServesPVTime, callPVTimeStolen: kernel.ServesPVTime,
}

// serves reports whether the version has the service of a function.
func (m *VM) serves(function uint32) bool {
	does, late := servings[function]
	return !late || m.host.profile.Does(does)
}

// serve answers a function that is let through.
func (m *VM) serve(function uint32, args *[8]uint64) result {
	switch function {
	case callVersion:
		return result{0x1_0001}
	case callArchFeatures:
		return result{m.archFeatures(uint32(args[1]))}
	case callPVTimeFeatures, callPVTimeStolen:
		return result{notSupported} // no VMM here gives the VM a stolen-time structure
	}
	if isPSCI(function) {
		return result{m.psci(function, args)}
	}
	if !m.serves(function) {
		return result{notSupported}
	}
	switch function {
	case callTRNGVersion:
		return result{0x1_0000}
	case callTRNGFeatures:
		return result{trngFeatures(uint32(args[1]))}
	case callTRNGUUID:
		return result{0x00e0_210d, 0xeb11_8443, 0x4452_7080, 0x4c5a_4e55}
	case callTRNGRandom32, callTRNGRandom64:
		return result{success} // and random numbers
	case callVendorFeatures:
		features := m.values[arm64.VENDORHYPBMAP] | m.host.profile.ServedUnasked(arm64.VENDORHYPBMAP)
		return result{features, 0, m.values[arm64.VENDORHYPBMAP2]}
	case callVendorUID:
		return result{0xb66f_b428, 0xe911_c52e, 0x564b_caa9, 0x743a_004d}
	case callPTP:
		return result{success} // and the time
	}
	return result{notSupported}
}

// archFeatures answers SMCCC_ARCH_FEATURES.
func (m *VM) archFeatures(function uint32) uint64 {
	hw := m.host.hardware
	mitigation := func(state kernel.Mitigation) uint64 {
		return [...]uint64{kernel.Vulnerable: notSupported, kernel.Mitigated: success, kernel.Unaffected: unaffected}[state]
	}
	switch function {
	case callWorkaround1:
		return mitigation(hw.SpectreV2)
	case callWorkaround2:
		if m.workaround(arm64.SMCCCARCHWORKAROUND2) == workaround2NotRequired {
			return notRequired
		}
	case callWorkaround3:
		return mitigation(hw.SpectreBHB)
	case callPVTimeFeatures:
		if m.allowed(callPVTimeFeatures) && m.serves(callPVTimeFeatures) {
			return success
		}
	}
	return notSupported
}

func trngFeatures(function uint32) uint64 {
	switch function {
	case callTRNGVersion, callTRNGFeatures, callTRNGUUID, callTRNGRandom32, callTRNGRandom64:
		return success
	}
	return notSupported
}

// PSCI function numbers.
const (
	psciVersion       = 0x8400_0000
	psciCPUOn         = 0x8400_0003
	psciAffinityInfo  = 0x8400_0004
	psciMigrateInfo   = 0x8400_0006
	psciFeatures      = 0x8400_000a
	psciSystemReset2  = 0x8400_0012
	psciSystemOff2    = 0x8400_0015
	smc64             = 0x4000_0000
	trustedOSNeedsNot = 2 // MIGRATE_INFO_TYPE: no migration is needed
	hibernateOff      = 1 // SYSTEM_OFF2's type
)

// psciKnown are the functions that PSCI_FEATURES tells of, by the version that
// they came with; the lower half of the number, and whether there is a 64-bit
// variant beside the 32-bit one.
var psciKnown = []struct {
	function uint32
	since    uint64
	wide     bool
	answer   uint64
}{
	{psciVersion, 0x2, false, success},
	{0x8400_0001, 0x2, true, success}, // CPU_SUSPEND
	{0x8400_0002, 0x2, false, success},
	{psciCPUOn, 0x2, true, success},
	{psciAffinityInfo, 0x2, true, success},
	{psciMigrateInfo, 0x2, false, success},
	{0x8400_0008, 0x2, false, success}, // SYSTEM_OFF
	{0x8400_0009, 0x2, false, success}, // SYSTEM_RESET
	{psciFeatures, 0x1_0000, false, success},
	{callVersion, 0x1_0000, false, success},
	{psciSystemReset2, 0x1_0001, true, success},
	{psciSystemOff2, 0x1_0003, true, hibernateOff},
}

// psci answers a PSCI call that comes back to the guest. Those that stop a vCPU
// or the VM are not modelled.
func (m *VM) psci(function uint32, args *[8]uint64) uint64 {
	version := m.values[arm64.PSCIVERSION]
	if m.denies64(function) {
		return notSupported
	}
	switch function {
	case psciVersion:
		return version
	case psciCPUOn, psciCPUOn | smc64:
		return m.cpuOn(function, args[1])
	case psciAffinityInfo, psciAffinityInfo | smc64:
		return m.affinityInfo(function, args)
	case psciMigrateInfo:
		return trustedOSNeedsNot
	case psciFeatures:
		if asked := uint32(args[1]); version >= 0x1_0000 && !m.denies64(asked) {
			return psciFeature(version, asked)
		}
	}
	return notSupported
}

// denies64 reports whether the function is one of PSCI's with the 64-bit calling
// convention, which a guest in AArch32 does not have.
func (m *VM) denies64(function uint32) bool {
	return m.kvm.AArch32 && isPSCI(function) && function&smc64 != 0
}

func psciFeature(version uint64, function uint32) uint64 {
	for i := range psciKnown {
		k := &psciKnown[i]
		if version >= k.since && (function == k.function || k.wide && function == k.function|smc64) {
			return k.answer
		}
	}
	return notSupported
}

// affinityBits are those of MPIDR_EL1 that name a CPU.
const affinityBits = 0xff_00ff_ffff

// narrow drops the upper halves of a 32-bit call's arguments.
func narrow(function uint32, argument uint64) uint64 {
	if function&smc64 == 0 {
		return argument & 0xffff_ffff
	}
	return argument
}

// cpuOn answers CPU_ON for a CPU that is not there, or that runs: all vCPUs of
// the model run.
func (m *VM) cpuOn(function uint32, argument uint64) uint64 {
	const alreadyOn = ^uint64(0) - 3 // -4
	target := narrow(function, argument) & affinityBits
	for i := range m.vcpus {
		if m.vcpus[i].mpidr&affinityBits == target {
			return alreadyOn
		}
	}
	return invalidParams
}

// affinityInfo answers AFFINITY_INFO: 0, on, where any vCPU is in the affinity.
func (m *VM) affinityInfo(function uint32, args *[8]uint64) uint64 {
	target, level := narrow(function, args[1]), narrow(function, args[2])
	if level > 3 {
		return invalidParams
	}
	mask := affinityBits &^ (uint64(1)<<(8*level) - 1)
	for i := range m.vcpus {
		if (m.vcpus[i].mpidr^target)&mask == 0 {
			return 0
		}
	}
	return invalidParams
}
