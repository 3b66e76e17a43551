package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/guise-project/guise/internal/progress"
)

// colourMode says when to colour: auto, always or never.
type colourMode string

// progressMode is when to show how far work is.
type progressMode string

// progressVariable is the environment's word on it, where --progress is not given.
const progressVariable = "GUISE_PROGRESS"

// modeOf returns what the flag of a type says: --color, --progress.
func modeOf[T ~string](line *kong.Context) T {
	for _, flag := range line.Flags() {
		if mode, ok := flag.Target.Interface().(T); ok {
			return mode
		}
	}
	return "auto"
}

// display makes the display of the command's context, and returns what ends it.
func (s *session) display(mode progressMode) (finish func()) {
	show := progress.New
	switch mode {
	case "always":
		show = progress.Eager
	case "never":
		show = progress.Silent
	}
	display := show(s.stderr)
	s.ctx = progress.NewContext(s.ctx, display)
	return display.Close
}

// unwatched is the environment of a guise in a lab host whose standard error
// nobody reads while it runs.
var unwatched = []string{progressVariable + "=never"}

// say writes a line on standard error, whatever is shown there of how far work is.
func (s *session) say(line string) {
	if display := progress.FromContext(s.ctx); display != nil {
		display.Say(line)
		return
	}
	fmt.Fprintln(s.stderr, line)
}

// colours reports whether standard output is to be coloured: as --color says,
// and by itself on a terminal, unless NO_COLOR is set (no-color.org).
func (s *session) colours() bool {
	switch s.colour {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && isTerminal(s.stdout)
}

// terminal returns the terminal that a writer writes to, nil where it is none.
func terminal(w io.Writer) *os.File {
	if out, ok := w.(*output); ok {
		w = out.Writer
	}
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return file
}

// isTerminal reports whether what is written is shown to a person.
func isTerminal(w io.Writer) bool { return terminal(w) != nil }

// width is how many characters a line of a table may have: as COLUMNS says, or
// as the terminal has. It is 0, for any number, where neither does.
func width(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if file := terminal(w); file != nil {
		return terminalColumns(file)
	}
	return 0
}
