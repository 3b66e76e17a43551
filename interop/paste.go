package interop

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// Said is what a line of a log or an error message says of one register.
type Said struct {
	// Line is the line's number, from 1, and Text the line.
	Line int
	Text string
	// ID is the KVM register id; Name what the register is called. ID is 0, and
	// Name "", where the line names no register: Note then says what it means.
	ID   arm64.ID
	Name string
	// Field is set where the line names bits of the register.
	Field string
	// Value is what was written, read or found, where HasValue says so; Other
	// what was there instead, or on another CPU.
	Value, Other       uint64
	HasValue, HasOther bool
	// Errno is what KVM answered: "EINVAL", "" where the line does not say.
	Errno string
	Note  string
}

// lineErrnos are the ways in which a line tells an errno, beside its name.
var lineErrnos = []struct{ number, name, text string }{
	{"1", "EPERM", "Operation not permitted"},
	{"2", "ENOENT", "No such file or directory"},
	{"6", "ENXIO", "No such device or address"},
	{"7", "E2BIG", "Argument list too long"},
	{"14", "EFAULT", "Bad address"},
	{"16", "EBUSY", "Device or resource busy"},
	{"19", "ENODEV", "No such device"},
	{"22", "EINVAL", "Invalid argument"},
}

// grammar is the compiled patterns, made when first asked for.
type grammar struct {
	mention, value, rangeOf, bitmap, variation, there, errnoNumber, errnoName, booted, implementer, part, variant, revision *regexp.Regexp
}

var patterns = sync.OnceValue(func() *grammar {
	return &grammar{
		// A KVM register id; an encoding, as KVM and QEMU print it; KVM's pseudo
		// registers, as QEMU does; a name.
		mention: regexp.MustCompile(`(?i)\b(?:0x)?(60[0-9a-f]{2}0000[0-9a-f]{8})\b` +
			`|\bop0\W{0,3}(\d+)\W{1,4}op1\W{0,3}(\d+)\W{1,4}crn\W{0,3}(\d+)\W{1,4}crm\W{0,3}(\d+)\W{1,4}op2\W{0,3}(\d+)(?:\s*\))?` +
			`|\bfw (feat )?reg (\d+)\b` +
			`|\b(?:SYS_|KVM_REG_ARM_)?(S\d_\d_C\d+_C\d+_\d\b|[A-Z][A-Z0-9_]*_EL[0-3]\b(?:\[\d+\])?|PSCI_VERSION\b|(?:STD|STD_HYP|VENDOR_HYP)_BMAP(?:_2)?\b|SMCCC_ARCH_WORKAROUND_[123]\b)`),
		value:       regexp.MustCompile(`^(?:\s*([=:])\s*|\s+(?:(to value|to|is|value|with value)\s+)?)(0[xX][0-9a-fA-F_]+|0b[01_]+|[0-9a-fA-F]+)\b`),
		rangeOf:     regexp.MustCompile(`^\[(\d+):(\d+)\]`),
		bitmap:      regexp.MustCompile(`^:\s*forced to\s+`),
		variation:   regexp.MustCompile(`^\.? Boot CPU: (0x[0-9a-fA-F]+), CPU\s?\d+: (0x[0-9a-fA-F]+)`),
		there:       regexp.MustCompile(`^\s*\(is ([0-9a-fA-F]+)\)`),
		errnoNumber: regexp.MustCompile(`(?i)\b(?:os error|errno|error|rc|ret)\s*[=:]?\s*-?(\d{1,2})\b|\(-(\d{1,2})\)|\s-(\d{1,2})$`),
		errnoName:   regexp.MustCompile(`\bE[A-Z2]{3,7}\b`),
		booted:      regexp.MustCompile(`(?:physical CPU|secondary processor) 0x[0-9a-f]+ \[0x([0-9a-f]{8})\]`),
		implementer: regexp.MustCompile(`(?i)^CPU implementer\s*:\s*(0x[0-9a-f]+)`),
		part:        regexp.MustCompile(`(?i)^CPU part\s*:\s*(0x[0-9a-f]+)`),
		variant:     regexp.MustCompile(`(?i)^CPU variant\s*:\s*(0x[0-9a-f]+)`),
		revision:    regexp.MustCompile(`(?i)^CPU revision\s*:\s*(\d+)`),
	}
})

// messages are lines of VMMs that name no register, and what they mean.
var messages = []struct {
	pattern *regexp.Regexp
	errno   string
	note    string
}{
	{regexp.MustCompile(`cpreg_vmstate_array_len`), "", "QEMU: the state has more registers than this host's KVM lists, or than this QEMU takes; QEMU before 11.1 refuses it"},
	{regexp.MustCompile(`Invalid value (\d+) expecting positive value <= (\d+)`), "", "QEMU: the state has $1 registers, this host lists $2"},
	{regexp.MustCompile(`Failed to put registers after init`), "EINVAL", "QEMU: this host's KVM refused a register of the state; QEMU 10.2 and later name it in a line before"},
	{regexp.MustCompile(`CPU_ON fails? with -22|kvm_arm_vcpu_init.*Invalid argument`), "EINVAL", "a vCPU could not be made as on the first core: cores of other kinds have other caches; pin vCPUs to cores of one kind"},
}

// unknownToKVM is how QEMU says ENOENT.
const unknownToKVM = "unknown to KVM"

// MaxPasteSize is the longest text that Paste reads, in bytes: a log of the kernel
// has a megabyte at most.
const MaxPasteSize = 8 << 20

// Paste reads what error messages and logs print of registers: KVM register ids,
// encodings, names with or without SYS_ before them, CPUs that boot, the
// messages of QEMU and Firecracker. Lines that say nothing of a register are
// passed over; several registers of a line come in its order. Of a text longer than
// MaxPasteSize it reads nothing.
func Paste(text string) []Said {
	if len(text) > MaxPasteSize {
		return nil
	}
	var all []Said
	var midr cpuinfo
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		said := pasteLine(line)
		if s, ok := midr.line(line); ok {
			said = append(said, s)
		}
		for i := range said {
			said[i].Line, said[i].Text = number, line
		}
		all = append(all, said...)
	}
	return all
}

// pasteLine reads one line.
func pasteLine(line string) []Said {
	p := patterns()
	var said []Said
	for at := 0; at < len(line); {
		found := p.mention.FindStringSubmatchIndex(line[at:])
		if found == nil {
			break
		}
		s, ok := mentioned(line[at:], found)
		at += found[1]
		if !ok {
			continue
		}
		at += s.follow(line[at:])
		said = append(said, s)
	}
	if m := p.booted.FindStringSubmatch(line); m != nil {
		value, _ := strconv.ParseUint(m[1], 16, 64)
		said = append(said, named(arm64.MIDREL1, value))
	}
	errno := lineErrno(line, len(said) > 0)
	for i := range said {
		said[i].Errno = errno
	}
	if len(said) > 0 {
		return said
	}
	for i := range messages {
		if m := messages[i].pattern.FindStringSubmatchIndex(line); m != nil {
			note := messages[i].pattern.ExpandString(nil, messages[i].note, line, m)
			return []Said{{Errno: messages[i].errno, Note: string(note)}}
		}
	}
	return nil
}

func named(place int, value uint64) Said {
	return Said{ID: arm64.ID(arm64.Registers[place].ID), Name: arm64.Registers[place].Name, Value: value, HasValue: true}
}

// mentioned reads one match of the pattern of mentions.
func mentioned(text string, found []int) (Said, bool) {
	group := func(n int) string {
		if found[2*n] < 0 {
			return ""
		}
		return text[found[2*n]:found[2*n+1]]
	}
	switch {
	case group(1) != "":
		id, err := strconv.ParseUint(group(1), 16, 64)
		return registerSaid(arm64.ID(id)), err == nil
	case group(2) != "":
		e, err := arm64.ParseEncoding(fmt.Sprintf("S%s_%s_C%s_C%s_%s", group(2), group(3), group(4), group(5), group(6)))
		return registerSaid(e.ID()), err == nil
	case group(8) != "":
		n, err := strconv.ParseUint(group(8), 10, 16)
		if group(7) != "" {
			return registerSaid(arm64.FirmwareFeatureID(uint16(n))), err == nil
		}
		return registerSaid(arm64.FirmwareID(uint16(n))), err == nil
	}
	id, ok := RegisterNamed(group(9))
	return registerSaid(id), ok
}

func registerSaid(id arm64.ID) Said {
	name := id.String()
	if _, ok := arm64.PlaceOf(id); !ok {
		if listed := kernel.ListedName(id); listed != "" {
			name = listed
		}
	}
	return Said{ID: id, Name: name}
}

// RegisterNamed returns the KVM register id that a spelling of people's logs and
// command lines stands for: "ID_AA64PFR0_EL1", with SYS_ or KVM_REG_ARM_ before
// it, "S3_0_C0_C4_0", "0x603000000013c020", and CCSIDR_EL1 without a level, which
// stands for level 0. Case does not count.
func RegisterNamed(name string) (arm64.ID, bool) {
	upper := strings.ToUpper(name)
	if digits, ok := strings.CutPrefix(upper, "0X"); ok {
		id, err := strconv.ParseUint(digits, 16, 64)
		return arm64.ID(id), err == nil && id>>56 == 0x60
	}
	for _, prefix := range []string{"SYS_", "KVM_REG_ARM_"} {
		upper = strings.TrimPrefix(upper, prefix)
	}
	if upper == "CCSIDR_EL1" {
		return arm64.CCSIDRID(0), true
	}
	if register := arm64.Named(upper); register != nil {
		return arm64.ID(register.ID), true
	}
	if e, err := arm64.ParseEncoding(upper); err == nil {
		return e.ID(), true
	}
	for _, l := range kernel.Listings() {
		for id := range l.IDs {
			if strings.EqualFold(kernel.ListedName(id), upper) {
				return id, true
			}
		}
	}
	return 0, false
}

// follow reads what stands after a register: bits of it, its value, what was
// there. It returns how much of the rest it used.
func (s *Said) follow(rest string) (used int) {
	p := patterns()
	var field *isa.Field
	if m := p.rangeOf.FindStringSubmatch(rest); m != nil {
		field = s.bits(m[1], m[2])
		used += len(m[0])
		used += len(p.bitmap.FindString(rest[used:]))
	}
	if m := p.variation.FindStringSubmatch(rest[used:]); m != nil {
		s.Value, _ = strconv.ParseUint(m[1], 0, 64)
		s.Other, _ = strconv.ParseUint(m[2], 0, 64)
		s.HasValue, s.HasOther = true, true
		return used + len(m[0])
	}
	text := rest[used:]
	if field != nil {
		text = "=" + text // what it is forced to
	}
	m := p.value.FindStringSubmatch(text)
	if m == nil {
		return used
	}
	value, ok := number(m[3], m[1], m[2])
	if !ok {
		return used
	}
	used = len(rest) - len(text) + len(m[0])
	if field != nil {
		value = field.Put(0, value)
	}
	s.Value, s.HasValue = value, true
	if m := p.there.FindStringSubmatch(rest[used:]); m != nil {
		s.Other, _ = strconv.ParseUint(m[1], 16, 64)
		s.HasOther = true
		used += len(m[0])
	}
	return used
}

// bits finds the field that a range of bits, as text, is.
func (s *Said) bits(msb, lsb string) *isa.Field {
	place, ok := arm64.PlaceOf(s.ID)
	if !ok {
		return nil
	}
	for i := range arm64.Registers[place].Fields {
		f := &arm64.Registers[place].Fields[i]
		if strconv.Itoa(int(f.LSB)) == lsb && strconv.Itoa(int(f.LSB+f.Width-1)) == msb {
			s.Field = f.Name
			return f
		}
	}
	return nil
}

// number reads a value: after "to" and "is", QEMU prints hex digits alone;
// without a word or a sign between, only a number with 0x or 0b is one.
func number(text, sign, word string) (uint64, bool) {
	text = strings.ReplaceAll(text, "_", "")
	prefixed := len(text) > 1 && text[0] == '0' && strings.ContainsRune("xXbB", rune(text[1]))
	base := 0
	switch {
	case !prefixed && word != "":
		base = 16
	case !prefixed && sign == "":
		return 0, false
	}
	value, err := strconv.ParseUint(text, base, 64)
	return value, err == nil
}

// lineErrno finds the errno that a line tells. QEMU prints none for EINVAL on a
// register that it names.
func lineErrno(line string, register bool) string {
	p := patterns()
	for _, name := range p.errnoName.FindAllString(line, -1) {
		for _, e := range lineErrnos {
			if e.name == name {
				return name
			}
		}
	}
	for _, e := range lineErrnos {
		if strings.Contains(line, e.text) {
			return e.name
		}
	}
	if m := p.errnoNumber.FindStringSubmatch(line); m != nil {
		for _, e := range lineErrnos {
			if e.number == m[1]+m[2]+m[3] {
				return e.name
			}
		}
	}
	switch {
	case strings.Contains(line, unknownToKVM):
		return "ENOENT"
	case register && strings.Contains(line, "Could not set register"):
		return "EINVAL"
	}
	return ""
}

// cpuinfo collects the lines of /proc/cpuinfo that name one core.
type cpuinfo struct {
	midr uint64
	seen int // which of the four lines, a bit each
	said map[uint64]bool
}

// line takes a line, and says the core where it was the last of four.
func (c *cpuinfo) line(line string) (Said, bool) {
	p := patterns()
	for i, row := range []struct {
		pattern *regexp.Regexp
		shift   int
	}{{p.implementer, 24}, {p.variant, 20}, {p.part, 4}, {p.revision, 0}} {
		m := row.pattern.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		value, err := strconv.ParseUint(m[1], 0, 12)
		if err != nil {
			return Said{}, false
		}
		if i == 0 {
			c.midr, c.seen = 0xf<<16, 0
		}
		c.midr |= value << row.shift
		c.seen |= 1 << i
		if bits.OnesCount(uint(c.seen)) < 4 || c.said[c.midr] {
			return Said{}, false
		}
		if c.said == nil {
			c.said = map[uint64]bool{}
		}
		c.said[c.midr] = true
		return named(arm64.MIDREL1, c.midr), true
	}
	return Said{}, false
}
