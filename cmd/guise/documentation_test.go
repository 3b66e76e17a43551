package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocumentation runs every command line of guise that the documentation
// shows in a block marked "console", and wants the output that stands there.
// Command lines of one file share a directory, so that one can use what an
// earlier one wrote. A line of "..." stands for any lines.
//
// Run with -update to write the outputs anew.
func TestDocumentation(t *testing.T) {
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, file := range append(files, filepath.Join(top, "README.md")) {
		name, err := filepath.Rel(top, file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			parts := splitDocument(string(data))
			for i := range parts {
				if parts[i].command == "" {
					continue
				}
				shown++
				got := runShown(t, parts[i].command)
				if *update && !slices.Contains(strings.Split(parts[i].text, "\n"), "...") {
					parts[i].text = got
				}
				if !matchesShown(parts[i].text, got) {
					t.Errorf("$ %s\n%s", parts[i].command, cmp.Diff(parts[i].text, got))
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(joinDocument(parts)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if shown < 3 {
		t.Errorf("the documentation shows %d command lines; want the no, its mend and the yes at least", shown)
	}
}

// documentPart is a command line with the output below it, or what stands
// between two of them.
type documentPart struct{ command, text string }

const prompt = "$ guise "

// splitDocument takes a text in Markdown apart.
func splitDocument(text string) []documentPart {
	parts := []documentPart{{}}
	console := false
	for line := range strings.Lines(text) {
		command, found := strings.CutPrefix(line, prompt)
		switch {
		case strings.HasPrefix(line, "```"):
			console = strings.TrimSpace(line) == "```console"
			parts = append(parts, documentPart{text: line})
		case console && found:
			parts = append(parts, documentPart{command: "guise " + strings.TrimSpace(command)})
		default:
			parts[len(parts)-1].text += line
		}
	}
	return parts
}

// joinDocument is the inverse of splitDocument.
func joinDocument(parts []documentPart) string {
	var text strings.Builder
	for _, part := range parts {
		if part.command != "" {
			text.WriteString("$ " + part.command + "\n")
		}
		text.WriteString(part.text)
	}
	return text.String()
}

// runShown runs a command line and returns what a terminal would show. An
// answer may be no or unknown, but it has to be an answer.
func runShown(t *testing.T, line string) string {
	t.Helper()
	var terminal bytes.Buffer
	status := run(context.Background(), strings.Fields(line)[1:], strings.NewReader(""), &terminal, &terminal)
	if status != statusYes && status != statusNo && status != statusUnknown {
		t.Errorf("$ %s\nstatus %d: %s", line, status, terminal.Bytes())
	}
	return terminal.String()
}

// matchesShown compares an output with the one that is shown. An empty line
// before the next command line is not part of the output.
func matchesShown(want, got string) bool {
	want, got = strings.TrimRight(want, "\n"), strings.TrimRight(got, "\n")
	pieces := strings.Split(want, "\n...\n")
	if len(pieces) == 1 {
		return want == got
	}
	for i, piece := range pieces {
		place := strings.Index(got, piece)
		if place < 0 || i == 0 && place != 0 {
			return false
		}
		got = got[place+len(piece):]
	}
	return got == ""
}

func TestMatchesShown(t *testing.T) {
	for _, test := range []struct {
		want, got string
		matches   bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\nb\n\n", "a\nb\n", true},
		{"a\n", "a\nb\n", false},
		{"a\n...\nc\n", "a\nb\nc\n", true},
		{"a\n...\nc\n", "x\na\nb\nc\n", false},
		{"a\n...\nc\n", "a\nb\nc\nd\n", false},
		{"a\n...\nx\n...\nc\n", "a\nb\nc\n", false},
	} {
		if matchesShown(test.want, test.got) != test.matches {
			t.Errorf("%q shows %q: want %v", test.want, test.got, test.matches)
		}
	}
}
