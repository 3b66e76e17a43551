// Package plain shows text of unknown origin, which a terminal must not take for
// commands and a reader not for a line of guise's own.
package plain

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns text as it may stand within a line: what a terminal would act on
// is escaped in Go's spelling, as \n, \x1b and \u202e. That is every character
// that is not printable, and bytes that are no UTF-8.
func Line(text string) string { return escape(text, "") }

// Lines is Line for text of many lines: newlines and tabs stay.
func Lines(text string) string { return escape(text, "\n\t") }

// Odd reports whether Line would change a text.
func Odd(text string) bool { return odd(text, "") >= 0 }

func plain(r rune, size int, kept string) bool {
	if r == utf8.RuneError && size == 1 {
		return false
	}
	return unicode.IsPrint(r) || strings.ContainsRune(kept, r)
}

// odd returns the place of the first character to escape, or -1.
func odd(text, kept string) int {
	for place := 0; place < len(text); {
		r, size := utf8.DecodeRuneInString(text[place:])
		if !plain(r, size, kept) {
			return place
		}
		place += size
	}
	return -1
}

func escape(text, kept string) string {
	var out strings.Builder
	for {
		place := odd(text, kept)
		if place < 0 {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:place])
		r, size := utf8.DecodeRuneInString(text[place:])
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\r':
			out.WriteString(`\r`)
		case size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[place])
		case r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		text = text[place+size:]
	}
}

// Writer hands on what is written to it as Lines shows it. A character that is
// written in parts is waited for. It is not safe for concurrent use.
type Writer struct {
	to   io.Writer
	rest []byte
}

// NewWriter returns a Writer.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write never writes less than it is given without an error.
func (w *Writer) Write(b []byte) (int, error) {
	text := append(w.rest, b...)
	end := len(text)
	// The start of a character, without its end, waits.
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				end = len(text) - back
			}
			break
		}
	}
	_, err := io.WriteString(w.to, Lines(string(text[:end])))
	w.rest = append([]byte(nil), text[end:]...)
	return len(b), err
}

// Flush writes what waits for its end, as bytes.
func (w *Writer) Flush() error {
	_, err := io.WriteString(w.to, Lines(string(w.rest)))
	w.rest = nil
	return err
}
