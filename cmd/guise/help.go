package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/guise-project/guise/isa"
)

// helpCommand shows the help of a command, as --help after it does.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, as lab run; all of them unless given."`
}

func (c *helpCommand) Run(s *session) (int, error) {
	node := newParser(&commandLine{}, io.Discard, io.Discard).Model.Node
	for i, word := range c.Command {
		child := childNamed(node, word)
		if child == nil {
			names := func(yield func(string) bool) {
				for _, n := range node.Children {
					if !yield(n.Name) {
						return
					}
				}
			}
			known := strings.Join(append([]string{"guise"}, c.Command[:i]...), " ")
			return 0, &inputError{&hintedError{fmt.Errorf("%s has no command %s%s", known, word, isa.DidYouMean(word, names)), known + " --help lists its commands"}}
		}
		node = child
	}
	return s.run(append(c.Command, "--help")), nil
}

func childNamed(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}
