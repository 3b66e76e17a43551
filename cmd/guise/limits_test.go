package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/scenario"
)

// TestTextsHaveLimits: what is no document has a largest size, too.
func TestTextsHaveLimits(t *testing.T) {
	for _, c := range []struct {
		line, text string
		most       int
		want       string
	}{
		{"explain -", "Boot CPU: SYS_ID_AA64MMFR0_EL1\n", interop.MaxPasteSize, "guise: standard input: has 8388609 bytes; no text that is explained is longer than 8388608\n"},
		{"model run -", "vm base\n", scenario.MaxScriptSize, "guise: -: has 1048577 bytes; no scenario is longer than 1048576\n"},
	} {
		var out bytes.Buffer
		text := c.text + strings.Repeat(" ", c.most+1-len(c.text))
		if status := run(context.Background(), strings.Fields(c.line), strings.NewReader(text), &out, &out); status != statusUsage || out.String() != c.want {
			t.Errorf("guise %s: status %d: %.300s", c.line, status, out.String())
		}
		out.Reset()
		text = text[:c.most]
		if status := run(context.Background(), strings.Fields(c.line), strings.NewReader(text), &out, &out); status != statusYes {
			t.Errorf("guise %s of the largest text: status %d: %.300s", c.line, status, out.String())
		}
	}
}
