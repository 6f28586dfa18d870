package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"b3scale"
)

// insertPlain inserts a backend whose versions are as old as can be.
func insertPlain(t *testing.T, s *Store, id string, state b3scale.AdminState, lost bool) {
	t.Helper()
	exec1(t, s, fmt.Sprintf(`INSERT INTO backends (id, host, secret, admin_state, load_factor, settings, lost, lost_at, created_at, updated_at, version)
		VALUES ('%s', 'http://%[1]s/', 'old', '%s', 1, '{}', %v, 1, 1, 1, 1)`, id, state, lost))
}

// What becomes visible late has a lower version than what was seen before.
func TestConfigVersionTellsOfLateCommits(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := connect(t, dsn, PostgresOptions{})
	for _, id := range []string{"a", "b"} {
		insertPlain(t, s, id, b3scale.AdminReady, false)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), s.dialect.expand(`UPDATE backends SET secret = 'new', version = `+nextVersion+` WHERE id = 'a'`)); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkListed(t.Context(), "b", b3scale.MicrosOf(time.Now())); err != nil {
		t.Fatal(err)
	}
	before, err := s.ConfigVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if after, err := s.ConfigVersion(t.Context()); after == before {
		t.Errorf("a secret has changed, and the version of the configuration is still %q, error %v", after, err)
	}
}

// A lock on the table that holds the schema's version keeps no start for ever.
func TestConnectDoesNotHang(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Connect(ctx, b3scale.Secret(dsn), PostgresOptions{})
	if err == nil {
		_ = s.Close()
	}
	if b3scale.CodeOf(err) != b3scale.Unavailable || ctx.Err() != nil {
		t.Errorf("got %v, want that it may get better, and soon", err)
	}
}

// A backend that is gone for good and not in use is none of those that may be
// lost at the same time.
func TestTheDeadUseUpNoVerdicts(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{VerdictMemory: time.Millisecond})
	for _, id := range []string{"a", "b", "c", "d"} {
		insertPlain(t, s, id, b3scale.AdminReady, false)
	}
	insertPlain(t, s, "dead", b3scale.AdminDecommissioned, true)
	if passed, err := s.PassVerdict(t.Context(), "a", time.Microsecond); !passed || err != nil {
		t.Errorf("the verdict on one of four: %v, error %v, want it passed", passed, err)
	}
}
