package kvm

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/vm"
)

// TestGuestsThatLoopAreStopped: a guest that never ends is given up, and the
// message says where it was.
func TestGuestsThatLoopAreStopped(t *testing.T) {
	opened, err := openHost(t).NewVM(t.Context(), guise.Setup{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	m := opened.(*machine)
	const (
		address  = 0x4000_0000
		branch   = 0x1400_0000 // B to itself
		shortly  = 50 * time.Millisecond
		pageSize = 0x1_0000
	)
	memory, err := m.addMemory(address, pageSize)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(memory, branch)
	if err := m.Set(0, kvmabi.CorePC, address); err != nil {
		t.Fatal(err)
	}
	ctx, stop := whileMoving(t.Context(), shortly, func() int { return 7 })
	defer stop()
	err = m.untilDone(ctx, 0, func(*vm.Access) (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "vCPU 0: stopped at 0x40000000") || !strings.Contains(err.Error(), "after 7 operations") {
		t.Errorf("got %v", err)
	}
}

// TestGuestsThatMoveAreLeftAlone: as long as operations are added, the time does
// not run out.
func TestGuestsThatMoveAreLeftAlone(t *testing.T) {
	const looks = 20
	count, enough := 0, make(chan struct{})
	ctx, stop := whileMoving(context.Background(), time.Millisecond, func() int {
		if count++; count == looks {
			close(enough)
		}
		return min(count, looks)
	})
	<-enough
	<-ctx.Done() // from here on the count stays
	stop()
	if cause := context.Cause(ctx); count != looks+1 || !strings.Contains(cause.Error(), "after 20 operations") {
		t.Errorf("ended after %d looks: %v", count, cause)
	}
}
