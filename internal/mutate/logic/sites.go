// Package logic changes the logic of a package, one operator, condition or statement
// at a time, and sees whether a test of the package notices. All changes are in one
// test binary, each behind a switch: what costs is running tests, not compiling.
package logic

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// Site is one place of a file where the logic can be changed in one way.
type Site struct {
	ID     int
	File   string // relative to the package
	Line   int
	Kind   string
	Change string // "a < b -> a <= b"
	// start and end are where the changed expression or statement stands, in bytes.
	start, end int
	lastLine   int
	// wrap makes of the text, in which other sites may already be switched, one
	// that the site switches. Plain is the text as it stands in the file.
	wrap func(id int, plain, inner string) string
}

// swaps are the operators and what each becomes.
var swaps = map[token.Token][]token.Token{
	token.LSS: {token.LEQ}, token.LEQ: {token.LSS}, token.GTR: {token.GEQ}, token.GEQ: {token.GTR},
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD},
	token.AND: {token.OR}, token.OR: {token.AND}, token.AND_NOT: {token.AND},
}

// kinds says what the swaps of an operator are called.
func kindOf(op token.Token) string {
	switch op {
	case token.LAND, token.LOR:
		return "and, or"
	case token.ADD, token.SUB:
		return "plus, minus"
	case token.AND, token.OR, token.AND_NOT:
		return "bits"
	case token.EQL, token.NEQ:
		return "equal"
	}
	return "boundary"
}

// find lists the sites of a file. Ids are not given yet.
func find(name string, source []byte) ([]*Site, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := finder{name: name, source: source, files: files}
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
			ast.Inspect(function.Body, f.visit)
		}
	}
	return f.sites, nil
}

type finder struct {
	name   string
	source []byte
	files  *token.FileSet
	sites  []*Site
}

func (f *finder) offset(p token.Pos) int { return f.files.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

func (f *finder) add(n ast.Node, kind, change string, wrap func(id int, plain, inner string) string) {
	f.sites = append(f.sites, &Site{
		File: f.name, Line: f.files.Position(n.Pos()).Line, lastLine: f.files.Position(n.End()).Line, Kind: kind, Change: oneLine(change),
		start: f.offset(n.Pos()), end: f.offset(n.End()), wrap: wrap,
	})
}

// condition adds that a condition is always one value.
func (f *finder) condition(e ast.Expr, values ...bool) {
	for _, value := range values {
		f.add(e, "condition", fmt.Sprintf("%s -> %v", f.text(e), value), func(id int, plain, inner string) string {
			return fmt.Sprintf("func() bool { if mutant(%d) { return %v }; return %s }()", id, value, inner)
		})
	}
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR
	case *ast.IfStmt:
		f.condition(n.Cond, true, false)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.condition(n.Cond, false)
		}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, clause := range n.Body.List {
				for _, e := range clause.(*ast.CaseClause).List {
					f.condition(e, true, false)
				}
			}
		}
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.add(n, "not", f.text(n)+" -> "+f.text(n.X), func(id int, plain, inner string) string {
				return fmt.Sprintf("((%s) != mutant(%d))", inner, id)
			})
		}
	case *ast.Ident:
		if n.Name == "true" || n.Name == "false" {
			f.add(n, "constant", n.Name+" negated", func(id int, plain, inner string) string {
				return fmt.Sprintf("(%s != mutant(%d))", plain, id)
			})
		}
	case *ast.ExprStmt:
		if _, ok := n.X.(*ast.CallExpr); ok {
			f.leaveOut(n)
		}
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			f.leaveOut(n)
		}
	case *ast.IncDecStmt:
		f.leaveOut(n)
	case *ast.BranchStmt:
		if n.Tok == token.CONTINUE || n.Tok == token.BREAK {
			f.leaveOut(n)
		}
	}
	return true
}

// leaveOut adds that a statement is left out. A statement that opens an if or a
// loop cannot be: what is made of it does not compile, and it is dropped.
func (f *finder) leaveOut(n ast.Stmt) {
	f.add(n, "left out", f.text(n)+" left out", func(id int, plain, inner string) string {
		return fmt.Sprintf("if !mutant(%d) { %s }", id, inner)
	})
}

// binary adds what the operator of an expression can become. Both texts stand in
// the file then, so those of several lines are left alone: lines stay where they
// are, for what the compiler says.
func (f *finder) binary(n *ast.BinaryExpr) {
	plain := f.text(n)
	if strings.ContainsAny(plain, "\n`") || strings.Contains(plain, "func(") {
		return
	}
	for _, op := range swaps[n.Op] {
		other := f.text(n.X) + " " + op.String() + " " + f.text(n.Y)
		kind := kindOf(n.Op)
		f.add(n, kind, plain+" -> "+other, func(id int, _, inner string) string {
			if kind == "plus, minus" || kind == "bits" {
				return fmt.Sprintf("mutantPick(%d, %s, %s)", id, inner, other)
			}
			return fmt.Sprintf("func() bool { if mutant(%d) { return %s }; return %s }()", id, other, inner)
		})
	}
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 100 {
		text = string(runes[:99]) + "…"
	}
	return text
}

// rewrite switches the sites of one file, which have ids and do not overlap but
// where one holds another.
func rewrite(source []byte, sites []*Site) string {
	// The outer first; of those at one place, the order in which they were found.
	ordered := slices.Clone(sites)
	slices.SortStableFunc(ordered, func(a, b *Site) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	text, rest := rewriteWithin(source, 0, len(source), ordered)
	if len(rest) > 0 {
		panic("sites overlap") // of the syntax tree: they do not
	}
	return text
}

// rewriteWithin writes a range of the file with the sites that lie in it, and
// returns the sites after it.
func rewriteWithin(source []byte, start, end int, sites []*Site) (string, []*Site) {
	var b bytes.Buffer
	at := start
	for len(sites) > 0 && sites[0].end <= end {
		s := sites[0]
		b.Write(source[at:s.start])
		inner, rest := rewriteWithin(source, s.start, s.end, sites[1:])
		plain := string(source[s.start:s.end])
		b.WriteString(s.wrap(s.ID, plain, inner))
		at, sites = s.end, rest
	}
	b.Write(source[at:end])
	return b.String(), sites
}
