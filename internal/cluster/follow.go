package cluster

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/internal/routing"
)

// Instances that share a store learn each other's changes in three ways, each
// slower and surer than the one before: hints, versions, and now and then all
// of it. Joins, creates and ends read the row and wait for none of them.

const (
	// lookBack is how far below the newest version the next poll begins: a
	// transaction may become visible later than one with a higher version.
	lookBack = 10 * time.Second
	// resyncEvery finds what even that misses, such as changes made by hand.
	resyncEvery = time.Minute
)

// following is what has been taken in of the others' changes.
type following struct {
	mu      sync.Mutex // one poll or resync at a time
	since   int64      // the newest version seen of meetings
	reports int64      // the same of reports
	config  string     // the version of the configuration in memory
	latest  map[string]nodeReport
	asOf    atomic.Int64 // nanoseconds since we were born; all that was stored then is in memory
}

// FeedLag is how far memory may be behind what other instances have stored. It
// is 0 where there are none.
func (c *Cluster) FeedLag() time.Duration {
	if !c.shared() {
		return 0
	}
	return time.Since(c.born) - time.Duration(c.following.asOf.Load())
}

// upTo notes that memory has all that was stored then.
func (c *Cluster) upTo(then time.Time) { c.following.asOf.Store(int64(then.Sub(c.born))) }

// beginToFollow notes where to begin, before anything is loaded.
func (c *Cluster) beginToFollow(ctx context.Context) error {
	if !c.shared() {
		return nil
	}
	now, err := c.store.Now(ctx)
	if err != nil {
		return err
	}
	f := &c.following
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since, f.reports, f.latest = int64(now), 0, map[string]nodeReport{}
	c.upTo(time.Now()) // what is loaded from now on is not older
	f.config, err = c.store.ConfigVersion(ctx)
	return err
}

// follow keeps memory up to what other instances write.
func (c *Cluster) follow(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	resync := make(chan struct{}, 1)
	again := func() {
		select {
		case resync <- struct{}{}:
		default: // it comes already
		}
	}
	g.Go(func() error {
		missed := func() {
			if err := c.resync(ctx); err != nil {
				again()
			}
		}
		return c.opts.Changes.Follow(ctx, missed, func(hints []b3scale.Hint) { c.takeHints(ctx, hints) })
	})
	g.Go(func() error {
		poll := time.NewTicker(c.opts.PollInterval)
		defer poll.Stop()
		all := time.NewTicker(resyncEvery)
		defer all.Stop()
		for {
			var err error
			select {
			case <-ctx.Done():
				return nil
			case <-poll.C:
				err = c.poll(ctx)
			case <-all.C:
				again()
			case <-resync:
				if err = c.resync(ctx); err != nil && ctx.Err() == nil {
					pause(ctx, c.opts.PollInterval)
					again()
				}
			}
			if err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "changes of other instances not read", "error", err)
			}
		}
	})
	return g.Wait()
}

// takeHints reads what other instances say that they changed. What fails now
// the next poll brings.
func (c *Cluster) takeHints(ctx context.Context, hints []b3scale.Hint) {
	var keys []b3scale.MeetingKey
	for _, h := range hints {
		switch h.Kind {
		case b3scale.HintMeeting:
			keys = append(keys, h.Key)
		case b3scale.HintConfig:
			c.reloadSoon()
		case b3scale.HintList:
			c.nudge(h.BackendID)
		}
	}
	if err := c.refresh(ctx, keys); err != nil && ctx.Err() == nil {
		c.log.DebugContext(ctx, "hints not followed", "error", err)
	}
}

// poll reads what has changed since the last one.
func (c *Cluster) poll(ctx context.Context) error {
	f := &c.following
	f.mu.Lock()
	defer f.mu.Unlock()
	begin := time.Now()
	var stale []b3scale.MeetingKey
	newest := f.since
	err := c.store.VersionsSince(ctx, f.since-lookBack.Microseconds(), func(key b3scale.MeetingKey, version int64) {
		newest = max(newest, version)
		if c.table.Stale(key, version) {
			stale = append(stale, key)
		}
	})
	if err != nil {
		return err
	}
	c.silent.answers.Add(1)
	if err := c.refresh(ctx, stale); err != nil {
		return err
	}
	f.since = newest
	c.upTo(begin)
	if err := c.pollConfig(ctx); err != nil {
		return err
	}
	if err := c.pollAgents(ctx); err != nil {
		return err
	}
	return c.pollReports(ctx)
}

func (c *Cluster) pollConfig(ctx context.Context) error {
	version, err := c.store.ConfigVersion(ctx)
	if err != nil || version == c.following.config {
		return err
	}
	if err := c.LoadConfig(ctx); err != nil {
		return err
	}
	c.following.config = version
	return nil
}

// resync compares all live rows with memory, and reads the configuration.
func (c *Cluster) resync(ctx context.Context) error {
	f := &c.following
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := c.LoadConfig(ctx); err != nil {
		return err
	}
	begin := time.Now()
	now, err := c.store.Now(ctx)
	if err != nil {
		return err
	}
	c.setClock(now, begin)
	live := map[b3scale.MeetingKey]bool{}
	var stale, newer []b3scale.MeetingKey
	err = c.store.LiveVersions(ctx, func(key b3scale.MeetingKey, version int64) {
		live[key] = true
		if c.table.Stale(key, version) {
			stale = append(stale, key)
		} else if r := c.table.Meeting(key); r != nil && r.Version > version {
			newer = append(newer, key)
		}
	})
	if err != nil {
		return err
	}
	for _, key := range newer {
		if err := c.reread(ctx, key); err != nil {
			return err
		}
	}
	f.since = int64(now)
	c.table.Each(func(r *routing.Room) {
		if !live[r.Key] && !r.Breakout {
			stale = append(stale, r.Key)
		}
	})
	f.reports = 0
	clear(f.latest)
	if err := c.pollReports(ctx); err != nil {
		return err
	}
	f.reports = int64(now)
	if err := c.refresh(ctx, stale); err != nil {
		return err
	}
	c.upTo(begin)
	return nil
}

// refresh reads rows with their people. Those that are gone from the store go
// from memory, too.
func (c *Cluster) refresh(ctx context.Context, keys []b3scale.MeetingKey) error {
	if len(keys) == 0 {
		return nil
	}
	before := map[b3scale.MeetingKey]*routing.Room{}
	for _, key := range keys {
		if r := c.table.Meeting(key); r != nil && !r.Breakout {
			before[key] = r
		}
	}
	err := c.store.ReadMeetings(ctx, keys, func(m b3scale.Meeting, people []b3scale.Attendee) {
		delete(before, m.Key)
		c.takeRow(m, people)
	})
	if err != nil {
		return err
	}
	for _, r := range before {
		c.table.End(r.Meeting, time.Now())
	}
	return nil
}

// takeRow brings a row into memory with the people that are stored with it.
func (c *Cluster) takeRow(m b3scale.Meeting, people []b3scale.Attendee) {
	now := time.Now()
	c.table.Apply(m, now)
	r := c.table.Meeting(m.Key)
	if m.State != b3scale.MeetingActive || r == nil || r.InternalID != m.InternalID {
		return
	}
	c.takePeople(r, people, m.Version)
}

// takePeople brings stored people into memory. What events have told here and
// the store does not know yet stays.
func (c *Cluster) takePeople(r *routing.Room, people []b3scale.Attendee, asOf int64) {
	now := time.Now()
	if asOf < r.AsOf() {
		return
	}
	inOrder(people)
	for i := range people {
		people[i].SeenAt = c.ourTime(people[i].SeenAt)
	}
	crowd := r.Crowd()
	same := sameAttendees(present(people), r.Present())
	xml, count := crowd.Replace(func(before []b3scale.Attendee, unsaved func(string) bool) ([]b3scale.Attendee, []string) {
		return mergeRows(before, people, unsaved)
	}, traitsOf, b3scale.MicrosOf(now), true)
	facts := r.Facts // the node itself may have said more
	if !same || crowd.Told() {
		facts = routing.Facts{Running: count.People > 0, People: count.People, InBreakouts: r.InBreakouts}
	}
	facts.Attendees, facts.Count = xml, count
	c.observed(r.Key, r.InternalID, crowd, facts, nil, asOf, now)
}

// observed takes facts into the table. Events that came meanwhile stay.
func (c *Cluster) observed(key b3scale.MeetingKey, internalID string, crowd *routing.Crowd, facts routing.Facts, info []byte, asOf int64, now time.Time) {
	c.table.Observe(key, internalID, facts, info, asOf, now)
	if !crowd.Told() {
		return
	}
	if r := c.table.Recount(key, crowd, nil, now); r != nil && !r.Breakout && crowd.HasNews() {
		c.soil(crowd, key)
	}
}

// inOrder brings people into the order in which a list showed them.
func inOrder(people []b3scale.Attendee) {
	slices.SortFunc(people, func(a, b b3scale.Attendee) int {
		return cmp.Or(cmp.Compare(len(a.InternalUserID), len(b.InternalUserID)), cmp.Compare(a.InternalUserID, b.InternalUserID))
	})
}

// present are the XML of those who have not left.
func present(people []b3scale.Attendee) [][]byte {
	var all [][]byte
	for i := range people {
		if !people[i].Gone() {
			all = append(all, people[i].XML)
		}
	}
	return all
}
