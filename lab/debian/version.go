package debian

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ParseVersion reads an upstream kernel version, its numbers from the left:
// "6.12.117" or "6.12".
func ParseVersion(text string) ([]int, error) {
	var numbers []int
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no kernel version, expected numbers with dots, as 6.12", text)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) < 2 || len(numbers) > 3 {
		return nil, fmt.Errorf("%q is no kernel version, expected two or three numbers, as 6.12", text)
	}
	return numbers, nil
}

// CompareVersions orders upstream versions; one that does not parse comes
// first.
func CompareVersions(a, b string) int {
	x, _ := ParseVersion(a)
	y, _ := ParseVersion(b)
	return slices.CompareFunc(x, y, cmp.Compare[int])
}

// Matches reports whether a version is the wanted one or begins with it at a
// dot: 6.12.117 matches 6.12, and 6.1.12 does not match 6.12.
func Matches(version, wanted string) bool {
	return version == wanted || strings.HasPrefix(version, wanted+".")
}
