package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Nodes calls backends. *bbb.Client is one.
type Nodes interface {
	Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error)
}

var _ Nodes = (*bbb.Client)(nil)

// Options have useful zero values.
type Options struct {
	Instance string // names this process in the store; a random id by default

	// Changes connects the instances that share the store. nil: this is the only
	// one, and memory knows all that the store does.
	Changes      b3scale.Changes
	PollInterval time.Duration // 1 s; others' changes are known so soon without any hint
	Lease        time.Duration // 6 s; an instance that died is replaced after it

	// Observe: look, adopt and list, but create, end and move nothing.
	Observe bool

	Calls Calls // is told of calls to nodes; nil: nobody is
	Relay Relay // stands between nodes and frontends when there is something to tell; nil: nobody does

	ProbeInterval time.Duration // 2 s
	ProbeTimeout  time.Duration // 2 s
	LostAfter     time.Duration // 90 s of silence before a backend is lost
	ListInterval  time.Duration // 10 s; every backend, jittered
	ListGap       time.Duration // two lists are two when begun so far apart; half of ListInterval
	ListTimeout   time.Duration // 20 s

	RequestTimeout time.Duration // 55 s for all that one request does
	CreateTimeout  time.Duration // 20 s for one create at one node
	BodyTimeout    time.Duration // 40 s for one with a presentation: nodes fetch it first
	CallTimeout    time.Duration // 10 s for every other call
	JoinWait       time.Duration // 3 s for a meeting that is being created
	PlaceWait      time.Duration // 3 s for a reservation while the store answers; without it a join goes on at once
	PlaceHold      time.Duration // 60 s until it lapses if nobody comes

	HealAfter    time.Duration // a row may be creating for 60 s
	PurgeAfter   time.Duration // ended rows stay as fences for 7 days
	OrphanLease  time.Duration // 30 s
	LooksPerTick int           // getMeetingInfo calls per quarter of a second that nobody asked for; 16
}

func (o Options) withDefaults() Options {
	if o.Instance == "" {
		o.Instance = b3scale.NewID()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.PollInterval, time.Second}, {&o.Lease, 6 * time.Second},
		{&o.ProbeInterval, 2 * time.Second}, {&o.ProbeTimeout, 2 * time.Second},
		{&o.LostAfter, 90 * time.Second},
		{&o.ListInterval, 10 * time.Second}, {&o.ListTimeout, 20 * time.Second},
		{&o.RequestTimeout, 55 * time.Second}, {&o.CreateTimeout, 20 * time.Second},
		{&o.BodyTimeout, 40 * time.Second}, {&o.CallTimeout, 10 * time.Second}, {&o.JoinWait, 3 * time.Second},
		{&o.PlaceWait, 3 * time.Second}, {&o.PlaceHold, time.Minute},
		{&o.HealAfter, time.Minute}, {&o.PurgeAfter, 7 * 24 * time.Hour}, {&o.OrphanLease, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.ListGap == 0 {
		o.ListGap = o.ListInterval / 2
	}
	if o.LooksPerTick == 0 {
		o.LooksPerTick = 16
	}
	return o
}

// Cluster decides. Its methods may be called at the same time.
type Cluster struct {
	store b3scale.Store
	table *routing.Table
	nodes Nodes
	log   *slog.Logger
	opts  Options

	halted   context.Context // ends with Halt
	halt     context.CancelFunc
	born     time.Time
	storedAt atomic.Int64 // nanoseconds since we were born; our last successful write
	silent   silentStore
	limits   limits
	configMu sync.Mutex    // one reader of the configuration at a time, or an older one could win
	reload   chan struct{} // asks for the configuration to be read soon

	commanded chan struct{} // asks for commands to be taken now

	placements placements

	following following
	leases    leases
	looks     looks
	agents    agents
	events    events
	mu        sync.Mutex
	watchers  map[string]*watcher // by backend id
}

// New makes a cluster over a table that Load fills.
func New(store b3scale.Store, table *routing.Table, nodes Nodes, log *slog.Logger, opts Options) *Cluster {
	halted, halt := context.WithCancel(context.Background())
	return &Cluster{
		halted: halted, halt: halt, born: time.Now(),
		store: store, table: table, nodes: nodes, log: log, opts: opts.withDefaults(),
		reload: make(chan struct{}, 1), commanded: make(chan struct{}, 1), watchers: map[string]*watcher{},
		events: events{wake: make(chan struct{}, 1)},
	}
}

// Halt makes creates and ends that still wait for a node give up, so that their
// clients get an answer before the process ends.
func (c *Cluster) Halt() { c.halt() }

// detached is the context of a request that is brought to its end even when its
// client goes away. It may have waited elsewhere before.
func (c *Cluster) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(c.opts.RequestTimeout)
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(c.halted, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// shared reports whether other instances work with the same store.
func (c *Cluster) shared() bool { return c.opts.Changes != nil }

// Load fills the table from the store. Call it before Run and before the
// doors open.
func (c *Cluster) Load(ctx context.Context) error {
	if err := c.beginToFollow(ctx); err != nil {
		return err
	}
	if err := c.LoadConfig(ctx); err != nil {
		return err
	}
	probes, err := c.store.Probes(ctx)
	if err != nil {
		return fmt.Errorf("load probes: %w", err)
	}
	begin := time.Now()
	stored, err := c.store.Now(ctx)
	if err != nil {
		return fmt.Errorf("load probes: %w", err)
	}
	c.setClock(stored, begin)
	ahead := time.Until(stored.Time()) // the store's clock, of ours
	for id, at := range probes {
		if b := c.table.Backend(id); b != nil {
			b.Restore(at.Add(-ahead))
		}
	}
	if err := c.pollAgents(ctx); err != nil {
		return fmt.Errorf("load heartbeats: %w", err)
	}
	if err := c.loadMeetings(ctx); err != nil {
		return fmt.Errorf("load meetings: %w", err)
	}
	if err := c.loadAttendees(ctx); err != nil {
		return err
	}
	c.stored()
	return nil
}

// loadMeetings reads and applies at the same time: with 100,000 rows each of
// the two takes a good part of a second, and joins wait for both.
func (c *Cluster) loadMeetings(ctx context.Context) error {
	const size = 512
	batches := make(chan []b3scale.Meeting, 8)
	applied := make(chan struct{})
	go func() {
		defer close(applied)
		now := time.Now()
		for batch := range batches {
			for _, m := range batch {
				c.table.Apply(m, now)
				if m.State == b3scale.MeetingActive && c.shared() {
					c.table.Observe(m.Key, m.InternalID, routing.Facts{}, nil, m.Version, now)
				}
			}
		}
	}()
	batch := make([]b3scale.Meeting, 0, size)
	err := c.store.LiveMeetings(ctx, func(m b3scale.Meeting) {
		if batch = append(batch, m); len(batch) == size {
			batches <- batch
			batch = make([]b3scale.Meeting, 0, size)
		}
	})
	batches <- batch
	close(batches)
	<-applied
	return err
}

// LoadConfig reads all frontends, with their defaults, and backends.
func (c *Cluster) LoadConfig(ctx context.Context) error {
	c.configMu.Lock()
	defer c.configMu.Unlock()
	defaults, err := c.store.FrontendDefaults(ctx)
	if err != nil {
		return fmt.Errorf("load the defaults of frontends: %w", err)
	}
	frontends, err := c.store.Frontends(ctx)
	if err != nil {
		return fmt.Errorf("load frontends: %w", err)
	}
	backends, err := c.store.Backends(ctx)
	if err != nil {
		return fmt.Errorf("load backends: %w", err)
	}
	c.table.SetConfig(defaults, frontends, backends, time.Now())
	return nil
}

// reloadSoon asks for LoadConfig. Many requests become one.
func (c *Cluster) reloadSoon() {
	select {
	case c.reload <- struct{}{}:
	default: // asked already
	}
}

func (c *Cluster) loadAttendees(ctx context.Context) error {
	type room struct {
		key      b3scale.MeetingKey
		internal string
	}
	people := map[room][]b3scale.Attendee{}
	err := c.store.Attendees(ctx, func(key b3scale.MeetingKey, a b3scale.Attendee) {
		r := room{key, a.InternalMeetingID}
		people[r] = append(people[r], a)
	})
	if err != nil {
		return fmt.Errorf("load attendees: %w", err)
	}
	for r, attendees := range people {
		if known := c.table.Meeting(r.key); known != nil && known.InternalID == r.internal {
			c.takePeople(known, attendees, known.AsOf())
		}
	}
	return nil
}

// Run watches the backends until ctx ends.
func (c *Cluster) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.watchAll(ctx) })
	g.Go(func() error { return c.runLooks(ctx) })
	g.Go(func() error { return c.saveProbes(ctx) })
	g.Go(func() error { return c.runEvents(ctx) })
	g.Go(func() error { return c.runJudge(ctx) })
	g.Go(func() error { return c.runHeartbeats(ctx) })
	g.Go(func() error { return c.runEnds(ctx) })
	g.Go(func() error { return c.tidy(ctx) })
	g.Go(func() error { return c.saveSecretUses(ctx) })
	g.Go(func() error { return c.runCommands(ctx) })
	g.Go(func() error { return c.removeEmpty(ctx) })
	if c.shared() {
		g.Go(func() error { return c.follow(ctx) })
		g.Go(func() error { return c.keepLeases(ctx) })
	}
	return g.Wait()
}

// tidy lets loads fade every few seconds and purges old rows every hour.
func (c *Cluster) tidy(ctx context.Context) error {
	fade := time.NewTicker(5 * time.Second)
	defer fade.Stop()
	purge := time.NewTicker(time.Hour)
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-fade.C:
			c.table.Age(now)
		case <-purge.C:
			c.purge(ctx)
		}
	}
}

// instanceMemory is how long the probes and leases of an instance that is gone
// stay in the store.
const instanceMemory = 24 * time.Hour

func (c *Cluster) purge(ctx context.Context) {
	c.limits.forget(func(frontendID string) bool { return c.table.FrontendByID(frontendID) == nil })
	now, err := c.store.Now(ctx)
	if err == nil {
		_, err = c.store.PurgeMeetings(ctx, now.Add(-c.opts.PurgeAfter))
	}
	if err == nil {
		err = c.store.PurgeInstances(ctx, instanceMemory)
	}
	if err == nil {
		err = c.store.PurgePlaces(ctx)
	}
	if err != nil {
		c.log.WarnContext(ctx, "old rows not purged", "error", err)
	}
}

// pause waits for d, or less if ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
