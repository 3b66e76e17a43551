package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// full is a disk that takes nothing more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestOutputThatCannotBeWritten: an answer that nobody got is status 4,
// whatever its verdict.
func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, line := range []string{"catalog", "version", "baseline graviton2@6.18", "baseline graviton2@6.18 graviton3@6.18", "explain MIDR_EL1=0x413fd0c1", "model changes 6.1 6.12"} {
		var stderr bytes.Buffer
		if status := run(context.Background(), strings.Fields(line), nil, full{}, &stderr); status != statusCannot || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("guise %s: status %d: %s; want 4 with the reason", line, status, stderr.String())
		}
	}
}
