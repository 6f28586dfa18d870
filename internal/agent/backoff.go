package agent

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff gives waiting times that double and differ from node to node: after
// an outage all agents come back at once.
type backoff struct {
	least, most time.Duration
	next        time.Duration
}

// wait gives the next time: between half and all of what it is now.
func (b *backoff) wait() time.Duration {
	d := max(b.next, b.least)
	b.next = min(d*2, b.most)
	return jitter(d)
}

func (b *backoff) reset() { b.next = b.least }

func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // it spreads load
}

// sleep waits and says false when it was told to stop.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
