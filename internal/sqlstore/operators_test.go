package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

// TestMigrateTakesUpWhatIsPending takes the newest tables away, as in a database
// of the version before, and brings them back under an open store.
func TestMigrateTakesUpWhatIsPending(t *testing.T) {
	t.Parallel()
	newest := []string{`DROP TABLE recording_locks`, `DROP TABLE recording_ops`, `DROP TABLE recording_metadata`, `DROP TABLE recordings`,
		`DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`}
	path := filepath.Join(t.TempDir(), "b3scale.db")
	dsn := migrated(t)
	for _, c := range []struct {
		name, database, before string
		store                  *Store
		again                  func() *Store
	}{
		{"SQLite", path, "rooms", open(t, path), func() *Store { return open(t, path) }},
		{"PostgreSQL", dsn[strings.LastIndex(dsn, "b3scale_test_"):], "rooms", connect(t, dsn, PostgresOptions{}),
			func() *Store { return connect(t, dsn, PostgresOptions{}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := place(t, c.store)
			schema := func(s *Store, description string, pending int) b3scale.Schema {
				t.Helper()
				got, err := s.Schema(t.Context())
				if err != nil || got.Description != description || got.Pending != pending || !strings.HasPrefix(c.database, got.Database) {
					t.Errorf("got %+v, %v", got, err)
				}
				return got
			}
			latest := schema(c.store, "recordings", 0)
			if age := time.Since(time.UnixMicro(int64(latest.AppliedAt))); age < -2*time.Second || age > 10*time.Minute {
				t.Errorf("applied %v ago", age)
			}
			for _, text := range newest {
				err := c.store.write(t.Context(), func(ctx context.Context, tx session) error {
					_, err := tx.exec(ctx, text)
					return err
				})
				if err != nil {
					t.Fatal(text, err)
				}
			}
			if got := schema(c.store, c.before, 1); got.Version != latest.Version-1 {
				t.Errorf("got version %d", got.Version)
			}
			for range 2 {
				if err := c.store.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				schema(c.store, "recordings", 0)
			}
			if _, err := c.store.DeleteBackend(t.Context(), m.BackendID, b3scale.Actor{}); err != nil {
				t.Error(err)
			}
			if err := c.store.Close(); err != nil {
				t.Fatal(err)
			}
			s := c.again()
			schema(s, "recordings", 0)
			if _, err := s.Meeting(t.Context(), m.Key); b3scale.CodeOf(err) != b3scale.NotFound {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestARefusedEditSpoilsNoGroup counts how often the other jobs of its group run.
func TestARefusedEditSpoilsNoGroup(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	m := place(t, s)
	refused := errors.New("refused")
	begun, goOn := make(chan struct{}), make(chan struct{})
	over := make(chan error, 3)
	var runs atomic.Int64
	wait := func(ctx context.Context, tx session) error {
		close(begun)
		<-goOn
		return nil
	}
	other := func(context.Context, session) error { runs.Add(1); return nil }
	go func() { over <- s.write(context.Background(), wait) }()
	<-begun // what comes now shares a transaction
	go func() { over <- s.write(context.Background(), other) }()
	waitFor(t, s, 1)
	go func() {
		_, err := s.EditBackend(context.Background(), m.BackendID, b3scale.Actor{}, func(*b3scale.Backend) error { return refused })
		if !errors.Is(err, refused) {
			over <- fmt.Errorf("the edit gave %w", err)
		}
		over <- nil
	}()
	waitFor(t, s, 2)
	close(goOn)
	for range 3 {
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
	if got := runs.Load(); got != 1 {
		t.Errorf("the other job ran %d times", got)
	}
}

// waitFor waits until n jobs wait for the writer.
func waitFor(t *testing.T, s *Store, n int) {
	t.Helper()
	w := s.writer.(*groupWriter)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		w.mu.Lock()
		waiting := len(w.waiting)
		w.mu.Unlock()
		if waiting == n {
			return
		}
	}
	t.Fatalf("there are no %d jobs waiting", n)
}

// TestCommandsOfTwoInstancesHaveOneHolder has two that ask all the time.
func TestCommandsOfTwoInstancesHaveOneHolder(t *testing.T) {
	t.Parallel()
	stores := pair(t)
	for round := range 10 {
		for i := range 6 {
			d := time.Hour
			if i%2 == 1 {
				d = -time.Second
			}
			if _, err := stores[0].AddCommand(t.Context(), b3scale.EndAllMeetings, nil, d, b3scale.Actor{}); err != nil {
				t.Fatal(err)
			}
		}
		var taken atomic.Int64
		all(8, func(i int) {
			holder := fmt.Sprint("instance ", i%2)
			c, found, err := stores[i%2].TakeCommand(t.Context(), holder, time.Hour)
			if err != nil {
				t.Error(err)
			}
			if !found {
				return
			}
			taken.Add(1)
			if ok, err := stores[1-i%2].FinishCommand(t.Context(), c.ID, fmt.Sprint("instance ", 1-i%2), b3scale.CommandSuccess, nil); ok || err != nil {
				t.Errorf("the other one finished it: %v, %v", ok, err)
			}
			if ok, err := stores[i%2].FinishCommand(t.Context(), c.ID, holder, b3scale.CommandSuccess, nil); !ok || err != nil {
				t.Errorf("its holder finished it: %v, %v", ok, err)
			}
		})
		if got := taken.Load(); got != 3 {
			t.Errorf("round %d: %d were taken, want 3", round, got)
		}
	}
}

// TestEditsOfTwoInstancesLoseNothing edits rows that facts change too.
func TestEditsOfTwoInstancesLoseNothing(t *testing.T) {
	t.Parallel()
	stores := pair(t)
	id := saveBackends(t, stores[0], 1)[0]
	all(100, func(i int) {
		var err error
		if i%10 == 0 {
			err = stores[i%2].MarkListed(t.Context(), id, b3scale.Micros(i))
		} else {
			_, err = stores[i%2].EditBackend(t.Context(), id, b3scale.Actor{}, func(b *b3scale.Backend) error {
				b.Settings.Tags = append(b.Settings.Tags, fmt.Sprint("tag", i))
				return nil
			})
		}
		if err != nil {
			t.Error(err)
		}
	})
	backends, err := stores[1].Backends(t.Context())
	if err != nil || len(backends) != 1 || len(backends[0].Settings.Tags) != 90 || backends[0].ListedAt != 90 {
		t.Errorf("got %+v, %v", backends, err)
	}
}

// TestDeletesDoNotDeadlock has one instance that deletes what another one
// places meetings on. PostgreSQL would end a deadlock after a second.
func TestDeletesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	stores := pair(t)
	f, err := stores[0].AddFrontend(t.Context(), b3scale.Frontend{Key: "moodle"}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		backends := saveBackends(t, stores[0], 3)
		begun := make(chan struct{}, 1000)
		all(8, func(i int) {
			if i == 0 {
				<-begun
				if _, err := stores[0].DeleteBackend(t.Context(), backends[0], b3scale.Actor{}); err != nil {
					t.Error(err)
				}
				return
			}
			for n := range 60 {
				key := b3scale.MeetingKey{FrontendID: f.ID, MeetingID: fmt.Sprint("room ", n%20)}
				start := time.Now()
				m, fit, err := stores[1].ClaimMeeting(t.Context(), b3scale.Claim{Key: key, BackendID: backends[(i+n)%3]})
				if err == nil && fit {
					_, err = stores[1].EndMeeting(t.Context(), m)
				}
				if err != nil || time.Since(start) > 900*time.Millisecond {
					t.Errorf("round %d: %v after %v", round, err, time.Since(start))
				}
				begun <- struct{}{}
			}
		})
		for _, id := range backends[1:] {
			if _, err := stores[0].DeleteBackend(t.Context(), id, b3scale.Actor{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var deadlocks int
	err = stores[0].read(t.Context(), func(ctx context.Context, tx session) error {
		return tx.row(ctx, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks)
	})
	if err != nil || deadlocks > 0 {
		t.Errorf("got %d deadlocks, %v", deadlocks, err)
	}
}

// TestADeleteStepsAsideForNewMeetings places a meeting while the delete of its
// backend waits for the backend's row, and then has somebody lock both in the
// order of claims.
func TestADeleteStepsAsideForNewMeetings(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{Timeout: 10 * time.Second})
	m := place(t, s)
	key := b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: "new"}
	over := make(chan error, 3)
	shared, release := make(chan struct{}), make(chan struct{})
	lockThere := func(ctx context.Context, tx session) error {
		var lost bool
		return tx.row(ctx, backendLost, m.BackendID).Scan(&lost)
	}
	go func() {
		over <- s.write(context.Background(), func(ctx context.Context, tx session) error {
			err := lockThere(ctx, tx)
			close(shared)
			<-release
			return err
		})
	}()
	<-shared
	go func() {
		_, err := s.DeleteBackend(context.Background(), m.BackendID, b3scale.Actor{})
		over <- err
	}()
	deadline := time.Now().Add(5 * time.Second)
	for waiting := 0; waiting == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the delete waits for nobody")
		}
		err := s.read(t.Context(), func(ctx context.Context, tx session) error {
			return tx.row(ctx, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, fit, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: key, BackendID: m.BackendID}); err != nil || !fit {
		t.Fatal(fit, err)
	}
	letGo := sync.OnceFunc(func() { close(release) })
	var waited time.Duration
	over <- s.write(t.Context(), func(ctx context.Context, tx session) error {
		if _, found, err := lockedMeeting(ctx, tx, key); err != nil || !found {
			return err
		}
		letGo()
		time.Sleep(100 * time.Millisecond) // the delete has the backend's row now, unless it is slow
		start := time.Now()
		defer func() { waited += time.Since(start) }()
		return lockThere(ctx, tx)
	})
	for range 3 {
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
	if waited > 700*time.Millisecond {
		t.Errorf("waited %v: there was a deadlock, which PostgreSQL ends after a second", waited)
	}
	if _, err := s.Meeting(t.Context(), key); b3scale.CodeOf(err) != b3scale.NotFound {
		t.Errorf("got %v", err)
	}
}
