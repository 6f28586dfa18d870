package sqlstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/pgtest"
)

// terminateOthers ends all connections to the database but one.
const terminateOthers = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE datname = current_database() AND pid <> pg_backend_pid()`

// occupy has n connections of a store in use at once and gives them back. Readers
// would not get all of them.
func occupy(t *testing.T, s *Store, n int) {
	t.Helper()
	var met sync.WaitGroup
	met.Add(n)
	all(n, func(int) {
		once := sync.OnceFunc(func() { met.Done(); met.Wait() })
		err := s.writeAlone(context.Background(), func(ctx context.Context, tx session) error {
			once()
			var one int
			return tx.row(ctx, `SELECT 1`).Scan(&one)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestDeadIdleConnectionsCostNoCall has them die at once and a while ago.
func TestDeadIdleConnectionsCostNoCall(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	killer := connect(t, dsn, PostgresOptions{PoolSize: 1})
	s := connect(t, dsn, PostgresOptions{PoolSize: 16})
	m := place(t, s)
	for round := range 5 {
		occupy(t, s, 16)
		var killed int
		err := killer.read(t.Context(), func(ctx context.Context, tx session) error {
			return tx.row(ctx, terminateOthers).Scan(&killed)
		})
		if err != nil || killed < 16 {
			t.Fatalf("killed %d, %v", killed, err)
		}
		all(32, func(i int) {
			var err error
			switch i % 3 {
			case 0:
				_, err = s.Meeting(t.Context(), m.Key)
			case 1:
				_, _, err = s.ClaimMeeting(t.Context(), b3scale.Claim{Key: m.Key, BackendID: m.BackendID})
			case 2:
				err = s.SaveProbes(t.Context(), fmt.Sprint(i), []string{m.BackendID})
			}
			if err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		})
	}
}

// TestKilledConnectionsLoseNothing kills what is being used, and compares what
// was answered with what is there.
func TestKilledConnectionsLoseNothing(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	killer := connect(t, dsn, PostgresOptions{PoolSize: 1})
	s := connect(t, dsn, PostgresOptions{PoolSize: 8})
	m := place(t, s)
	var over atomic.Bool
	var calls, failed atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; !over.Load(); i++ {
				calls.Add(1)
				key := b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: fmt.Sprint(w, " ", i)}
				claimed, fit, err := s.ClaimMeeting(context.Background(), b3scale.Claim{Key: key, BackendID: m.BackendID})
				if err == nil && fit {
					room := b3scale.Incarnation{InternalID: key.MeetingID, CreateTime: 1}
					_, _, err = s.ConfirmMeeting(context.Background(), key, claimed.Generation, room)
				}
				if err != nil {
					failed.Add(1)
					if b3scale.CodeOf(err) != b3scale.Unavailable {
						t.Error(err)
					}
					continue
				}
				got, err := s.Meeting(context.Background(), key)
				if err == nil && (got.State != b3scale.MeetingActive || got.Generation != claimed.Generation) {
					t.Errorf("lost: got %+v", got)
				}
				if err != nil && b3scale.CodeOf(err) != b3scale.Unavailable {
					t.Error(err)
				}
			}
		})
	}
	for range 15 {
		before := calls.Load()
		for calls.Load() < before+40 {
			time.Sleep(time.Millisecond)
		}
		err := killer.read(t.Context(), func(ctx context.Context, tx session) error {
			var n int
			return tx.row(ctx, terminateOthers).Scan(&n)
		})
		if err != nil {
			t.Error(err)
		}
	}
	over.Store(true)
	wg.Wait()
	t.Logf("%d of %d calls failed", failed.Load(), calls.Load())
	if _, err := s.Meeting(t.Context(), m.Key); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAServerStopsAndStarts(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *pgtest.Server{"socket": pgtest.Start, "TCP": pgtest.StartTCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			s := connect(t, server.DSN(), PostgresOptions{Timeout: time.Second})
			m := place(t, s)
			occupy(t, s, 32)
			server.Stop()
			fails(t, s, m, time.Second)
			server.Start()
			works(t, s, m)
		})
	}
}

func TestAServerHangs(t *testing.T) {
	t.Parallel()
	server := pgtest.StartTCP(t)
	const limit = 800 * time.Millisecond
	s := connect(t, server.DSN(), PostgresOptions{Timeout: limit})
	m := place(t, s)
	occupy(t, s, 32)
	server.Pause()
	fails(t, s, m, limit)
	fails(t, s, m, limit)
	server.Continue()
	works(t, s, m)
}

// fails makes calls of all kinds, more than there are connections, and wants
// each to give up in time.
func fails(t *testing.T, s *Store, m b3scale.Meeting, limit time.Duration) {
	t.Helper()
	all(40, func(i int) {
		start := time.Now()
		call, err := anyCall(s, m, i)
		// All of them share the processors with other tests.
		if took := time.Since(start); b3scale.CodeOf(err) != b3scale.Unavailable || took > limit+5*time.Second {
			t.Errorf("%s: got %v after %v", call, err, took)
		}
	})
}

// works makes the same calls, each of which must succeed without anybody's
// help; on a machine that is busy with other tests not always at once.
func works(t *testing.T, s *Store, m b3scale.Meeting) {
	t.Helper()
	all(40, func(i int) {
		begin := time.Now()
		call, err := anyCall(s, m, i)
		for b3scale.CodeOf(err) == b3scale.Unavailable && time.Since(begin) < 20*time.Second {
			call, err = anyCall(s, m, i)
		}
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	})
}

func anyCall(s *Store, m b3scale.Meeting, i int) (name string, err error) {
	ctx := context.Background()
	switch i % 5 {
	case 0:
		_, err = s.Meeting(ctx, m.Key)
		return "read", err
	case 1:
		_, _, err = s.ClaimMeeting(ctx, b3scale.Claim{Key: m.Key, BackendID: m.BackendID})
		return "claim", err
	case 2:
		_, err = s.BookOrphan(ctx, m.Key, m.BackendID, "x")
		return "transaction", err
	case 3:
		return "scan", s.LiveMeetings(ctx, func(b3scale.Meeting) {})
	default:
		return "batch", s.SaveProbes(ctx, fmt.Sprint(i), []string{m.BackendID})
	}
}
