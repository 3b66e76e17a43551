// Package sample has one place for each kind of change.
package sample

// Most returns the largest of some numbers, 0 where there are none.
func Most(numbers []int) int {
	most := 0
	for i, n := range numbers {
		if i == 0 || n > most {
			most = n
		}
	}
	return most
}

// Bits joins bits, and leaves those of a mask out.
func Bits(a, b, mask uint64) uint64 { return (a | b) &^ mask }

// Odd reports whether a number is odd.
func Odd(n int) bool {
	if !even(n) {
		return true
	}
	return false
}

func even(n int) bool { return n%2 == 0 }

// Sum adds numbers up to a limit.
func Sum(numbers []int, limit int) (sum int) {
	for _, n := range numbers {
		if n < 0 {
			continue
		}
		sum += n
		switch {
		case sum >= limit:
			return limit
		}
	}
	return sum
}

// Nobody is not called by any test.
func Nobody(a, b int) int { return a - b }
