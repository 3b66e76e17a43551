package main

import (
	"io"
	"reflect"
	"testing"
)

// TestGrammarForEachCommand: the parser of one command is that command's part
// of the whole one.
func TestGrammarForEachCommand(t *testing.T) {
	whole := newParser(&commandLine{}, io.Discard, io.Discard).Model
	if len(whole.Children) < 10 {
		t.Fatalf("%d commands", len(whole.Children))
	}
	for _, want := range whole.Children {
		part := newParser(grammarFor([]string{want.Name, "x"}), io.Discard, io.Discard).Model
		if len(part.Children) != 1 {
			t.Errorf("%s: %d commands", want.Name, len(part.Children))
			continue
		}
		got := part.Children[0]
		if got.Name != want.Name || got.Help != want.Help || len(got.Flags) != len(want.Flags) || len(got.Children) != len(want.Children) || got.Target.Type() != want.Target.Type() {
			t.Errorf("%s: the part differs from the whole", want.Name)
		}
	}
	for _, args := range [][]string{nil, {"nonsense"}, {"--help"}, {"baseline", "--help"}, {"-h"}} {
		if _, all := grammarFor(args).(*commandLine); !all {
			t.Errorf("%q: %v", args, reflect.TypeOf(grammarFor(args)))
		}
	}
}
