package sqlstore

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5"
)

var _ b3scale.Changes = (*Store)(nil)

// Hint tells the other instances.
func (s *Store) Hint(h b3scale.Hint) {
	if s.feed != nil {
		s.feed.hint(h)
	}
}

// Follow reports what the others change until ctx ends. A database of one
// process has no others.
func (s *Store) Follow(ctx context.Context, missed func(), changed func([]b3scale.Hint)) error {
	if s.feed == nil {
		missed()
		<-ctx.Done()
		return nil
	}
	return s.translate(s.feed.follow(ctx, missed, changed))
}

// feed carries hints to the other instances, on connections of its own: a
// NOTIFY in the transaction that changes a row would make all commits queue,
// and a transaction pooler has nobody who listens.
type feed struct {
	id     string // tells our own hints from those of others
	main   b3scale.Secret
	opts   PostgresOptions
	limits feedLimits
	log    *slog.Logger

	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	pending *bag
	sender  struct {
		sync.Mutex
		running bool
		closed  bool
		done    chan struct{} // closed by the sender when it ends
	}
}

// feedLimits are the times of a feed. Tests have less patience.
type feedLimits struct {
	batch    time.Duration // from one batch to the next
	deadline time.Duration // of what the server should answer at once
	late     time.Duration // a hint that could not be sent for so long is of no use
	quiet    time.Duration // a connection that is silent for so long is looked after
}

var defaultFeedLimits = feedLimits{
	batch:    20 * time.Millisecond,
	deadline: 2 * time.Second,
	late:     5 * time.Second,
	quiet:    5 * time.Second,
}

func newFeed(main b3scale.Secret, opts PostgresOptions) *feed {
	f := &feed{id: rand.Text(), main: main, opts: opts, limits: defaultFeedLimits, log: opts.Log, pending: newBag()}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.sender.done = make(chan struct{})
	return f
}

// hint sends h soon. It neither waits nor fails.
func (f *feed) hint(h b3scale.Hint) {
	f.sender.Lock()
	defer f.sender.Unlock()
	if f.sender.closed {
		return
	}
	f.pending.add(h)
	if !f.sender.running {
		f.sender.running = true
		go f.send()
	}
}

// close forgets what is not sent yet: the others poll. It cannot fail, but that
// is how things are closed.
func (f *feed) close() error { //nolint:unparam // see above
	f.cancel()
	f.sender.Lock()
	f.sender.closed = true
	running := f.sender.running
	f.sender.Unlock()
	if running {
		<-f.sender.done
	}
	return nil
}

// connect opens a connection under a name that operators recognise in
// pg_stat_activity.
func (f *feed) connect(ctx context.Context, url b3scale.Secret, name string) (*pgx.Conn, error) {
	config, err := parsePostgres(url, f.opts)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = name
	// Nothing is prepared: a transaction pooler would not find it again.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	ctx, cancel := context.WithTimeout(ctx, f.limits.deadline)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, newConnectError(err)
	}
	return conn, nil
}

// hangUp closes a connection without waiting long for a server that hangs.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = conn.Close(ctx) // there is nothing left to lose
}

// pause waits, but not beyond ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
