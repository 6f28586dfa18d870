package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5/pgconn"
)

// all calls f(0) to f(n-1) at once and waits for all.
func all(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}

// pair opens one database twice, as two instances do.
func pair(t *testing.T) [2]*Store {
	t.Helper()
	dsn := migrated(t)
	return [2]*Store{connect(t, dsn, PostgresOptions{PoolSize: 8}), connect(t, dsn, PostgresOptions{PoolSize: 8})}
}

func saveBackends(t *testing.T, s *Store, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		b, err := s.AddBackend(t.Context(), b3scale.Backend{Host: fmt.Sprint("https://other", i, "/"), AdminState: b3scale.AdminReady}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = b.ID
	}
	return ids
}

func TestClaimsOfTwoInstancesHaveOneWinner(t *testing.T) {
	t.Parallel()
	stores := pair(t)
	m := place(t, stores[0])
	backends := saveBackends(t, stores[0], 2)
	for round := range 20 {
		key := b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: fmt.Sprint("round ", round/2)} // new, then ended
		var rows [16]b3scale.Meeting
		all(len(rows), func(i int) {
			var fit bool
			var err error
			rows[i], fit, err = stores[i%2].ClaimMeeting(t.Context(), b3scale.Claim{Key: key, BackendID: backends[i/2%2], AttendeePW: fmt.Sprint(i)})
			if err != nil || !fit {
				t.Errorf("round %d, claim %d: got %v, %v", round, i, fit, err)
			}
		})
		for i, row := range rows {
			if row.Generation != rows[0].Generation || row.BackendID != rows[0].BackendID || row.AttendeePW != rows[0].AttendeePW {
				t.Fatalf("round %d: claim %d got %+v, claim 0 %+v", round, i, row, rows[0])
			}
		}
		if ok, err := stores[0].EndMeeting(t.Context(), rows[0]); err != nil || !ok {
			t.Fatal(ok, err)
		}
		for _, backendID := range backends { // else it could not return
			later := rows[0].ClaimedAt.Add(time.Hour)
			if err := stores[1].DeleteOrphans(t.Context(), backendID, []b3scale.MeetingKey{key}, later, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestVerdictsOfTwoInstancesKeepTheBudget races for what only some may get.
func TestVerdictsOfTwoInstancesKeepTheBudget(t *testing.T) {
	t.Parallel()
	stores := pair(t)
	for round := range 10 {
		backends := saveBackends(t, stores[0], 8)
		var passed atomic.Int64
		all(len(backends), func(i int) {
			ok, err := stores[i%2].PassVerdict(t.Context(), backends[i], time.Hour)
			if err != nil {
				t.Error(err)
			}
			if ok {
				passed.Add(1)
			}
		})
		if got := passed.Load(); got != 3 { // (8-1)/2
			t.Errorf("round %d: %d verdicts were passed, want 3", round, got)
		}
		if _, err := stores[0].writer.(pgWriter).db.ExecContext(t.Context(), `DELETE FROM backends`); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLeasesOfTwoInstancesHaveOneHolder(t *testing.T) {
	t.Parallel()
	stores := pair(t)
	names := []string{"a", "b", "c", "d", "e"}
	for round := range 10 {
		var held atomic.Int64
		all(8, func(i int) {
			got, err := stores[i%2].AcquireLeases(t.Context(), names, fmt.Sprint(i), time.Hour)
			if err != nil {
				t.Error(err)
			}
			held.Add(int64(len(got)))
		})
		if got := held.Load(); got != int64(len(names)) {
			t.Errorf("round %d: %d were acquired, want %d", round, got, len(names))
		}
		if _, err := stores[0].writer.(pgWriter).db.ExecContext(t.Context(), `DELETE FROM leases WHERE name <> 'verdict'`); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeadlocksAreTriedAgain has two transactions that lock two rows crosswise.
func TestDeadlocksAreTriedAgain(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := connect(t, dsn, PostgresOptions{Timeout: 10 * time.Second})
	for _, name := range []string{"a", "b"} {
		if err := s.write(t.Context(), insertLease(name)); err != nil {
			t.Fatal(err)
		}
	}
	var runs atomic.Int64
	var met sync.WaitGroup
	met.Add(2)
	all(2, func(i int) {
		names := [2][]string{{"a", "b"}, {"b", "a"}}[i]
		wait := sync.OnceFunc(func() { met.Done(); met.Wait() })
		err := s.write(t.Context(), func(ctx context.Context, tx session) error {
			runs.Add(1)
			for n, name := range names {
				if n == 1 {
					wait()
				}
				if _, err := tx.exec(ctx, `UPDATE leases SET until = until + 1 WHERE name = $1`, name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got := runs.Load(); got < 3 {
		t.Errorf("%d runs: there was no deadlock", got)
	}
	var sum int
	err := s.read(t.Context(), func(ctx context.Context, tx session) error {
		return tx.row(ctx, `SELECT CAST(sum(until) AS BIGINT) FROM leases WHERE name <> 'verdict'`).Scan(&sum)
	})
	if err != nil || sum != 4 {
		t.Errorf("got %d, %v, want each transaction once", sum, err)
	}
}

// TestLocksOfADeadInstanceGoAway has one that holds a row and does nothing more.
func TestLocksOfADeadInstanceGoAway(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	dead := connect(t, dsn, PostgresOptions{Timeout: 300 * time.Millisecond})
	s := connect(t, dsn, PostgresOptions{Timeout: 300 * time.Millisecond})
	m := place(t, s)

	locked, over := make(chan struct{}), make(chan error, 1)
	woke := make(chan struct{})
	go func() {
		over <- dead.write(context.Background(), func(ctx context.Context, tx session) error {
			if _, _, err := lockedMeeting(ctx, tx, m.Key); err != nil {
				return err
			}
			close(locked)
			<-woke
			return nil
		})
	}()
	<-locked
	start := time.Now()
	_, err := s.EndMeeting(t.Context(), m)
	if took := time.Since(start); b3scale.CodeOf(err) != b3scale.Unavailable || took > time.Second {
		t.Errorf("behind the lock: got %v after %v", err, took)
	}
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); {
		_, err = s.EndMeeting(t.Context(), m)
	}
	if err != nil {
		t.Errorf("the lock has not gone: %v", err)
	}
	close(woke)
	if err := <-over; b3scale.CodeOf(err) != b3scale.Unavailable {
		t.Errorf("the dead one: got %v", err)
	}
}

func TestLimitsAreTheServers(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{Timeout: 1500 * time.Millisecond})
	for name, want := range map[string]string{
		"statement_timeout": "1min", "lock_timeout": "1s", "idle_in_transaction_session_timeout": "3s",
		"default_transaction_isolation": "read committed", "application_name": "b3scale",
	} {
		var got string
		err := s.read(t.Context(), func(ctx context.Context, tx session) error {
			return tx.row(ctx, `SELECT current_setting($1)`, name).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestEveryCallIsBounded(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{Timeout: 200 * time.Millisecond, PoolSize: 2})
	sleep := func(ctx context.Context, tx session) error {
		var nothing string
		return tx.row(ctx, `SELECT CAST(pg_sleep(10) AS TEXT)`).Scan(&nothing)
	}
	for name, lend := range map[string]func(context.Context, job) error{
		"read": s.reader.do, "long read": s.reader.long, "write": s.writer.do, "one write": s.writer.alone, "long write": s.writer.long,
	} {
		start := time.Now()
		err := s.translate(lend(context.Background(), sleep))
		if took := time.Since(start); b3scale.CodeOf(err) != b3scale.Unavailable || took > time.Second {
			t.Errorf("%s: got %v after %v", name, err, took)
		}
	}
	start := time.Now()
	all(6, func(int) { // more than there are connections
		if err := s.read(context.Background(), sleep); b3scale.CodeOf(err) != b3scale.Unavailable {
			t.Errorf("got %v", err)
		}
	})
	if took := time.Since(start); took > time.Second {
		t.Errorf("waiting for a connection took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start = time.Now()
	if err := s.read(ctx, sleep); b3scale.CodeOf(err) != b3scale.Unavailable || time.Since(start) > 150*time.Millisecond {
		t.Errorf("a caller's own deadline: got %v after %v", err, time.Since(start))
	}
	if _, err := s.Now(t.Context()); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestLongReadsMayTakeLong as long as they get on.
func TestLongReadsMayTakeLong(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{Timeout: 2 * time.Second})
	start := time.Now()
	n := 0
	// The server sends what fills a buffer.
	err := s.each(t.Context(), `SELECT repeat('x', 8000), pg_sleep(0.006) FROM generate_series(1, 512)`, func(*sql.Rows) error {
		n++
		return nil
	})
	if took := time.Since(start); err != nil || n != 512 || took < 2*time.Second {
		t.Errorf("got %d rows, %v after %v", n, err, took)
	}
}

// TestATransactionThatFailedIsNotCommitted although its job ignores the error.
func TestATransactionThatFailedIsNotCommitted(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{})
	err := s.write(t.Context(), func(ctx context.Context, tx session) error {
		if err := insertLease("one")(ctx, tx); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `SELECT 1/0`)
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "22012" {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if b3scale.CodeOf(err) != b3scale.Unavailable || !strings.Contains(err.Error(), "ROLLBACK") {
		t.Errorf("got %v", err)
	}
	if got := leases(t, s); got != 0 {
		t.Errorf("got %d rows, want none", got)
	}
}
