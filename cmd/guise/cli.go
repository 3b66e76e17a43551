package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/alecthomas/kong"

	"github.com/guise-project/guise/internal/plain"
)

// The rules of what a person sees.
//
//   - Data goes to standard output, messages to standard error, hints last.
//   - The first line of an answer is a plain sentence, which holds the verdict:
//     "2 hosts have a contract: ...", "no contract: ...", "unknown: ...". What is
//     unknown says so in the first word. Yes and no do not stand before a
//     sentence that they could deny.
//   - Messages start with a lower-case letter or the object they are about and
//     end without a full stop.
//   - Colour only on a terminal, and never where NO_COLOR is set, unless --color
//     says otherwise. Tables fit the terminal.
//   - Exit status: 0 yes, same, done; 1 no, differs; 2 wrong usage or bad
//     input, found before anything else is done; 3 unknown; 4 could not be done;
//     130 ended by SIGINT, 143 by SIGTERM, 129 by SIGHUP.

// Exit statuses.
const (
	statusYes     = 0
	statusNo      = 1
	statusUsage   = 2
	statusUnknown = 3
	statusCannot  = 4
)

// session is what every command is given to work with.
type session struct {
	ctx    context.Context
	reader *reader
	stdout *output
	stderr io.Writer
	colour colourMode
	tidies atomic.Bool // see interrupt.go
}

// command is what each subcommand implements. The status counts only where
// the error is nil; an error is status 4 unless it is a *inputError.
type command interface {
	Run(s *session) (status int, err error)
}

// inputError is wrong usage or bad input: exit status 2.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// hintedError is an error with the command that mends it.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// commandLine is every command with its flags, in the order of groups, by what
// a user wants. Each subcommand is a struct in a file of its own.
type commandLine struct {
	Colour      colourMode   `name:"color" enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colour what is printed: auto (on a terminal, unless NO_COLOR is set), always or never."`
	Progress    progressMode `name:"progress" enum:"auto,always,never" default:"auto" env:"GUISE_PROGRESS" placeholder:"WHEN" help:"Show on standard error how far work is, as bars on a terminal and lines elsewhere: auto (of what takes over a second), always or never."`
	ShowVersion versionFlag  `name:"version" help:"Print the version."`

	Catalog  catalogCommand  `cmd:"" group:"see" help:"List the built-in captures, each with where it came from."`
	Capture  captureCommand  `cmd:"" group:"see" help:"Find what KVM on this host can give a guest."`
	Explain  explainCommand  `cmd:"" group:"see" help:"Name every register and field of a host, a contract or a value."`
	Diff     diffCommand     `cmd:"" group:"see" help:"Say who shows more, who can change it, and whether a VM could move."`
	Baseline baselineCommand `cmd:"" group:"decide" help:"Compute the contract that every host takes, or why there is none."`
	Check    checkCommand    `cmd:"" group:"decide" help:"Say of each host whether it takes a contract."`
	Pools    poolsCommand    `cmd:"" group:"decide" help:"Divide hosts into the fewest pools that each have a contract."`
	Moves    movesCommand    `cmd:"" group:"decide" help:"Say what comes of moving a VM between hosts, in each direction, by a VMM."`
	VM       vmCommand       `cmd:"" name:"vm" group:"use" help:"The two halves of a move."`
	Prove    proveCommand    `cmd:"" group:"prove" help:"Give a VM a contract, let a guest look, compare."`
	Try      tryCommand      `cmd:"" group:"prove" help:"Try contracts and single values, and say what KVM answers."`
	Rehearse rehearseCommand `cmd:"" group:"prove" help:"Move a VM between two real kernels, and see whether its guest misses anything."`
	Import   importCommand   `cmd:"" group:"review" help:"Read other people's formats."`
	Fleet    fleetCommand    `cmd:"" group:"review" help:"Put many captures in one file."`
	Lint     lintCommand     `cmd:"" group:"review" help:"Say whether files are well-formed documents."`
	Kernels  kernelsCommand  `cmd:"" group:"kernels" help:"List the releases of Linux that are known, and how each is known."`
	Forecast forecastCommand `cmd:"" group:"kernels" help:"Say what guests would see under another kernel."`
	Lab      labCommand      `cmd:"" group:"kernels" help:"Real kernels under QEMU."`
	Model    modelCommand    `cmd:"" group:"kernels" help:"Ask the reference models, without a kernel."`

	Help       helpCommand       `cmd:"" group:"about" help:"Show the help of a command."`
	Completion completionCommand `cmd:"" group:"about" help:"Print a script that completes command lines in a shell."`
	Version    versionCommand    `cmd:"" group:"about" help:"Print the version."`
}

var groups = []kong.Group{
	{Key: "see", Title: "See what hosts give:"},
	{Key: "decide", Title: "Decide what guests may see:"},
	{Key: "use", Title: "Use a contract:"},
	{Key: "prove", Title: "Prove what a guest sees:"},
	{Key: "review", Title: "Review documents:"},
	{Key: "kernels", Title: "Work with kernels:"},
	{Key: "about", Title: "About guise:"},
}

// run is the whole command: it parses args, runs one subcommand and returns
// the exit status. It ends early where ctx does, see wait.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{ctx: ctx, reader: newReader(stdin), stdout: &output{Writer: stdout}, stderr: stderr}
	return s.wait(func() int { return s.run(args) })
}

// run runs what args say. A panic is caught and is status 4.
func (s *session) run(args []string) (status int) {
	defer func() {
		if p := recover(); p != nil {
			if exit, ok := p.(kongExit); ok {
				if status = int(exit); s.stdout.err() != nil {
					status = s.report(s.stdout.err())
				}
				return
			}
			fmt.Fprintf(s.stderr, "guise: internal error: %v\nhint: please report this with the command line\n", p)
			status = statusCannot
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parser := newParser(grammarFor(args), s.stdout, s.stderr)
	parsed, err := parser.Parse(args)
	if err != nil {
		if s.stdout.err() != nil {
			return s.report(s.stdout.err()) // the help that was asked for
		}
		return s.report(&inputError{&hintedError{usageError(err), usageHint(err)}})
	}
	selected, ok := parsed.Selected().Target.Addr().Interface().(command)
	if !ok {
		panic(fmt.Sprintf("%s is not a command", parsed.Command()))
	}
	s.colour = modeOf[colourMode](parsed)
	defer s.display(modeOf[progressMode](parsed))()
	if err := checkOutputs(parsed); err != nil {
		return s.report(err)
	}
	status, err = selected.Run(s)
	s.reader.warn(s.stderr)
	if err == nil {
		err = s.stdout.err()
	}
	if err != nil {
		return s.report(err)
	}
	return status
}

// numberFlags is how kong says that a value is no number or no time.
var numberFlags = regexp.MustCompile(`^(--[a-z-]+): expected (a valid \d+ bit u?int|uint value|duration) but got ("(?:[^"\\]|\\.)*")`)

// usageError says in plain words what is wrong with a command line.
func usageError(err error) error {
	if m := numberFlags.FindStringSubmatch(err.Error()); m != nil {
		want := "a whole number"
		switch kind := m[2]; {
		case kind == "duration":
			want = "a time such as 90s or 2m"
		case strings.Contains(kind, "uint"):
			want = "a whole number from 0"
		}
		return fmt.Errorf("%s %s: want %s", m[1], m[3], want)
	}
	return err
}

// usageHint names the help of the command that a command line got as far as.
func usageHint(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		switch node := parse.Context.Selected(); {
		case node == nil:
		case node.Leaf():
			return node.FullPath() + " --help says what it takes"
		default:
			return node.FullPath() + " --help lists its commands"
		}
	}
	return "guise --help lists the commands"
}

// newParser makes the parser that fills in the command line, of commandLine or
// a part of it.
func newParser(line any, stdout, stderr io.Writer) *kong.Kong {
	return kong.Must(line,
		kong.Name("guise"),
		kong.Description("Decide, apply and prove what a KVM guest may see of the machine under it."),
		kong.ExplicitGroups(groups),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(kongExit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}

// kongExit carries the status out of kong's own exits (--help).
type kongExit int

// report prints an error with its hints and returns its exit status.
func (s *session) report(err error) int {
	if s.ctx.Err() != nil {
		return statusInterrupted
	}
	fmt.Fprintf(s.stderr, "guise: %s\n", plain.Lines(err.Error()))
	var hinted *hintedError
	if errors.As(err, &hinted) {
		fmt.Fprintf(s.stderr, "hint: %s\n", hinted.hint)
	}
	var input *inputError
	if errors.As(err, &input) || errors.Is(err, os.ErrInvalid) {
		return statusUsage
	}
	return statusCannot
}
