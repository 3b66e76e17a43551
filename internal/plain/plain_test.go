package plain

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestLine(t *testing.T) {
	for _, test := range []struct{ text, line, lines string }{
		{"", "", ""},
		{"neoverse-v1@6.12 é 世", "neoverse-v1@6.12 é 世", "neoverse-v1@6.12 é 世"},
		{"a\nyes  b", `a\nyes  b`, "a\nyes  b"},
		{"\x1b]0;owned\x07x", `\x1b]0;owned\x07x`, `\x1b]0;owned\x07x`},
		{"\r\ta\x7f", `\r\ta\x7f`, `\r` + "\t" + `a\x7f`},
		{"\u009b31m\u202eabc\u2028", `\u009b31m\u202eabc\u2028`, `\u009b31m\u202eabc\u2028`},
		{"\xff\xc3", `\xff\xc3`, `\xff\xc3`},
		{"\U000e0001�", `\U000e0001�`, `\U000e0001�`},
	} {
		if got := Line(test.text); got != test.line {
			t.Errorf("Line(%q) is %q, want %q", test.text, got, test.line)
		}
		if got := Lines(test.text); got != test.lines {
			t.Errorf("Lines(%q) is %q, want %q", test.text, got, test.lines)
		}
		if got, want := Odd(test.text), test.text != test.line; got != want {
			t.Errorf("Odd(%q) is %v, want %v", test.text, got, want)
		}
	}
}

// TestNothingOddIsLeft: what comes out is printable, and printable text comes
// out as it was; a writer gives the same, however the text is cut.
func TestNothingOddIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		for _, r := range Line(text) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q is left in %q", r, Line(text))
			}
		}
		if !Odd(text) && Line(text) != text {
			t.Fatalf("%q became %q", text, Line(text))
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			if wrote, err := w.Write(rest[:n]); wrote != n || err != nil {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), Lines(text); got != want {
			t.Fatalf("in parts %q, whole %q", got, want)
		}
	})
}

// TestEscapesAreGos: Go reads the escapes back.
func TestEscapesAreGos(t *testing.T) {
	for _, text := range []string{"a\nb\tc\rd", "\x1b\x00\x7f", "\u009b\u202e\u2028", "\U000e0001", "\xff\xfe"} {
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(Line(text), `"`, `\"`) + `"`)
		if err != nil || back != text {
			t.Errorf("%q: %q reads back as %q, %v", text, Line(text), back, err)
		}
	}
}
