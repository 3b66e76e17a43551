package kernel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Reason is one of KVM's reasons to answer a GET or SET of a register with an
// errno.
type Reason struct {
	Text string
	// When says in which kernels: "since 6.12", "before 6.15"; "" for all.
	When string
}

// Errnos are those that KVM answers GET and SET of a register with.
var Errnos = []string{"EINVAL", "ENOENT", "EBUSY", "EPERM"}

// Reasons returns the reasons that KVM has to answer a GET or SET of a register
// with an errno, "EINVAL" or another of Errnos, by the log. Where the value that
// was written is known, reasons that it does not give are left out. There are
// none for an errno that is not one of Errnos.
func Reasons(id arm64.ID, value uint64, known bool, errno string) []Reason {
	r := &reasoner{id: id, value: value, known: known}
	r.place = -1
	if place, ok := arm64.PlaceOf(id); ok {
		r.place = place
	}
	switch errno {
	case "EINVAL":
		r.refused()
	case "ENOENT":
		r.missing()
	case "EBUSY":
		r.frozen()
	case "EPERM":
		r.early()
	}
	return r.reasons
}

// reasoner collects reasons.
type reasoner struct {
	id      arm64.ID
	place   int // -1 for a register that is not in the table
	value   uint64
	known   bool
	reasons []Reason
}

func (r *reasoner) add(when, format string, args ...any) {
	r.reasons = append(r.reasons, Reason{fmt.Sprintf(format, args...), when})
}

// span says in words when an entry holds.
func span(since, until Span) string {
	switch {
	case until != (Span{}):
		return fmt.Sprintf("%v up to, but not in, %v", since, until)
	case since.After == (Version{}):
		return ""
	}
	return fmt.Sprintf("since %v", since)
}

// rows returns the log's entries of some kinds for the register.
func (r *reasoner) rows(kinds ...Kind) []Change {
	var rows []Change
	for _, c := range Changes() {
		if slices.Contains(kinds, c.Kind) && slices.Contains(c.places(), r.place) {
			rows = append(rows, c)
		}
	}
	return rows
}

// refused gives the reasons for EINVAL.
func (r *reasoner) refused() {
	if r.place < 0 {
		r.add("", "KVM's own rule for the register, or a size of the value that is not the register's")
		return
	}
	register := &arm64.Registers[r.place]
	switch {
	case register.Scope == isa.Hardware:
		r.add("", "no kernel lets a VM choose what the CPU answers")
		return
	case r.cache():
		return
	case strings.HasPrefix(register.Name, "SMCCC_ARCH_WORKAROUND"):
		r.add("", "the state promises the guest a better level than this host has; a lower promise is taken")
		return
	}
	for _, c := range r.rows(Identity) {
		r.add("before "+c.Since.String(), "only the host's own value is taken")
		r.add("since "+c.Since.String(), "another value needs KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, enabled before the first vCPU is made")
		return
	}
	if r.place == arm64.PSCIVERSION {
		r.versions()
	} else {
		r.fields()
	}
	for _, c := range r.rows(Refuses) {
		r.refusedValues(&c)
	}
	for _, c := range r.rows(IgnoredWithoutAArch32) {
		r.add(span(c.Since, c.Until), "hosts without AArch32 show 0 and ignore what is written; a state from one brings 0, which a host with AArch32 refuses where it shows another value that cannot be chosen")
	}
}

// cache gives the reasons of CLIDR_EL1 and CCSIDR_EL1; false for others.
func (r *reasoner) cache() bool {
	rows := r.rows(Free)
	for _, c := range rows {
		r.add("before "+c.Since.String(), "only an equal value is taken; cores of other kinds (big.LITTLE) have other caches, so that a vCPU that was made on one is refused on another: pin vCPUs to cores of one kind")
		r.add("since "+c.Since.String(), "the value promises lines shorter than the host's shortest, or less cleaning than its CTR_EL0 asks for, or sets reserved bits")
	}
	return len(rows) > 0
}

// fields says which fields of the register can be chosen, and since when.
func (r *reasoner) fields() {
	rows := r.rows(Writable, Takes)
	var fixed, named []string
	register := &arm64.Registers[r.place]
	for i := range register.Fields {
		name := register.Fields[i].Name
		if !slices.ContainsFunc(rows, func(c Change) bool { return len(c.Fields) == 0 || slices.Contains(c.Fields, name) }) {
			fixed = append(fixed, name)
		}
	}
	for _, c := range rows {
		what := "the value"
		if c.Kind != Writable {
			continue
		}
		if len(c.Fields) > 0 {
			what = strings.Join(c.Fields, ", ")
			named = append(named, c.Fields...)
		}
		switch when := c.Since.String(); {
		case c.Until != (Span{}):
			r.add(span(c.Since, c.Until), "%s can be chosen", what)
		case c.Since.After != (Version{}):
			r.add("before "+when, "%s: only an equal value is taken", what)
		}
	}
	if len(rows) > 0 {
		r.add("", "a field above what this host shows (more than it has), in %s", orAll(named))
	}
	if len(fixed) > 0 {
		r.add("", "%s: no kernel takes another value than it shows", strings.Join(fixed, ", "))
	}
	switch rest := r.value &^ register.Named(); {
	case len(register.Fields) == 0:
		r.add("", "the register is reserved: no kernel takes another value than 0")
	case r.known && rest != 0:
		r.add("", "bits %#x have no name: no kernel takes another value there than it shows", rest)
	}
}

// versions says which version of PSCI is the newest that a kernel has.
func (r *reasoner) versions() {
	field := &arm64.Registers[r.place].Fields[0]
	for _, c := range r.rows(Forces) {
		if !r.known || r.value > c.Value {
			r.add(span(c.Since, c.Until), "%s is the newest version, until a later kernel has another", field.ValueName(c.Value))
		}
	}
}

func orAll(fields []string) string {
	if len(fields) == 0 {
		return "the register"
	}
	return "those that can be chosen"
}

// refusedValues says which values of a row's fields are refused.
func (r *reasoner) refusedValues(c *Change) {
	for _, slot := range c.slots(r.place) {
		_, field := arm64.Slots[slot].Describe()
		member, coded := arm64.Slots[slot].Extract(r.value)
		if r.known && coded && !c.Set.Has(member) {
			continue
		}
		who := ""
		if c.When != Always {
			who = conditionText[c.When]
		}
		values := c.Set.String()
		if arm64.Slots[slot].Coded {
			var names []string
			for _, m := range c.Set.Values() {
				names = append(names, field.ValueName(arm64.Slots[slot].Value(m)))
			}
			values = strings.Join(names, ",")
		}
		r.add(span(c.Since, c.Until), "%s: %s refused%s, whatever the host has", field.Name, values, who)
	}
}

// missing gives the reasons for ENOENT.
func (r *reasoner) missing() {
	for _, c := range r.rows(Appears, Exposes) {
		if c.Since.After != (Version{}) {
			r.add("before "+c.Since.String(), "there is no such register")
		}
	}
	for _, l := range Listings() {
		for id := range l.IDs {
			if id == r.id {
				r.add(span(l.Since, l.Until), "listed%s; otherwise there is no such register", orEvery(l.condition()))
			}
		}
	}
	if len(r.reasons) == 0 {
		r.add("", "no kernel that is known has the register for VMs of this kind")
	}
}

func orEvery(condition string) string {
	if condition == "" {
		return " for every VM"
	}
	return condition
}

// frozen gives the reasons for EBUSY.
func (r *reasoner) frozen() {
	for _, c := range r.rows(Frozen, Identity) {
		r.add(span(c.Since, c.Until), "a vCPU of the VM has run: only an equal value is taken after that")
	}
	if len(r.reasons) == 0 {
		r.add("", "the VM or vCPU is in use: a vCPU runs, or what was asked must come before the first vCPU")
	}
}

// early gives the reasons for EPERM.
func (r *reasoner) early() {
	if uint64(r.id)&0xffff_0000 == 0x15_0000 {
		r.add("", "SVE registers can be read and written, and the vector lengths no longer, after KVM_ARM_VCPU_FINALIZE")
		return
	}
	r.add("", "a vCPU with SVE must be finalised first (KVM_ARM_VCPU_FINALIZE)")
}

// ListedName names a register that KVM lists, where the log names it and the
// table of feature registers does not: "SCTLR_EL1"; "" where it has no name.
func ListedName(id arm64.ID) string {
	for _, l := range Listings() {
		n := 0
		for listed := range l.IDs {
			if listed == id {
				names := strings.Split(l.Name, ", ")
				switch {
				case len(names) == max(l.Count, 1) && !strings.Contains(l.Name, " to "):
					return names[n]
				case max(l.Count, 1) == 1:
					return l.Name
				case strings.Contains(l.Name, "<n>") && len(names) == 1:
					return strings.Replace(l.Name, "<n>", fmt.Sprint(n), 1)
				}
				return ""
			}
			n++
		}
	}
	return ""
}
