package main

import (
	"io"
	"os"
	"strconv"

	"github.com/alecthomas/kong"
)

// colourMode says when to colour: auto, always or never.
type colourMode string

// colourOf returns what --color says.
func colourOf(line *kong.Context) colourMode {
	for _, flag := range line.Flags() {
		if mode, ok := flag.Target.Interface().(colourMode); ok {
			return mode
		}
	}
	return "auto"
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
