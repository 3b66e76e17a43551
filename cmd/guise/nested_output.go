package main

import (
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	isapower "github.com/guise-project/guise/isa/power"
	"github.com/guise-project/guise/model/power"
)

// nestedVerdict is what came of an event, in a word.
func nestedVerdict(out *power.Outcome) string {
	if out.Did != power.Returned {
		return out.Did.String()
	}
	switch out.Answer {
	case power.Forward, power.ForwardBare:
		return "forwarded"
	case power.Illegal:
		return "illegal"
	case power.Program:
		return "program"
	case power.FailCall:
		return "failed"
	}
	return "returned"
}

// nestedTold is what L1 is told, "" where it is told nothing.
func nestedTold(out *power.Outcome) string {
	switch out.Did {
	case power.Interrupted:
		return fmt.Sprintf("interrupt %#x %s, SRR1 %#x", out.Vector, isapower.VectorNames[out.Vector], out.SRR1)
	case power.Refused, power.Returned:
	default:
		return ""
	}
	r3 := out.R3
	v := &out.State.Structure
	switch r3 {
	case isapower.VectorHFacility:
		return fmt.Sprintf("r3 %#x %s, cause %s", r3, isapower.VectorNames[uint64(r3)], causeName(isapower.Cause(v[isapower.StateHFSCR])))
	case isapower.VectorHEAI:
		return fmt.Sprintf("r3 %#x %s, heir %#x", r3, isapower.VectorNames[uint64(r3)], v[isapower.StateHEIR])
	case isapower.VectorHDSI:
		return fmt.Sprintf("r3 %#x %s, hdar %#x, hdsisr %#x, asdr %#x", r3, isapower.VectorNames[uint64(r3)],
			v[isapower.StateHDAR], v[isapower.StateHDSISR], v[isapower.StateASDR])
	case isapower.VectorHISI:
		return fmt.Sprintf("r3 %#x %s, asdr %#x", r3, isapower.VectorNames[uint64(r3)], v[isapower.StateASDR])
	case 0:
		return "r3 0: L1 tries again"
	}
	if name := isapower.ReturnNames[r3]; name != "" {
		return fmt.Sprintf("r3 %d %s", r3, name)
	}
	return fmt.Sprintf("r3 %#x %s", r3, isapower.VectorNames[uint64(r3)])
}

func causeName(cause uint8) string {
	if f, ok := isapower.FacilityOfCause(cause); ok && f.HFSCR {
		return fmt.Sprintf("%#02x %s", cause, f.Name)
	}
	return fmt.Sprintf("%#02x, of no facility", cause)
}

// facilityNames lists the facilities of a mask, and other bits as a number.
func facilityNames(mask uint64) string {
	var names []string
	for ; mask&isapower.Defined != 0; mask &^= 1 << bits.TrailingZeros64(mask&isapower.Defined) {
		f, _ := isapower.FacilityOfCause(uint8(bits.TrailingZeros64(mask & isapower.Defined)))
		names = append(names, f.Name)
	}
	if mask != 0 {
		names = append(names, fmt.Sprintf("%#x", mask))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// withheld says of an HFSCR what L1 turned on and the real one lacks.
func withheld(written, real uint64) string {
	gone := written &^ real &^ isapower.CauseMask
	if gone&isapower.Defined == 0 {
		return "all facilities it turned on"
	}
	return "without " + facilityNames(gone&isapower.Defined)
}

// nestedSummary is the sentence after the verdict.
func nestedSummary(p *nestedPlay, m *power.Moment) string {
	out := &m.Outcome
	what := m.Action.Text
	l0 := p.name
	if l0[0] >= '0' && l0[0] <= '9' {
		l0 = "Linux " + l0
	}
	switch nestedVerdict(out) {
	case "entered":
		return fmt.Sprintf("%s runs L2", l0)
	case "refused":
		return fmt.Sprintf("%s does not run L2: %s", l0, nestedTold(out))
	case "ran":
		return fmt.Sprintf("%s: the hardware does it, %s is not asked", what, l0)
	case "loaded":
		return fmt.Sprintf("%s: %s loads the state and L2 goes on; L1 is told nothing", what, l0)
	case "emulated":
		return fmt.Sprintf("%s: %s emulates it and goes on; L1 is told nothing", what, l0)
	case "nothing":
		return fmt.Sprintf("%s: cannot happen then", what)
	case "faulty":
		return fmt.Sprintf("%s: the real bit was on, hardware cannot raise this", what)
	}
	return fmt.Sprintf("%s under %s: %s", what, l0, nestedTold(out))
}

// write shows one play to a person.
func (c *nestedCommand) write(w io.Writer, p *nestedPlay) error {
	last := &p.moments[len(p.moments)-1]
	fmt.Fprintf(w, "%s  %s\n\n", nestedVerdict(&last.Outcome), nestedSummary(p, last))

	t := &nestedTable{w: w}
	entry := lastEntry(p)
	if entry >= 0 {
		written := &p.start.Structure
		if entry > 0 {
			written = &p.moments[entry-1].Outcome.State.Structure
		}
		c.writeRegisters(t, p, entry, written)
		if len(t.rows) > 0 {
			t.end()
		}
		fmt.Fprintln(w)
	}
	for i := range p.moments {
		m := &p.moments[i]
		t.row(m.Action.Text, nestedVerdict(&m.Outcome), nestedTold(&m.Outcome))
		for _, v := range m.Broken {
			t.row("", "breaks "+v.Invariant, v.How)
		}
	}
	t.end()
	fmt.Fprintf(w, "\npermitted: %s (%#x); emulated: %s; not loaded: %s\n", facilityNames(p.permitted.Available), p.permitted.Available,
		facilityNames(p.permitted.Emulated), facilityNames(p.permitted.Available&^p.start.L1.Loaded))
	fmt.Fprintf(w, "rests on: %s\n", nestedRestsOn(p, last))
	_, err := fmt.Fprintf(w, "\nhint: guise model nested --compare 5.10 6.12 7.2 ideal ... shows the same under each\n")
	return err
}

// lastEntry is the last moment at which L2 was entered, -1 for none.
func lastEntry(p *nestedPlay) int {
	entry := -1
	for i, m := range p.moments {
		if m.Action.Event.Kind == power.Enter && !m.Action.Set && m.Outcome.Did == power.Entered {
			entry = i
		}
	}
	return entry
}

// writeRegisters shows, for the last entry, what L1 wrote, what was real and
// what L1 reads now, where any two differ or the user named the field.
func (c *nestedCommand) writeRegisters(t *nestedTable, p *nestedPlay, entry int, written *isapower.State) {
	real, end := &p.moments[entry].Outcome.State, &p.moments[len(p.moments)-1].Outcome.State
	named := map[isapower.StateField]bool{isapower.StateHFSCR: true}
	for field := range c.Set {
		if f, ok := isapower.StateFieldNamed(field); ok {
			named[f] = true
		}
	}
	for _, m := range p.moments {
		if m.Action.Set {
			named[m.Action.Field] = true
		}
	}
	t.row("", "L1 wrote", "real", "L1 reads")
	folded := 0
	for _, row := range power.RegisterRules {
		if row.Entry == power.NotLoaded {
			continue
		}
		f := row.Field
		reads := hex64(end.Structure[f])
		if end.Running {
			reads = "(L2 runs)"
		}
		differs := written[f] != real.Real[f] || !end.Running && end.Structure[f] != written[f]
		if !c.Verbose && !named[f] {
			if differs {
				folded++
			}
			continue
		}
		note := ""
		if f == isapower.StateHFSCR {
			note = "real: " + withheld(written[f], real.Real[f])
		}
		t.row(f.String(), hex64(written[f]), hex64(real.Real[f]), reads, note)
	}
	if folded > 0 {
		t.end()
		fmt.Fprintf(t.w, "  %d more are not loaded or not returned as written  (-v)\n", folded)
	}
}

// nestedRestsOn is where the deciding rule comes from.
func nestedRestsOn(p *nestedPlay, m *power.Moment) string {
	rule := power.RuleMask
	if m.Outcome.Answer != 0 {
		rule = m.Outcome.Rule
	}
	text := fmt.Sprintf("%v: %v (%s)", rule, p.generation.Rule(rule), p.generation.Evidence(rule))
	if p.basis != "" {
		text += "; " + p.basis
	}
	return text
}

// sameOutcomes reports whether L1 sees the same under every generation.
func sameOutcomes(plays []nestedPlay) bool {
	for i := range plays[0].moments {
		for _, p := range plays[1:] {
			if nestedCell(&p.moments[i]) != nestedCell(&plays[0].moments[i]) {
				return false
			}
		}
	}
	return true
}

// nestedCell is what a moment came to, for a table.
func nestedCell(m *power.Moment) string {
	out := &m.Outcome
	switch {
	case m.Action.Set && out.Did == power.Ran:
		return "written"
	case out.Did == power.Nothing && out.State.Running:
		return "- (L2 runs)"
	case out.Did == power.Nothing:
		return "- (L1 runs)"
	case out.Did == power.Entered:
		return "real " + hex64(out.State.Real[isapower.StateHFSCR])
	case out.Did == power.Returned && out.R3 == isapower.VectorHFacility:
		return fmt.Sprintf("0xf80 cause %s, L1 reads %s", causeName(isapower.Cause(out.State.Structure[isapower.StateHFSCR])), hex64(out.State.Structure[isapower.StateHFSCR]))
	case out.Did == power.Returned && isapower.ReturnNames[out.R3] != "" && out.R3 != 0:
		return isapower.ReturnNames[out.R3] + ", L1 reads " + hex64(out.State.Structure[isapower.StateHFSCR])
	case out.Did == power.Returned:
		return fmt.Sprintf("%#x, L1 reads %s", out.R3, hex64(out.State.Structure[isapower.StateHFSCR]))
	case out.Did == power.Refused:
		return "refused " + isapower.ReturnNames[out.R3]
	}
	return out.Did.String()
}

// writeNestedComparison shows the same history under each generation: a block
// for each action, its generations below each other where they differ.
func writeNestedComparison(w io.Writer, plays []nestedPlay) error {
	names := make([]string, len(plays))
	for i, p := range plays {
		names[i] = p.name
	}
	are := "are"
	if !sameOutcomes(plays) {
		are = "are not"
	}
	fmt.Fprintf(w, "what becomes of L2 and what L1 sees %s the same under %s\n\n", are, strings.Join(names, ", "))
	t := &nestedTable{w: w}
	for i, m := range plays[0].moments {
		groups := groupCells(plays, i)
		for j, g := range groups {
			action := ""
			if j == 0 {
				action = m.Action.Text
			}
			who := strings.Join(g.names, " ")
			if len(groups) == 1 {
				who = "all"
			}
			t.row(action, who, g.cell)
		}
	}
	t.end()
	fmt.Fprintln(w)
	for _, p := range plays {
		how := map[string]string{}
		var order []string
		for _, m := range p.moments {
			for _, v := range m.Broken {
				if _, ok := how[v.Invariant]; !ok {
					order = append(order, v.Invariant)
					how[v.Invariant] = v.How
				}
			}
		}
		if len(order) == 0 {
			t.row(p.name, "breaks nothing")
		}
		for j, invariant := range order {
			name := ""
			if j == 0 {
				name = p.name
			}
			t.row(name, "breaks "+invariant, how[invariant])
		}
	}
	t.end()
	for _, p := range plays {
		if p.basis != "" {
			fmt.Fprintf(w, "\n%s is %s", p.name, p.basis)
		}
	}
	_, err := fmt.Fprintln(w, "\nhint: guise model nested --generation NAME ... shows one of them with its registers and what it rests on")
	return err
}

type cellGroup struct {
	cell  string
	names []string
}

// groupCells puts generations with the same cell together, in the order given.
func groupCells(plays []nestedPlay, moment int) []cellGroup {
	var groups []cellGroup
next:
	for _, p := range plays {
		c := nestedCell(&p.moments[moment])
		for i := range groups {
			if groups[i].cell == c {
				groups[i].names = append(groups[i].names, p.name)
				continue next
			}
		}
		groups = append(groups, cellGroup{c, []string{p.name}})
	}
	return groups
}

// nestedTable is a table that is being made.
type nestedTable struct {
	w    io.Writer
	rows [][]string
}

func (t *nestedTable) row(cells ...string) { t.rows = append(t.rows, cells) }

// end writes the table, and begins another.
func (t *nestedTable) end() {
	plainColumns(t.w, t.rows)
	t.rows = nil
}

func hex64(v uint64) string { return fmt.Sprintf("0x%016x", v) }

// nestedDocument is the JSON form: one per generation.
type nestedDocument struct {
	Generation string         `json:"generation"`
	Rules      string         `json:"rules"`
	Basis      string         `json:"basis,omitzero"`
	Permitted  string         `json:"permitted"`
	Emulated   string         `json:"emulated"`
	Moments    []nestedMoment `json:"moments"`
}

type nestedMoment struct {
	Action    string            `json:"action"`
	Did       string            `json:"did"`
	R3        *int64            `json:"r3,omitzero"`
	Vector    string            `json:"vector,omitzero"`
	Answer    string            `json:"answer,omitzero"`
	RestsOn   string            `json:"rests_on,omitzero"`
	Loaded    string            `json:"loaded"`
	Real      map[string]string `json:"real,omitzero"`
	Structure map[string]string `json:"hv_guest_state"`
	MSR       string            `json:"msr"`
	Breaks    []nestedViolation `json:"breaks,omitzero"`
}

type nestedViolation struct {
	Invariant string `json:"invariant"`
	How       string `json:"how"`
}

func writeNestedJSON(w io.Writer, plays []nestedPlay) error {
	documents := []nestedDocument{}
	for i := range plays {
		p := &plays[i]
		d := nestedDocument{Generation: p.name, Rules: p.generation.Name, Basis: p.basis,
			Permitted: hex64(p.permitted.Available), Emulated: hex64(p.permitted.Emulated)}
		for j := range p.moments {
			m := &p.moments[j]
			out := &m.Outcome
			n := nestedMoment{Action: m.Action.Text, Did: out.Did.String(), Loaded: hex64(out.State.L1.Loaded),
				Structure: stateMap(&out.State.Structure), MSR: hex64(out.State.MSR)}
			if out.Did == power.Returned || out.Did == power.Refused {
				n.R3 = &out.R3
			}
			if out.Vector != 0 {
				n.Vector = hex64(out.Vector)
			}
			if out.Answer != 0 {
				n.Answer = out.Answer.String()
				n.RestsOn = nestedRestsOn(p, m)
			}
			if out.State.Running {
				n.Real = stateMap(&out.State.Real)
				n.Real["msr"] = hex64(out.State.RealMSR)
			}
			for _, v := range m.Broken {
				n.Breaks = append(n.Breaks, nestedViolation{v.Invariant, v.How})
			}
			d.Moments = append(d.Moments, n)
		}
		documents = append(documents, d)
	}
	if err := json.MarshalWrite(w, documents, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func stateMap(state *isapower.State) map[string]string {
	m := map[string]string{}
	for _, row := range isapower.StateLayout {
		m[row.Name] = hex64(state[row.Field])
	}
	return m
}
