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
		"{\n  \"colour\": 1}":                    `d.json:2:13: /colour: want a string, there is a number`,
		"{\n  \"form\": 1}":                      `d.json:2:3: /form: is no member that is known`,
		"{\n  \"colour\": \"red\",, }":           `d.json:2:19: not valid JSON: `,
		"{\n  \"colour\": \"re":                  `d.json:2:16: the document ends too early; is it cut off?`,
		"{\"colour\": \"\", \"colour\": \"\"}":   `d.json:1:16: not valid JSON: `,
		"{\"shades\": [1, -1]}":                  `d.json:1:16: /shades/1: want a whole number from 0 to 18446744073709551615, there is -1`,
		"{\"shades\": [1e0]}":                    `d.json:1:13: /shades/0: want a whole number from 0 to 18446744073709551615, there is 1e0`,
		"{\"shades\": {}}":                       `d.json:1:12: /shades: want a list, there is an object`,
		"[]":                                     `d.json:1:1: want an object, there is a list`,
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
