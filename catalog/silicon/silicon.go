// Package silicon has ID registers of machines that people run, each value with its
// known bits, how it is known, and its source. It has no captures: what KVM makes of a
// machine depends on the kernel, see package model/arm64.
package silicon

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/guise-project/guise/isa/arm64"
)

//go:embed machines.txt
var table string

// Machine is a machine by its cores.
type Machine struct {
	Name     string
	Products []string
	Note     string
	Cores    []Core // each kind once
}

// Core is one kind of core of a machine.
type Core struct {
	Part  string // "Neoverse N1 r3p1"
	MIDR  uint64
	Count int // 0: not known
	// Vectors are the SVE vector lengths in bits, nil where there are none.
	Vectors  []int
	Note     string
	Readings []Reading
}

// How says how a value is known.
type How byte

const (
	Hardware How = 'H' // read on hardware
	Manual   How = 'T' // from a manual, or from a model that follows it
	Decoded  How = 'D' // follows from a list of features
)

// Reading is one register of a core.
type Reading struct {
	Register string
	// Known masks the bits of Value that are known.
	Value, Known uint64
	How          How
	Source       string
	View         string // how it was read, "" where that is the source's own
	Note         string
}

// Reading returns what is known of a register, and whether something is.
func (c *Core) Reading(register string) (Reading, bool) {
	i := slices.IndexFunc(c.Readings, func(r Reading) bool { return r.Register == register })
	if i < 0 {
		return Reading{}, false
	}
	return c.Readings[i], true
}

// Names lists the machines in the table's order.
func Names() []string {
	var names []string
	for _, m := range machines() {
		names = append(names, m.Name)
	}
	return names
}

// Named returns a machine, nil where there is none of that name. The caller must not
// change it.
func Named(name string) *Machine {
	all := machines()
	i := slices.IndexFunc(all, func(m Machine) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// machines reads the table once.
var machines = sync.OnceValue(func() []Machine {
	all, err := parse(table)
	if err != nil {
		panic(err) // the table is embedded, and a test reads it
	}
	return all
})

// parser reads the table.
type parser struct {
	sources, views map[string]string
	all            []Machine
}

func parse(text string) ([]Machine, error) {
	p := &parser{sources: map[string]string{}, views: map[string]string{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return p.all, nil
}

// line reads one line: its first word says what it is about.
func (p *parser) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	if word == "source" || word == "view" {
		number, text, _ := strings.Cut(rest, " ")
		into := p.sources
		if word == "view" {
			into = p.views
		}
		into[number] = text
		return nil
	}
	if word == "machine" {
		p.all = append(p.all, Machine{Name: rest})
		return nil
	}
	if len(p.all) == 0 {
		return fmt.Errorf("%s stands before the first machine", word)
	}
	m := &p.all[len(p.all)-1]
	switch word {
	case "product":
		m.Products = append(m.Products, rest)
		return nil
	case "note":
		m.Note = rest
		return nil
	case "core":
		m.Cores = append(m.Cores, Core{Part: rest})
		return nil
	}
	if len(m.Cores) == 0 {
		return fmt.Errorf("%s stands before the first core", word)
	}
	return p.core(&m.Cores[len(m.Cores)-1], word, rest)
}

// core reads a line about a core.
func (p *parser) core(c *Core, word, rest string) (err error) {
	switch word {
	case "midr":
		c.MIDR, err = strconv.ParseUint(rest, 0, 64)
	case "count":
		c.Count, err = strconv.Atoi(rest)
	case "about":
		c.Note = rest
	case "vectors":
		for length := range strings.FieldsSeq(rest) {
			bits, err := strconv.Atoi(length)
			if err != nil && rest != "none" {
				return err
			}
			if err == nil {
				c.Vectors = append(c.Vectors, bits)
			}
		}
	default:
		var r Reading
		if r, err = p.reading(word, rest); err == nil {
			c.Readings = append(c.Readings, r)
		}
	}
	return err
}

// reading reads a register: its value, how it is known, and its source.
func (p *parser) reading(register, rest string) (Reading, error) {
	words := strings.SplitN(rest, " ", 4)
	if len(words) < 3 || len(words[1]) != 1 {
		return Reading{}, fmt.Errorf("%s: want a value, how it is known and its source", register)
	}
	r := Reading{Register: register, Known: ^uint64(0), How: How(words[1][0])}
	value, known, masked := strings.Cut(words[0], "/")
	var err error
	if r.Value, err = strconv.ParseUint(value, 0, 64); err != nil {
		return r, fmt.Errorf("%s: value %q: want a number", register, value)
	}
	if masked {
		if r.Known, err = strconv.ParseUint(known, 0, 64); err != nil {
			return r, fmt.Errorf("%s: mask %q: want a number", register, known)
		}
	}
	if _, ok := arm64.Place(register); !ok && arm64.Named(register) == nil && !beside[register] {
		return r, fmt.Errorf("%s: no such register", register)
	}
	source, view, viewed := strings.Cut(words[2], ".")
	if r.Source = p.sources[source]; r.Source == "" {
		return r, fmt.Errorf("%s: source %q is not there", register, source)
	}
	if viewed {
		if r.View = p.views[view]; r.View == "" {
			return r, fmt.Errorf("%s: view %q is not there", register, view)
		}
	}
	if len(words) == 4 {
		r.Note = words[3]
	}
	return r, nil
}

// beside are registers that the table of package isa/arm64 does not have, as no VM's
// view depends on them.
var beside = map[string]bool{"CNTFRQ_EL0": true, "PMMIR_EL1": true}
