package cluster

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"b3scale/internal/sqlstore"
)

// platform is what a world stands on.
type platform struct {
	name      string
	instances int
	postgres  bool
}

var (
	onSQLite   = platform{name: "SQLite", instances: 1}
	onShared   = platform{name: "SQLite, shared", instances: 3} // by nobody but tests
	onPostgres = platform{name: "PostgreSQL", instances: 3, postgres: true}
)

// onEach runs a test on both databases, each time with as many instances as
// are in use there.
func onEach(t *testing.T, body func(t *testing.T, p platform)) {
	t.Helper()
	for _, p := range []platform{onSQLite, onPostgres} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			body(t, p)
		})
	}
}

// database is one that was made for a test.
type database struct {
	path string // of SQLite
	dsn  string // of PostgreSQL

	ownClock bool // the database's clock counts: texts stay the same and are prepared once
}

// fresh makes a database, outside of any bubble: what it starts outlives them.
func (p platform) fresh(t *testing.T) (dsn string) {
	t.Helper()
	if !p.postgres {
		return ""
	}
	return freshPostgres(t)
}

// open opens the store. Nothing of it waits in a socket while nobody calls it,
// so a bubble's clock goes on.
func (d database) open(ctx context.Context, connections int) (*sqlstore.Store, error) {
	if d.dsn != "" && d.ownClock {
		return connectPostgres(ctx, d.dsn, connections, nil)
	}
	if d.dsn != "" {
		return connectPostgres(ctx, d.dsn, connections, time.Now)
	}
	return sqlstore.Open(ctx, d.path, sqlstore.Options{Readers: connections})
}

// openSQL opens a connection of our own.
func (d database) openSQL() (*sql.DB, error) {
	if d.dsn != "" {
		db, err := sql.Open("pgx", d.dsn)
		if err == nil {
			db.SetMaxOpenConns(4)
		}
		return db, err
	}
	db, err := sql.Open("sqlite", "file:"+d.path+"?_pragma=busy_timeout(5000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}
