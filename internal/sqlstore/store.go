package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"b3scale"

	"github.com/pressly/goose/v3"
)

// Options are what may be left out.
type Options struct {
	Log *slog.Logger // nil: silent
	// CheckSchemaOnly makes Open fail on an old schema instead of migrating it.
	CheckSchemaOnly bool
	Readers         int           // connections that only read; 0: as many as processors, at least 4
	BusyTimeout     time.Duration // how long to wait for another program that holds the file; 0: 5 s
	Observer        Observer      // is told of every use; nil: nobody is
}

// Store is the durable truth in a SQL database.
type Store struct {
	dialect *dialect
	writer  writer
	reader  reader
	tables  tables
	created bool
	feed    *feed // nil: there is one process
	close   func() error

	observer Observer

	verdictMemory time.Duration
}

var _ b3scale.Store = (*Store)(nil)

// Open opens the SQLite database in the file at path, which is created when it
// does not exist, and migrates its schema. One process at a time can have it.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	s, err := openSQLite(ctx, path, opts)
	if err != nil {
		return nil, fmt.Errorf("open the database %q: %w", path, err)
	}
	return s, nil
}

func openSQLite(ctx context.Context, path string, opts Options) (_ *Store, err error) {
	log := cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	path, err = checkPath(path)
	if err != nil {
		return nil, err
	}
	// The lock comes first: when this process has the database open already,
	// closing another descriptor of the file would drop SQLite's own locks.
	lock, err := acquireLockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	undo := []func() error{lock.release}
	defer func() {
		if err != nil {
			for _, f := range undo {
				_ = f() // the first error says it
			}
		}
	}()
	created := false
	if opts.CheckSchemaOnly {
		err = checkFile(path)
	} else {
		created, err = createFile(path)
	}
	if err != nil {
		return nil, err
	}

	busy := cmp.Or(opts.BusyTimeout, 5*time.Second)
	writes, err := newSQLiteConnector(path, writerPragmas(busy)...)
	if err != nil {
		return nil, err
	}
	reads, err := newSQLiteConnector(path, readerPragmas(busy)...)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(writes)
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db, goose.DialectSQLite3, sqliteFolder, opts.CheckSchemaOnly, log); err != nil {
		undo = append([]func() error{db.Close}, undo...)
		return nil, err
	}
	again := func(ctx context.Context) error {
		db := sql.OpenDB(writes) // the writer keeps its only connection
		defer db.Close()
		db.SetMaxOpenConns(1)
		return migrate(ctx, db, goose.DialectSQLite3, sqliteFolder, false, log)
	}
	d := sqliteDialect()
	w := newGroupWriter(db, d, log)
	r := newSQLiteReader(sql.OpenDB(reads), d, cmp.Or(opts.Readers, max(4, runtime.GOMAXPROCS(0))))
	s := &Store{dialect: d, writer: w, reader: r, created: created, verdictMemory: defaultVerdictMemory, observer: opts.Observer,
		tables: tables{folder: sqliteFolder, applied: appliedSQLite, migrate: again}}
	// The readers close first, so that nothing keeps the writer from folding the
	// whole log into the file.
	s.close = sync.OnceValue(func() error { return errors.Join(r.close(), w.close(), lock.release()) })
	return s, nil
}

// Created reports whether the database had no schema before: the file was
// missing or empty, or a server's database was new.
func (s *Store) Created() bool { return s.created }

// Close finishes what waits to be written and gives the file free. Later calls
// of any method are answered with Unavailable.
func (s *Store) Close() error {
	if err := s.close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Now is the store's clock.
func (s *Store) Now(ctx context.Context) (b3scale.Micros, error) {
	var now int64
	err := s.read(ctx, func(ctx context.Context, tx session) error {
		return tx.row(ctx, `SELECT {now}`).Scan(&now)
	})
	if err != nil {
		return 0, fmt.Errorf("read the store's clock: %w", err)
	}
	return b3scale.Micros(now), nil
}

// write runs a transaction; see job for what run must observe.
func (s *Store) write(ctx context.Context, run job) error {
	return s.observed(ctx, UseWrite, func(ctx context.Context) error { return s.writer.do(ctx, run) })
}

// writeAlone runs a job of one statement or one batch, which is a transaction by
// itself.
func (s *Store) writeAlone(ctx context.Context, run job) error {
	return s.observed(ctx, UseWrite, func(ctx context.Context) error { return s.writer.alone(ctx, run) })
}

// writeFirst runs try, which is one statement, and otherwise when that found no
// row.
func (s *Store) writeFirst(ctx context.Context, try, otherwise job) error {
	return s.observed(ctx, UseWrite, func(ctx context.Context) error { return s.writer.first(ctx, try, otherwise) })
}

// writeLong runs a transaction that may take long.
func (s *Store) writeLong(ctx context.Context, run job) error {
	return s.observed(ctx, UseWriteLong, func(ctx context.Context) error { return s.writer.long(ctx, run) })
}

// writeOne is a transaction of one statement. It tells how many rows changed.
func (s *Store) writeOne(ctx context.Context, text string, args ...any) (n int64, err error) {
	for _, arg := range args {
		if text, ok := arg.(string); ok {
			if err := checkTexts(text); err != nil {
				return 0, err
			}
		}
	}
	err = s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		n, err = tx.exec(ctx, text, args...)
		return err
	})
	return n, err
}

// changed hints to other instances, after the commit, that a row changed.
func (s *Store) changed(really bool, h b3scale.Hint) {
	if really {
		s.dialect.notify(h)
	}
}

var configHint = b3scale.Hint{Kind: b3scale.HintConfig}

func meetingHint(key b3scale.MeetingKey) b3scale.Hint {
	return b3scale.Hint{Kind: b3scale.HintMeeting, Key: key}
}

// read lends a connection that sees everything committed before.
func (s *Store) read(ctx context.Context, run job) error {
	return s.observed(ctx, UseRead, func(ctx context.Context) error { return s.reader.do(ctx, run) })
}

// errClosed answers calls after Close.
var errClosed = errors.New("the store is closed")

// translate gives every error a code. Statements that expect a certain error
// say it better before it comes here.
func (s *Store) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case b3scale.CodeOf(err) != "": // what a job itself found out
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return b3scale.Errorf(b3scale.Unavailable, "the store did not answer in time").Because(err)
	}
	switch s.dialect.failureOf(err) {
	case failureUnique:
		return b3scale.Errorf(b3scale.Conflict, "it exists already").Because(err)
	case failureForeignKey:
		return b3scale.Errorf(b3scale.NotFound, "what it refers to does not exist").Because(err)
	}
	return b3scale.Errorf(b3scale.Unavailable, "the store does not answer").Because(err)
}
