package tracing

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// Kind is the tracepoint that an event is of.
type Kind uint8

const (
	// Exit is kvm_exit: the vCPU left the guest for KVM.
	Exit Kind = iota
	// SystemRegister is kvm_handle_sys_reg: KVM looks at a trapped MSR, MRS or
	// system instruction. It follows the Exit that it belongs to.
	SystemRegister
	// Hypercall is kvm_hvc_arm64: KVM looks at an HVC. It follows its Exit.
	Hypercall
)

// Event is one event of a thread.
type Event struct {
	Kind Kind
	// PC is the guest's program counter (Exit, Hypercall): the instruction
	// that trapped, for an HVC the one after it.
	PC uint64
	// Trap says that an instruction of the guest made the vCPU leave (Exit), as
	// opposed to an interrupt of the host. Class is ESR_EL2.EC then.
	Trap  bool
	Class uint64
	// Syndrome is ESR_EL2 (SystemRegister).
	Syndrome uint64
	// Function and Immediate are x0 and the number in the instruction
	// (Hypercall).
	Function, Immediate uint64
}

// tracepoint is how one of KVM's events is printed ("print fmt" of its format
// file; the words are the same from Linux 5.10 to 7.2).
type tracepoint struct {
	kind   Kind
	name   string
	format *regexp.Regexp
	fill   func(e *Event, parts []string) error
}

var tracepoints = []tracepoint{
	{Exit, "kvm_exit", regexp.MustCompile(`^(\w+): HSR_EC: (0x[0-9a-f]+) \(.*\), PC: (0x[0-9a-f]+)$`),
		func(e *Event, parts []string) error {
			e.Trap = parts[0] == "TRAP"
			return numbers(parts[1:], &e.Class, &e.PC)
		}},
	{SystemRegister, "kvm_handle_sys_reg", regexp.MustCompile(`^HSR (0x[0-9a-f]+)$`),
		func(e *Event, parts []string) error { return numbers(parts, &e.Syndrome) }},
	{Hypercall, "kvm_hvc_arm64", regexp.MustCompile(`^HVC at (0x[0-9a-f]+) \(r0: (0x[0-9a-f]+), imm: (0x[0-9a-f]+)\)$`),
		func(e *Event, parts []string) error {
			return numbers(parts, &e.PC, &e.Function, &e.Immediate)
		}},
}

func numbers(texts []string, values ...*uint64) error {
	for i, text := range texts {
		value, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return err
		}
		*values[i] = value
	}
	return nil
}

var eventLine = regexp.MustCompile(`^(\w+): (.*)$`)

// parse reads the file trace of an instance without its context: an event a
// line, in order.
func parse(r io.Reader) ([]Event, error) {
	var events []Event
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue // the header
		}
		e, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, lines.Err()
}

// parseLine reads one event.
func parseLine(line string) (e Event, err error) {
	parts := eventLine.FindStringSubmatch(line)
	for i := range tracepoints {
		t := &tracepoints[i]
		if parts == nil || parts[1] != t.name {
			continue
		}
		values := t.format.FindStringSubmatch(parts[2])
		if values == nil {
			break
		}
		e.Kind = t.kind
		if err := t.fill(&e, values[1:]); err != nil {
			return Event{}, fmt.Errorf("event %q: %w", line, err)
		}
		return e, nil
	}
	return Event{}, fmt.Errorf("event %q: not as Linux 5.10 to 7.2 print it", line)
}
