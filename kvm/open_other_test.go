//go:build !(linux && arm64)

package kvm

import (
	"errors"
	"strings"
	"testing"

	"github.com/guise-project/guise/vm"
)

func TestOpenSaysWhatCan(t *testing.T) {
	host, err := Open(DefaultPath)
	if host != nil || !errors.Is(err, vm.ErrNotSupported) {
		t.Fatalf("Open gave %v, %v", host, err)
	}
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "guise lab") {
		t.Errorf("%v says nothing of the lab", err)
	}
}
