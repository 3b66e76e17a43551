package golden

import "testing"

func TestDiffer(t *testing.T) {
	for _, row := range []struct {
		a, b     string
		line     int
		inA, inB string
	}{
		{"", "", 0, "", ""},
		{"a\nb\n", "a\nb\n", 0, "", ""},
		{"a\nb\n", "a\nc\n", 2, "b\n", "c\n"},
		{"a\n", "a\nb\n", 2, "", "b\n"},
		{"a\nb\n", "", 1, "a\n", ""},
		{"a", "a\n", 1, "a", "a\n"},
	} {
		if line, inA, inB := Differ(row.a, row.b); line != row.line || inA != row.inA || inB != row.inB {
			t.Errorf("%q, %q: line %d, %q and %q; want %+v", row.a, row.b, line, inA, inB, row)
		}
	}
}
