package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Entry is a change of the log between two kernels, in words.
type Entry struct {
	// When is the release: "6.17", or "(6.1, 6.12]" where it is not known.
	When string
	// Subject is the register and fields, the listed registers, or "".
	Subject string
	Text    string
	// Back: the later kernel no longer does it.
	Back bool
	// Settled: it is known that one of the two kernels has it and the other has
	// not.
	Settled bool
	// SourceOnly: no CPU of the lab has what the entry is about, so that it was read
	// in source and never seen.
	SourceOnly bool

	order Version
}

// Between returns what changes from one version to a later one, oldest first.
// Entries of which it is not known whether one of the two has them are not
// settled. Each table keeps its order.
func Between(from, to Version) []Entry {
	var entries []Entry
	for _, dated := range allEntries() {
		before, knownBefore := within(dated.since, dated.until, from)
		after, knownAfter := within(dated.since, dated.until, to)
		if knownBefore && knownAfter && before == after {
			continue
		}
		e := dated.Entry
		e.Settled = knownBefore && knownAfter
		if before && !after && knownAfter {
			e.Back, e.When, e.Text, e.order = true, dated.until.String(), dated.backText, dated.until.By
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.order.Compare(b.order) })
	return entries
}

// datedEntry is an entry with when it came and perhaps went.
type datedEntry struct {
	Entry
	since, until Span
	// backText is what the entry says of a kernel that has it no longer.
	backText string
}

// allEntries are the log in words, table by table.
func allEntries() []datedEntry {
	var entries []datedEntry
	add := func(since, until Span, subject, text, backText string) {
		entries = append(entries, datedEntry{Entry{When: since.String(), Subject: subject, Text: text, order: since.By}, since, until, backText})
	}
	for _, c := range Changes() {
		if c.Kind == Reports {
			continue // follows from what is writable, but for inert bits
		}
		add(c.Since, c.Until, c.subject(), c.text(), "no longer: "+c.text())
		entries[len(entries)-1].SourceOnly = c.sourceOnly()
	}
	const forProtected = ", to guests of protected VMs"
	for _, c := range protected {
		add(c.Since, c.Until, c.subject(), c.text()+forProtected, "no longer: "+c.text()+forProtected)
	}
	for _, w := range withheld {
		text := "protected VMs answer 0 for " + strings.Join(w.Capabilities, ", ")
		add(w.Since, w.Until, "", text, "no longer: "+text)
	}
	for _, l := range Listings() {
		text := "listed" + l.condition()
		add(l.Since, l.Until, l.Name, text, "no longer "+text)
	}
	for _, c := range capabilities {
		if c.Since.After != (Version{}) { // what older kernels have was not looked for
			add(c.Since, c.Until, c.Name, c.text(), "no longer "+c.text())
		}
	}
	for _, r := range maskRanges {
		add(r.Since, r.Until, "", r.Text, "no longer: "+r.Text)
	}
	for _, b := range behaviours {
		add(b.Since, b.Until, "", b.Text, "no longer: "+b.Text)
	}
	return entries
}

// subject names what the entry is about.
func (c *Change) subject() string {
	switch {
	case c.Kind == IgnoredWithoutAArch32:
		return "AArch32 ID registers"
	case c.Kind == Exposes:
		return "S3_0_C0_C2_6 to S3_0_C0_C7_7"
	case c.Kind == Frozen && strings.HasPrefix(c.Register, "ID_"):
		return "feature registers"
	case len(c.Fields) == 0:
		return c.Register
	}
	return c.Register + "." + strings.Join(c.Fields, ",")
}

// text says what the entry does, after its subject.
func (c *Change) text() string {
	text := map[Kind]string{
		Writable: "can be chosen", Free: "made up by KVM; any value can be chosen",
		Identity:    "can be chosen with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS",
		FollowsVGIC: "set to match the VM's interrupt controller", ClearedWithoutVGIC: "cleared at the first run of a VM without a GICv3",
		IgnoredWithoutAArch32: "read 0 and ignore writes on hosts without AArch32",
		Appears:               "exists", HostsTakenAsZero: "the host's own value is taken, and stored as 0",
		Frozen: "frozen by the first run of a vCPU (EBUSY)", Gains: "shown as the host has it; before, 0",
		Exposes: "userspace has them, combined over all CPUs; before, only guests, and the CPU's own",
		Shows:   "shown as the host has it",
		Hides:   "hidden", DerivesFromPMU: "made from ID_AA64DFR0_EL1.PMUVer",
	}[c.Kind]
	switch c.Kind {
	case Refuses:
		text = fmt.Sprintf("%v refused", c.Set)
	case Takes:
		text = fmt.Sprintf("%v taken too", c.Set)
	case TakenAsZero:
		text = fmt.Sprintf("%v taken, and stored as 0", c.Set)
	case TakenAsLimit:
		text = fmt.Sprintf("%v taken, and the limit stored", c.Set)
	case Drops:
		text = fmt.Sprintf("%v shown as 0", c.Set)
	case Forces:
		text = fmt.Sprintf("shown as %#x", c.Value)
	case Caps:
		text = fmt.Sprintf("at most %d", c.Value)
	}
	text += conditionText[c.When]
	if c.Note != "" {
		text += " (" + c.Note + ")"
	}
	return text
}

// text says what KVM_CHECK_EXTENSION answers.
func (c *CapabilityChange) text() string {
	switch {
	case c.Rule == Fixed:
		return fmt.Sprintf("answers %d", c.Value)
	case c.Rule == ForFeature:
		return "answers whether the host can give VMs " + c.Feature
	case c.Rule.OfVM():
		return "answers for a VM; EINVAL for the host"
	}
	return "answers what the host has"
}

// conditionText says for what an entry holds, after its text.
var conditionText = [...]string{
	Always: "", WithSVE: " with SVE", WithoutSVE: " without SVE", WithPAuth: " with pointer authentication",
	WithoutPAuth: " without pointer authentication", WithPMU: " with a PMU", WithoutPMU: " without a PMU",
	WithMTE: " with MTE", WithoutMTE: " without MTE", WithEL2: " in VMs with EL2", WithE2H0: " in VMs with EL2 and no VHE", WithoutE2H0: " and VHE",
	WithTCRX: " with FEAT_TCR2", WithSCTLRX: " with FEAT_SCTLR2", WithS1PIE: " with FEAT_S1PIE", WithS1POE: " with FEAT_S1POE", WithFGT: " with FEAT_FGT",
	NotAffectedByV2: " on hosts safe from Spectre v2", NotAffectedByMeltdown: " on hosts safe from Meltdown",
	OnGICv3: " on hosts with a GICv3", CacheExists: " for caches that exist",
}

// condition says for which VMs the registers are listed.
func (l *Listing) condition() string {
	var b strings.Builder
	for _, when := range l.When {
		b.WriteString(conditionText[when])
	}
	return b.String()
}
