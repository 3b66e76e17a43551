package guise

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/guise-project/guise/isa/arm64"
)

// What VMMs do when they move a VM, as rows. Read in their sources:
//
//   - QEMU: target/arm/machine.c (cpu_post_load), target/arm/kvm.c
//     (kvm_arm_init_cpreg_list, write_list_to_kvmstate), target/arm/arm-qmp-cmds.c and
//     the file of -cpu host with its tolerances, which 10.2.2 lacks and 11.1.3 has.
//   - Firecracker: src/vmm/src/arch/aarch64/vcpu.rs (save_state, restore_state,
//     init_vcpu) and cache_info.rs, in August 2026.

// VMMs are the VMMs that people run whose moves are known, without versions. ParseVMM
// takes them, some with a version, and VMMGuise.
var VMMs = []VMM{VMMQEMU, VMMFirecracker}

// tolerance is a register that may be in a state, and not in the target's list.
type tolerance struct {
	id arm64.ID
	// only0: the state must have it as 0; else any value may be lost.
	only0 bool
}

// qemuTolerances are those of -cpu host in QEMU 11.1: what KVM showed before Linux
// 6.13 without cause, and what came with 6.15.
var qemuTolerances = []tolerance{
	{id: mustEncode("S3_0_C2_C0_3")},  // TCR2_EL1
	{id: mustEncode("S3_0_C10_C2_2")}, // PIRE0_EL1
	{id: mustEncode("S3_0_C10_C2_3")}, // PIR_EL1
	{id: arm64.ID(arm64.Registers[arm64.VENDORHYPBMAP2].ID), only0: true},
}

// mustEncode is the id of a register by its generic name.
func mustEncode(name string) arm64.ID {
	e, err := arm64.ParseEncoding(name)
	if err != nil {
		panic(err) // a row of a table
	}
	return e.ID()
}

// mover is what one VMM does when it moves a VM.
type mover struct {
	vmm VMM
	// givesContract: it gives the contract to the VM on the target, with the target's own
	// bits where they vary, and replays what is no contract's; what the target does not
	// have and nobody misses it leaves behind. Other VMMs replay everything.
	givesContract bool
	// comparesLists: it refuses a state with a register that the target does not
	// list, before it writes any.
	comparesLists bool
	// tolerances are what it forgives; where it is not known whether a version has
	// them, maybe is set.
	tolerances []tolerance
	maybe      bool
	// features are those that it gives a VM unasked, where the host has them.
	features []Feature
	// noPMU: it makes no VM with a PMU.
	noPMU bool
	// leavesBitmaps: it writes hypercall bitmaps to a new VM only where a template
	// names them.
	leavesBitmaps bool
	// writesCLIDR: it replaces CLIDR_EL1 of a new VM by what its host's files in
	// /sys say.
	writesCLIDR bool
}

// Versions of QEMU: the last that is known to lack the tolerances, and the first that
// is known to have them.
var (
	qemuWithout = [2]int{10, 2}
	qemuWith    = [2]int{11, 1}
)

// ParseVMM reads the name of a VMM, with a version or without: qemu, qemu@11.1,
// firecracker, guise. Without one it stands for the strictest that is known.
func ParseVMM(text string) (VMM, error) {
	_, err := moverOf(VMM(text))
	return VMM(text), err
}

func moverOf(vmm VMM) (*mover, error) {
	name, version, given := strings.Cut(string(vmm), "@")
	switch {
	case VMM(name) == VMMQEMU:
		m := &mover{vmm: vmm, comparesLists: true, features: []Feature{FeaturePAuth, FeaturePMU, FeatureSVE}}
		if !given {
			return m, nil
		}
		v, err := majorMinor(version)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", vmm, err)
		}
		if slices.Compare(v[:], qemuWithout[:]) > 0 {
			m.tolerances, m.maybe = qemuTolerances, slices.Compare(v[:], qemuWith[:]) < 0
		}
		return m, nil
	case vmm == VMMGuise:
		return &mover{vmm: vmm, givesContract: true}, nil
	case VMM(name) == VMMFirecracker && given:
		return nil, fmt.Errorf("%s: versions of Firecracker are not told apart; want firecracker", vmm)
	case VMM(name) == VMMFirecracker:
		return &mover{vmm: vmm, noPMU: true, leavesBitmaps: true, writesCLIDR: true}, nil
	}
	return nil, fmt.Errorf("%q is no VMM whose moves are known; want qemu, qemu@VERSION, firecracker or guise", vmm)
}

// majorMinor reads the first two numbers of a version.
func majorMinor(text string) (v [2]int, err error) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return v, fmt.Errorf("version %q: want two numbers, as 11.1", text)
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return v, fmt.Errorf("version %q: want two numbers, as 11.1", text)
		}
		if i < len(v) {
			v[i] = n
		}
	}
	return v, nil
}

// ComparesLists reports whether the VMM refuses a state with a register that the target
// does not list, before it writes any.
func (v VMM) ComparesLists() bool {
	rules, err := moverOf(v)
	return err == nil && rules.comparesLists
}

// Tolerates says whether the VMM forgives that the target does not list a register of the
// state, which has the value there. It is Unknown for VMMs and versions that are not known.
func (v VMM) Tolerates(id arm64.ID, value uint64) Verdict {
	rules, err := moverOf(v)
	if err != nil {
		return Unknown
	}
	return rules.tolerates(id, value, true)
}

// tolerates says whether the VMM forgives that a register of the state is not in the
// target's list. The value counts where it is known.
func (m *mover) tolerates(id arm64.ID, value uint64, known bool) Verdict {
	i := slices.IndexFunc(m.tolerances, func(t tolerance) bool { return t.id == id })
	switch {
	case i < 0:
		return No
	case m.tolerances[i].only0 && known && value != 0:
		return No
	case m.maybe, m.tolerances[i].only0 && !known:
		return Unknown
	}
	return Yes
}
