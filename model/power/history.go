package power

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	isapower "github.com/guise-project/guise/isa/power"
)

// Action is one line of a history: something L1 writes for its next entry, or
// an event.
type Action struct {
	// Text is the line, without comment, words one space apart.
	Text string
	// Set says that L1 writes Value to Field, or to the msr of pt_regs where
	// Field is isapower.StateFields.
	Set   bool
	Field isapower.StateField
	Value uint64
	Event Event
}

// maxHistory bounds the size of a history in bytes.
const maxHistory = 1 << 20

// words of a history that are no instruction and no field, with the events
// they make. The numbers are what follows on the line.
var words = []struct {
	word   string
	usage  string
	number int
	event  func(numbers []uint64) Event
}{
	{"enter", "enter", 0, func([]uint64) Event { return Event{Kind: Enter} }},
	{"sc", "sc", 0, func([]uint64) Event { return Event{Kind: Exit, Value: isapower.VectorSystemCall} }},
	{"signal", "signal", 0, func([]uint64) Event { return Event{Kind: Signal} }},
	{"tick", "tick COUNT", 1, func(n []uint64) Event { return Event{Kind: Tick, Value: n[0]} }},
	{"hdsi", "hdsi ADDRESS SYNDROME GUEST-REAL", 3, func(n []uint64) Event {
		return Event{Kind: DataFault, Address: n[0], Syndrome: n[1], Value: n[2]}
	}},
	{"hisi", "hisi SYNDROME GUEST-REAL", 2, func(n []uint64) Event {
		return Event{Kind: InstructionFault, Syndrome: n[0], Value: n[1]}
	}},
	{"illegal", "illegal INSTRUCTION", 1, func(n []uint64) Event { return Event{Kind: IllegalInstruction, Value: n[0]} }},
}

// ParseHistory reads a history: one action a line, comments from # on.
//
//	hfscr 0x77ffffffffffffff   L1 writes a field of hv_guest_state, or msr
//	enter                      L1 calls H_ENTER_NESTED
//	msgsndp                    L2 executes an instruction that needs a facility
//	cause 5                    hardware raises the facility interrupt with a cause
//	sc, exit 0x500             L2 leaves for a hypercall, or through a vector
//	hdsi A S R, hisi S R       L2 faults in its translation
//	illegal I                  L2 executes an instruction nobody has
//	write sprg0 0x99           L2 writes a register of its own
//	tick 100                   the counters run on
//	signal                     L1's thread is interrupted
//	l1 mtebbhr                 L1 itself executes an instruction
//	release EBB PM             L0 gives up facilities it had loaded
//
// Errors name the line and the word.
func ParseHistory(r io.Reader) ([]Action, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxHistory+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxHistory {
		return nil, fmt.Errorf("longer than %d bytes: no history", maxHistory)
	}
	var actions []Action
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		action, err := ParseAction(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		actions = append(actions, action)
	}
	return actions, nil
}

// ParseAction reads one line of a history.
func ParseAction(line string) (Action, error) {
	parts := strings.Fields(line)
	if len(parts) == 0 {
		return Action{}, fmt.Errorf("no event; want one such as enter, sc, msgsndp or cause 5")
	}
	word, rest := parts[0], parts[1:]
	action := Action{Text: strings.Join(parts, " ")}
	var err error
	switch {
	case word == "write":
		err = parseWrite(&action, rest)
	case word == "release":
		action.Event = Event{Kind: Release}
		action.Event.Value, err = ParseMask("release", strings.Join(rest, ","))
	case word == "l1":
		if len(rest) != 1 {
			return Action{}, fmt.Errorf("l1: want one instruction, as in l1 mtebbhr")
		}
		action.Event, err = use(DirectUse, rest[0])
	case word == "cause":
		err = parseCause(&action, rest)
	case word == "exit":
		err = parseExit(&action, rest)
	default:
		err = parseWord(&action, word, rest)
	}
	return action, err
}

// parseWord reads a line that begins with a word of the table, a field or an
// instruction.
func parseWord(action *Action, word string, rest []string) error {
	for _, w := range words {
		if w.word != word {
			continue
		}
		numbers, err := parseNumbers(word, w.usage, rest, w.number)
		if err == nil {
			action.Event = w.event(numbers)
		}
		return err
	}
	field, ok := isapower.StateFieldNamed(word)
	if word == "msr" {
		field, ok = isapower.StateFields, true
	}
	if ok {
		numbers, err := parseNumbers(word, word+" VALUE", rest, 1)
		if err != nil {
			return err
		}
		action.Set, action.Field, action.Value = true, field, numbers[0]
		return checkSize(field, action.Value)
	}
	if len(rest) != 0 {
		return fmt.Errorf("%s: not an event that takes more words", word)
	}
	var err error
	action.Event, err = use(Use, word)
	return err
}

// checkSize refuses a value that does not fit its field.
func checkSize(field isapower.StateField, value uint64) error {
	if field < isapower.StateFields && isapower.StateLayout[field].Size == 4 && value > math.MaxUint32 {
		return fmt.Errorf("%v: %#x does not fit its 4 bytes", field, value)
	}
	return nil
}

func parseNumbers(word, usage string, rest []string, want int) ([]uint64, error) {
	if len(rest) != want {
		return nil, fmt.Errorf("%s: want %q", word, usage)
	}
	numbers := make([]uint64, want)
	for i, text := range rest {
		n, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a number of 64 bits", word, text)
		}
		numbers[i] = n
	}
	return numbers, nil
}

// use makes the event of an instruction being executed.
func use(kind EventKind, mnemonic string) (Event, error) {
	i, ok := isapower.InstructionNamed(mnemonic)
	if !ok {
		var known []string
		for _, i := range isapower.Instructions {
			known = append(known, i.Mnemonic)
		}
		return Event{}, fmt.Errorf("event %q: not an event; want enter, sc, exit, cause, hdsi, hisi, illegal, write, tick, signal, l1, release, or an instruction: %s",
			mnemonic, strings.Join(known, ", "))
	}
	f, _ := isapower.FacilityNamed(i.Facility)
	return Event{Kind: kind, Cause: f.Bit, Value: i.Image()}, nil
}

func parseWrite(action *Action, rest []string) error {
	var names []string
	for f, ok := range writable {
		if ok {
			names = append(names, isapower.StateField(f).String())
		}
	}
	names = append(names, "msr")
	if len(rest) != 2 || !slices.Contains(names, rest[0]) {
		return fmt.Errorf("write: want a register of L2's own and a value; those are %s", strings.Join(names, ", "))
	}
	field, ok := isapower.StateFieldNamed(rest[0])
	if !ok {
		field = isapower.StateFields
	}
	numbers, err := parseNumbers("write "+rest[0], "write "+rest[0]+" VALUE", rest[1:], 1)
	if err == nil {
		action.Event = Event{Kind: Write, Field: field, Value: numbers[0]}
	}
	return err
}

// parseCause reads the cause of a facility interrupt: a facility's name or its
// number. Only a cause that some facility has in HFSCR can be raised.
func parseCause(action *Action, rest []string) error {
	if len(rest) == 1 {
		for _, f := range isapower.Facilities {
			n, err := strconv.ParseUint(rest[0], 0, 8)
			if f.HFSCR && (strings.EqualFold(f.Name, rest[0]) || err == nil && n == uint64(f.Bit)) {
				action.Event = Event{Kind: Unavailable, Cause: f.Bit}
				return nil
			}
		}
	}
	var known []string
	for _, f := range isapower.Facilities {
		if f.HFSCR {
			known = append(known, fmt.Sprintf("%d %s", f.Bit, f.Name))
		}
	}
	return fmt.Errorf("cause %s: no facility has this interrupt cause code in HFSCR; those that do are %s",
		strings.Join(rest, " "), strings.Join(known, ", "))
}

// parseExit reads a vector without a word of its own: the others record
// something, or are a facility's.
func parseExit(action *Action, rest []string) error {
	numbers, err := parseNumbers("exit", "exit VECTOR", rest, 1)
	if err != nil {
		return err
	}
	switch v := numbers[0]; {
	case v == isapower.VectorHDSI || v == isapower.VectorHISI || v == isapower.VectorHEAI || v == isapower.VectorHFacility:
		return fmt.Errorf("exit %#x: this vector has a word of its own: hdsi, hisi, illegal, cause", v)
	case isapower.VectorNames[v] == "":
		return fmt.Errorf("exit %#x: not an interrupt vector of POWER", v)
	}
	action.Event = Event{Kind: Exit, Value: numbers[0]}
	return nil
}

// ParseMask reads a mask of HFSCR's facilities: a number, or names with commas
// between them. what names the input in errors. A bit that names no facility
// is refused.
func ParseMask(what, text string) (uint64, error) {
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		if unknown := n &^ isapower.Defined; unknown != 0 {
			return 0, fmt.Errorf("%s: bits %#x name no facility of HFSCR; those that do are %#x", what, unknown, isapower.Defined)
		}
		return n, nil
	}
	var mask uint64
	for name := range strings.SplitSeq(text, ",") {
		f, ok := isapower.FacilityNamed(strings.ToUpper(strings.TrimSpace(name)))
		if !ok || !f.HFSCR {
			return 0, fmt.Errorf("%s: %q is neither a mask nor a facility with a bit in HFSCR", what, name)
		}
		mask |= f.Mask()
	}
	return mask, nil
}

// Moment is what one action came to. For what L1 writes, Outcome.Did is Ran.
// An action that cannot happen then (an instruction of L2's while L1 runs, a
// write of L1's while L2 runs) has Outcome.Did Nothing: in a history played
// under several generations, L2 may have left in one and run on in another.
type Moment struct {
	Action  Action
	Outcome Outcome
	Broken  []Violation
}

// Play has an L1 live through a history and returns a Moment for every action.
func Play(g *Generation, permitted Permitted, state State, history []Action) []Moment {
	moments := make([]Moment, 0, len(history))
	for _, a := range history {
		if !a.Set {
			out := Step(g, permitted, &state, a.Event)
			moments = append(moments, Moment{a, out, Violations(g, permitted, &state, a.Event, &out)})
			state = out.State
			continue
		}
		did := Nothing
		if !state.Running {
			did = Ran
			if a.Field == isapower.StateFields {
				state.MSR = a.Value
			} else {
				state.Structure[a.Field] = a.Value
			}
		}
		moments = append(moments, Moment{Action: a, Outcome: Outcome{Did: did, State: state}})
	}
	return moments
}
