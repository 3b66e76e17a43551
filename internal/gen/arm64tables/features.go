package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"slices"
	"strings"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// node is the part of Arm's abstract syntax tree that Features.json uses.
type node struct {
	Type      string          `json:"_type"`
	Op        string          `json:"op"`
	Name      string          `json:"name"`
	Left      *node           `json:"left"`
	Right     *node           `json:"right"`
	Expr      *node           `json:"expr"`
	Arguments []*node         `json:"arguments"`
	Values    json.RawMessage `json:"values"`
	Value     json.RawMessage `json:"value"`
}

// parameter is one FEAT_ or architecture version of Features.json.
type parameter struct {
	Name        string  `json:"name"`
	Constraints []*node `json:"constraints"`
}

// parseFeatures reads Features.json. A feature's condition is what Arm gives as
// equivalent to it ("<->") over AArch64 ID registers of the table; where there
// is none, what it gives as necessary ("-->").
func parseFeatures(source []byte, registers []isa.Register) ([]arm64.Feature, error) {
	var document struct {
		Parameters []parameter `json:"parameters"`
	}
	if err := json.Unmarshal(source, &document); err != nil {
		return nil, fmt.Errorf("source/Features.json: %v", err)
	}
	p := &featureParser{registers: registers, parameters: map[string]*parameter{}}
	for i := range document.Parameters {
		p.parameters[document.Parameters[i].Name] = &document.Parameters[i]
	}
	var features []arm64.Feature
	for i := range document.Parameters {
		features = append(features, p.feature(&document.Parameters[i]))
	}
	slices.SortFunc(features, func(a, b arm64.Feature) int { return strings.Compare(a.Name, b.Name) })
	return features, nil
}

type featureParser struct {
	registers  []isa.Register
	parameters map[string]*parameter
	visiting   []string
}

// feature reads one parameter's implications and condition.
func (p *featureParser) feature(parameter *parameter) arm64.Feature {
	f := arm64.Feature{Name: parameter.Name}
	for _, c := range parameter.Constraints {
		if c.Op == "-->" && c.Left.identifier() == parameter.Name {
			f.Implies = append(f.Implies, c.Right.conjuncts()...)
		}
	}
	// Arm's file names FEAT_RASSA in constraints and does not define it.
	f.Implies = slices.DeleteFunc(f.Implies, func(name string) bool { return p.parameters[name] == nil })
	slices.Sort(f.Implies)
	f.Implies = slices.Compact(f.Implies)
	f.Present = p.condition(parameter)
	return f
}

// condition finds the feature's condition over ID registers, nil where Arm
// gives none.
func (p *featureParser) condition(parameter *parameter) arm64.Condition {
	if slices.Contains(p.visiting, parameter.Name) {
		return nil
	}
	p.visiting = append(p.visiting, parameter.Name)
	defer func() { p.visiting = p.visiting[:len(p.visiting)-1] }()
	var best, piecewise arm64.Condition
	bestRank := 0
	for _, c := range parameter.Constraints {
		for c.Op == "-->" && c.Left.identifier() != parameter.Name && c.Right.Type == "AST.BinaryOp" {
			c = c.Right // FEAT_AA64EL1 --> (...)
		}
		whole := c.Left.identifier() == parameter.Name
		if c.Op != "<->" && (c.Op != "-->" || !whole || c.Right.identifier() != "") {
			continue // that a feature needs another one says nothing of how it shows
		}
		condition, ok := p.alternatives(c.Right)
		switch {
		case !ok || len(condition) == 0:
		case !whole && slices.Contains(c.Left.conjuncts(), parameter.Name):
			piecewise = append(piecewise, condition...) // FEAT_LPA2, for each granule
		case whole:
			if rank := p.rank(c.Op, condition); rank > bestRank {
				best, bestRank = condition, rank
			}
		}
	}
	if best == nil {
		return piecewise
	}
	return best
}

// rank prefers what is equivalent to what is only necessary, and AArch64 ID
// registers to AArch32 ones.
func (p *featureParser) rank(op string, condition arm64.Condition) int {
	rank := 1
	if op == "<->" {
		rank += 2
	}
	for _, all := range condition {
		for _, test := range all {
			if !strings.HasPrefix(p.registers[test.Register].Name, "ID_AA64") && !strings.HasPrefix(p.registers[test.Register].Name, "CTR_") {
				return rank
			}
		}
	}
	return rank + 1
}

// alternatives turns an expression into its disjunctive normal form. It returns
// false for an expression that speaks of anything but fields of the table.
func (p *featureParser) alternatives(n *node) (arm64.Condition, bool) {
	switch {
	case n.Type == "AST.BinaryOp" && n.Op == "||":
		left, ok := p.alternatives(n.Left)
		right, ok2 := p.alternatives(n.Right)
		if n.Right.identifier() != "" && strings.HasPrefix(n.Right.identifier(), "v") {
			return left, ok // "|| v8Ap4": the version alone does not show in a register
		}
		return append(left, right...), ok && ok2
	case n.Type == "AST.BinaryOp" && n.Op == "&&":
		left, ok := p.alternatives(n.Left)
		right, ok2 := p.alternatives(n.Right)
		var both arm64.Condition
		for _, l := range left {
			for _, r := range right {
				both = append(both, append(slices.Clone(l), r...))
			}
		}
		return both, ok && ok2
	case n.Type == "AST.BinaryOp":
		return p.test(n)
	case n.identifier() != "":
		named, known := p.parameters[n.identifier()]
		if !known {
			return nil, false
		}
		condition := p.condition(named)
		return condition, condition != nil
	}
	return nil, false
}

// test reads UInt(REGISTER.FIELD) >= N and its like.
func (p *featureParser) test(n *node) (arm64.Condition, bool) {
	fieldNode, signed := n.Left, false
	if n.Left.Type == "AST.Function" && len(n.Left.Arguments) == 1 {
		fieldNode, signed = n.Left.Arguments[0], n.Left.Name == "SInt"
	}
	register, field, ok := p.field(fieldNode)
	if !ok {
		return nil, false
	}
	base := arm64.Test{Register: register, Field: field, Signed: signed}
	if n.Op == "IN" {
		var members []struct {
			Value string `json:"value"`
		}
		if json.Unmarshal(n.Right.Values, &members) != nil {
			return nil, false
		}
		var any arm64.Condition
		for _, m := range members {
			test := base
			test.Op = arm64.Equal
			if _, err := fmt.Sscanf(strings.Trim(m.Value, "'"), "%b", &test.Value); err != nil {
				return nil, false
			}
			any = append(any, []arm64.Test{test})
		}
		return any, true
	}
	op, known := map[string]arm64.Operator{">=": arm64.AtLeast, "==": arm64.Equal, "<": arm64.Below}[n.Op]
	if !known || json.Unmarshal(n.Right.Value, &base.Value) != nil {
		return nil, false
	}
	base.Op = op
	return arm64.Condition{{base}}, true
}

// field finds the field that a node names in the table.
func (p *featureParser) field(n *node) (register, field int, ok bool) {
	var named struct {
		Name, Field, State string
	}
	if n.Type != "Types.Field" || json.Unmarshal(n.Value, &named) != nil || named.State != "AArch64" {
		return 0, 0, false
	}
	for r := range p.registers {
		if p.registers[r].Name != named.Name {
			continue
		}
		for f := range p.registers[r].Fields {
			if strings.EqualFold(p.registers[r].Fields[f].Name, named.Field) {
				return r, f, true
			}
		}
	}
	return 0, 0, false
}

// identifier returns the name of an identifier node, "" for any other.
func (n *node) identifier() string {
	var name string
	if n != nil && n.Type == "AST.Identifier" && json.Unmarshal(n.Value, &name) == nil {
		return name
	}
	return ""
}

// conjuncts returns the identifiers that a conjunction requires.
func (n *node) conjuncts() []string {
	if n.Type == "AST.BinaryOp" && n.Op == "&&" {
		return append(n.Left.conjuncts(), n.Right.conjuncts()...)
	}
	if name := n.identifier(); name != "" {
		return []string{name}
	}
	return nil
}

// printFeatures writes the table as Go source.
func printFeatures(features []arm64.Feature) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprint(&b, `// Code generated by arm64tables from source/Features.json; DO NOT EDIT.
//
// Derived from Arm's machine-readable architecture description (AARCHMRS
// v9Ap6-A, build 445, 2025-03): Copyright (c) 2010-2025 Arm Limited or its
// affiliates. All rights reserved. This document is Non-confidential and
// licensed under the BSD 3-clause license.

package arm64

// FeatureTable is every feature and architecture version that Arm names, by
// name.
var FeatureTable = [...]Feature{
`)
	for _, f := range features {
		fmt.Fprintf(&b, "{Name: %q", f.Name)
		if len(f.Implies) > 0 {
			fmt.Fprintf(&b, ", Implies: %#v", f.Implies)
		}
		if len(f.Present) > 0 {
			fmt.Fprint(&b, ", Present: Condition{")
			for _, all := range f.Present {
				fmt.Fprint(&b, "{")
				for _, t := range all {
					fmt.Fprintf(&b, "{Register: %d, Field: %d, Op: %d, Value: %d, Signed: %t},", t.Register, t.Field, t.Op, t.Value, t.Signed)
				}
				fmt.Fprint(&b, "},")
			}
			fmt.Fprint(&b, "}")
		}
		fmt.Fprint(&b, "},\n")
	}
	fmt.Fprint(&b, "}\n")
	return format.Source(b.Bytes())
}
