// Package power is the reference model of nested guests on KVM for POWER
// (H_ENTER_NESTED, version 1 of the interface): what L0 loads into the real
// registers, what happens when L2 uses a facility, and what L1 sees of it. It
// is one pure function, Step, over rules that are data.
//
// L0 is the real hypervisor, L1 a hypervisor that is L0's guest, L2 a guest of
// L1. V is the HFSCR value L1 put into hv_guest_state for L2, R the real HFSCR
// while L2 runs.
package power

import (
	"fmt"
	"strconv"
	"strings"

	isapower "github.com/guise-project/guise/isa/power"
)

// Rule is one question on which generations of L0 differ.
type Rule uint8

const (
	// RuleVersions: which versions of hv_guest_state are taken.
	RuleVersions Rule = iota
	// RuleWriteBack: how the size of what is written back is found.
	RuleWriteBack
	// RuleSwappedPCR: what byte-swapping does to PCR.
	RuleSwappedPCR
	// RuleMask: what V is limited by.
	RuleMask
	// RuleLPCR: what is filtered from the LPCR that L1 asks for.
	RuleLPCR
	// RulePCR: whether PCR is limited by L1's own.
	RulePCR
	// RuleReturnedHFSCR: the enable bits of HFSCR that L1 finds on return.
	RuleReturnedHFSCR
	// RuleReturnedCause: the cause field of HFSCR that L1 finds on return.
	RuleReturnedCause
	// RuleReturnedBreakpoints: what L1 finds in DAWRX0, DAWRX1 and CIABR.
	RuleReturnedBreakpoints
	// RuleReturnedLPCR: what L1 finds in LPCR.
	RuleReturnedLPCR
	// RuleLazy: which facilities L0 switches on at first use by L1 itself.
	RuleLazy
	// RuleDirectEmulated: what a facility that is emulated does for L1 itself.
	RuleDirectEmulated

	// RulePrefix: whether prefixed instructions are permitted on ISA 3.1.
	RulePrefix
	// RuleLevel: whether a lower level of the architecture hides facilities.
	RuleLevel

	// The answers to a hypervisor facility unavailable interrupt taken in L2,
	// by what the facility is to L1 and whether V enables it.
	RuleHiddenOff
	RuleHiddenOn
	RuleEmulatedOff
	RuleEmulatedOn
	RuleLazyOff
	RuleLazyOn
	RuleDirectOff
	RuleDirectOn

	ruleCount
)

var ruleNames = [ruleCount]string{
	"hv_guest_state versions", "size written back", "PCR of an L1 of the other byte order",
	"HFSCR is limited to", "LPCR is limited to", "PCR is limited to",
	"HFSCR enables returned", "HFSCR cause returned", "DAWRX and CIABR returned", "LPCR returned",
	"switched on at first use by L1", "emulated facility used by L1",
	"prefixed instructions on ISA 3.1",
	"facilities above L1's level",
	"hidden, off in V", "hidden, on in V", "emulated, off in V", "emulated, on in V",
	"lazy, off in V", "lazy, on in V", "available, off in V", "available, on in V",
}

// String gives the rule in words.
func (r Rule) String() string { return ruleNames[r] }

// Choice is how a generation decides a rule.
type Choice uint8

const (
	undecided Choice = iota

	VersionOneOnly // any version but 1: H_P2
	VersionsToTwo  // low 32 bits neither 1 nor 2: H_PARAMETER; above 2: H_P2

	SizeFixed
	SizeByVersion        // of the version L1 gave
	SizeBySwappedVersion // of the version after it was swapped to L1's byte order

	ReservedBitsAdded // both ways
	NotChanged

	ToWhatL1HasNow     // what is switched on for L1 at the moment
	ToWhatIsPermitted  // hfscr_permitted, whatever is lazily off
	ToWhatIsLoadedOnly // allowed, and its state is in the CPU

	MaskOnly       // L1 may set LPCRNested
	MaskFilter     // and of that TC never, AIL only 3, LD only on ISA 3.0
	MaskFilterLPES // nor LPES

	NothingOfL1
	L1sOwn

	ReturnReal        // L1 finds the real value
	ReturnWritten     // L1 finds what it wrote
	ReturnImplemented // L1 finds what it wrote of facilities it has, others read 0

	CauseAlways       // copied from the CPU on every exit
	CauseOnFacility   // only on exit 0xf80
	CauseClearedOnHid // as CauseOnFacility; cleared where the interrupt was changed into another

	NotPermitted
	StayPermitted
	AreHidden

	LazyNone
	LazyLinux // PM, EBB, TM
	LazyAll

	Forward     // facility unavailable 0xf80 to L1, with the cause
	ForwardBare // 0xf80 to L1, cause field untouched
	Illegal     // an illegal instruction: 0xe40 to L1, heir = the instruction
	Program     // 0xf80 to L1 with the cause cleared, and a program interrupt queued for L1 itself
	Load        // load the state, switch the facility on, resume L2
	Emulate     // emulate the instruction, resume L2
	FailCall    // H_ENTER_NESTED fails
	Impossible  // the real bit was on: hardware cannot have done this

	choiceCount
)

var choiceNames = [choiceCount]string{
	"undecided",
	"1", "1 and 2",
	"that of version 1", "that of the version", "that of the byte-swapped version",
	"reserved bits are added", "as it is",
	"what L1 has now", "what L1 is permitted", "what is loaded for L1",
	"the bits L1 may set", "the bits L1 may set, filtered", "the bits L1 may set, filtered, without LPES",
	"nothing of L1's", "L1's own",
	"real", "as written", "as written, hidden bits 0",
	"on every exit", "on 0xf80", "on 0xf80, else cleared",
	"not permitted", "permitted", "are hidden",
	"none", "PM, EBB, TM", "all",
	"forward", "forward without cause", "illegal instruction", "program interrupt in L1",
	"load", "emulate", "fail the hypercall", "impossible",
}

// String gives the choice in words.
func (c Choice) String() string { return choiceNames[c] }

// Change is one entry of the change log.
type Change struct {
	Rule     Rule
	Choice   Choice
	Evidence string
}

// Generation is how L0 behaves between two changes. What it does not change it
// has from its base.
type Generation struct {
	Name    string
	Base    string
	About   string
	Changes []Change

	rules [ruleCount]Choice
}

// Rule returns how the generation decides a rule.
func (g *Generation) Rule(r Rule) Choice { return g.rules[r] }

// At returns what is left of what L0 permits where it holds L1 at a level of
// the architecture. Linux acts on the level through PCR alone: under 2.07,
// hfscr_permitted stayed 0x219f (observed on 6.12 and 7.2).
func (g *Generation) At(permitted Permitted, level isapower.Level) Permitted {
	if g.rules[RuleLevel] == AreHidden {
		permitted.Available &^= isapower.Hidden(level)
		permitted.Emulated &^= isapower.Hidden(level)
	}
	return permitted
}

// Permitted returns what the generation's KVM permits an L1 at most on
// hardware of a level: its hfscr_permitted.
func (g *Generation) Permitted(host isapower.Level, transactional bool) uint64 {
	mask := isapower.Permitted(host, transactional)
	if g.rules[RulePrefix] == NotPermitted {
		mask &^= isapower.PREFIX
	}
	return mask
}

// Evidence returns the evidence for how the generation decides a rule.
func (g *Generation) Evidence(r Rule) string {
	for _, c := range g.Changes {
		if c.Rule == r {
			return c.Evidence
		}
	}
	base, _ := generationNamed(g.Base, len(Generations))
	return base.Evidence(r)
}

// What the marks in Evidence mean: "observed" on a real kernel under QEMU,
// "source" read in the kernel's source, "list" read on linuxppc-dev, "idea"
// from the discussion the ideal is built from.
const (
	evidence510   = "source: 5.10.223"
	evidenceMid   = "source: trees between 5.10 and 5.15; release inferred"
	evidenceSeed  = "list: v3 1/2, 15 April 2021 (549e29b458c5 in its author's tree)"
	evidenceHidV3 = "list: v3 2/2, 15 April 2021"
	evidence515   = "observed: 6.1.176, 6.12.107; merged August 2021, release inferred"
	evidenceHEAI  = "source: 7c3ded573514, 6.1.176, 6.12.95"
	evidence613   = "observed: 7.2.11; ed351c574321, release inferred"
	evidenceIdeal = "idea: Mackerras, 4 May 2021"
)

// Generations is the change log, oldest first; a base stands before what is
// built on it.
var Generations = []Generation{
	{Name: "5.10", About: "Linux 4.20 to 5.10: the structure itself is restricted, so L1 reads back what L0 took away", Changes: []Change{
		{RuleVersions, VersionOneOnly, evidence510},
		{RuleWriteBack, SizeFixed, evidence510},
		{RuleSwappedPCR, ReservedBitsAdded, evidence510},
		{RuleMask, ToWhatL1HasNow, evidence510},
		{RuleLPCR, MaskOnly, evidence510},
		{RulePCR, NothingOfL1, evidence510},
		{RuleReturnedHFSCR, ReturnReal, evidence510},
		{RuleReturnedCause, CauseAlways, evidence510},
		{RuleReturnedBreakpoints, ReturnReal, evidence510},
		{RuleReturnedLPCR, ReturnWritten, evidence510},
		{RuleLazy, LazyNone, evidence510},
		{RuleDirectEmulated, Emulate, evidence510},
		{RulePrefix, NotPermitted, "observed: 6.1.176; 5.10 knows nothing of ISA 3.1's HFSCR bit"},
		{RuleLevel, StayPermitted, evidence510},
		{RuleHiddenOff, Forward, evidence510},
		{RuleHiddenOn, Forward, evidence510},
		{RuleEmulatedOff, Forward, evidence510},
		{RuleEmulatedOn, Forward, evidence510},
		{RuleLazyOff, Forward, evidence510},
		{RuleLazyOn, Forward, evidence510},
		{RuleDirectOff, Forward, evidence510},
		{RuleDirectOn, Forward, evidence510},
	}},
	{Name: "5.12", Base: "5.10", About: "version 2 of the structure, with DAWR1", Changes: []Change{
		{RuleVersions, VersionsToTwo, evidenceMid},
		{RuleWriteBack, SizeBySwappedVersion, evidenceMid},
	}},
	{Name: "v3-1", Base: "5.12", About: "patch v3 1/2 as posted in April 2021, never merged so", Changes: []Change{
		{RuleReturnedHFSCR, ReturnWritten, evidenceSeed},
		{RuleReturnedBreakpoints, ReturnWritten, evidenceSeed},
	}},
	{Name: "v3-2", Base: "v3-1", About: "patch v3 2/2 as posted in April 2021, never merged so", Changes: []Change{
		{RuleReturnedCause, CauseClearedOnHid, evidenceHidV3},
		{RuleHiddenOn, Program, evidenceHidV3},
		{RuleEmulatedOn, Program, evidenceHidV3},
		{RuleLazyOn, Program, evidenceHidV3},
		{RuleDirectOn, Program, evidenceHidV3},
	}},
	{Name: "5.14", Base: "5.12", About: "LPCR is filtered, within the structure", Changes: []Change{
		{RuleLPCR, MaskFilter, evidenceMid},
		{RuleReturnedLPCR, ReturnReal, evidenceMid},
	}},
	{Name: "5.15", Base: "5.14", About: "Linux 5.15 to 6.12: restricted outside the structure; what L0 took away is an illegal instruction", Changes: []Change{
		{RuleMask, ToWhatIsPermitted, evidence515},
		{RuleReturnedHFSCR, ReturnWritten, evidence515},
		{RuleReturnedCause, CauseOnFacility, evidence515},
		{RuleReturnedBreakpoints, ReturnWritten, evidence515},
		{RuleReturnedLPCR, ReturnWritten, evidence515},
		{RuleLazy, LazyLinux, "source: 6.1.176"},
		{RuleHiddenOff, Illegal, evidenceHEAI},
		{RuleHiddenOn, Illegal, evidenceHEAI},
		{RuleEmulatedOff, Illegal, evidenceHEAI},
		{RuleEmulatedOn, Illegal, evidenceHEAI},
		{RuleLazyOn, Illegal, evidenceHEAI},
		{RuleDirectOn, Illegal, evidenceHEAI},
	}},
	{Name: "5.19", Base: "5.15", About: "LPES is L1's own: external interrupts must not pass L0 by", Changes: []Change{
		{RuleLPCR, MaskFilterLPES, "observed: 6.1.176, 6.12.107, 7.2.13; list: 3 March 2022; release inferred"},
	}},
	{Name: "6.4", Base: "5.19", About: "prefixed instructions are permitted on POWER10", Changes: []Change{
		{RulePrefix, StayPermitted, "observed: not on 6.1.176, on 6.12.107 and 7.2.13; release inferred"},
	}},
	{Name: "6.13", Base: "6.4", About: "Linux 6.13 and later: every facility interrupt goes to L1 again", Changes: []Change{
		{RuleHiddenOff, Forward, evidence613},
		{RuleHiddenOn, Forward, evidence613},
		{RuleEmulatedOff, Forward, evidence613},
		{RuleEmulatedOn, Forward, evidence613},
		{RuleLazyOn, Forward, evidence613},
		{RuleDirectOn, Forward, evidence613},
	}},
	{Name: "ideal", Base: "6.13", About: "each facility by the reason it was taken away: hidden, lazy, emulated", Changes: []Change{
		{RuleWriteBack, SizeByVersion, "idea: an L1 of either byte order gets its structures back"},
		{RuleSwappedPCR, NotChanged, "idea: an L1 of either byte order finds what it wrote"},
		{RuleMask, ToWhatIsLoadedOnly, evidenceIdeal},
		{RulePCR, L1sOwn, "idea: L1 must not run L2 at a level it is denied itself"},
		{RuleReturnedHFSCR, ReturnImplemented, evidenceIdeal},
		{RuleLazy, LazyAll, evidenceIdeal},
		{RuleLevel, AreHidden, evidenceIdeal},
		{RuleHiddenOff, Illegal, evidenceIdeal},
		{RuleHiddenOn, Illegal, evidenceIdeal},
		{RuleEmulatedOff, Emulate, evidenceIdeal},
		{RuleEmulatedOn, Emulate, evidenceIdeal},
		{RuleLazyOn, Load, evidenceIdeal},
		{RuleDirectOn, Impossible, evidenceIdeal},
	}},
	{Name: "ideal-forward-off", Base: "ideal", About: "the ideal, where what L1 turned off is forwarded even if L0 would emulate it", Changes: []Change{
		{RuleEmulatedOff, Forward, "idea: the question the discussion leaves open; Linux 6.13 does so"},
	}},
	{Name: "ideal-bare", Base: "ideal", About: "rejected in the discussion: the interrupt, without a word why", Changes: []Change{
		{RuleHiddenOn, ForwardBare, "list: Piggin, 1 May 2021; rejected 4 May"},
		{RuleEmulatedOn, ForwardBare, "list: Piggin, 1 May 2021; rejected 4 May"},
		{RuleLazyOn, ForwardBare, "list: Piggin, 1 May 2021; rejected 4 May"},
	}},
	{Name: "ideal-fail", Base: "ideal", About: "rejected in the discussion: H_ENTER_NESTED fails", Changes: []Change{
		{RuleHiddenOn, FailCall, "list: Piggin, 1 May 2021; rejected 4 May"},
		{RuleEmulatedOn, FailCall, "list: Piggin, 1 May 2021; rejected 4 May"},
		{RuleLazyOn, FailCall, "list: Piggin, 1 May 2021; rejected 4 May"},
	}},
}

func init() {
	for i := range Generations {
		g := &Generations[i]
		if g.Base != "" {
			base, ok := generationNamed(g.Base, i)
			if !ok {
				panic("model/power: generation " + g.Name + " stands before its base " + g.Base)
			}
			g.rules = base.rules
		}
		for _, c := range g.Changes {
			g.rules[c.Rule] = c.Choice
		}
		for r, c := range g.rules {
			if c == undecided {
				panic("model/power: generation " + g.Name + " does not decide: " + ruleNames[r])
			}
		}
	}
}

func generationNamed(name string, before int) (*Generation, bool) {
	for i := range Generations[:before] {
		if Generations[i].Name == name {
			return &Generations[i], true
		}
	}
	return nil, false
}

// FindGeneration finds a generation by its name ("ideal", "v3-1") or by any
// kernel version ("6.12", "7.2"). The basis says what the choice rests on
// where it is not the kernel's own observed or read behaviour, "" otherwise.
func FindGeneration(name string) (g *Generation, basis string, err error) {
	version, versionErr := parseVersion(name)
	if versionErr != nil {
		if g, ok := generationNamed(name, len(Generations)); ok {
			return g, "", nil
		}
		var names []string
		for i := range Generations {
			names = append(names, Generations[i].Name)
		}
		return nil, "", fmt.Errorf("generation %q: want a kernel version such as 6.12 or one of %s", name, strings.Join(names, ", "))
	}
	if version < (kernelVersion{4, 20}).number() {
		return nil, "", fmt.Errorf("generation %q: KVM has nested guests on POWER since 4.20", name)
	}
	for i := range Generations {
		v, err := parseVersion(Generations[i].Name)
		if err == nil && v <= version {
			g = &Generations[i]
		}
	}
	if g == nil {
		g = &Generations[0] // 4.20 to 5.9 behave as 5.10 (73937deb4b2d)
	}
	return g, versionBasis(version), nil
}

// versionBasis says where a kernel version lies between those that were looked
// at: 5.10, 6.1, 6.12, 7.2 and 7.3.
func versionBasis(version int) string {
	at := func(major, minor int) int { return kernelVersion{major, minor}.number() }
	switch {
	case version > at(5, 10) && version < at(6, 1):
		return "inferred: behaviour changed somewhere in (5.10, 6.1]"
	case version > at(6, 1) && version < at(6, 12):
		return "inferred: behaviour changed somewhere in (6.1, 6.12]"
	case version > at(6, 12) && version < at(7, 2):
		return "inferred: behaviour changed somewhere in (6.12, 7.2]"
	case version > at(7, 3):
		return "extrapolated: nothing newer than 7.3 was looked at"
	}
	return ""
}

type kernelVersion struct{ major, minor int }

func (v kernelVersion) number() int { return v.major*1000 + v.minor }

// parseVersion reads "6.12" or "6.12.107".
func parseVersion(text string) (int, error) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, fmt.Errorf("%q: not a kernel version", text)
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > 999 {
			return 0, fmt.Errorf("%q: not a kernel version", text)
		}
		numbers[i] = n
	}
	return kernelVersion{numbers[0], numbers[1]}.number(), nil
}

// lazyMask returns the facilities that a choice of RuleLazy switches on at
// first use.
func lazyMask(c Choice) uint64 {
	switch c {
	case LazyAll:
		return ^isapower.CauseMask
	case LazyLinux:
		return isapower.PM | isapower.EBB | isapower.TM
	}
	return 0
}
