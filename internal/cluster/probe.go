package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// probeID is a meeting that never exists. Asking for it proves network, web
// server, bbb-web and secret at once.
const probeID = "b3scale-probe"

// watcher follows one backend until it is removed.
type watcher struct {
	cancel  context.CancelFunc
	list    chan struct{} // asks for a list now
	probe   chan struct{} // asks for a probe now
	silence silence       // of the probe loop
}

// silence is a period in which every probe failed.
type silence struct {
	since, last time.Time
}

// after takes in the outcome of a probe and tells how long the backend has
// been silent. A gap in our own probing says nothing about the node, so it
// begins the period anew.
func (s *silence) after(ok bool, now time.Time, interval time.Duration) time.Duration {
	if ok {
		*s = silence{}
		return 0
	}
	if s.since.IsZero() || now.Sub(s.last) > 3*interval {
		s.since = now
	}
	s.last = now
	return now.Sub(s.since)
}

// watchAll keeps one watcher per configured backend.
func (c *Cluster) watchAll(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		c.mu.Lock()
		for _, b := range c.table.Backends() {
			if c.watchers[b.ID] == nil {
				ctx, cancel := context.WithCancel(ctx)
				w := &watcher{cancel: cancel, list: make(chan struct{}, 1), probe: make(chan struct{}, 1)}
				c.watchers[b.ID] = w
				wg.Go(func() { c.probeLoop(ctx, b.ID, w) })
				wg.Go(func() { c.listLoop(ctx, b.ID, w) })
			}
		}
		for id, w := range c.watchers {
			if c.table.Backend(id) == nil {
				w.cancel()
				delete(c.watchers, id)
				c.placements.forget(id)
			}
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-c.reload:
			if err := c.LoadConfig(ctx); err != nil {
				c.log.WarnContext(ctx, "configuration not read", "error", err)
				time.AfterFunc(time.Second, c.reloadSoon) // a verdict is told only once
			}
		}
	}
}

// listSoon asks for a list of the backend now, whoever lists it.
func (c *Cluster) listSoon(backendID string) {
	if c.lists(backendID) {
		c.nudge(backendID)
	} else {
		c.opts.Changes.Hint(b3scale.Hint{Kind: b3scale.HintList, BackendID: backendID})
	}
}

// nudge asks our own list loop for a list of the backend now.
func (c *Cluster) nudge(backendID string) {
	c.wake(backendID, func(w *watcher) chan struct{} { return w.list })
}

// probeNow asks our own probe loop for a probe of the backend now.
func (c *Cluster) probeNow(backendID string) {
	c.wake(backendID, func(w *watcher) chan struct{} { return w.probe })
}

func (c *Cluster) wake(backendID string, loop func(*watcher) chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.watchers[backendID]; w != nil {
		select {
		case loop(w) <- struct{}{}:
		default: // asked already
		}
	}
}

func (c *Cluster) probeLoop(ctx context.Context, id string, w *watcher) {
	for ctx.Err() == nil {
		if b := c.table.Backend(id); b != nil {
			ok := c.probe(ctx, b)
			if c.storeSilent() {
				w.silence = silence{} // then nobody could have told us that they reach it
			}
			if w.silence.after(ok, time.Now(), max(c.opts.ProbeInterval, c.opts.ProbeTimeout)) >= c.opts.LostAfter {
				c.passVerdict(ctx, b)
			}
		}
		select {
		case <-ctx.Done():
		case <-w.probe:
		case <-time.After(jitter(c.opts.ProbeInterval)):
		}
	}
}

// storeSilent reports whether our own writes have not succeeded for a while.
func (c *Cluster) storeSilent() bool {
	return time.Since(c.born)-time.Duration(c.storedAt.Load()) > 3*max(c.opts.ProbeInterval, c.opts.ProbeTimeout)
}

// stored notes that the store has just taken a write.
func (c *Cluster) stored() { c.storedAt.Store(int64(time.Since(c.born))) }

// passVerdict calls a silent backend lost, if the store agrees. Slow and
// careful: people may be in its rooms, and a server that restarts is silent,
// too.
func (c *Cluster) passVerdict(ctx context.Context, b *routing.Backend) {
	if b.Lost || c.opts.Observe {
		return
	}
	passed, err := c.store.PassVerdict(ctx, b.ID, c.opts.LostAfter)
	switch {
	case err != nil:
		c.log.WarnContext(ctx, "verdict lost not stored", "backend", b.ID, "error", err)
	case passed:
		c.log.ErrorContext(ctx, "backend is lost: its meetings are placed elsewhere", "backend", b.ID, "host", b.Host, "silent", c.opts.LostAfter)
		c.reloadSoon()
	}
}

// probe asks one backend for a sign of life and reports whether it came.
func (c *Cluster) probe(ctx context.Context, b *routing.Backend) bool {
	err := c.ask(ctx, b)
	if ctx.Err() != nil {
		return true // we are stopping: that says nothing about the node
	}
	before, known := b.Reachable(), b.WasProbed()
	b.Probed(err == nil, time.Now())
	switch {
	case err == nil && (!before || !known):
		c.log.InfoContext(ctx, "backend answers", "backend", b.ID, "host", b.Host)
		if known {
			c.nudge(b.ID) // it was away: see what is there; at the start it is being listed anyway
		}
	case err != nil && (before || !known):
		c.log.WarnContext(ctx, "backend does not answer", "backend", b.ID, "host", b.Host, "error", err)
	}
	if err == nil && b.Lost {
		c.clearLost(ctx, b)
	}
	return err == nil
}

func (c *Cluster) ask(ctx context.Context, b *routing.Backend) error {
	var params bbb.Params
	params.Set("meetingID", probeID)
	begin := time.Now()
	answer, err := c.call(ctx, b, c.opts.ProbeTimeout, bbb.Call{Name: "isMeetingRunning", Params: params})
	switch {
	case err != nil:
		return err
	case !answer.Succeeded():
		err := errors.New("isMeetingRunning: FAILED " + answer.MessageKey())
		b.Failed(reasonOf(err), false)
		return err
	}
	b.Took(time.Since(begin))
	return nil
}

// Ask asks a backend once, for an operator who wants to know.
func (c *Cluster) Ask(ctx context.Context, backendID string) error {
	b := c.table.Backend(backendID)
	if b == nil {
		return b3scale.Errorf(b3scale.NotFound, "no backend %q", backendID)
	}
	return c.ask(ctx, b)
}

func (c *Cluster) clearLost(ctx context.Context, b *routing.Backend) {
	if _, err := c.store.ClearLost(ctx, b.ID); err != nil {
		c.log.WarnContext(ctx, "verdict lost not cleared", "backend", b.ID, "error", err)
		return
	}
	c.log.InfoContext(ctx, "backend is no longer lost", "backend", b.ID)
	c.reloadSoon()
}

// saveProbes stores now and then whom this instance reached, so that the next
// start need not wait for its own probes.
func (c *Cluster) saveProbes(ctx context.Context) error {
	saved := map[string]b3scale.Micros{}
	for {
		pause(ctx, c.opts.ProbeInterval)
		if ctx.Err() != nil {
			return nil
		}
		var reached []string
		for _, b := range c.table.Backends() {
			// Until it answers us, what the store told us is not ours to say again.
			if at := b.LastReached(); b.Reachable() && at != saved[b.ID] {
				saved[b.ID] = at
				reached = append(reached, b.ID)
			}
		}
		since := c.silent.answers.Load()
		err := c.store.SaveProbes(ctx, c.opts.Instance, reached) // also for none: it shows that the store takes writes
		c.heard(since, err)
		if err == nil {
			c.stored()
		} else if ctx.Err() == nil {
			c.log.WarnContext(ctx, "probes not stored", "error", err)
		}
	}
}

// jitter varies d by a tenth, so that instances and backends fall out of step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // spreading needs no secrecy
}
