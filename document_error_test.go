package guise

import (
	"testing"

	"github.com/go-json-experiment/json"
)

func TestDocumentErrorsSayWhere(t *testing.T) {
	type document struct {
		Colour string   `json:"colour"`
		Shades []uint64 `json:"shades"`
	}
	for text, want := range map[string]string{
		"{\n  \"colour\": 1}":                    `d.json:2:13: /colour: a number is not what is wanted here`,
		"{\n  \"form\": 1}":                      `d.json:2:3: /form: is no member that is known`,
		"{\n  \"colour\": \"red\",, }":           `d.json:2:19: not valid JSON: `,
		"{\"colour\": \"\", \"colour\": \"\"}":   `d.json:1:16: not valid JSON: `,
		"{\"shades\": [1, -1]}":                  `d.json:1:16: /shades/1: `,
		"{\"colour\": \"red\", \"shades\": [1]}": "",
	} {
		var d document
		err := json.Unmarshal([]byte(text), &d, json.RejectUnknownMembers(true))
		if err == nil {
			if want != "" {
				t.Errorf("%s: is read, want %s", text, want)
			}
			continue
		}
		if got := NewDocumentError("d.json", []byte(text), err).Error(); len(got) < len(want) || want == "" || got[:len(want)] != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
