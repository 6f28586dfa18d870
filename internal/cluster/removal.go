package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// removeEvery is how often decommissioned backends are looked at.
const removeEvery = 5 * time.Second

// removeEmpty deletes decommissioned backends when their last meeting is over.
// Nothing else does. One instance at a time is responsible for it.
func (c *Cluster) removeEmpty(ctx context.Context) error {
	tick := time.NewTicker(removeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if c.opts.Observe || !c.holds(removalLease) {
			continue // who observes does not know where others place meetings
		}
		for _, b := range c.table.Backends() {
			if c.knownEmpty(b) {
				c.removeBackend(ctx, b)
			}
		}
	}
}

// knownEmpty reports whether no room of ours is left on a backend that gets no
// new ones, as far as it can tell. One that does not answer tells nothing,
// unless it is lost: then its meetings live elsewhere, and the store knows of
// what it may still have.
func (c *Cluster) knownEmpty(b *routing.Backend) bool {
	if b.AdminState != b3scale.AdminDecommissioned {
		return false
	}
	for _, r := range c.table.MeetingsOn(b.ID) {
		if !b.Lost || !r.Breakout {
			return false
		}
	}
	if b.Lost && !b.Reachable() {
		return true
	}
	// What was seen before an operator changed the backend does not count: until
	// then it may have got meetings.
	since := b.EmptySince()
	return !b.Lost && b.Reachable() && since != 0 && since >= b.UpdatedAt
}

func (c *Cluster) removeBackend(ctx context.Context, b *routing.Backend) {
	deleted, err := c.store.DeleteEmptyBackend(ctx, b.ID)
	switch {
	case err != nil:
		c.log.WarnContext(ctx, "decommissioned backend not deleted", "backend", b.ID, "host", b.Host, "error", err)
	case deleted:
		c.forgetBackend(ctx, b.ID, b.Host)
	}
}

// noteEmpty notes whether the lists of a decommissioned backend show no room of
// ours. Two in a row must agree: a server that starts shows none for a while.
func (l *listing) noteEmpty() {
	b := l.backend
	if b.AdminState != b3scale.AdminDecommissioned || len(l.rooms)+len(l.report.Breakouts) > 0 {
		b.SetEmpty(0)
		return
	}
	l.now.empty = l.before.empty
	if l.now.empty == 0 || l.now.empty < b.UpdatedAt {
		l.now.empty = l.t0
	}
	if l.now.empty != l.t0 && l.apart(l.now.empty) {
		l.report.EmptySince = l.now.empty
	}
	b.SetEmpty(l.report.EmptySince)
}
