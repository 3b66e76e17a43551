package jsonread_test

import (
	"math"
	"strings"
	"testing"

	"github.com/guise-project/guise/internal/jsonread"
)

func TestWhole(t *testing.T) {
	zeros := strings.Repeat("0", 1_000_000)
	for _, test := range []struct {
		number string
		want   int64
		whole  bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"0.0", 0, true}, {"0e999999999999", 0, true}, {"-0.00E-7", 0, true},
		{"7", 7, true}, {"1.0", 1, true}, {"1e0", 1, true}, {"10e-1", 1, true}, {"0.01e2", 1, true}, {"1.50e1", 15, true},
		{"-1", -1, true}, {"-12.0e+2", -1200, true}, {"1E3", 1000, true}, {"100000e-5", 1, true},
		{"9223372036854775807", math.MaxInt64, true}, {"-9223372036854775808", math.MinInt64, true}, {"922337203685477580.7e1", math.MaxInt64, true},
		{"9223372036854775808", 0, false}, {"1e19", 0, false}, {"1e300", 0, false}, {"1e999999999999", 0, false},
		{"0.5", 0, false}, {"1.9", 0, false}, {"1e-1", 0, false}, {"15e-1", 0, false}, {"1e-999999999999", 0, false},
		{"1" + zeros + "e-1000000", 1, true}, {"0." + zeros + "1e1000001", 1, true}, {"1" + zeros, 0, false},
	} {
		if got, whole := jsonread.Whole([]byte(test.number)); got != test.want || whole != test.whole {
			t.Errorf("%.40s: %d, %v; want %d, %v", test.number, got, whole, test.want, test.whole)
		}
	}
}

type document struct {
	Numbers []uint8           `json:"numbers"`
	Signed  *int              `json:"signed"`
	Names   map[string]string `json:"names"`
	Inner   []struct {
		Names map[string]string `json:"names"`
	} `json:"inner"`
}

func TestInto(t *testing.T) {
	for _, test := range []struct{ text, refused string }{
		{`{"numbers": [1, 2.0, 3e0], "signed": -1.0, "names": {"a": "b"}}`, ""},
		{`{"numbers": [], "names": {}, "inner": []}`, ""},
		{`{"numbers": [1, 2, 3, 4]}`, "more than 3 numbers"},
		{`{"names": {"a": "", "b": ""}, "inner": [{"names": {"c": ""}}]}`, "more than 2 names"},
		{`{"names": {"a": "", "a": ""}}`, "duplicate"},
		{`{"numbers": [256]}`, "want a whole number"},
		{`{"numbers": [-1]}`, "want a whole number"},
		{`{"signed": 1.5}`, "want a whole number"},
		{`{"signed": "1"}`, "string"},
		{`{"numbers": [1], "other": 1}`, "unknown"},
		{`{"numbers": {}}`, "object"},
		{`{"numbers": [1`, "EOF"},
		{``, "EOF"},
	} {
		var d document
		err := jsonread.Into([]byte(test.text), &d, jsonread.List[uint8](3, "numbers"), jsonread.Map[string](2, "names"))
		if (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: %v; want %q", test.text, err, test.refused)
		}
		if err == nil && len(d.Numbers) > 0 && (d.Numbers[2] != 3 || *d.Signed != -1 || d.Names["a"] != "b") {
			t.Errorf("%s reads as %+v", test.text, d)
		}
	}
	if err := jsonread.Into(nil, &document{}); err == nil {
		t.Error("nothing is a document")
	}
}
