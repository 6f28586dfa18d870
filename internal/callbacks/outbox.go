package callbacks

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
)

// Store keeps the messages. b3scale.Store is one.
type Store interface {
	AddCallback(ctx context.Context, c b3scale.Callback, terms b3scale.CallbackTerms) (b3scale.Callback, bool, error)
	TakeCallbacks(ctx context.Context, holder string, lease time.Duration, n, perHost, perFrontend int) (
		taken []b3scale.Callback, expired map[b3scale.CallbackKind]int, err error)
	FinishCallback(ctx context.Context, id, holder string, r b3scale.CallbackResult, again time.Duration) (bool, error)
	CallbackQueues(ctx context.Context) ([]b3scale.CallbackQueue, error)
	PurgeCallbacks(ctx context.Context, ended time.Duration) error
}

// Frontends knows the secret that a frontend has now. The cluster does.
type Frontends interface {
	FrontendByID(id string) *b3scale.Frontend
}

// Options have useful zero values.
type Options struct {
	Instance string        // names this process in the store; a random id by default
	Allow    Allow         // targets that may be called although they are not public
	Tried    time.Duration // 24 h; how long a message is good for
	Timeout  time.Duration // 10 s for one attempt
	Grace    time.Duration // 20 s; a message is ours for so much longer. When we are killed, others wait for so long
	Poll     time.Duration // 1 s; how often the store is asked for what is due
	Pause    time.Duration // 5 s after the first failure, then twice as long each time
	MaxPause time.Duration // 1 h
	Workers  int           // 32 attempts at a time; half of them at most, over all instances, for one frontend
	PerHost  int           // 4 of them for one host, over all instances
	Keep     time.Duration // 7 days after their end
	Survey   time.Duration // 10 s; how often the queues are counted
	Purge    time.Duration // 1 h; how often the old ones are deleted, first a sixtieth of it after the start
	Most     int           // 10,000 may wait for one frontend
	// Done hears of every attempt, and of every message that expired; nil: nobody does.
	Done func(kind b3scale.CallbackKind, r b3scale.CallbackResult)
	// TurnedAway hears of every message that was not taken in because too many
	// wait; nil: nobody does.
	TurnedAway func(kind b3scale.CallbackKind)
}

func (o Options) withDefaults() Options {
	if o.Instance == "" {
		o.Instance = b3scale.NewID()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Tried, 24 * time.Hour}, {&o.Timeout, 10 * time.Second}, {&o.Grace, 20 * time.Second}, {&o.Poll, time.Second},
		{&o.Pause, 5 * time.Second}, {&o.MaxPause, time.Hour}, {&o.Keep, 7 * 24 * time.Hour}, {&o.Survey, 10 * time.Second},
		{&o.Purge, time.Hour},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Workers == 0 {
		o.Workers = 32
	}
	if o.PerHost == 0 {
		o.PerHost = 4
	}
	if o.Most == 0 {
		o.Most = 10000
	}
	if o.Done == nil {
		o.Done = func(b3scale.CallbackKind, b3scale.CallbackResult) {}
	}
	if o.TurnedAway == nil {
		o.TurnedAway = func(b3scale.CallbackKind) {}
	}
	return o
}

// Outbox sends what is stored. Several instances may share a store.
type Outbox struct {
	store  Store
	sender *sender
	log    *slog.Logger
	opts   Options
	wake   chan struct{}
	queues atomic.Pointer[[]b3scale.CallbackQueue]
}

// New makes an outbox; Run sends.
func New(store Store, frontends Frontends, log *slog.Logger, opts Options) *Outbox {
	opts = opts.withDefaults()
	return &Outbox{store: store, sender: newSender(frontends, opts), log: log, opts: opts, wake: make(chan struct{}, 1)}
}

// Add stores a message: from then on it is not lost. Of the terms those count
// that tell repeats. Who brings one to a frontend that has too many waiting may
// come again later.
func (o *Outbox) Add(ctx context.Context, c b3scale.Callback, terms b3scale.CallbackTerms) (b3scale.Callback, error) {
	if u, err := url.Parse(c.URL); err == nil {
		// However it is spelled and at whatever port: it is one host with one limit.
		c.Host = strings.TrimRight(strings.ToLower(u.Hostname()), ".")
	}
	terms.Tried, terms.Most = o.opts.Tried, o.opts.Most
	saved, added, err := o.store.AddCallback(ctx, c, terms)
	switch {
	case added:
		o.Wake()
	case b3scale.CodeOf(err) == b3scale.LimitReached:
		o.opts.TurnedAway(c.Kind)
		o.log.WarnContext(ctx, "callback of a node turned away: too many wait", "kind", c.Kind, "frontend", c.FrontendID, "host", c.Host)
		err = b3scale.Errorf(b3scale.Unavailable, "too many messages wait for this frontend").Because(err)
	}
	return saved, err
}

// Tried is how long a message is good for.
func (o *Outbox) Tried() time.Duration { return o.opts.Tried }

// Wake looks for messages that are due, now.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default: // somebody has asked already
	}
}

// Run sends messages until ctx ends, and then waits for the attempts that are
// under way.
func (o *Outbox) Run(ctx context.Context) error {
	poll, survey := time.NewTicker(o.opts.Poll), time.NewTicker(o.opts.Survey)
	defer poll.Stop()
	defer survey.Stop()
	free := make(chan struct{}, o.opts.Workers)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	attempts.Go(func() { o.purge(ctx) }) // which keeps no message waiting
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-survey.C:
			o.survey(ctx)
			continue
		case <-poll.C:
		case <-o.wake:
		}
		room := o.opts.Workers - len(free)
		if room == 0 {
			continue // whoever ends wakes us
		}
		for _, c := range o.take(ctx, room) {
			free <- struct{}{} // there is room: only we fill it
			attempts.Go(func() {
				defer o.Wake()
				defer func() { <-free }()
				o.attempt(context.WithoutCancel(ctx), c)
			})
		}
	}
}

// take gives messages that are due, at most n. It has as long as they are ours
// beyond an attempt: what took longer is left to whoever comes after the lease.
func (o *Outbox) take(ctx context.Context, n int) []b3scale.Callback {
	begin := time.Now()
	taking, cancel := context.WithTimeout(ctx, o.opts.Grace)
	defer cancel()
	due, expired, err := o.store.TakeCallbacks(taking, o.opts.Instance, o.opts.Timeout+o.opts.Grace, n, o.opts.PerHost, max(o.opts.Workers/2, 1))
	o.expire(ctx, expired)
	switch {
	case err != nil && ctx.Err() == nil:
		o.log.WarnContext(ctx, "callbacks not read", "error", err)
	case time.Since(begin) > o.opts.Grace:
		o.log.WarnContext(ctx, "callbacks read too late", "callbacks", len(due))
		return nil
	}
	return due
}

// purge deletes old messages until ctx ends. An instance that is started anew
// every hour does so, too.
func (o *Outbox) purge(ctx context.Context) {
	next := time.NewTimer(o.opts.Purge / 60)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		if err := o.store.PurgeCallbacks(ctx, o.opts.Keep); err != nil && ctx.Err() == nil {
			o.log.WarnContext(ctx, "old callbacks not purged", "error", err)
		}
		next.Reset(o.opts.Purge)
	}
}

// expire tells of messages that nobody tries any more: frontends never hear
// what they say.
func (o *Outbox) expire(ctx context.Context, expired map[b3scale.CallbackKind]int) {
	for kind, n := range expired {
		for range n {
			o.opts.Done(kind, b3scale.CallbackResult{State: b3scale.CallbackExpired})
		}
	}
	if len(expired) > 0 {
		o.log.WarnContext(ctx, "callbacks expired", "kinds", expired)
	}
}

// survey counts what waits. A store that is away leaves the last numbers.
func (o *Outbox) survey(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, o.opts.Survey)
	defer cancel()
	if queues, err := o.store.CallbackQueues(ctx); err == nil {
		o.queues.Store(&queues)
	}
}

// Queues are what waited lately, on all instances together.
func (o *Outbox) Queues() []b3scale.CallbackQueue {
	if queues := o.queues.Load(); queues != nil {
		return *queues
	}
	return nil
}

// attempt tries one message and stores how it ended.
func (o *Outbox) attempt(ctx context.Context, c b3scale.Callback) {
	trying, cancel := context.WithTimeout(ctx, o.opts.Timeout)
	r := o.sender.send(trying, c)
	cancel()
	o.opts.Done(c.Kind, r)
	level := slog.LevelInfo
	if r.State == b3scale.CallbackRefused {
		level = slog.LevelWarn
	}
	o.log.Log(ctx, level, "callback tried", "callback", c.ID, "kind", c.Kind, "frontend", c.FrontendID, "host", c.Host,
		"state", r.State, "attempts", c.Attempts, "status", r.Status, "error", r.Error)
	ctx, cancel = context.WithTimeout(ctx, o.opts.Grace)
	defer cancel()
	for try := 1; ; try++ {
		_, err := o.store.FinishCallback(ctx, c.ID, c.Holder, r, o.pause(c.Attempts))
		if err == nil {
			return
		}
		if try == 5 || ctx.Err() != nil { // when the lease is over it is tried again, under the same id
			o.log.WarnContext(ctx, "end of a callback not stored", "callback", c.ID, "error", err)
			return
		}
		time.Sleep(time.Duration(try) * time.Second)
	}
}

// pause before the next attempt grows, and differs between messages, so that a
// target that comes back is not run over.
func (o *Outbox) pause(attempts int) time.Duration {
	d := o.opts.MaxPause
	if n := max(attempts-1, 0); n < 20 {
		d = min(d, o.opts.Pause<<n)
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // spreading needs no secrecy
}
