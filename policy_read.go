package guise

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// Bounds of a policy file.
const (
	// MaxPolicySize is the largest policy that is read, in bytes: every field of
	// every register has room in it, for every rule.
	MaxPolicySize = 256 << 10
	// maxPolicyMembers is the most members of maps that a policy has, all together:
	// the parser's work grows with their square.
	maxPolicyMembers = 4096
	// maxPolicyDepth is how deep lists and maps stand in each other: rules, the
	// names in a rule, the fields of a register, and one to spare.
	maxPolicyDepth = 4
)

// ReadPolicy reads a policy from YAML: one document, a map of rules (docs/policy.md).
// Anchors, aliases and tags are refused, as is more than MaxPolicySize bytes. Every
// rule is checked as far as it can be without hosts. The error is a *DocumentError
// that names file, line and column.
func ReadPolicy(file string, data []byte) (*Policy, error) {
	r := &policyReader{file: file}
	body := r.parse(data)
	if r.err != nil {
		return nil, r.err
	}
	p := &Policy{}
	seen := map[string]bool{}
	for _, pair := range r.pairs("policy", body) {
		name := r.name("a rule", pair.Key)
		place := slices.IndexFunc(policyRules, func(rule policyRule) bool { return rule.name == name })
		switch {
		case r.err != nil:
		case place < 0:
			names := func(yield func(string) bool) {
				for i := range policyRules {
					if !yield(policyRules[i].name) {
						return
					}
				}
			}
			r.fail(pair.Key, "%q is no rule%s; want one of %s", name, isa.DidYouMean(name, names), joinRules())
		case seen[name]:
			r.fail(pair.Key, "%s stands here twice", name)
		default:
			policyRules[place].read(r, p, pair.Value)
		}
		seen[name] = true
	}
	if r.err != nil {
		return nil, r.err
	}
	if _, err := p.compile(); err != nil {
		r.failAt(r.lastOf(err), "%v", err)
		return nil, r.err
	}
	return p, nil
}

// lastOf returns where the last of the wishes stands that an error of compile is
// about: up to there the policy means something.
func (r *policyReader) lastOf(err error) *token.Token {
	var about *wishError
	if !errors.As(err, &about) {
		return nil
	}
	var last *token.Token
	for _, wish := range about.wishes {
		if t := r.wishes[wish]; t != nil && (last == nil || t.Position.Offset > last.Position.Offset) {
			last = t
		}
	}
	return last
}

// wished notes where a wish stands.
func (r *policyReader) wished(wish string, node ast.Node) {
	if r.wishes == nil {
		r.wishes = map[string]*token.Token{}
	}
	r.wishes[wish] = node.GetToken()
}

// policyRule is a rule of a policy file.
type policyRule struct {
	name string
	read func(r *policyReader, p *Policy, value ast.Node)
}

// policyRules are all rules; a function, as they refer to their reader.
var policyRules = []policyRule{
	{"allow", func(r *policyReader, p *Policy, value ast.Node) {
		p.Allow = map[string][]string{}
		r.each("allow", value, func(register string, pair *ast.MappingValueNode) {
			fields := r.names("allow: "+register, pair.Value, nil)
			p.Allow[register] = fields
			_, err := allowed(register, fields)
			r.refuse(pair.Key, err)
			r.wished("allow "+register, pair.Key)
		})
	}},
	{"force", func(r *policyReader, p *Policy, value ast.Node) { p.Force = r.bounds("force", value) }},
	{"hide", func(r *policyReader, p *Policy, value ast.Node) {
		p.Hide = r.names("hide", value, func(name string, node ast.Node) error {
			clauses, err := hidden(name)
			for _, c := range clauses {
				r.wished(c.wish, node)
			}
			return err
		})
	}},
	{"require", (*policyReader).require},
	{"restrict", func(r *policyReader, p *Policy, value ast.Node) { p.Restrict = r.bounds("restrict", value) }},
	{"vary", func(r *policyReader, p *Policy, value ast.Node) {
		scratch := &restriction{}
		for _, text := range r.names("vary", value, func(text string, node ast.Node) error {
			for _, name := range ParseVary(text) {
				r.wished("vary "+name, node)
				if err := scratch.varyNamed(name); err != nil {
					return err
				}
			}
			return nil
		}) {
			p.Vary = append(p.Vary, ParseVary(text)...)
		}
	}},
}

func joinRules() string {
	names := make([]string, len(policyRules))
	for i := range policyRules {
		names[i] = policyRules[i].name
	}
	return strings.Join(names, ", ")
}

// policyReader reads one policy. It keeps the first error.
type policyReader struct {
	file string
	err  error
	// wishes has where each wish stands, by what clauses call it.
	wishes map[string]*token.Token
}

func (r *policyReader) failAt(t *token.Token, format string, arguments ...any) {
	if r.err != nil {
		return
	}
	e := &DocumentError{File: r.file, Message: fmt.Sprintf(format, arguments...)}
	if t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	r.err = e
}

func (r *policyReader) fail(node ast.Node, format string, arguments ...any) {
	r.failAt(node.GetToken(), format, arguments...)
}

// refuse fails with an error about a node, where there is one.
func (r *policyReader) refuse(node ast.Node, err error) {
	if err != nil {
		r.fail(node, "%v", err)
	}
}

// parse returns the one document of a file. What a parser could not bear is found
// in the tokens, of which there are as many as the file is long.
func (r *policyReader) parse(data []byte) ast.Node {
	switch {
	case len(data) > MaxPolicySize:
		r.failAt(nil, "has %d bytes; the most that a policy can have is %d", len(data), MaxPolicySize)
		return nil
	case !utf8.Valid(data):
		r.failAt(nil, "not valid UTF-8")
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if r.checkTokens(tokens); r.err != nil {
		return nil
	}
	parsed, err := parser.Parse(tokens, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			r.failAt(syntax.GetToken(), "not valid YAML: %s", syntax.GetMessage())
		} else {
			r.failAt(nil, "not valid YAML: %v", err)
		}
		return nil
	}
	var body ast.Node
	for _, document := range parsed.Docs {
		switch {
		case document.Body == nil || document.Body.Type() == ast.CommentType:
		case body != nil:
			r.fail(document.Body, "a second document begins here; a policy is one")
		default:
			body = document.Body
		}
	}
	if body == nil {
		r.failAt(nil, "no rules in it; want a map of %s", joinRules())
	}
	return body
}

// refusedTokens are what a policy has no use for, and what a reader cannot bound.
var refusedTokens = map[token.Type]string{
	token.AnchorType: "an anchor (&)", token.AliasType: "an alias (*)", token.TagType: "a tag (!)", token.MergeKeyType: "a merge key (<<)",
	token.MappingKeyType: "a key with ?", token.DirectiveType: "a directive (%)",
}

// checkTokens refuses what a policy has no use for, and lists and maps that stand
// too deep in each other.
func (r *policyReader) checkTokens(tokens token.Tokens) {
	flow, members := 0, 0
	var columns []int // of the lists and maps in block style that are open
	for _, t := range tokens {
		column := 0
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType:
			column = t.Position.Column
		case token.MappingValueType:
			if members++; members > maxPolicyMembers {
				r.failAt(t, "has more than %d members", maxPolicyMembers)
				return
			}
			if flow == 0 && t.Prev != nil {
				column = t.Prev.Position.Column
			}
		case token.InvalidType:
			r.failAt(t, "not valid YAML: %s", t.Error)
			return
		}
		if len(t.Value) > longestQuoted && t.Type != token.CommentType {
			r.failAt(t, "a text of %d bytes; no name or number of a policy is longer than %d", len(t.Value), longestQuoted)
			return
		}
		if what := refusedTokens[t.Type]; what != "" {
			r.failAt(t, "%s; a policy is plain maps, lists, names and numbers", what)
			return
		}
		if column > 0 {
			for len(columns) > 0 && columns[len(columns)-1] >= column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, column)
		}
		if flow+len(columns) > maxPolicyDepth {
			r.failAt(t, "stands more than %d lists and maps deep", maxPolicyDepth)
			return
		}
	}
}

// pairs returns the members of a map.
func (r *policyReader) pairs(what string, node ast.Node) []*ast.MappingValueNode {
	switch node := node.(type) {
	case nil:
	case *ast.MappingNode:
		return node.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{node}
	default:
		r.fail(node, "%s: want a map, there is %s", what, kindOfNode(node))
	}
	return nil
}

// each calls read for the members of a map, by their names, each once.
func (r *policyReader) each(what string, node ast.Node, read func(name string, pair *ast.MappingValueNode)) {
	seen := map[string]bool{}
	for _, pair := range r.pairs(what, node) {
		name := r.name(what, pair.Key)
		if seen[name] {
			r.fail(pair.Key, "%s: %s stands here twice", what, name)
		}
		if r.err != nil {
			return
		}
		seen[name] = true
		read(name, pair)
	}
}

// name reads a name.
func (r *policyReader) name(what string, node ast.Node) string {
	text, ok := node.(*ast.StringNode)
	if !ok {
		r.fail(node, "%s: want a name, there is %s", what, kindOfNode(node))
		return ""
	}
	return text.Value
}

// names reads a list of names, and checks each, where check is not nil.
func (r *policyReader) names(what string, node ast.Node, check func(name string, node ast.Node) error) []string {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		r.fail(node, "%s: want a list, there is %s", what, kindOfNode(node))
		return nil
	}
	names := []string{}
	for _, element := range list.Values {
		name := r.name(what, element)
		if r.err == nil && check != nil {
			r.refuse(element, check(name, element))
		}
		if r.err != nil {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// bounds reads a map of fields and values, for the rule of that name.
func (r *policyReader) bounds(rule string, node ast.Node) map[string]uint64 {
	values := map[string]uint64{}
	r.each(rule, node, func(name string, pair *ast.MappingValueNode) {
		values[name] = r.bound(rule, name, pair)
	})
	return values
}

// bound reads the value of one field: a whole number, or the name that the
// architecture has for it, as 1.2 for a PSCI_VERSION.Version.
func (r *policyReader) bound(rule, name string, pair *ast.MappingValueNode) uint64 {
	slot, field, err := slotNamed(name)
	if err != nil {
		r.fail(pair.Key, "%s: %v", rule, err)
		return 0
	}
	value, ok := integerOf(pair.Value)
	if !ok {
		text := pair.Value.GetToken().Value
		place := slices.IndexFunc(field.Values, func(v isa.Value) bool { return v.Name == text })
		if _, scalar := pair.Value.(ast.ScalarNode); place < 0 || !scalar {
			r.fail(pair.Value, "%s: %s: want a whole number%s, there is %s", rule, name, orName(field), kindOfNode(pair.Value))
			return 0
		}
		value = field.Values[place].Value
	}
	for i := range bounds {
		if bounds[i].name == rule {
			var clauses []clause
			clauses, err = bounds[i].clause(arm64.Slots[slot].Name(), value)
			for _, c := range clauses {
				r.wished(c.wish, pair.Key)
			}
		}
	}
	r.refuse(pair.Value, err)
	return value
}

// orName says which names stand for values of a field.
func orName(field *isa.Field) string {
	if len(field.Values) == 0 {
		return ""
	}
	return " or one of " + namedValues(field)
}

// integerOf reads a number from 0 on.
func integerOf(node ast.Node) (uint64, bool) {
	number, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	switch value := number.Value.(type) {
	case uint64:
		return value, true
	case int64:
		return uint64(value), value >= 0
	}
	return 0, false
}

// require reads features, each true, and fields with the least that they show.
func (r *policyReader) require(p *Policy, node ast.Node) {
	p.AtLeast = map[string]uint64{}
	r.each("require", node, func(name string, pair *ast.MappingValueNode) {
		if strings.Contains(name, ".") {
			p.AtLeast[name] = r.bound("require", name, pair)
			return
		}
		if is, ok := pair.Value.(*ast.BoolNode); !ok || !is.Value {
			r.fail(pair.Value, "require: %s: want true for a feature, or REGISTER.FIELD with a value; there is %s", name, kindOfNode(pair.Value))
			return
		}
		clauses, err := required(name)
		r.refuse(pair.Key, err)
		for _, c := range clauses {
			r.wished(c.wish, pair.Key)
		}
		p.Require = append(p.Require, name)
	})
}

// nodeKinds are words for what may stand where something else is wanted.
var nodeKinds = map[ast.NodeType]string{
	ast.NullType: "nothing", ast.MappingType: "a map", ast.MappingValueType: "a map", ast.SequenceType: "a list",
	ast.BoolType: "", ast.IntegerType: "", ast.FloatType: "", ast.StringType: "", ast.InfinityType: "", ast.NanType: "",
	ast.LiteralType: "a block of text",
}

// kindOfNode says what a node is: a scalar in its own spelling.
func kindOfNode(node ast.Node) string {
	word, known := nodeKinds[node.Type()]
	switch {
	case word != "":
		return word
	case !known:
		return "something else"
	}
	text := node.GetToken().Value
	if runes := []rune(text); len(runes) > 40 {
		text = string(runes[:40]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
