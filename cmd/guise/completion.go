package main

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// completionCommand prints what makes a shell complete command lines of guise.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: ${enum}."`
}

//go:embed completion/*.tmpl
var completionTemplates embed.FS

func (c *completionCommand) Run(s *session) (int, error) {
	templates, err := template.New("").Funcs(template.FuncMap{"join": strings.Join, "quote": quoteWord}).ParseFS(completionTemplates, "completion/*.tmpl")
	if err != nil {
		return 0, err
	}
	model := newParser(&commandLine{}, io.Discard, io.Discard).Model
	tables := completionTables{Commands: completionCommands(model.Node, ""), Words: completionWords()}
	var script bytes.Buffer
	if err := templates.ExecuteTemplate(&script, c.Shell+".tmpl", tables); err != nil {
		return 0, err
	}
	_, err = s.stdout.Write(script.Bytes())
	return statusYes, err
}

// completionTables are what the templates put into each shell's words.
type completionTables struct {
	Commands []completedCommand
	Words    []completedWords
}

// completedCommand is a command, or a group of them, with what may follow it.
type completedCommand struct {
	Path        string // "lab run", "" for guise itself
	Subcommands []completedSubcommand
	Flags       []completedFlag
	Arguments   completedKind
}

type completedSubcommand struct{ Name, Help string }

// completedFlag is a flag in its long form, and in its short one where it has
// one.
type completedFlag struct {
	Long, Short, Help string
	Value             completedKind // "" where the flag takes none
}

// completedKind says what can stand in a place: the name of a list of words,
// "words:" and the words themselves, "file", or "none" for what only the user
// knows.
type completedKind string

// Files reports whether files can stand there too.
func (k completedKind) Files() bool { return k == "file" || k == "host" }

// Inline returns the words that stand in the kind itself.
func (k completedKind) Inline() string { return strings.TrimPrefix(string(k), "words:") }

// IsInline reports whether the words stand in the kind itself.
func (k completedKind) IsInline() bool { return strings.HasPrefix(string(k), "words:") }

// Listed reports whether the words stand in a list of words.
func (k completedKind) Listed() bool { return k != "" && k != "none" && k != "file" && !k.IsInline() }

// Many reports whether several words can be given, with commas between them.
func (k completedKind) Many() bool { return k == "feature" || k == "field" || k == "vcpu" }

// completedWords is a named list of words.
type completedWords struct {
	Kind  completedKind
	Words []string
}

// completedPlaces says what can stand where, by the name of an argument, or the
// placeholder of a flag or its name. Others are the user's own.
var completedPlaces = map[string]completedKind{
	"FILE": "file", "FILE|MODEL": "file", "DIR": "file", "device": "file", "file": "file", "state": "file", "args": "file", "scenarios": "file", "questions": "file",
	"HOST": "host", "host": "host", "a": "host", "b": "host", "contract": "host", "what": "host",
	"name": "capture", "VMM": "words:any firecracker qemu",
	"FEAT": "feature", "FIELD": "field", "FEATURE": "vcpu",
	"VERSION": "kernel", "VERSION|PATH": "kernel", "from": "kernel", "to": "kernel",
}

// completionWords are the lists of words.
func completionWords() []completedWords {
	var features, kernels []string
	for i := range arm64.FeatureTable {
		if name := arm64.FeatureTable[i].Name; strings.HasPrefix(name, "FEAT_") {
			features = append(features, name)
		}
	}
	for _, version := range kernel.Known {
		kernels = append(kernels, version.String())
	}
	var chosen []string
	for _, feature := range guise.Features {
		chosen = append(chosen, string(feature))
	}
	fields := []string{"identity"}
	for i := range arm64.Slots {
		fields = append(fields, arm64.Slots[i].Name())
	}
	return []completedWords{
		{Kind: "host", Words: catalog.Names()},
		{Kind: "capture", Words: catalog.Names()},
		{Kind: "feature", Words: features},
		{Kind: "field", Words: fields},
		{Kind: "kernel", Words: kernels},
		{Kind: "vcpu", Words: chosen},
	}
}

// completionCommands lists a command and those below it.
func completionCommands(node *kong.Node, path string) []completedCommand {
	command := completedCommand{Path: path}
	for _, flag := range slices.Concat(node.AllFlags(true)...) {
		command.Flags = append(command.Flags, completedFlagOf(flag))
	}
	for _, argument := range node.Positional {
		command.Arguments = kindOf(argument, argument.Name)
	}
	commands := []completedCommand{command}
	for _, child := range node.Children {
		if !child.Hidden {
			commands[0].Subcommands = append(commands[0].Subcommands, completedSubcommand{child.Name, child.Help})
			commands = append(commands, completionCommands(child, strings.TrimSpace(path+" "+child.Name))...)
		}
	}
	return commands
}

func completedFlagOf(flag *kong.Flag) completedFlag {
	f := completedFlag{Long: "--" + flag.Name, Help: flag.Help}
	if flag.Short != 0 {
		f.Short = "-" + string(flag.Short)
	}
	if !flag.IsBool() {
		f.Value = kindOf(flag.Value, cmp.Or(flag.PlaceHolder, flag.Name))
	}
	return f
}

// kindOf says what can stand in the place of a value.
func kindOf(value *kong.Value, name string) completedKind {
	if words := strings.ReplaceAll(strings.Trim(value.Enum, ","), ",", " "); words != "" {
		return completedKind("words:" + words)
	}
	if slices.Contains([]string{"path", "existingfile", "existingdir"}, value.Tag.Type) {
		return "file"
	}
	first, _, _ := strings.Cut(name, ",")
	if kind, ok := completedPlaces[first]; ok {
		return kind
	}
	return "none"
}

// quoteWord quotes a text so that each of the shells reads it as one word.
// Inside single quotes bash and zsh read every character but the quote as
// itself, fish a backslash before another or a quote not: both are spelled
// otherwise, which only help texts have need of.
func quoteWord(text any) string {
	return "'" + strings.NewReplacer(`'`, "\u2019", `\`, "/").Replace(fmt.Sprint(text)) + "'"
}
