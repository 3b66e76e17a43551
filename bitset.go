package guise

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// bitset is a set of small numbers below a bound that its maker knows.
type bitset []uint64

func newBitset(bound int) bitset { return make(bitset, (bound+63)/64) }

// firstNumbers returns the set of 0 to n-1.
func firstNumbers(n int) bitset {
	b := newBitset(n)
	for i := range n {
		b.add(i)
	}
	return b
}

func (b bitset) has(n int) bool { return b[n/64]>>(n%64)&1 != 0 }

func (b bitset) add(n int) { b[n/64] |= 1 << (n % 64) }

// join adds the members of another set of the same bound.
func (b bitset) join(other bitset) {
	for i, word := range other {
		b[i] |= word
	}
}

// meets reports whether two sets have a member in common.
func (b bitset) meets(other bitset) bool {
	for i, word := range other {
		if b[i]&word != 0 {
			return true
		}
	}
	return false
}

func (b bitset) len() int {
	n := 0
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// all calls yield for every member, in ascending order.
func (b bitset) all() iter.Seq[int] {
	return func(yield func(n int) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(i*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// appendKey appends bytes that are equal for equal sets of the same bound.
func (b bitset) appendKey(key []byte) []byte {
	for _, word := range b {
		key = binary.LittleEndian.AppendUint64(key, word)
	}
	return key
}
