package isa

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSetText(t *testing.T) {
	for text, want := range map[string]Set{
		"none": 0, "0": 1, "0-2": 7, "6-8": 0x1c0, "0,15": 0x8001, "0-1,8-15": 0xff03, "0-15": 0xffff,
	} {
		if got := want.String(); got != text {
			t.Errorf("%#x prints %s, want %s", uint16(want), got, text)
		}
	}
	for _, bad := range []string{"", "16", "2-1", "1-1", "0,0", "0-2,1", "a", "1-", "-1", "00", "1,", " 1", "0x1"} {
		if s, err := ParseSet([]byte(bad)); err == nil {
			t.Errorf("%q reads as %v", bad, s)
		}
	}
}

func TestSetTextRoundTrip(t *testing.T) {
	for s := range 1 << 16 {
		got, err := ParseSet([]byte(Set(s).String()))
		if err != nil || got != Set(s) {
			t.Fatalf("%#x prints %s and reads as %#x, %v", s, Set(s), got, err)
		}
	}
}

func TestSetMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Set(rapid.Uint16().Draw(t, "set"))
		var back Set
		for _, v := range s.Values() {
			if !s.Has(v) {
				t.Fatalf("%v lists %d and does not have it", s, v)
			}
			back |= Only(v)
		}
		if back != s || s.Len() != len(s.Values()) || s.Has(16) {
			t.Fatalf("%v: members %v", s, s.Values())
		}
	})
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte("0-2,15"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSet(text)
		if err != nil && s != 0 {
			t.Errorf("%q: both a value and an error", text)
		}
	})
}
