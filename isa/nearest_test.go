package isa

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"ID_AA64PFR0_EL1", "ID_AA64PFR1_EL1", "ID_AA64MMFR0_EL1", "FEAT_SVE", "FEAT_SVE2", "FEAT_AES", "graviton2@6.18", "graviton3@6.18", "max"}
	for word, want := range map[string]string{
		"ID_AA64PFRO_EL1":  "ID_AA64PFR0_EL1", // another character
		"ID_AA64PFR1EL1":   "ID_AA64PFR1_EL1", // one too few
		"ID_AAA64PFR1_EL1": "ID_AA64PFR1_EL1", // one too many
		"ID_AA46PFR1_EL1":  "ID_AA64PFR1_EL1", // two exchanged
		"feat_sve":         "FEAT_SVE",
		"FEAT_SEV":         "FEAT_SVE",
		"FEAT_SVE3":        "FEAT_SVE", // as near as FEAT_SVE2, and before it
		"gravitn2@6.18":    "graviton2@6.18",
		"mxa":              "max",
		"":                 "",
		"ab":               "",
		"nonsense":         "",
		"FEAT_NOPE":        "",
		"graviton9@1.2":    "", // three changes
	} {
		if got := Nearest(word, slices.Values(names)); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("FEAT_SEV", slices.Values(names)); got != "; did you mean FEAT_SVE?" {
		t.Errorf("%q", got)
	}
	if got := DidYouMean("nonsense", slices.Values(names)); got != "" {
		t.Errorf("%q", got)
	}
}

// TestDistance: the distance is that of its definition, by recursion.
func TestDistance(t *testing.T) {
	var define func(a, b string) int
	define = func(a, b string) int {
		if a == "" || b == "" {
			return len(a) + len(b)
		}
		change := 1
		if a[0] == b[0] {
			change = 0
		}
		d := min(define(a[1:], b)+1, define(a, b[1:])+1, define(a[1:], b[1:])+change)
		if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
			d = min(d, define(a[2:], b[2:])+1)
		}
		return d
	}
	words := []string{"", "a", "b", "ab", "ba", "abc", "acb", "bca", "cab", "abab", "baba", "aabb", "abcd", "dcba", "bacd"}
	for _, a := range words {
		for _, b := range words {
			for limit := 1; limit < 6; limit++ {
				if got, want := distance([]rune(a), []rune(b), limit), min(define(a, b), limit); got != want {
					t.Errorf("%q to %q: %d, want %d", a, b, got, want)
				}
			}
		}
	}
}
