package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	isapower "github.com/guise-project/guise/isa/power"
	"github.com/guise-project/guise/model/power"
)

// nestedCommand plays what a nested hypervisor (L1) and its guest (L2) do
// under one or more generations of L0.
type nestedCommand struct {
	Generation string   `default:"7.2" help:"L0: a kernel version, or one of v3-1, v3-2, ideal, ideal-forward-off, ideal-bare, ideal-fail."`
	Compare    bool     `help:"Play the same under each of the generations given as arguments."`
	Arg        []string `arg:"" optional:"" name:"generation" help:"With --compare, the generations."`

	Permitted string `placeholder:"MASK" help:"What L0 lets L1 use, a mask of HFSCR or names as PM,EBB; what KVM permits unless given."`
	Emulated  string `placeholder:"MASK" default:"MSGP" help:"What L0 emulates in software (${default})."`
	Lazy      string `placeholder:"MASK" help:"What is lazily off: permitted, but its state is not loaded."`
	HostLevel string `placeholder:"LEVEL" help:"Architecture level of the machine: 3.0 is POWER9, 3.1 POWER10; by what is permitted unless given."`
	Level     string `placeholder:"LEVEL" help:"Architecture level L0 holds L1 at, as 2.07; the machine's unless given."`
	BigEndian bool   `help:"L1 runs big-endian."`

	HFSCR     string            `name:"hfscr" placeholder:"VALUE" help:"HFSCR that L1 writes for L2; all it may use unless given."`
	Set       map[string]string `placeholder:"FIELD=VALUE" help:"Another field of hv_guest_state that L1 writes, or msr."`
	Structure string            `placeholder:"FILE" help:"Take hv_guest_state from this file, in L1's byte order; - for standard input."`

	Event   []string `sep:"none" placeholder:"EVENT" help:"What L2 does after it was entered: msgsndp, sc, cause 5, ..."`
	History string   `placeholder:"FILE" help:"What L1 and L2 do, a line each, - for standard input; instead of --event."`

	JSON    bool `name:"json" help:"Print JSON."`
	Verbose bool `short:"v" help:"Show every register, also those that are loaded and returned as written."`
}

func (*nestedCommand) Help() string {
	return `A history has one action a line; # begins a comment.

  hfscr 0x77ffffffffffffff   L1 writes a field of hv_guest_state, or msr
  enter                      L1 calls H_ENTER_NESTED
  msgsndp                    L2 executes an instruction that needs a facility
  cause 5                    hardware raises the facility interrupt with a cause
  sc, exit 0x500             L2 leaves for a hypercall, or through a vector
  hdsi A S R, hisi S R       L2 faults in its translation
  illegal I                  L2 executes an instruction nobody has
  write sprg0 0x99           L2 writes a register of its own
  tick 100                   the counters run on
  signal                     L1's thread is interrupted
  l1 mtebbhr                 L1 itself executes an instruction
  release EBB PM             L0 gives up facilities it had loaded`
}

func (c *nestedCommand) Run(s *session) (int, error) {
	plays, err := c.plays(s.reader)
	if err != nil {
		return 0, &inputError{err}
	}
	if c.JSON {
		err = writeNestedJSON(s.stdout, plays)
	} else if c.Compare {
		err = writeNestedComparison(s.stdout, plays)
	} else {
		err = c.write(s.stdout, &plays[0])
	}
	if err != nil {
		return 0, err
	}
	if c.Compare && !sameOutcomes(plays) {
		return statusNo, nil
	}
	return statusYes, nil
}

// nestedPlay is one history under one generation.
type nestedPlay struct {
	name       string // as the user gave it
	basis      string
	generation *power.Generation
	permitted  power.Permitted
	start      power.State
	moments    []power.Moment
}

// plays reads everything the user gave before anything is played.
func (c *nestedCommand) plays(r *reader) ([]nestedPlay, error) {
	names := c.Arg
	switch {
	case c.Compare && len(names) < 2:
		return nil, &hintedError{errors.New("--compare: want two generations or more"), "guise model nested --compare 5.10 6.12 7.2 ideal --event msgsndp"}
	case !c.Compare && len(names) > 0:
		return nil, &hintedError{fmt.Errorf("%s: generations as arguments are for --compare", names[0]), "guise model nested --generation " + names[0]}
	case !c.Compare:
		names = []string{c.Generation}
	}
	permitted, start, err := c.start(r)
	if err != nil {
		return nil, err
	}
	history, err := c.history(r)
	if err != nil {
		return nil, err
	}
	level := start.Machine.Level
	if c.Level != "" {
		if level, err = isapower.ParseLevel(c.Level); err != nil {
			return nil, fmt.Errorf("--level: %w", err)
		}
		if start.L1.PCR, err = isapower.PCR(start.Machine.Level, level); err != nil {
			return nil, fmt.Errorf("--level: %w", err)
		}
	}
	var plays []nestedPlay
	for _, name := range names {
		g, basis, err := power.FindGeneration(name)
		if err != nil {
			return nil, err
		}
		given := permitted
		if c.Permitted == "" {
			given.Available &= g.Permitted(start.Machine.Level, false)
		}
		p := nestedPlay{name: name, basis: basis, generation: g, permitted: g.At(given, level), start: start}
		p.start.L1.Loaded &= p.permitted.Available
		if g.Rule(power.RuleLazy) == power.LazyNone {
			p.start.L1.Loaded = p.permitted.Available
		}
		if _, given := c.Set["version"]; !given && c.Structure == "" && g.Rule(power.RuleVersions) == power.VersionOneOnly {
			p.start.Structure[isapower.StateVersion] = 1 // an L1 falls back to it when 2 is refused
		}
		p.moments = power.Play(g, p.permitted, p.start, history)
		plays = append(plays, p)
	}
	return plays, refuseImpossible(plays)
}

// refuseImpossible finds an action that could not happen under any generation:
// the history is wrong, not L0.
func refuseImpossible(plays []nestedPlay) error {
	for i, m := range plays[0].moments {
		if slices.ContainsFunc(plays, func(p nestedPlay) bool { return p.moments[i].Outcome.Did != power.Nothing }) {
			continue
		}
		if m.Outcome.State.Running {
			return fmt.Errorf("event %q: L2 runs then; let it leave first, with sc", m.Action.Text)
		}
		return fmt.Errorf("event %q: L2 does not run then; put enter before it", m.Action.Text)
	}
	return nil
}

// start makes the L1 that the flags describe.
func (c *nestedCommand) start(r *reader) (permitted power.Permitted, s power.State, err error) {
	if permitted.Emulated, err = maskFlag("--emulated", c.Emulated); err != nil {
		return permitted, s, err
	}
	if c.Permitted != "" {
		if permitted.Available, err = maskFlag("--permitted", c.Permitted); err != nil {
			return permitted, s, err
		}
	}
	host := isapower.Level31
	switch {
	case c.HostLevel != "":
		if host, err = isapower.ParseLevel(c.HostLevel); err != nil {
			return permitted, s, fmt.Errorf("--host-level: %w", err)
		}
	case c.Permitted != "" && permitted.Available&isapower.PREFIX == 0:
		host = isapower.Level30
	}
	if c.Permitted == "" {
		permitted.Available = isapower.Permitted(host, false)
	}
	if both := permitted.Available & permitted.Emulated; both != 0 {
		if c.Emulated != "MSGP" {
			return permitted, s, fmt.Errorf("--emulated: %#x is permitted as well; what L0 emulates is never on in hardware", both)
		}
		permitted.Emulated = 0 // the default, and MSGP was permitted by name
	}
	s = power.NewState(host, permitted)
	if c.Lazy != "" {
		lazy, err := maskFlag("--lazy", c.Lazy)
		if err != nil {
			return permitted, s, err
		}
		if more := lazy &^ permitted.Available; more != 0 {
			return permitted, s, fmt.Errorf("--lazy: %#x is not permitted, so that its state is never loaded", more)
		}
		s.L1.Loaded &^= lazy
	}
	if c.BigEndian {
		s.L1.MSR &^= isapower.MSRLE
	}
	return permitted, s, c.fill(r, &s, permitted)
}

// fill writes the structure as L1 does.
func (c *nestedCommand) fill(r *reader, s *power.State, permitted power.Permitted) error {
	s.Structure[isapower.StateHFSCR] = permitted.Available | permitted.Emulated
	if c.Structure != "" {
		data, err := r.read(c.Structure)
		if err != nil {
			return err
		}
		order := binary.ByteOrder(binary.LittleEndian)
		if c.BigEndian {
			order = binary.BigEndian
		}
		state, err := isapower.ParseState(data, order)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Structure, err)
		}
		s.Structure = *state
	}
	if c.HFSCR != "" {
		v, err := strconv.ParseUint(c.HFSCR, 0, 64)
		if err != nil {
			return fmt.Errorf("--hfscr: %q is not a number of 64 bits", c.HFSCR)
		}
		s.Structure[isapower.StateHFSCR] = v
	}
	for field, text := range c.Set {
		a, err := power.ParseAction(field + " " + text)
		if err == nil && !a.Set {
			err = fmt.Errorf("%s: not a field of hv_guest_state, nor msr", field)
		}
		if err != nil {
			return fmt.Errorf("--set: %w", err)
		}
		if a.Field == isapower.StateFields {
			s.MSR = a.Value
		} else {
			s.Structure[a.Field] = a.Value
		}
	}
	return nil
}

// history is what the user asked to be played: a file, or enter and events.
func (c *nestedCommand) history(r *reader) ([]power.Action, error) {
	if c.History == "" {
		history := []power.Action{{Text: "enter", Event: power.Event{Kind: power.Enter}}}
		for _, text := range c.Event {
			a, err := power.ParseAction(text)
			if err != nil {
				return nil, fmt.Errorf("--event: %w", err)
			}
			history = append(history, a)
		}
		return history, nil
	}
	if len(c.Event) > 0 {
		return nil, errors.New("--event and --history: want one of them")
	}
	text, err := r.readFor(c.History, "a history")
	if err != nil {
		return nil, err
	}
	history, err := power.ParseHistory(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.History, err)
	}
	if len(history) == 0 {
		return nil, fmt.Errorf("%s: no action in it", c.History)
	}
	return history, nil
}

// maskFlag reads a mask; "none" is one too.
func maskFlag(flag, text string) (uint64, error) {
	if strings.EqualFold(text, "none") {
		return 0, nil
	}
	return power.ParseMask(flag, text)
}
