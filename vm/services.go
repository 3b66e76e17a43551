package vm

import (
	"fmt"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// smcccDenied is NOT_SUPPORTED in the low 32 bits, which is what SMC32 and
// SMC64 callers compare (Arm DEN 0028).
const smcccDenied = 0xffff_ffff

func denied(record *probe.Record) bool { return uint32(record.Values[0]) == smcccDenied }

// gate is a bit of a hypercall bitmap and a call that it governs
// (Linux, Documentation/virt/kvm/arm/fw-pseudo-registers.rst).
type gate struct {
	register int
	field    string
	calls    []string // names of probe.Services, with their labels
	// mayDeny: with the bit set, the call may be denied for reasons of its own
	// (KVM_PTP: the host's clock source; PV_TIME: no memory for it).
	mayDeny bool
}

var gates = []gate{
	{register: arm64.STDBMAP, field: "TRNG_V1_0", calls: []string{"TRNG_VERSION", "TRNG_GET_UUID", "TRNG_RND32(32 bits)", "TRNG_RND64(64 bits)"}},
	{register: arm64.STDHYPBMAP, field: "PV_TIME", calls: []string{"SMCCC_ARCH_FEATURES(0xc5000020)"}},
	{register: arm64.STDHYPBMAP, field: "PV_TIME", calls: []string{"PV_TIME_FEATURES(0xc5000020)", "PV_TIME_ST"}, mayDeny: true},
	{register: arm64.VENDORHYPBMAP, field: "FUNC_FEAT", calls: []string{"KVM_FEATURES", "VENDOR_HYP_CALL_UID"}},
	{register: arm64.VENDORHYPBMAP, field: "PTP", calls: []string{"KVM_PTP(virtual)", "KVM_PTP(physical)"}, mayDeny: true},
}

// level is a workaround whose level SMCCC_ARCH_FEATURES tells.
type level struct {
	register int
	query    string
	// rank orders the register's values by what they promise; a guest that is
	// answered at least that much was not lied to.
	rank func(level uint64) int
}

var levels = []level{
	{arm64.SMCCCARCHWORKAROUND1, "SMCCC_ARCH_FEATURES(0x80008000)", func(level uint64) int { return int(level & 15) }},
	{arm64.SMCCCARCHWORKAROUND2, "SMCCC_ARCH_FEATURES(0x80007fff)", func(level uint64) int { return max(int(level&15)-1, 0) }},
	{arm64.SMCCCARCHWORKAROUND3, "SMCCC_ARCH_FEATURES(0x80003fff)", func(level uint64) int { return int(level & 15) }},
}

// answeredRank is the rank of what SMCCC_ARCH_FEATURES answers: not supported,
// supported, not needed on this CPU (1; -2 for SMCCC_ARCH_WORKAROUND_2).
func answeredRank(record *probe.Record) int {
	switch int32(uint32(record.Values[0])) {
	case 0:
		return 1
	case 1, -2:
		return 2
	}
	return 0
}

// conduit is how the guest reaches KVM: a guest at EL2 takes HVC itself.
func (c *comparison) conduit() probe.Kind {
	if c.trace.EL == 2 {
		return probe.SMC
	}
	return probe.HVC
}

// services compares what hypervisor services answer with the firmware
// registers.
func (c *comparison) services() {
	for _, g := range gates {
		if !c.expected.Present.Has(g.register) {
			continue
		}
		register := &arm64.Registers[g.register]
		if c.contract != nil && !c.userspace.Present.Has(g.register) && c.contract.Vary[g.register]&register.Field(g.field).Mask() != 0 {
			continue // left to a host that decides itself, and has no register to say so
		}
		open := register.Field(g.field).Get(c.expected.Values[g.register]) != 0
		for _, name := range g.calls {
			record := c.called(register.Name, g.field, fmt.Sprint(open), name, !open)
			if record != nil && denied(record) == open && !(open && g.mayDeny) {
				c.service(register.Name, g.field, fmt.Sprint(open), name, answered(record), record)
			}
		}
	}
	for _, l := range levels {
		if !c.expected.Present.Has(l.register) {
			continue
		}
		register, wanted := arm64.Registers[l.register].Name, l.rank(c.expected.Values[l.register])
		text := fmt.Sprint(c.expected.Values[l.register] & 15)
		if record := c.called(register, "Level", text, l.query, wanted == 0); record != nil && answeredRank(record) < wanted {
			c.service(register, "Level", text, l.query, answered(record), record)
		}
	}
	if place := arm64.PSCIVERSION; c.expected.Present.Has(place) {
		r := &arm64.Registers[place]
		wanted := r.Text(c.expected.Values[place])
		if record := c.called(r.Name, "", wanted, "PSCI_VERSION", false); record != nil && uint64(uint32(record.Values[0])) != c.expected.Values[place] {
			c.service(r.Name, "", wanted, "PSCI_VERSION", "answers "+r.Text(uint64(uint32(record.Values[0]))), record)
		}
	}
	c.nobodys()
}

// called returns what became of a call that the guest completed, nil for others. Of
// a call that was not made nothing is known; one that ended in an exception is no
// answer, unless a denial is as good.
func (c *comparison) called(register, field, wanted, call string, denial bool) *probe.Record {
	record := c.trace.Find(c.conduit(), call)
	switch {
	case record == nil || record.Outcome == probe.Completed:
		return record
	case record.Outcome == probe.NotRun:
		c.add(guise.Finding{Verdict: guise.Unknown, Kind: guise.KindService, Register: register, Field: field, Wanted: wanted,
			Hosts: c.hostValue(saw(record)), Means: "the guest did not come so far as to call " + call, Rests: c.looked()})
	case !denial:
		c.service(register, field, wanted, call, "ends in "+saw(record), record)
	}
	return nil
}

// service records that a call answered other than it should.
func (c *comparison) service(register, field, wanted, call, answer string, record *probe.Record) {
	c.add(guise.Finding{Verdict: guise.No, Kind: guise.KindService, Register: register, Field: field, Wanted: wanted,
		Hosts: c.hostValue(fmt.Sprintf("%s %s %s", record.Kind, call, answer)), Rests: c.looked()})
}

// answered says what a call answered, as a number.
func answered(record *probe.Record) string { return fmt.Sprintf("answers %#x", record.Values[0]) }

// span is a range of function identifiers, both ends included.
type span struct{ low, high uint32 }

// served are the functions that some KVM serves whatever the bitmaps say, and
// those that they govern. A guest that is answered on any other has found a
// service that is on nobody's list.
var served = []span{
	{0x8000_0000, 0x8000_ffff}, // SMCCC itself, and workarounds
	{0x8400_0000, 0x8400_001f}, // PSCI
	{0xc400_0000, 0xc400_001f},
	{0x95c1_ba5e, 0x95c1_ba61}, // PSCI 0.1
	{0x8400_0050, 0x8400_0053}, // TRNG
	{0xc400_0053, 0xc400_0053},
	{0xc500_0020, 0xc500_0021}, // PV time
	{0x8600_0000, 0x8600_0001}, // KVM
	{0x8600_ff01, 0x8600_ff01},
	{0xc600_0040, 0xc600_0041}, // answered by the VMM
}

// servedProtected are what protected VMs have beside those.
var servedProtected = []span{{0xc600_0002, 0xc600_0004}}

// nobodys looks for answers of services that nobody should serve.
func (c *comparison) nobodys() {
	known := served
	if c.proof.Setup.Protected {
		known = append(known[:len(known):len(known)], servedProtected...)
	}
	for i := range c.program.Ops {
		op, record := &c.program.Ops[i], &c.trace.Records[i]
		if op.Kind != c.conduit() || record.Outcome != probe.Completed || denied(record) {
			continue
		}
		function, listed := uint32(op.Args[0]), false
		for _, s := range known {
			listed = listed || s.low <= function && function <= s.high
		}
		if !listed {
			c.service(fmt.Sprintf("function %#08x", function), "", "not supported", op.Name, answered(record), record)
		}
	}
}
