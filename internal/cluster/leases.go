package cluster

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Leases make one instance list a backend, reconcile its rooms and sweep its
// orphans. Two that do it at the same time do twice the work and no harm: what
// they write is fenced. So leases are short, and shared out evenly.
type leases struct {
	mu    sync.Mutex
	until map[string]time.Time // by name; how long we trust ourselves
	extra map[string]extra     // beyond our share, because nobody took them then
	alive int                  // instances, in the round before
}

// extra is a lease that is kept the longer the more often nobody else took it:
// perhaps nobody else reaches the backend, and giving it up each time would have
// it listed anew each time.
type extra struct {
	since time.Time
	times int
}

func (e extra) keep(lease time.Duration) bool {
	return e.times > 1 && time.Since(e.since) <= lease<<min(e.times-2, 4)
}

const (
	listLease     = "list/"     // and the backend's id
	instanceLease = "instance/" // and the instance's id: it lives
	removalLease  = "removal"   // of backends that are out of service
)

// lists reports whether this instance lists the backend now.
func (c *Cluster) lists(backendID string) bool {
	return c.holds(listLease + backendID)
}

// holds reports whether a job is this instance's now.
func (c *Cluster) holds(lease string) bool {
	if !c.shared() {
		return true
	}
	c.leases.mu.Lock()
	defer c.leases.mu.Unlock()
	return time.Now().Before(c.leases.until[lease])
}

// keepLeases renews what this instance has and takes what nobody has.
func (c *Cluster) keepLeases(ctx context.Context) error {
	free := map[string]bool{} // in the round before
	for ctx.Err() == nil {
		var err error
		if free, err = c.leaseRound(ctx, free); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "leases not renewed", "error", err)
		}
		pause(ctx, jitter(c.opts.Lease/4))
	}
	c.releaseLeases(context.WithoutCancel(ctx))
	return nil
}

// leaseRound asks for the leases of the backends that this instance reaches:
// its share of those that are free, and all that nobody else took since the
// round before. What it has beyond its share it gives up.
func (c *Cluster) leaseRound(ctx context.Context, freeBefore map[string]bool) (free map[string]bool, err error) {
	held, err := c.store.Leases(ctx)
	if err != nil {
		return freeBefore, err
	}
	alive := map[string]bool{c.opts.Instance: true}
	for name, holder := range held {
		if strings.HasPrefix(name, instanceLease) {
			alive[holder] = true
		}
	}
	var mine, surplus, untaken []string
	free = map[string]bool{}
	backends := c.table.Backends()
	share := (len(backends) + len(alive) - 1) / len(alive)
	if c.leases.alive != len(alive) || c.leases.extra == nil {
		c.leases.alive, c.leases.extra = len(alive), map[string]extra{}
	}
	for _, b := range backends {
		name := listLease + b.ID
		switch holder := held[name]; {
		case holder == c.opts.Instance && (!b.Reachable() || len(mine) >= share && !c.leases.extra[name].keep(c.opts.Lease)):
			surplus = append(surplus, name) // others may reach it
		case holder == c.opts.Instance:
			mine = append(mine, name)
		case holder == "" && b.Reachable():
			free[name] = true
			untaken = append(untaken, name)
		}
	}
	for _, name := range untaken {
		if len(mine) >= share && freeBefore[name] {
			c.leases.extra[name] = extra{time.Now(), c.leases.extra[name].times + 1}
		}
		if len(mine) < share || freeBefore[name] {
			mine = append(mine, name)
		}
	}
	for name, holder := range held {
		if id, found := strings.CutPrefix(name, listLease); found && holder == c.opts.Instance && c.table.Backend(id) == nil {
			surplus = append(surplus, name) // it was deleted
		}
	}
	if len(surplus) > 0 {
		c.distrust(surplus)
		if err := c.store.ReleaseLeases(ctx, surplus, c.opts.Instance); err != nil {
			return free, err
		}
	}
	mine = append(mine, instanceLease+c.opts.Instance)
	if holder := held[removalLease]; holder == "" || holder == c.opts.Instance {
		mine = append(mine, removalLease)
	}
	return free, c.acquire(ctx, mine)
}

// acquire takes leases and trusts them for less time than the store does: by
// when it runs out there, we have stopped.
func (c *Cluster) acquire(ctx context.Context, names []string) error {
	asked := time.Now()
	got, err := c.store.AcquireLeases(ctx, names, c.opts.Instance, c.opts.Lease)
	if err != nil {
		return err
	}
	until := asked.Add(c.opts.Lease * 3 / 4)
	var gained []string
	c.leases.mu.Lock()
	before := c.leases.until
	c.leases.until = make(map[string]time.Time, len(got))
	for _, name := range got {
		c.leases.until[name] = until
		if id, found := strings.CutPrefix(name, listLease); found && !asked.Before(before[name]) {
			gained = append(gained, id)
		}
	}
	c.leases.mu.Unlock()
	for _, id := range gained {
		c.nudge(id)
	}
	return nil
}

func (c *Cluster) distrust(names []string) {
	c.leases.mu.Lock()
	defer c.leases.mu.Unlock()
	for _, name := range names {
		delete(c.leases.until, name)
	}
}

// releaseLeases gives up everything, so that others need not wait until it
// runs out.
func (c *Cluster) releaseLeases(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c.leases.mu.Lock()
	names := make([]string, 0, len(c.leases.until))
	for name := range c.leases.until {
		names = append(names, name)
	}
	c.leases.until = nil
	c.leases.mu.Unlock()
	if err := c.store.ReleaseLeases(ctx, names, c.opts.Instance); err != nil {
		c.log.WarnContext(ctx, "leases not released", "error", err)
	}
}
