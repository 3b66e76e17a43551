package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/help.txt, and the outputs that the documentation shows")

// TestHelp holds the first thing a user sees. Run with -update to write it.
func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(context.Background(), []string{"--help"}, nil, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("status %d: %s", status, stderr.Bytes())
	}
	golden := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(golden, stdout.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), stdout.String()); d != "" {
		t.Errorf("the help changed; if that is meant, run: go test ./cmd/guise -run TestHelp -update\n%s", d)
	}
}

// TestEveryCommandExplainsItself: help texts are sentences, commands stand in
// the order of the groups, and every command that can be run is a command.
func TestEveryCommandExplainsItself(t *testing.T) {
	model := newParser(&commandLine{}, nil, nil).Model
	group := 0
	for _, node := range model.Children {
		place := slices.IndexFunc(groups, func(g kong.Group) bool { return node.Group != nil && g.Key == node.Group.Key })
		if place < group {
			t.Errorf("%s: its group comes before that of the command above it", node.Name)
		}
		group = max(group, place)
	}
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		path := node.FullPath()
		sentence(t, path, node.Help)
		for _, argument := range node.Positional {
			sentence(t, path+" "+argument.Name, argument.Help)
		}
		for _, flag := range node.Flags {
			sentence(t, path+" --"+flag.Name, flag.Help)
			if strings.Count(flag.FormatPlaceHolder(), ",...") > 1 {
				t.Errorf("%s --%s: the help shows %s; kong adds the ,... of lists", path, flag.Name, flag.FormatPlaceHolder())
			}
		}
		if _, ok := node.Target.Addr().Interface().(command); node.Leaf() && !ok {
			t.Errorf("%s: is not a command", path)
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	for _, node := range model.Children {
		walk(node)
	}
}

// TestHelpTellsOfStandardInput: wherever a document is taken, "-" is too.
func TestHelpTellsOfStandardInput(t *testing.T) {
	// Files that are no documents, and outputs.
	others := map[string]bool{"lab run --program": true, "lab run --in": true, "lab run --out": true, "lab matrix --program": true, "lab matrix --in": true, "lab matrix --out": true, "lab run --checkout": true, "lab matrix --checkout": true, "rehearse --checkout": true, "baseline --identity-of": true, "pools --identity-of": true, "fleet unpack --directory": true, "lab matrix --output-dir": true, "lab run args": true, "lab matrix args": true}
	takes := 0
	var walk func(node *kong.Node)
	walk = func(node *kong.Node) {
		path := strings.TrimPrefix(node.Path(), "guise ")
		var values []*kong.Value
		for _, flag := range node.Flags {
			kind := kindOf(flag.Value, flag.PlaceHolder)
			if _, output := flag.Target.Interface().(outputFile); kind.Files() && !output && !others[path+" --"+flag.Name] {
				values = append(values, flag.Value)
			}
		}
		for _, argument := range node.Positional {
			if kindOf(argument, argument.Name).Files() && !others[path+" "+argument.Name] {
				values = append(values, argument)
			}
		}
		for _, v := range values {
			takes++
			if !strings.Contains(v.Help, "- for standard input") {
				t.Errorf("%s: its help is %q; want \"- for standard input\" in it", v.ShortSummary(), v.Help)
			}
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(newParser(&commandLine{}, nil, nil).Model.Node)
	if takes < 20 {
		t.Errorf("only %d arguments and flags take documents", takes)
	}
}

// sentence wants a text that begins with a capital and ends like a sentence.
func sentence(t *testing.T, what, text string) {
	t.Helper()
	first := []rune(text + " ")[0]
	if unicode.IsLower(first) || unicode.IsSpace(first) || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") {
		t.Errorf("%s: its help is %q; want a sentence", what, text)
	}
}
