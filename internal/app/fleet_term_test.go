package app_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"b3scale/internal/pgtest"
)

func TestRollingRestart(t *testing.T) {
	t.Parallel()
	rollingRestart(t, 1)
}

// rollingRestart stops and starts one instance after the other behind a
// balancer. Clients, who never try again themselves, notice nothing.
func rollingRestart(t *testing.T, times int) {
	f := startFleet(t, pgtest.NewDatabase(t))
	b := &balancer{members: f.members, inService: make([]atomic.Bool, len(f.members))}
	watched := b.watch(t.Context())
	defer watched()
	c := newClients(f, b.ask)
	eventually(t, "all are in service", func() bool { return b.size() == len(f.members) })
	stop := c.run(t.Context(), 6)
	defer stop()
	for n := range times {
		d := f.members[n%len(f.members)]
		acknowledged := c.acknowledged()
		eventually(t, "there is load", func() bool { return c.acknowledged() > acknowledged+20 })
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		ended := background(d.cmd.Wait)
		if err := finishes(t, "an instance after SIGTERM", ended); err != nil {
			t.Errorf("the instance ended with %v, want exit code 0", err)
		}
		d.cmd = nil
		d.start(t)
		eventually(t, "it is in service again", func() bool { return b.size() == len(f.members) })
	}
	stop()
	c.contentment(t)
	f.settles(t, c)
}

// balancer is the least that stands in front of several instances: it takes
// turns between those that say they are ready, and tries once more when one
// does not answer.
type balancer struct {
	members   []*daemon
	inService []atomic.Bool
	turn      atomic.Int64
}

// watch asks for readiness until the returned function is called.
func (b *balancer) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i, d := range b.members {
		wg.Go(func() {
			for ctx.Err() == nil {
				inService, _ := d.ready(ctx)
				b.inService[i].Store(inService)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (b *balancer) size() int {
	n := 0
	for i := range b.inService {
		if b.inService[i].Load() {
			n++
		}
	}
	return n
}

// next is whose turn it is, but not the one that has just failed.
func (b *balancer) next(failed int) int {
	for range b.members {
		i := int(b.turn.Add(1)) % len(b.members)
		if i != failed && b.inService[i].Load() {
			return i
		}
	}
	return (failed + 1) % len(b.members) // nobody: perhaps it works
}

func (b *balancer) ask(ctx context.Context, path string, _ func(answer) bool) answer {
	first := b.next(-1)
	got := b.members[first].get(ctx, path)
	if got.status == 0 || got.status >= 500 {
		return b.members[b.next(first)].get(ctx, path)
	}
	return got
}
