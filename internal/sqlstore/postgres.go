package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// PostgresOptions are what may be left out.
type PostgresOptions struct {
	Options                        // Log and CheckSchemaOnly; the others are SQLite's
	ListenURL     b3scale.Secret   // direct URL for LISTEN and migrations when the main one goes through a pooler; empty: the main one
	PollOnly      bool             // never listens
	PoolSize      int              // connections; 0: 32
	Timeout       time.Duration    // of one read or one transaction, waiting for a connection included; 0: 1.5 s
	VerdictMemory time.Duration    // how long a verdict counts in the budget; 0: 2 minutes
	Now           func() time.Time // stands for the database's clock in tests with a fake one
}

// Connect opens the PostgreSQL database at url, a URL or key=value pairs, and
// migrates its schema. Several processes can have it. An error that may go away
// by itself has the code Unavailable.
func Connect(ctx context.Context, url b3scale.Secret, opts PostgresOptions) (*Store, error) {
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	opts.ListenURL = cmp.Or(opts.ListenURL, url)
	opts.PoolSize = cmp.Or(opts.PoolSize, 32)
	opts.Timeout = cmp.Or(opts.Timeout, 1500*time.Millisecond)
	opts.VerdictMemory = cmp.Or(opts.VerdictMemory, defaultVerdictMemory)
	s, err := connectPostgres(ctx, url, opts)
	if err != nil {
		if passing(err) {
			err = b3scale.Errorf(b3scale.Unavailable, "the database does not answer").Because(err)
		}
		return nil, fmt.Errorf("open the PostgreSQL database: %w", err)
	}
	return s, nil
}

func connectPostgres(ctx context.Context, url b3scale.Secret, opts PostgresOptions) (*Store, error) {
	config, err := parsePostgres(url, opts)
	if err != nil {
		return nil, fmt.Errorf("the database URL cannot be read: %w", err)
	}
	direct, err := parsePostgres(opts.ListenURL, opts)
	if err != nil {
		return nil, fmt.Errorf("the URL for listening cannot be read: %w", err)
	}
	if opts.ListenURL != url {
		if err := sameDatabase(ctx, config, direct); err != nil {
			return nil, err
		}
	}
	created, err := migratePostgres(ctx, direct, opts)
	if err != nil {
		return nil, err
	}
	again := func(ctx context.Context) error {
		opts := opts
		opts.CheckSchemaOnly = false
		_, err := migratePostgres(ctx, direct, opts)
		return err
	}
	d := postgresDialect()
	p := newPool(config, d, opts)
	s := &Store{dialect: d, writer: pgWriter{p}, reader: pgReader{p}, created: created, verdictMemory: opts.VerdictMemory, observer: opts.Observer,
		tables: tables{folder: postgresFolder, applied: appliedPostgres, migrate: again}}
	s.feed = newFeed(url, opts)
	d.notify = s.feed.hint
	s.close = sync.OnceValue(func() error { return errors.Join(s.feed.close(), p.close()) })
	return s, nil
}

// patience is how long a start waits for one answer before anything is
// migrated: a lock, or a pooler without a database behind it, must not keep it
// for ever.
const patience = 5 * time.Second

// sameDatabase fails when two addresses do not lead to one database: we would
// migrate the one and hear of the other.
func sameDatabase(ctx context.Context, main, direct *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found [2]string
	for i, config := range []*pgx.ConnConfig{main, direct} {
		db := sql.OpenDB(&pgConnector{config: config, dials: make(chan struct{}, 1)})
		err := db.QueryRowContext(ctx, `SELECT CONCAT(pg_postmaster_start_time(), ' ', oid) FROM pg_database WHERE datname = current_database()`).Scan(&found[i])
		_ = db.Close() // it only read
		if err != nil {
			return err
		}
	}
	if found[0] != found[1] {
		return errors.New("the database URL and the URL for listening lead to different databases")
	}
	return nil
}

// migratePostgres has connections of its own: without time limits, because a
// migration may take long, and not through a pooler, because its lock belongs
// to a session.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig, opts PostgresOptions) (created bool, err error) {
	db := sql.OpenDB(&pgConnector{config: config, dials: make(chan struct{}, 1)})
	defer db.Close()
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var encoding string
	var found, taken bool
	err = db.QueryRowContext(soon, `SELECT current_setting('server_encoding'), to_regclass('goose_db_version') IS NOT NULL,
		to_regclass('frontends') IS NOT NULL`).Scan(&encoding, &found, &taken)
	switch {
	case err != nil:
		return false, err
	case !found && taken:
		return false, ErrForeignSchema
	case encoding != "UTF8":
		return false, fmt.Errorf("the database has the encoding %s; it needs UTF8", encoding)
	case !found && opts.CheckSchemaOnly:
		return false, SchemaError{Missing: true}
	}
	if found {
		// Without the lock, which nobody needs when there is nothing to do.
		err := migrate(soon, db, goose.DialectPostgres, postgresFolder, true, opts.Log)
		if _, old := errors.AsType[SchemaError](err); !old || opts.CheckSchemaOnly {
			return false, err
		}
	}
	// Instances that start together ask once a second whose turn it is.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return false, err
	}
	return !found, migrate(ctx, db, goose.DialectPostgres, postgresFolder, opts.CheckSchemaOnly, opts.Log, goose.WithSessionLocker(locker))
}

// clockOfPostgres moves within a transaction.
const clockOfPostgres = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`

// clockAt is an expression for a clock that a test sets.
func clockAt(now time.Time) string {
	return "CAST(" + strconv.FormatInt(now.UnixMicro(), 10) + " AS BIGINT)"
}

func postgresDialect() *dialect {
	return &dialect{
		lock:      rowLock{exclusive: "FOR UPDATE", shared: "FOR SHARE"},
		now:       clockOfPostgres,
		batch:     batchByPipeline,
		failureOf: postgresFailure,
	}
}

func batchByPipeline(ctx context.Context, tx session, text string, rows [][]any) ([]int64, error) {
	return tx.(*pgSession).batch(ctx, text, rows)
}

func postgresFailure(err error) failure {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return failureOther
	}
	switch e.Code {
	case "23505": // unique_violation
		return failureUnique
	case "23503": // foreign_key_violation
		return failureForeignKey
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return failureBusy
	}
	return failureOther
}
