package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// flagless are the packages, and what lies below them, that have callers other than
// the command and so say what is to be done in data: the command turns that into
// flags. "." is the root alone.
var flagless = []string{".", "isa", "kernel", "vm"}

// flagWord is a flag of a command line.
var flagWord = regexp.MustCompile(`(?:^|[^-\w])--[a-z]`)

func flags(t *Tree) (breaches []string) {
	for _, f := range t.Files {
		if f.Go == nil || f.Test() || !slices.ContainsFunc(flagless, func(d string) bool {
			return f.Directory() == d || d != "." && strings.HasPrefix(f.Directory(), d+"/")
		}) {
			continue
		}
		ast.Inspect(f.Go, func(node ast.Node) bool {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING && flagWord.MatchString(literal.Value) {
				breaches = append(breaches, fmt.Sprintf("%s: %s: speaks of a flag; want a guise.Remedy, which cmd/guise has the words for", t.at(literal), literal.Value))
			}
			return true
		})
	}
	return breaches
}
