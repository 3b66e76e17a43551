package isa

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Nearest returns the name that a misspelt word most likely stands for, "" where
// none is near: one change is, and two are where the word has twelve characters or
// more; a word of one or two characters is near to nothing. A
// change is a character too many, too few, another one, or two exchanged; case
// does not count. Of names that are equally near the first wins.
func Nearest(word string, names iter.Seq[string]) string {
	if len(word) < 3 || utf8.RuneCountInString(word) > longestWord {
		return ""
	}
	upper := []rune(strings.ToUpper(word))
	nearest, least := "", 2
	if len(upper) >= 12 {
		least = 3
	}
	for name := range names {
		if d := distance(upper, []rune(strings.ToUpper(name)), least); d < least {
			nearest, least = name, d
		}
	}
	return nearest
}

// longestWord is in characters. What is longer is no name.
const longestWord = 100

// DidYouMean is "; did you mean NAME?" where there is a nearest name, and nothing
// where there is none: messages end with it.
func DidYouMean(word string, names iter.Seq[string]) string {
	if name := Nearest(word, names); name != "" {
		return "; did you mean " + name + "?"
	}
	return ""
}

// distance is the number of changes between two words, or limit where there are
// as many or more (restricted Damerau-Levenshtein distance).
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	// Three rows of the table: of i-2, i-1 and i characters of a.
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
