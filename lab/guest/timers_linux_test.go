package guest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string][]int{
		"0\n": {0}, "0-3\n": {0, 1, 2, 3}, "0-1,4,6-7\n": {0, 1, 4, 6, 7},
	} {
		got, err := parseCPUs(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for _, bad := range []string{"", "x", "0-", "0-x"} {
		if got, err := parseCPUs(bad); err == nil {
			t.Errorf("%q: read as %v", bad, got)
		}
	}
}
