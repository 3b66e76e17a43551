package power

import (
	"strings"
	"testing"

	isapower "github.com/guise-project/guise/isa/power"
)

func TestParseHistory(t *testing.T) {
	history, err := ParseHistory(strings.NewReader(`# the discussion's example
hfscr 0x77ffffffffffffff # everything on
msr 0x8000000000001000
  enter
msgsndp
cause 5
cause EBB
sc
exit 0x500
hdsi 0x1000 0x40020000 0x9000
hisi 0x40000000 0x9000
illegal 0x7c00051d
write sprg0 0x99
write msr 0x1000
tick 100
signal
l1 mtebbhr
release ebb,PM
release EBB PM
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Action{
		{Text: "hfscr 0x77ffffffffffffff", Set: true, Field: isapower.StateHFSCR, Value: 0x77ffffffffffffff},
		{Text: "msr 0x8000000000001000", Set: true, Field: isapower.StateFields, Value: 0x8000000000001000},
		{Text: "enter", Event: Event{Kind: Enter}},
		{Text: "msgsndp", Event: Event{Kind: Use, Cause: 10, Value: 0x7c00191c}},
		{Text: "cause 5", Event: Event{Kind: Unavailable, Cause: 5}},
		{Text: "cause EBB", Event: Event{Kind: Unavailable, Cause: 7}},
		{Text: "sc", Event: Event{Kind: Exit, Value: 0xc00}},
		{Text: "exit 0x500", Event: Event{Kind: Exit, Value: 0x500}},
		{Text: "hdsi 0x1000 0x40020000 0x9000", Event: Event{Kind: DataFault, Address: 0x1000, Syndrome: 0x40020000, Value: 0x9000}},
		{Text: "hisi 0x40000000 0x9000", Event: Event{Kind: InstructionFault, Syndrome: 0x40000000, Value: 0x9000}},
		{Text: "illegal 0x7c00051d", Event: Event{Kind: IllegalInstruction, Value: 0x7c00051d}},
		{Text: "write sprg0 0x99", Event: Event{Kind: Write, Field: isapower.StateSPRG0, Value: 0x99}},
		{Text: "write msr 0x1000", Event: Event{Kind: Write, Field: isapower.StateFields, Value: 0x1000}},
		{Text: "tick 100", Event: Event{Kind: Tick, Value: 100}},
		{Text: "signal", Event: Event{Kind: Signal}},
		{Text: "l1 mtebbhr", Event: Event{Kind: DirectUse, Cause: 7, Value: mustImage(t, "mtebbhr")}},
		{Text: "release ebb,PM", Event: Event{Kind: Release, Value: isapower.EBB | isapower.PM}},
		{Text: "release EBB PM", Event: Event{Kind: Release, Value: isapower.EBB | isapower.PM}},
	}
	if len(history) != len(want) {
		t.Fatalf("%d actions, want %d", len(history), len(want))
	}
	for i := range want {
		if history[i] != want[i] {
			t.Errorf("%+v, want %+v", history[i], want[i])
		}
	}
}

func mustImage(t *testing.T, mnemonic string) uint64 {
	t.Helper()
	i, ok := isapower.InstructionNamed(mnemonic)
	if !ok {
		t.Fatal(mnemonic)
	}
	return i.Image()
}

func TestParseHistoryNamesWhatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		"entre":                      `event "entre": not an event`,
		"enter now":                  `enter: want "enter"`,
		"hfscr":                      `hfscr: want "hfscr VALUE"`,
		"hfscr 0x1ffffffffffffffff":  "is not a number of 64 bits",
		"lpid 0x100000000":           "lpid: 0x100000000 does not fit its 4 bytes",
		"cause 6":                    "cause 6: no facility has this interrupt cause code",
		"cause 12":                   "cause 12: no facility",
		"cause":                      "cause : no facility",
		"exit 0xf80":                 "has a word of its own",
		"exit 0x123":                 "not an interrupt vector",
		"write hfscr 1":              "write: want a register of L2's own",
		"write sprg0 x":              "not a number",
		"release TURBO":              `release: "TURBO" is neither a mask nor a facility`,
		"release 0x800":              "release: bits 0x800 name no facility",
		"l1":                         "l1: want one instruction",
		"l1 nop":                     `event "nop": not an event`,
		"msgsndp twice":              "msgsndp: not an event that takes more words",
		"hdsi 1 2":                   `hdsi: want "hdsi ADDRESS SYNDROME GUEST-REAL"`,
		"\n\nhfscr 1\nenter\nnosuch": "line 5: event",
	} {
		if h, err := ParseHistory(strings.NewReader(line)); err == nil || h != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	if _, err := ParseHistory(strings.NewReader(strings.Repeat("#\n", maxHistory))); err == nil {
		t.Error("a history without end was read")
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add("hfscr 1\nenter\nmsgsndp\ncause EBB\nwrite srr0 1\nrelease PM\n")
	f.Add("cause 255\nexit 0xc00 # x\nl1 fadd")
	f.Fuzz(func(t *testing.T, text string) {
		history, err := ParseHistory(strings.NewReader(text))
		if err != nil && history != nil {
			t.Fatalf("error %v with value", err)
		}
		g, _, _ := FindGeneration("ideal")
		for _, a := range history {
			again, err := ParseAction(a.Text)
			if err != nil || again != a {
				t.Fatalf("%q reads back as %+v, %v; was %+v", a.Text, again, err, a)
			}
		}
		Play(g, power10, NewState(isapower.Level31, power10), history)
	})
}

func TestPlay(t *testing.T) {
	history, err := ParseHistory(strings.NewReader("hfscr 0x25bf\nenter\nmsgsndp\nsprg0 5\nsc\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]Did{
		"7.2":   {Ran, Entered, Returned, Ran, Nothing},
		"ideal": {Ran, Entered, Emulated, Nothing, Returned},
	} {
		g := mustFind(t, name)
		moments := Play(g, power10, NewState(isapower.Level31, power10), history)
		for i, m := range moments {
			if m.Outcome.Did != want[i] {
				t.Errorf("%s, %s: %v, want %v", name, m.Action.Text, m.Outcome.Did, want[i])
			}
		}
		if broke := len(moments[2].Broken) > 0; broke != (name == "7.2") {
			t.Errorf("%s: %v", name, moments[2].Broken)
		}
	}
}
