package power

import "slices"

// OrderedCapability is something a VM on POWER is given at one of several
// values, of which a later one includes what is before it. The names are those
// of QEMU's pseries machine, whose users know them as cap-NAME, and who have to
// choose them alike on both sides of a migration.
type OrderedCapability struct {
	Name   string
	Values []string // the least first
	About  string
	// One of the three says how a host's value is found.
	Capability string           // KVM_CHECK_EXTENSION: the last value where it answers other than 0
	Rules      []CapabilityRule // the characteristics: the first rule that holds, or else the first value
	Tried      string           // what a capture tries: a register's field that takes 1
}

// CapabilityRule is a value and what of the characteristics gives it: all of
// the bits of Set and Clear, and at least one of Any where there are some.
type CapabilityRule struct {
	Value           int
	Set, Clear, Any []string
	// Below, where not 0, has the rule hold only on processors below the level.
	Below Level
}

// TriedLargeDecrementer is the name of a trial: KVM takes LPCR[LD], a decrementer
// of more than 32 bits.
const TriedLargeDecrementer = "LPCR.LD"

var offOn = []string{"off", "on"}

// Capabilities lists the capabilities that KVM decides. Not here, because it
// does not: vsx and dfp (the CPU model), hpt-max-page-size (the memory behind the
// VM) and nested-papr (served by QEMU's emulation only).
//
// How a value follows from the characteristics was read in QEMU 10.0
// (target/ppc/kvm.c), which takes a bit that is not known for one that does not
// help. Here it leaves the value open.
var Capabilities = []OrderedCapability{
	{Name: "cfpc", Values: []string{"broken", "workaround", "fixed"}, About: "cache flush where privilege changes (Meltdown)", Rules: []CapabilityRule{
		{Value: 2, Clear: []string{"L1D_FLUSH_PR"}},
		{Value: 1, Set: []string{"L1D_THREAD_PRIV"}, Any: []string{"L1D_FLUSH_ORI30", "L1D_FLUSH_TRIG2"}},
		// POWER8 can be told to run one thread a core.
		{Value: 1, Any: []string{"L1D_FLUSH_ORI30", "L1D_FLUSH_TRIG2"}, Below: Level30},
	}},
	{Name: "sbbc", Values: []string{"broken", "workaround", "fixed"}, About: "speculation barrier in bounds checks (Spectre v1)", Rules: []CapabilityRule{
		{Value: 2, Clear: []string{"BNDS_CHK_SPEC_BAR"}},
		{Value: 1, Set: []string{"SPEC_BAR_ORI31"}},
	}},
	{Name: "ibs", Values: []string{"broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"}, About: "indirect branch speculation (Spectre v2)", Rules: []CapabilityRule{
		{Value: 4, Clear: []string{"FLUSH_COUNT_CACHE", "COUNT_CACHE_DIS", "BCCTRL_SERIALISED"}},
		{Value: 1, Set: []string{"FLUSH_COUNT_CACHE"}},
		{Value: 3, Set: []string{"COUNT_CACHE_DIS"}},
		{Value: 2, Set: []string{"BCCTRL_SERIALISED"}},
	}},
	{Name: "ccf-assist", Values: offOn, About: "count cache flush by the CPU", Rules: []CapabilityRule{{Value: 1, Set: []string{"BCCTR_FLUSH_ASSIST"}}}},
	{Name: "nested-hv", Values: offOn, About: "nested guests, H_ENTER_NESTED", Capability: "KVM_CAP_PPC_NESTED_HV"},
	{Name: "htm", Values: offOn, About: "transactional memory", Capability: "KVM_CAP_PPC_HTM"},
	{Name: "dawr1", Values: offOn, About: "second data address watchpoint", Capability: "KVM_CAP_PPC_DAWR1"},
	{Name: "fwnmi", Values: offOn, About: "machine checks and system resets by way of firmware", Capability: "KVM_CAP_PPC_FWNMI"},
	{Name: "rpt-invalidate", Values: offOn, About: "hypercall H_RPT_INVALIDATE", Capability: "KVM_CAP_PPC_RPT_INVALIDATE"},
	{Name: "ail-mode-3", Values: offOn, About: "interrupts taken with translation on", Capability: "KVM_CAP_PPC_AIL_MODE_3"},
	{Name: "large-decr", Values: offOn, About: "decrementer of more than 32 bits", Tried: TriedLargeDecrementer},
}

// CapabilityNamed finds a capability by its name.
func CapabilityNamed(name string) (*OrderedCapability, bool) {
	for i := range Capabilities {
		if Capabilities[i].Name == name {
			return &Capabilities[i], true
		}
	}
	return nil, false
}

// ValueNamed finds a value's place by its name.
func (o *OrderedCapability) ValueNamed(name string) (int, bool) {
	for i, value := range o.Values {
		if value == name {
			return i, true
		}
	}
	return 0, false
}

// Range returns the least and the greatest value that a host with these
// characteristics may have; they are the same where all bits that count are
// known. level is the processor's, 0 where it is not known.
func (o *OrderedCapability) Range(c *Characteristics, level Level) (least, greatest int) {
	least = len(o.Values) - 1
	admit := func(value int) { least, greatest = min(least, value), max(greatest, value) }
	for i := range o.Rules {
		holds, known := o.Rules[i].holds(c, level)
		if known && !holds {
			continue
		}
		admit(o.Rules[i].Value)
		if known {
			return least, greatest
		}
	}
	admit(0)
	return least, greatest
}

// holds says whether a rule holds, and whether that is known.
func (r *CapabilityRule) holds(c *Characteristics, level Level) (holds, known bool) {
	if r.Below != 0 && level >= r.Below {
		return false, true
	}
	open := r.Below != 0 && level == 0
	get := func(name string) (set, known bool) {
		row, _ := CharacteristicNamed(name)
		return c.Get(row)
	}
	for _, names := range [][]string{r.Set, r.Clear} {
		for _, name := range names {
			set, known := get(name)
			if known && set != slices.Contains(r.Set, name) {
				return false, true
			}
			open = open || !known
		}
	}
	if len(r.Any) > 0 {
		any, anyOpen := false, false
		for _, name := range r.Any {
			set, known := get(name)
			any, anyOpen = any || set, anyOpen || !known
		}
		switch {
		case any:
		case !anyOpen:
			return false, true
		default:
			open = true
		}
	}
	return !open, !open
}
