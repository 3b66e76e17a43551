package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTablesFit: no line is longer than the terminal is wide, and nothing of
// what a table says is lost, whatever the width.
func TestTablesFit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string { return strings.Repeat(string(rune('a'+random.IntN(26))), 1+random.IntN(20)) }
	for range 300 {
		var rows [][]string
		words := map[string]int{}
		for range 1 + random.IntN(6) {
			row := make([]string, 1+random.IntN(6))
			for i := range row {
				var cell []string
				for range random.IntN(9) {
					cell = append(cell, word())
					words[cell[len(cell)-1]]++
				}
				row[i] = strings.Join(cell, " ")
			}
			rows = append(rows, row)
		}
		most := 30 + random.IntN(200)
		t.Setenv("COLUMNS", fmt.Sprint(most))
		var out bytes.Buffer
		if plainColumns(&out, rows); most > 6*22 {
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > most {
					t.Fatalf("a line of %d characters where %d fit:\n%s", n, most, out.String())
				}
			}
		}
		for _, w := range strings.Fields(out.String()) {
			words[w]--
		}
		for w, n := range words {
			if n != 0 {
				t.Fatalf("%q stands there %d times too few at width %d:\n%s", w, n, most, out.String())
			}
		}
	}
}

// TestAnswersFit: the tables of real answers fit 60 columns and more.
func TestAnswersFit(t *testing.T) {
	for _, line := range []string{
		"catalog",
		"baseline graviton2@6.18 graviton3@6.18",
		"baseline graviton2@6.18 graviton3@6.18 --vary ID_AA64MMFR2_EL1.EVT,FWB,IDS --identity-of graviton2@6.18 -v",
		"check graviton3@6.18 graviton2@6.18",
		"diff graviton2@6.18 graviton3@6.18",
		"explain graviton3@6.18",
		"explain FEAT_PAuth",
		"forecast graviton3@6.1 --kernel 7.2",
		"pools graviton2@6.18 graviton3@6.18",
		"model changes 6.1 7.2",
		"model nested --event msgsndp",
		"model nested --compare 5.10 7.2 ideal --event msgsndp",
	} {
		for _, most := range []int{60, 80, 100} {
			t.Setenv("COLUMNS", fmt.Sprint(most))
			var out, wide bytes.Buffer
			status := run(context.Background(), strings.Fields(line), nil, &out, &bytes.Buffer{})
			t.Setenv("COLUMNS", "")
			if s := run(context.Background(), strings.Fields(line), nil, &wide, &bytes.Buffer{}); s != status || s == statusUsage || s == statusCannot {
				t.Errorf("guise %s: status %d, and %d at %d columns", line, s, status, most)
			}
			// Tables are indented, sentences are not: those the terminal wraps.
			for l := range strings.Lines(out.String()) {
				n := utf8.RuneCountInString(strings.TrimRight(l, "\n"))
				if n > most && strings.HasPrefix(l, "  ") && !isSentence(l) {
					t.Errorf("guise %s: %d characters where %d fit: %s", line, n, most, l)
				}
			}
		}
	}
}

// isSentence reports whether an indented line is no row of a table.
func isSentence(line string) bool {
	for _, begin := range []string{"... and", "newly listed:", "no longer listed:", "setup ", "and identity differs", "only in a VM", "cannot be without", "is there with", "a guest finds"} {
		if strings.HasPrefix(strings.TrimSpace(line), begin) {
			return true
		}
	}
	return false
}

// TestColour: --color, NO_COLOR and that no terminal is there.
func TestColour(t *testing.T) {
	for _, c := range []struct {
		line, noColour string
		want           bool
	}{
		{"check graviton2@6.18 graviton2@6.18", "", false},
		{"--color=always check graviton2@6.18 graviton2@6.18", "", true},
		{"check --color always graviton2@6.18 graviton2@6.18", "1", true},
		{"check --color=never graviton2@6.18 graviton2@6.18", "", false},
	} {
		t.Setenv("NO_COLOR", c.noColour)
		var out bytes.Buffer
		status := run(context.Background(), strings.Fields(c.line), nil, &out, &out)
		if coloured := strings.HasPrefix(out.String(), "\x1b[32mgraviton2@6.18 takes the contract\x1b[0m"); status != statusYes || coloured != c.want {
			t.Errorf("guise %s, NO_COLOR=%q: status %d, coloured %v: %s", c.line, c.noColour, status, coloured, out.String())
		}
	}
}
