package sqlstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

// feedAt is the feed of one instance, with times for tests.
func feedAt(t *testing.T, dsn string) *feed {
	t.Helper()
	url := b3scale.Secret(dsn)
	f := newFeed(url, PostgresOptions{Options: Options{Log: slog.New(slog.DiscardHandler)}, ListenURL: url, Timeout: time.Second})
	f.limits.quiet, f.limits.deadline = 200*time.Millisecond, time.Second
	t.Cleanup(func() { f.close() })
	return f
}

// follower notes what a feed reports.
type follower struct {
	t      *testing.T
	mu     sync.Mutex
	missed int
	events []string // in their order
	heard  map[b3scale.Hint]int
	news   chan struct{}
}

// follows begins to follow and waits until it is listened.
func follows(t *testing.T, f *feed) *follower {
	t.Helper()
	r := &follower{t: t, heard: map[b3scale.Hint]int{}, news: make(chan struct{}, 1)}
	run(t, func(ctx context.Context) error {
		return f.follow(ctx,
			func() { r.note(func() { r.missed++; r.events = append(r.events, "missed") }) },
			func(hints []b3scale.Hint) {
				r.note(func() {
					r.events = append(r.events, "changed")
					for _, h := range hints {
						r.heard[h]++
					}
				})
			})
	})
	r.until("it listens", func() bool { return r.missed > 0 })
	return r
}

// run runs a loop for the time of the test.
func run(t *testing.T, loop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (r *follower) note(what func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// until waits for a condition, which sees a follower that stands still.
func (r *follower) until(what string, condition func() bool) {
	r.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		ok := condition()
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.news:
		case <-deadline:
			r.t.Fatalf("in vain: %s; missed %d times, heard %d hints", what, r.missed, len(r.heard))
		}
	}
}

func (r *follower) hears(hints ...b3scale.Hint) {
	r.t.Helper()
	r.until(fmt.Sprintf("it hears %d hints", len(hints)), func() bool {
		for _, h := range hints {
			if r.heard[h] == 0 {
				return false
			}
		}
		return true
	})
}

// missesAgain waits until hints were missed once more than before.
func (r *follower) missesAgain(cause func()) {
	r.t.Helper()
	r.mu.Lock()
	before := r.missed
	r.mu.Unlock()
	cause()
	r.until("hints are missed", func() bool { return r.missed > before })
}

// hearsAgain hints until it is heard: the sender may have to find out first
// that its connection broke.
func (r *follower) hearsAgain(sender *feed) {
	r.t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			sender.hint(room("again"))
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	})
	defer wg.Wait()
	defer close(stop)
	r.hears(room("again"))
}

func room(id string) b3scale.Hint {
	return meetingHint(b3scale.MeetingKey{FrontendID: "f1", MeetingID: id})
}

func rooms(n int) []b3scale.Hint {
	var hints []b3scale.Hint
	for i := range n {
		hints = append(hints, room(fmt.Sprint(i)))
	}
	return hints
}

func execPG(t *testing.T, dsn, text string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

func TestOthersHearHintsAndTheSenderDoesNot(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	a, b := feedAt(t, dsn), feedAt(t, dsn)
	hearsA, hearsB := follows(t, a), follows(t, b)
	list := b3scale.Hint{Kind: b3scale.HintList, BackendID: "b1"}
	a.hint(configHint)
	a.hint(list)
	hearsB.hears(configHint, list)
	b.hint(room("r")) // stands behind them in the server's queue
	hearsA.hears(room("r"))
	hearsA.until("", func() bool {
		if len(hearsA.heard) != 1 {
			t.Errorf("the sender hears itself: %v", hearsA.heard)
		}
		return true
	})
}

// What is told while the snapshot is taken may not be in it. A feed that
// listens too late loses the race now and then only, hence many.
func TestFeedListensBeforeTheSnapshot(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	text := payloads("other", map[b3scale.Hint]time.Time{configHint: {}})[0]
	for range 20 {
		f := feedAt(t, dsn)
		f.limits.quiet = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		heard := false
		err := f.follow(ctx, func() {
			if _, err := conn.Exec(t.Context(), "SELECT pg_notify($1, $2)", channel, text); err != nil {
				t.Error(err)
			}
		}, func([]b3scale.Hint) { heard = true; cancel() })
		cancel()
		if err != nil || !heard {
			t.Fatal("a hint was lost", err)
		}
	}
}

// Each row is in the snapshot that missed takes, or a hint comes after it.
func TestFeedLosesNothingBetweenSnapshotAndHints(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	execPG(t, dsn, "CREATE TABLE written (id text)")
	const writers, each, followers = 3, 150, 4

	var half, all sync.WaitGroup
	for w := range writers {
		f := feedAt(t, dsn)
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		half.Add(1)
		all.Go(func() {
			for i := range each {
				if i == each/3 {
					half.Done()
				}
				id := fmt.Sprint(w, "-", i)
				if _, err := conn.Exec(t.Context(), "INSERT INTO written VALUES ($1)", id); err != nil {
					t.Error(err)
				}
				f.hint(room(id))
			}
		})
	}
	half.Wait() // now followers come, one after the other
	for range followers {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		var mu sync.Mutex
		known, first := map[string]bool{}, ""
		var complete atomic.Bool
		done := make(chan struct{})
		note := func(kind string, ids ...string) {
			mu.Lock()
			defer mu.Unlock()
			if first == "" {
				first = kind
			}
			for _, id := range ids {
				known[id] = true
			}
			if len(known) == writers*each && complete.CompareAndSwap(false, true) {
				close(done)
			}
		}
		f := feedAt(t, dsn)
		run(t, func(ctx context.Context) error {
			return f.follow(ctx, func() {
				rows, err := conn.Query(t.Context(), "SELECT id FROM written")
				if err != nil {
					t.Error(err)
					return
				}
				ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					t.Error(err)
				}
				note("missed", ids...)
			}, func(hints []b3scale.Hint) {
				for _, h := range hints {
					note("changed", h.Key.MeetingID)
				}
			})
		})
		defer func() {
			select {
			case <-done:
			case <-time.After(30 * time.Second):
				t.Error("a follower does not know all rows")
			}
			mu.Lock()
			defer mu.Unlock()
			if first != "missed" {
				t.Errorf("it begins with %q, want missed", first)
			}
		}()
	}
	all.Wait()
}

func TestManyHintsAtOnce(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	r, sender := follows(t, feedAt(t, dsn)), feedAt(t, dsn)
	hints := rooms(10_000)
	for range 2 {
		for _, h := range hints {
			sender.hint(h)
		}
	}
	r.hears(hints...)
	r.until("", func() bool {
		if r.missed != 1 {
			t.Errorf("missed %d times, want only the first", r.missed)
		}
		return true
	})
}

func TestHintsWhileTheFollowerIsBusyAreKept(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	sender, witness := feedAt(t, dsn), follows(t, feedAt(t, dsn))
	busy, proceed := make(chan struct{}), make(chan struct{})
	got := make(chan []b3scale.Hint)
	f := feedAt(t, dsn)
	run(t, func(ctx context.Context) error {
		return f.follow(ctx, func() { close(busy); <-proceed }, func(hints []b3scale.Hint) {
			select {
			case got <- hints:
			case <-ctx.Done():
			}
		})
	})
	<-busy
	hints := rooms(100)
	for _, h := range hints {
		sender.hint(h)
		if h == hints[50] {
			witness.hears(h) // so they come in several notifications
		}
	}
	witness.hears(hints...)
	close(proceed)
	missing := len(hints)
	for missing > 0 {
		missing -= len(<-got)
	}
	if missing < 0 {
		t.Errorf("%d hints came twice", -missing)
	}
}

func TestFeedThatOnlyPolls(t *testing.T) {
	t.Parallel()
	f := feedAt(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable")
	f.opts.PollOnly = true
	for _, s := range []*Store{{feed: f}, {}} { // SQLite has no feed
		missed, ended := make(chan struct{}), make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			ended <- s.Follow(ctx, func() { close(missed) }, func([]b3scale.Hint) { t.Error("heard a hint") })
		}()
		<-missed
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	new(Store).Hint(configHint)
}

func TestCloseEndsFollowing(t *testing.T) {
	t.Parallel()
	f := feedAt(t, pgtest.NewDatabase(t))
	s := &Store{feed: f, dialect: postgresDialect()}
	listening, ended := make(chan struct{}), make(chan error)
	go func() { ended <- s.Follow(t.Context(), func() { close(listening) }, nil) }()
	<-listening
	f.close()
	if err := <-ended; b3scale.CodeOf(err) != b3scale.Unavailable {
		t.Errorf("got %v, want %s", err, b3scale.Unavailable)
	}
	s.Hint(configHint) // is harmless
}

// A NOTIFY in the transaction that changes a row would make all commits queue
// for one lock.
func TestCommitsDoNotNotify(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	s, err := Connect(t.Context(), b3scale.Secret(dsn), PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "LISTEN "+channel); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddFrontend(t.Context(), b3scale.Frontend{Key: "f1", Secret: b3scale.Secret("s")}, b3scale.Actor{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := conn.WaitForNotification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, hints, err := parsePayload(n.Payload)
	if err != nil || !slices.Equal(hints, []b3scale.Hint{configHint}) {
		t.Errorf("got %s, %v", n.Payload, err)
	}
	var name string
	if err := conn.QueryRow(ctx, "SELECT application_name FROM pg_stat_activity WHERE pid = $1", int64(n.PID)).Scan(&name); err != nil {
		t.Fatal(err)
	}
	if name != "b3scale notify" {
		t.Errorf("the connection %q tells it, want one that changes no rows", name)
	}
}
