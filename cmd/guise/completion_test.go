package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/testenv"
)

// completions are command lines, up to where the tab key is pressed, and what
// each shell must offer there: with "..." at the end at least that, otherwise
// that and nothing else. The directory holds host.json and a directory
// captures.
var completions = []struct{ line, want string }{
	{"guise bas", "baseline"},
	{"guise la", "lab"},
	{"guise lab ", "matrix run setup"},
	{"guise fleet p", "pack"},
	{"guise fleet pack --out", "--output"},
	{"guise baseline --hi", "--hide"},
	{"guise baseline --json --req", "--require"},
	{"guise baseline --hide FEAT_SVE_B16", "FEAT_SVE_B16B16"},
	{"guise baseline --hide=FEAT_SVE_B16", "FEAT_SVE_B16B16"},
	{"guise baseline --hide FEAT_SVE2,FEAT_MOP", "FEAT_SVE2,FEAT_MOPS"},
	{"guise baseline --vary ID_AA64MMFR2_EL1.FW", "ID_AA64MMFR2_EL1.FWB"},
	{"guise baseline --vary ident", "identity"},
	{"guise baseline --identity-of graviton2@6.18 graviton3@6.1", "graviton3@6.1 graviton3@6.18"},
	{"guise baseline --assume-kernel ", "5.10 6.1 6.12 6.16 6.17 6.18 6.19 7.0 7.1 7.2"},
	{"guise baseline graviton2@6", "graviton2@6.1 graviton2@6.18"},
	{"guise baseline ", "graviton2@5.10 graviton2@6.1 graviton2@6.18 graviton3@5.10 host.json ..."},
	{"guise baseline ho", "host.json"},
	{"guise baseline -o ho", "host.json"},
	{"guise baseline -o grav", ""},
	{"guise check host.json --for ", "any firecracker qemu"},
	{"guise check host.json graviton3@5", "graviton3@5.10"},
	{"guise explain --arch p", "power"},
	{"guise import firecracker cap", "captures"},
	{"guise lab run --memory ", ""},
	{"guise baseline --with sve,pm", "sve,pmu"},
	{"guise completion ", "bash fish zsh"},
	{"guise version --", "--color --help --progress --version"},
}

// shells run a completion script for one command line and print what it
// offers, a line each.
var shells = []struct{ shell, startup, harness string }{
	{shell: "bash", harness: `
source guise.bash
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=
_guise
for reply in "${COMPREPLY[@]}"; do echo "$reply"; done`},
	{shell: "fish", harness: `
source guise.fish
complete -C $argv[1] | string replace -r '\t.*' ''; true`},
	// The completion system only works inside the line editor, so that one runs
	// on a terminal of its own, and compadd tells what it is given.
	{shell: "zsh", startup: `
PS1= PS2= RPS1=
autoload -Uz compinit
compinit -u -D
source guise.zsh
compadd() {
	local -a hits
	local hit
	builtin compadd -A hits "$@"
	for hit in $hits; do print -r -- "offer:$IPREFIX$hit:"; done
	builtin compadd "$@"
}
tell() {
	_main_complete
	print -r -- "offers:end:"
	exit
}
zle -C tell complete-word tell
bindkey '^I' tell
zle-line-init() { print -r -- "ready:now:"; }
zle -N zle-line-init`, harness: `
zmodload zsh/zpty
zpty editor "ZDOTDIR=$PWD zsh -d -i"
zpty -r editor answer '*ready:now:*'
zpty -w -n editor "$1"$'\t'
zpty -r editor answer '*offers:end:*'
while [[ $answer == *offer:* ]]; do
	answer=${answer#*offer:}
	print -r -- "${answer%%:*}"
done`},
}

func TestCompletionInEachShell(t *testing.T) {
	for _, s := range shells {
		t.Run(s.shell, func(t *testing.T) {
			t.Parallel()
			program := testenv.Tool(t, s.shell, s.shell)
			directory := t.TempDir()
			script := completionScript(t, s.shell)
			for name, content := range map[string]string{
				"guise." + s.shell: string(script), "harness": s.harness, ".zshrc": s.startup, "host.json": "", "captures/a.json": "",
			} {
				path := filepath.Join(directory, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range completions {
				command := exec.CommandContext(t.Context(), program, "harness", c.line)
				command.Dir = directory
				command.Env = append(os.Environ(), "HOME="+directory, "XDG_CONFIG_HOME="+directory, "TERM=dumb")
				var stderr bytes.Buffer
				command.Stderr = &stderr
				out, err := command.Output()
				if err != nil || stderr.Len() > 0 {
					t.Fatalf("%q: %v\n%s", c.line, err, stderr.Bytes())
				}
				if missing := offers(string(out), c.want); missing != "" {
					t.Errorf("%q: %s", c.line, missing)
				}
			}
		})
	}
}

// offers compares what a shell offers with what is wanted.
func offers(got, want string) string {
	var words []string
	for word := range strings.Lines(got) {
		word = strings.TrimSuffix(strings.TrimSpace(word), "/") // some mark directories
		if _, value, found := strings.Cut(word, "="); found {
			word = value // some shells repeat --flag=
		}
		if word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	least, open := strings.CutSuffix(want, " ...")
	for _, word := range strings.Fields(least) {
		if !slices.Contains(words, word) {
			return word + " is missing among " + strings.Join(words, " ")
		}
	}
	if !open && len(words) != len(strings.Fields(want)) {
		return "there is " + strings.Join(words, " ") + "; want " + want
	}
	return ""
}

// TestCompletionAtWordBreaks: bash takes "graviton2@6" for two words and wants
// the rest of the second.
func TestCompletionAtWordBreaks(t *testing.T) {
	program := testenv.Tool(t, "bash", "bash")
	script := filepath.Join(t.TempDir(), "guise.bash")
	if err := os.WriteFile(script, completionScript(t, "bash"), 0o644); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"guise diff graviton2@6.18 graviton3@5":    "5.10",
		"guise explain --arch=p":                   "power",
		"guise baseline --identity-of=graviton3@5": "5.10",
		"guise baseline --arch":                    "",
	} {
		out, err := exec.Command(program, "-c", `source "$1"
COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:' COMP_LINE=$2 COMP_POINT=${#2}
_guise
echo "${COMPREPLY[*]}"`, "bash", script, line).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", line, got, err, want)
		}
	}
}

func completionScript(t *testing.T, shell string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(context.Background(), []string{"completion", shell}, nil, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, stderr.Bytes())
	}
	return stdout.Bytes()
}

// TestCompletedPlacesAreUsed: each row of the table stands for a place that
// some command has.
func TestCompletedPlacesAreUsed(t *testing.T) {
	used := map[completedKind]bool{}
	for _, command := range completionCommands(newParser(&commandLine{}, nil, nil).Model.Node, "") {
		used[command.Arguments] = true
		for _, flag := range command.Flags {
			used[flag.Value] = true
		}
	}
	for place, kind := range completedPlaces {
		if !used[kind] {
			t.Errorf("no command takes what stands for %s: %s", place, kind)
		}
	}
}
