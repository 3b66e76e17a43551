package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// featureAnswer says how a guest finds a feature.
type featureAnswer struct {
	// Shown are the alternatives: it is there where all conditions of one hold.
	// There is none where no field of an ID register says.
	Shown     [][]conditionAnswer `json:"shownBy"`
	Implies   []string            `json:"implies"`
	ImpliedBy []string            `json:"impliedBy"`
	// MadeWith are the vCPU features that a VM has to be made with.
	MadeWith []guise.Feature `json:"madeWith"`
}

type conditionAnswer struct {
	Field   string `json:"field"`
	Is      string `json:"is"` // one of operatorWords
	Value   any    `json:"value"`
	Meaning string `json:"meaning,omitzero"`
}

var operatorWords = map[arm64.Operator]string{arm64.AtLeast: "at least", arm64.Equal: "equal to", arm64.Below: "below"}

// explainFeature says how a guest finds a feature.
func explainFeature(feature *arm64.Feature) registerAnswer {
	f := &featureAnswer{Shown: [][]conditionAnswer{}, Implies: slices.Clone(feature.Implies)}
	for _, all := range feature.Present {
		var conditions []conditionAnswer
		for _, test := range all {
			register := &arm64.Registers[test.Register]
			field := &register.Fields[test.Field]
			conditions = append(conditions, conditionAnswer{
				register.Name + "." + field.Name, operatorWords[test.Op], typed("", field.Text(test.Value)).Value, field.ValueName(test.Value),
			})
			with := guise.FeatureDeciding(register.Name, field.Name)
			if with != "" && !slices.Contains(f.MadeWith, with) {
				f.MadeWith = append(f.MadeWith, with)
			}
		}
		f.Shown = append(f.Shown, conditions)
	}
	for i := range arm64.FeatureTable {
		if other := &arm64.FeatureTable[i]; slices.Contains(other.Implies, feature.Name) {
			f.ImpliedBy = append(f.ImpliedBy, other.Name)
		}
	}
	return registerAnswer{Name: feature.Name, Fields: []fieldAnswer{}, Feature: f}
}

// printFeature writes how a guest finds a feature.
func (c *explainCommand) printFeature(s *session, a *registerAnswer) {
	f := a.Feature
	fmt.Fprintf(s.stdout, "%s\n", a.Name)
	switch {
	case len(f.Shown) == 0:
		fmt.Fprintln(s.stdout, "  no field of an ID register says whether it is there")
	case len(f.Shown) == 1:
		fmt.Fprintln(s.stdout, "  a guest finds it where")
	default:
		fmt.Fprintln(s.stdout, "  a guest finds it where all of one group hold")
	}
	for i, all := range f.Shown {
		if i > 0 {
			fmt.Fprintln(s.stdout, "  or")
		}
		var rows [][]string
		for _, condition := range all {
			rows = append(rows, []string{"  " + condition.Field, condition.Is, fmt.Sprint(condition.Value), condition.Meaning})
		}
		plainColumns(s.stdout, rows)
	}
	if len(f.MadeWith) > 0 {
		fmt.Fprintf(s.stdout, "  only in a VM made with %s\n", joinFeatures(f.MadeWith))
	}
	for _, list := range []struct {
		words string
		names []string
	}{{"cannot be without", f.Implies}, {"is there with", f.ImpliedBy}} {
		if len(list.names) > 0 {
			fmt.Fprintf(s.stdout, "  %s %s\n", list.words, strings.Join(list.names, ", "))
		}
	}
}

// explainField reads REGISTER.FIELD=VALUE.
func explainField(register *isa.Register, name, text string) (registerAnswer, error) {
	i := slices.IndexFunc(register.Fields, func(f isa.Field) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return registerAnswer{}, fmt.Errorf("%s has no field %s%s", register.Name, name, isa.DidYouMean(name, register.FieldNames()))
	}
	field := &register.Fields[i]
	value, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return registerAnswer{}, fmt.Errorf("%s.%s: value %q: want a number such as 0x1", register.Name, field.Name, text)
	}
	if value>>field.Width != 0 {
		return registerAnswer{}, fmt.Errorf("%s.%s: value %#x does not fit into %d bits", register.Name, field.Name, value, field.Width)
	}
	place, _ := arm64.Place(register.Name)
	answer := explainRegister(register, value<<field.LSB, nil, nil)
	f := answer.Fields[i]
	f.Features = featuresOfField(place, i, value<<field.LSB)
	return registerAnswer{Name: register.Name + "." + field.Name, Value: f.Value, Fields: []fieldAnswer{f}}, nil
}

// featuresOfField returns the FEAT_ names that one field's value shows,
// whatever the others are.
func featuresOfField(place, field int, value uint64) []string {
	var values [arm64.NumRegisters]uint64
	values[place] = value
	var names []string
	for i := range arm64.FeatureTable {
		f := &arm64.FeatureTable[i]
		shows := slices.ContainsFunc(f.Present, func(all []arm64.Test) bool {
			return !slices.ContainsFunc(all, func(t arm64.Test) bool {
				return t.Register != place || t.Field != field || !t.Holds(value)
			})
		})
		if shows {
			names = append(names, f.Name)
		}
	}
	return names
}

// unknownSubject is the error about an argument that is nothing guise knows.
func unknownSubject(name string) error {
	every := func(yield func(string) bool) {
		for _, names := range []func(func(string) bool){arm64.RegisterNames(), arm64.FeatureNames(), slices.Values(catalog.Names())} {
			for n := range names {
				if !yield(n) {
					return
				}
			}
		}
	}
	hint := "guise catalog lists the built-in captures; REGISTER=VALUE, REGISTER.FIELD=VALUE and FEAT_ names are explained too"
	return &inputError{&hintedError{fmt.Errorf("%s: no such file, not in the catalogue, and no register or feature%s", cmp.Or(name, `""`), isa.DidYouMean(name, every)), hint}}
}
