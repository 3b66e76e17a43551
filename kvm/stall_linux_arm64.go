package kvm

import (
	"context"
	"fmt"
	"time"
)

// patience is how long a guest may take for one operation. It takes microseconds,
// and where KVM itself is emulated milliseconds; a guest that needs this long will
// never end, and its user would wait for good.
const patience = time.Minute

// whileMoving returns a context that also ends, with the reason as its cause,
// when done, the count of what the guest has done, stays the same for the given
// time. done is called from another goroutine, and no more once the returned
// function has returned.
func whileMoving(ctx context.Context, patience time.Duration, done func() int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(patience)
		defer ticker.Stop()
		for last := done(); ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now := done()
			if now == last {
				cancel(fmt.Errorf("the guest did nothing for %v, after %d operations: it loops, or this kernel enters it in vain", patience, now))
				return
			}
			last = now
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}
