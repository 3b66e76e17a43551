package isa

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Set is a set of values of a field of at most four bits: bit v is set when v
// is a member. Offers are sets, and two offers meet by intersection (&).
type Set uint16

// All returns the set of every value that a field of width bits can hold.
// Width is 1 to 4.
func All(width uint8) Set { return Set(1)<<(1<<width) - 1 }

// Only returns the set that holds exactly value, 0 to 15.
func Only(value uint64) Set { return 1 << (value & 15) }

// Range returns the set of all values from low to high, both included.
func Range(low, high uint64) Set {
	var s Set
	for v := low; v <= high && v < 16; v++ {
		s |= Only(v)
	}
	return s
}

// Has reports whether value is a member.
func (s Set) Has(value uint64) bool { return value < 16 && s&Only(value) != 0 }

// Len returns the number of members.
func (s Set) Len() int { return bits.OnesCount16(uint16(s)) }

// Values returns the members in ascending numerical order.
func (s Set) Values() []uint64 {
	values := make([]uint64, 0, s.Len())
	for rest := s; rest != 0; rest &= rest - 1 {
		values = append(values, uint64(bits.TrailingZeros16(uint16(rest))))
	}
	return values
}

// String gives the text form used in documents: ranges and members in
// ascending order, "0-2", "6-8", "0,15"; the empty set is "none".
func (s Set) String() string {
	if s == 0 {
		return "none"
	}
	var b strings.Builder
	for v := uint64(0); v < 16; v++ {
		if !s.Has(v) {
			continue
		}
		last := v
		for s.Has(last + 1) {
			last++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(v, 10))
		if last > v {
			b.WriteByte('-')
			b.WriteString(strconv.FormatUint(last, 10))
		}
		v = last
	}
	return b.String()
}

// ParseSet reads the text form that String writes. Members may come in any
// order but each only once; values are decimal, 0 to 15.
func ParseSet(text []byte) (Set, error) {
	if string(text) == "none" {
		return 0, nil
	}
	var s Set
	rest := text
	for {
		low, n := parseMember(rest)
		if n == 0 {
			return 0, fmt.Errorf("set %q: want values 0 to 15 such as \"0-2\" or \"0,15\"", text)
		}
		rest = rest[n:]
		high := low
		if len(rest) > 0 && rest[0] == '-' {
			high, n = parseMember(rest[1:])
			if n == 0 || high <= low {
				return 0, fmt.Errorf("set %q: a range goes from a lower to a higher value, both 0 to 15", text)
			}
			rest = rest[1+n:]
		}
		members := Range(low, high)
		if s&members != 0 {
			return 0, fmt.Errorf("set %q: a value stands in it twice", text)
		}
		s |= members
		if len(rest) == 0 {
			return s, nil
		}
		if rest[0] != ',' {
			return 0, fmt.Errorf("set %q: want a comma between members", text)
		}
		rest = rest[1:]
	}
}

// parseMember reads one decimal value from 0 to 15 and returns it with the
// number of bytes it took, 0 where there is none.
func parseMember(text []byte) (value uint64, n int) {
	for n < len(text) && n < 2 && '0' <= text[n] && text[n] <= '9' {
		value = value*10 + uint64(text[n]-'0')
		n++
	}
	if value > 15 || (n == 2 && text[0] == '0') {
		return 0, 0
	}
	return value, n
}
