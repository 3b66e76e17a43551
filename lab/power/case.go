// Package power puts the model of nested POWER guests (model/power) to real
// kernels. A small VMM (lab/power/vmm) runs in a powernv host of the lab and
// makes a VM whose guest, L1, is five instructions: it registers a partition
// table and enters L2 with H_ENTER_NESTED; L2 does what a Case asks. What comes
// back is compared with the model field by field, and the real registers are
// read through QEMU's monitor while L2 spins.
package power

import (
	isapower "github.com/guise-project/guise/isa/power"
	kvmpower "github.com/guise-project/guise/kvm/power"
	model "github.com/guise-project/guise/model/power"
)

// Case is one H_ENTER_NESTED on a VM of its own.
type Case struct {
	Name string
	kvmpower.Nested
	// Spin says that L2 does not leave by itself: the watchdog ends it, after
	// the real registers were read.
	Spin bool

	// Events are what the model is told happens, Enter excluded. AfterCall is
	// where L2 stands after its hypercall, NIP where it stands when it leaves
	// otherwise.
	Events         []model.Event `json:"-"`
	AfterCall, NIP uint64        `json:"-"`
	// NotTestable says why the lab cannot put this case to its host, "" where
	// it can.
	NotTestable string `json:"-"`
}

// Host is what a case may depend on.
type Host struct {
	Generation *model.Generation
	Permitted  model.Permitted
	Level      isapower.Level
}

// Result is what the VMM saw of a Case.
type Result struct {
	Name string
	// Error is a failure of the VMM or of KVM, "" for none.
	Error string
	kvmpower.Outcome
}

// Report is everything the VMM brings back.
type Report struct {
	Results []Result
}
