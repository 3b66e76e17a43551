package main

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/guise-project/guise/catalog/silicon"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	model "github.com/guise-project/guise/model/arm64"
)

// siliconJSON is a machine of the table.
type siliconJSON struct {
	Name     string            `json:"name"`
	Products []string          `json:"products"`
	Note     string            `json:"note,omitzero"`
	Cores    []siliconCoreJSON `json:"cores"`
}

type siliconCoreJSON struct {
	Part      string        `json:"part"`
	MIDR      string        `json:"midr"`
	Count     int           `json:"count,omitzero"` // of the product; left out where it is not known
	Vectors   []int         `json:"vectorLengths"`
	Note      string        `json:"note,omitzero"`
	Registers []readingJSON `json:"registers"`
}

type readingJSON struct {
	Register string `json:"register"`
	Value    string `json:"value"`
	Known    string `json:"known"` // the mask of known bits
	How      string `json:"how"`
	Source   string `json:"source"`
	View     string `json:"view,omitzero"`
	Note     string `json:"note,omitzero"`
}

// howKnown says how a value is known.
var howKnown = map[silicon.How]string{silicon.Hardware: "hardware", silicon.Manual: "manual", silicon.Decoded: "decoded"}

func siliconDocument(m *silicon.Machine) siliconJSON {
	document := siliconJSON{Name: m.Name, Products: m.Products, Note: m.Note}
	for i := range m.Cores {
		c := &m.Cores[i]
		core := siliconCoreJSON{Part: c.Part, MIDR: hexText(c.MIDR), Count: c.Count, Vectors: append([]int{}, c.Vectors...), Note: c.Note}
		for _, r := range c.Readings {
			core.Registers = append(core.Registers, readingJSON{r.Register, hexText(r.Value), hexText(r.Known), howKnown[r.How], r.Source, r.View, r.Note})
		}
		document.Cores = append(document.Cores, core)
	}
	return document
}

func hexText(value uint64) string { return fmt.Sprintf("%#x", value) }

// silicon lists the machines, or what is known of one.
func (c *catalogCommand) silicon(s *session) (int, error) {
	names := silicon.Names()
	if c.Name != "" {
		m, _, err := model.SiliconName(strings.TrimPrefix(c.Name, siliconPrefix))
		if err != nil {
			return 0, &inputError{&hintedError{err, "guise catalog --silicon lists the machines"}}
		}
		if !c.JSON {
			printSilicon(s, m)
			return statusYes, nil
		}
		names = []string{m.Name}
	}
	if c.JSON {
		documents := make([]siliconJSON, len(names))
		for i, name := range names {
			documents[i] = siliconDocument(silicon.Named(name))
		}
		return statusYes, s.printJSON(documents)
	}
	rows := [][]string{{"name", "cores", "registers", "hardware", "manual", "decoded", "products"}}
	for _, name := range names {
		m := silicon.Named(name)
		var parts []string
		how, all := map[silicon.How]int{}, 0
		for i := range m.Cores {
			parts = append(parts, coreText(&m.Cores[i]))
			for _, r := range m.Cores[i].Readings {
				how[r.How]++
				all++
			}
		}
		rows = append(rows, []string{
			name, strings.Join(parts, ", "), fmt.Sprint(all), fmt.Sprint(how[silicon.Hardware]), fmt.Sprint(how[silicon.Manual]), fmt.Sprint(how[silicon.Decoded]),
			strings.Join(m.Products, "; "),
		})
	}
	columns(s.stdout, rows, 2, 3, 4, 5)
	s.hint("silicon:NAME@KERNEL stands for a host wherever one does, as silicon:%s@6.8", names[0])
	return statusYes, nil
}

func coreText(c *silicon.Core) string {
	if c.Count == 0 {
		return c.Part
	}
	return fmt.Sprintf("%d %s", c.Count, c.Part)
}

// printSilicon prints what is known of one machine, and how its cores differ.
func printSilicon(s *session, m *silicon.Machine) {
	fmt.Fprintf(s.stdout, "%s: %s\n", m.Name, strings.Join(m.Products, "; "))
	if m.Note != "" {
		fmt.Fprintf(s.stdout, "note: %s\n", m.Note)
	}
	for i := range m.Cores {
		c := &m.Cores[i]
		fmt.Fprintf(s.stdout, "\n%s\n\n", coreText(c))
		rows := [][]string{{"register", "value", "known bits", "how", "source"}}
		for _, r := range c.Readings {
			known := "all"
			if r.Known != ^uint64(0) {
				known = hexText(r.Known)
			}
			source := r.Source
			if r.View != "" {
				source += "; " + r.View
			}
			rows = append(rows, []string{r.Register, hexText(r.Value), known, howKnown[r.How], source})
		}
		columns(s.stdout, rows)
	}
	for i := 1; i < len(m.Cores); i++ {
		printUnlike(s, &m.Cores[0], &m.Cores[i])
	}
	s.hint("silicon:%s@KERNEL stands for a host wherever one does", m.Name)
}

// printUnlike prints in which registers two kinds of core of one machine differ, and what
// comes of that.
func printUnlike(s *session, a, b *silicon.Core) {
	rows := [][]string{{"register", a.Part, b.Part, "what a VM meets"}}
	for place := range arm64.Registers {
		register := &arm64.Registers[place]
		left, l := a.Reading(register.Name)
		right, r := b.Reading(register.Name)
		switch {
		case !l && !r:
			continue
		case !l || !r:
			rows = append(rows, []string{register.Name, readingText(left, l), readingText(right, r), "not known of both"})
			continue
		}
		if differs := (left.Value ^ right.Value) & left.Known & right.Known; differs != 0 {
			rows = append(rows, []string{register.Name, hexText(left.Value), hexText(right.Value), unlikeText(register, differs)})
		}
	}
	if len(rows) == 1 {
		return
	}
	fmt.Fprintf(s.stdout, "\n%s and %s are not alike:\n\n", a.Part, b.Part)
	columns(s.stdout, rows)
	fmt.Fprint(s.stdout, "\nA VM whose vCPUs run on both kinds sees MIDR_EL1 change under it, and what its VMM writes back of registers\nthat are each core's own may be refused (CCSIDR_EL1 before Linux 6.3): pin its vCPUs to one kind.\n")
}

func readingText(r silicon.Reading, known bool) string {
	if !known {
		return "not known"
	}
	return hexText(r.Value)
}

// unlikeText says what the kernel makes of a difference between cores.
func unlikeText(register *isa.Register, differs uint64) string {
	if register.Whole || register.Scope == isa.Hardware || register.Scope == isa.PerVCPU {
		return "each core's own: pin vCPUs to one kind"
	}
	var safe, loose []string
	for i := range register.Fields {
		f := &register.Fields[i]
		if f.Mask()&differs == 0 {
			continue
		}
		if differs &^= f.Mask(); f.Sanitised {
			safe = append(safe, f.Name)
		} else {
			loose = append(loose, f.Name)
		}
	}
	if differs != 0 {
		loose = append(loose, fmt.Sprintf("bit %d", bits.TrailingZeros64(differs)))
	}
	var parts []string
	if len(safe) > 0 {
		parts = append(parts, strings.Join(safe, ", ")+": the value that is safe on all")
	}
	if len(loose) > 0 {
		parts = append(parts, strings.Join(loose, ", ")+": the boot core's")
	}
	return strings.Join(parts, "; ")
}

// explainSilicon explains what is known of a machine's registers: only fields of which
// every bit is known.
func explainSilicon(name string) ([]registerAnswer, error) {
	m, _, err := model.SiliconName(name)
	if err != nil {
		return nil, &inputError{&hintedError{err, "guise catalog --silicon lists the machines"}}
	}
	var answers []registerAnswer
	for i := range m.Cores {
		for _, r := range m.Cores[i].Readings {
			place, ok := arm64.Place(r.Register)
			if !ok {
				continue
			}
			answer := explainRegister(&arm64.Registers[place], r.Value, nil, nil)
			var unknown []string
			for _, field := range arm64.Registers[place].Fields {
				if field.Mask()&^r.Known != 0 {
					unknown = append(unknown, field.Name)
				}
			}
			answer.Fields = slices.DeleteFunc(answer.Fields, func(f fieldAnswer) bool { return slices.Contains(unknown, f.Name) })
			if place != arm64.MIDREL1 {
				answer.Meaning = m.Cores[i].Part
			}
			answer.Meaning += fmt.Sprintf(" (%s: %s)", howKnown[r.How], r.Source)
			if len(unknown) > 0 {
				answer.Meaning += "; not known: " + strings.Join(unknown, ", ")
			}
			answers = append(answers, answer)
		}
	}
	return answers, nil
}
