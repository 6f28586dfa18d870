package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/pgtest"
	"b3scale/internal/sqlstore"
	"b3scale/internal/storetest"

	"github.com/jackc/pgx/v5"
)

func TestPostgresKeepsTheContract(t *testing.T) {
	t.Parallel()
	databases := &recycler{t: t}
	storetest.Run(t, func(t *testing.T) b3scale.Store {
		t.Helper()
		dsn := databases.take()
		s, err := sqlstore.Connect(t.Context(), b3scale.Secret(dsn), sqlstore.PostgresOptions{PoolSize: 4, Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			databases.give(t, dsn)
		})
		return s
	})
}

// recycler empties databases and lends them again: to make one takes longer
// than most cases.
type recycler struct {
	t    *testing.T
	mu   sync.Mutex
	idle []string
}

func (r *recycler) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle); n > 0 {
		dsn := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return dsn
	}
	return pgtest.FromTemplate(r.t, "b3scale", func(dsn string) error {
		s, err := sqlstore.Connect(context.Background(), b3scale.Secret(dsn), sqlstore.PostgresOptions{})
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func (r *recycler) give(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), `DELETE FROM orphans; DELETE FROM attendees; DELETE FROM meetings; DELETE FROM recordings; DELETE FROM recording_ops; DELETE FROM frontends;
		DELETE FROM backends; DELETE FROM audit; DELETE FROM commands; DELETE FROM secret_uses; DELETE FROM sessions; DELETE FROM frontend_defaults;
		DELETE FROM leases WHERE name <> 'verdict'`) // the rest goes with the backends
	if err != nil {
		t.Error(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, dsn)
}
