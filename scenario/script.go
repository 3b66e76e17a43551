package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// MaxScriptSize is the largest script that is read, in bytes; those of the
// conformance suite have a few kilobytes.
const MaxScriptSize = 1 << 20

// maxWord is the longest word of a script, in bytes.
const maxWord = 200

// Script is a scenario as text has it.
type Script struct {
	Name  string
	lines []line
}

// line is one line of a script.
type line struct {
	number     int
	text       string
	conditions []condition
	kind       lineKind
	setup      guise.Setup // lineVM
	vcpus      int
	incomplete bool // lineVM: what completes its vCPUs is in the script
	step       Step // lineStep
	// field is that of a Get or Set of one field, nil for whole registers.
	field *isa.Field
	// value says what is written or expected where it is not a number.
	value  valueWord
	expect expectation
}

type lineKind uint8

const (
	lineStep lineKind = iota
	lineVM
	lineSkip
)

// condition is one [...] before a line.
type condition struct {
	negated bool
	text    string
}

// expectation is what must come of a line.
type expectation struct {
	kind  expectKind
	errno syscall.Errno
	value valueWord
	// id is that of "has" and "lacks".
	id arm64.ID
}

type expectKind uint8

const (
	expectDone    expectKind = iota
	expectErrno              // ": EINVAL"
	expectValue              // "= 0x1"
	expectHas                // "has ID_AA64PFR0_EL1"
	expectLacks              // "lacks ..."
	expectUndef              // "undef": the guest takes an UNDEF
	expectIDST               // "idst": the guest takes EC 0x18
	expectRuns               // "runs": the guest's instruction completes
	expectVectors            // "vectors": the guest's HVC goes to its own EL2
)

// valueWord is a value, or words that stand for one.
type valueWord struct {
	// base is "" for a number, "limit" for what a new VM of the setup shows,
	// "get" for what userspace reads now.
	base   string
	number int64 // added to the base
	bits   uint64
}

// Parse reads a script. Every error names the line.
func Parse(name string, text string) (*Script, error) {
	if len(text) > MaxScriptSize {
		return nil, fmt.Errorf("%s: has %d bytes; no scenario is longer than %d", name, len(text), MaxScriptSize)
	}
	s := &Script{Name: name}
	number := 0
	for raw := range strings.Lines(text) {
		number++
		l := line{number: number, text: strings.TrimSpace(raw)}
		content, _, _ := strings.Cut(l.text, "#")
		content = strings.TrimSpace(content)
		if content == "" {
			continue
		}
		for _, word := range strings.Fields(content) {
			if len(word) > maxWord {
				return nil, fmt.Errorf("%s:%d: has a word of %d bytes; no word of a scenario is longer than %d", name, number, len(word), maxWord)
			}
		}
		if err := l.parse(content); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		s.lines = append(s.lines, l)
	}
	if len(s.lines) == 0 {
		return nil, fmt.Errorf("%s: has no steps", name)
	}
	return s, nil
}

func (l *line) parse(content string) error {
	for strings.HasPrefix(content, "[") {
		text, rest, ok := strings.Cut(content[1:], "]")
		if !ok {
			return fmt.Errorf("a condition ends with ]")
		}
		text, negated := strings.CutPrefix(strings.TrimSpace(text), "!")
		l.conditions = append(l.conditions, condition{negated, strings.TrimSpace(text)})
		if err := checkCondition(text); err != nil {
			return err
		}
		content = strings.TrimSpace(rest)
	}
	words := strings.Fields(content)
	if len(words) == 0 {
		return fmt.Errorf("nothing follows the condition")
	}
	if words[0] == "skip" {
		l.kind = lineSkip
		return nil
	}
	words, err := l.parseExpectation(words)
	if err != nil {
		return err
	}
	if words[0] == "vm" {
		return l.parseVM(words[1:])
	}
	return l.parseStep(words)
}

// parseExpectation takes the end of the line that says what must come of it.
func (l *line) parseExpectation(words []string) ([]string, error) {
	for i, word := range words[1:] {
		rest := words[i+2:]
		take := func(kind expectKind, count int) ([]string, error) {
			if len(rest) != count {
				return nil, fmt.Errorf("%s: want %d words after it, there are %d", word, count, len(rest))
			}
			l.expect.kind = kind
			return words[:i+1], nil
		}
		var out []string
		var err error
		switch word {
		case ":":
			if out, err = take(expectErrno, 1); err == nil {
				var ok bool
				if l.expect.errno, ok = errnoNamed(rest[0]); !ok {
					err = fmt.Errorf("%s: not an errno that KVM gives", rest[0])
				}
			}
		case "=":
			if out, err = take(expectValue, 1); err == nil {
				l.expect.value, err = parseValue(rest[0])
			}
		case "has", "lacks":
			kind := expectHas
			if word == "lacks" {
				kind = expectLacks
			}
			if out, err = take(kind, 1); err == nil {
				l.expect.id, _, err = parseRegister(rest[0])
			}
		case "undef":
			out, err = take(expectUndef, 0)
		case "idst":
			out, err = take(expectIDST, 0)
		case "runs":
			out, err = take(expectRuns, 0)
		case "vectors":
			out, err = take(expectVectors, 0)
		default:
			continue
		}
		return out, err
	}
	return words, nil
}

// maxVCPUs is the most vCPUs that KVM/arm64 gives a VM (KVM_MAX_VCPUS).
const maxVCPUs = 512

func (l *line) parseVM(words []string) error {
	l.kind, l.vcpus = lineVM, 1
	if len(words) == 0 {
		return fmt.Errorf("vm: want features joined with +, or base")
	}
	var err error
	if l.setup.Features, err = parseFeatures(words[0]); err != nil {
		return err
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		number, numberErr := strconv.Atoi(value)
		switch name {
		case "vcpus":
			if numberErr != nil || number < 1 || number > maxVCPUs {
				return fmt.Errorf("%s: want vcpus=1 to vcpus=%d", word, maxVCPUs)
			}
			l.vcpus = number
		case "vgic":
			if numberErr != nil || number != 0 && number != 2 && number != 3 {
				return fmt.Errorf("%s: want vgic=0 (none), vgic=2 or vgic=3", word)
			}
			l.setup.VGIC = number
		case "cap":
			l.setup.Capabilities = append(l.setup.Capabilities, value)
		case "protected":
			l.setup.Protected = true
		case "incomplete":
			l.incomplete = true
		default:
			return fmt.Errorf("%s: want vcpus=, vgic=, cap=, protected or incomplete", word)
		}
	}
	return nil
}

func parseFeatures(word string) ([]guise.Feature, error) {
	if word == "base" {
		return nil, nil
	}
	var features []guise.Feature
	parts := strings.Split(word, "+")
	known := append(slices.Clone(guise.Features), guise.FeatureE2H0)
	for _, f := range known {
		if slices.Contains(parts, string(f)) {
			features = append(features, f)
		}
	}
	if len(features) != len(parts) {
		return nil, fmt.Errorf("%s: want base, or some of %v joined with +, each once", word, known)
	}
	return features, nil
}

// parseStep reads a verb and its operands.
func (l *line) parseStep(words []string) error {
	verb := -1
	for i, name := range verbNames {
		if words[0] == name {
			verb = i
		}
	}
	if verb < 0 {
		return fmt.Errorf("%s: not a step; those are vm, skip, %s", words[0], strings.Join(verbNames[:], ", "))
	}
	l.step.Verb = Verb(verb)
	words = words[1:]
	if len(words) > 0 {
		if value, ok := strings.CutPrefix(words[0], "vcpu="); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("%s: want a number", words[0])
			}
			l.step.VCPU, words = n, words[1:]
		}
	}
	operands := map[Verb]int{Get: 1, Set: 2, Reinit: 1, Filter: 3, Lengths: 1, Masks: 1, Capability: 1, PMUInterrupt: 1}[l.step.Verb]
	if l.step.Verb == Guest {
		return l.parseGuest(words)
	}
	if l.step.Verb == Masks && len(words) == 2 {
		value, ok := strings.CutPrefix(words[1], "reserved=")
		n, err := strconv.ParseUint(value, 0, 32)
		if !ok || err != nil {
			return fmt.Errorf("%s: want reserved= and a number", words[1])
		}
		l.step.Reserved, words = uint32(n), words[:1]
	}
	if len(words) != operands {
		return fmt.Errorf("%s: want %d operands, there are %d", l.step.Verb, operands, len(words))
	}
	return l.parseOperands(words)
}

func (l *line) parseOperands(words []string) (err error) {
	within := func(word string, bits int) uint64 {
		v, parseErr := strconv.ParseUint(word, 0, bits)
		if parseErr != nil {
			err = fmt.Errorf("%s: want a number", word)
			if errors.Is(parseErr, strconv.ErrRange) {
				err = fmt.Errorf("%s: want a number of at most %d bits", word, bits)
			}
		}
		return v
	}
	number := func(word string) uint64 { return within(word, 64) }
	switch l.step.Verb {
	case Get:
		l.step.ID, l.field, err = parseRegister(words[0])
	case Set:
		if l.step.ID, l.field, err = parseRegister(words[0]); err == nil {
			l.value, err = parseValue(words[1])
		}
	case Reinit:
		l.step.Features, err = parseFeatures(words[0])
	case Filter:
		l.step.Base, l.step.Count = uint32(within(words[0], 32)), uint32(within(words[1], 32))
		for i, name := range actionWords {
			if words[2] == name {
				l.step.Action = uint8(i)
				return err
			}
		}
		l.step.Action = uint8(within(words[2], 8))
	case Lengths, Masks:
		l.step.Value = number(words[0])
	case PMUInterrupt:
		l.step.Value = within(words[0], 31)
	case Capability:
		capability, ok := kvmabi.CapabilityByName(words[0])
		if !ok {
			return fmt.Errorf("%s: not a capability that guise knows", words[0])
		}
		l.step.Value = uint64(capability)
	}
	return err
}

// parseRegister reads a register or one field of it: ID_AA64PFR0_EL1.SVE, or an
// id as a number.
func parseRegister(word string) (arm64.ID, *isa.Field, error) {
	if n, err := strconv.ParseUint(word, 0, 64); err == nil {
		return arm64.ID(n), nil, nil
	}
	name, fieldName, dotted := strings.Cut(word, ".")
	if r := arm64.Named(name); r != nil {
		if !dotted {
			return arm64.ID(r.ID), nil, nil
		}
		if f := r.Field(fieldName); f != nil {
			return arm64.ID(r.ID), f, nil
		}
		return 0, nil, fmt.Errorf("%s: %s has no such field", word, r.Name)
	}
	e, err := arm64.ParseEncoding(name)
	if err != nil || dotted {
		return 0, nil, fmt.Errorf("%s: no such register", word)
	}
	return e.ID(), nil, nil
}

func parseValue(word string) (valueWord, error) {
	for _, base := range []string{"limit", "get"} {
		rest, ok := strings.CutPrefix(word, base)
		if !ok {
			continue
		}
		if rest == "" {
			return valueWord{base: base}, nil
		}
		n, err := strconv.ParseInt(rest, 0, 64)
		if err != nil {
			return valueWord{}, fmt.Errorf("%s: want %s, %s+1 or %s-1", word, base, base, base)
		}
		return valueWord{base: base, number: n}, nil
	}
	bits, err := strconv.ParseUint(word, 0, 64)
	if err != nil {
		return valueWord{}, fmt.Errorf("%s: want a number, limit or get", word)
	}
	return valueWord{bits: bits}, nil
}

// parseGuest reads one operation of a guest.
func (l *line) parseGuest(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("guest: want mrs, msr, mrc, mcr, hvc, smc or execute, and what")
	}
	op := probe.Op{Name: words[1]}
	switch words[0] {
	case "mrs", "msr":
		op.Kind = probe.MRS
		id, field, err := parseRegister(words[1])
		if err != nil {
			return err
		}
		e, ok := id.Encoding()
		if !ok {
			return fmt.Errorf("%s: not a system register", words[1])
		}
		op.Register, op.Name, l.field, l.step.ID = e, id.String(), field, id
		if words[0] == "msr" {
			op.Kind = probe.MSR
			if len(words) != 3 {
				return fmt.Errorf("guest msr: want a register and a value")
			}
			v, err := strconv.ParseUint(words[2], 0, 64)
			if err != nil {
				return fmt.Errorf("%s: want a number", words[2])
			}
			op.Value = v
		}
	case "hvc", "smc":
		op.Kind = probe.HVC
		if words[0] == "smc" {
			op.Kind = probe.SMC
		}
		for i, word := range words[1:] {
			v, err := strconv.ParseUint(word, 0, 64)
			if err != nil || i >= len(op.Args) {
				return fmt.Errorf("%s: want a function number and up to 7 arguments", word)
			}
			op.Args[i] = v
		}
	case "execute":
		if row := probe.Instruction32For(words[1]); row != nil {
			op = row.Op()
			break
		}
		row := probe.InstructionFor(words[1])
		if row == nil || row.Unobservable != "" {
			return fmt.Errorf("%s: no instruction shows such a feature", words[1])
		}
		op = row.Op()
	case "mrc", "mcr":
		return l.parseCoprocessor(words)
	default:
		return fmt.Errorf("guest %s: want mrs, msr, mrc, mcr, hvc, smc or execute", words[0])
	}
	l.step.Ops = []probe.Op{op}
	return nil
}

// parseCoprocessor reads an access to an AArch32 register: ID_PFR0, a field of
// it, or P15_0_C0_C3_0 where it has no name.
func (l *line) parseCoprocessor(words []string) error {
	name, fieldName, dotted := strings.Cut(words[1], ".")
	c, err := arm64.CoprocessorNamed(name)
	if err != nil {
		return err
	}
	op := probe.Op{Kind: probe.MRC, Name: c.String(), Coprocessor: c}
	if place, ok := c.Place(); ok {
		// "get" and "limit" stand for what userspace reads of the same register.
		l.step.ID, l.field = arm64.ID(arm64.Registers[place].ID), arm64.Registers[place].Field(fieldName)
	}
	if dotted && l.field == nil {
		return fmt.Errorf("%s: %v has no such field", words[1], c)
	}
	if words[0] == "mcr" {
		op.Kind = probe.MCR
		if len(words) != 3 || dotted {
			return fmt.Errorf("guest mcr: want a register and a value")
		}
		if op.Value, err = strconv.ParseUint(words[2], 0, 32); err != nil {
			return fmt.Errorf("%s: want a number of 32 bits", words[2])
		}
	}
	l.step.Ops = []probe.Op{op}
	return nil
}
