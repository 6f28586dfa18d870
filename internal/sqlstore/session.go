package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// session runs statements, inside a transaction or for one read.
type session interface {
	// exec tells how many rows it changed.
	exec(ctx context.Context, text string, args ...any) (int64, error)
	// row gives the only row, or sql.ErrNoRows from its Scan.
	row(ctx context.Context, text string, args ...any) scanner
	// rows gives all of them. The caller closes it and asks for its error.
	rows(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	// progress tells that a long job gets on, and that its caller has seen some
	// of it.
	progress()
}

type scanner interface{ Scan(dest ...any) error }

// reader lends sessions that only read.
type reader interface {
	do(ctx context.Context, run job) error
	// long is do for a job that may take long.
	long(ctx context.Context, run job) error
}

// writer runs each job as a transaction.
type writer interface {
	do(ctx context.Context, run job) error
	long(ctx context.Context, run job) error
	// alone is do for a job of one statement or one batch, which may run again
	// although it was committed.
	alone(ctx context.Context, run job) error
	// first is do for otherwise, unless try, a job of one statement, does it
	// all. It does not when it gives sql.ErrNoRows.
	first(ctx context.Context, try, otherwise job) error
}

// job is the body of a transaction. It may run more than once.
type job func(ctx context.Context, tx session) error

// conn is a connection of our own with its prepared statements. One goroutine
// uses it at a time.
type conn struct {
	sql     *sql.Conn
	dialect *dialect
	stmts   map[string]*sql.Stmt
}

func newConn(ctx context.Context, db *sql.DB, d *dialect) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c, dialect: d, stmts: make(map[string]*sql.Stmt)}, nil
}

func (c *conn) exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := c.prepare(ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c *conn) row(ctx context.Context, text string, args ...any) scanner {
	stmt, err := c.prepare(ctx, text)
	if err != nil {
		return noRow{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

func (c *conn) rows(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	stmt, err := c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (*conn) progress() {}

func (c *conn) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := c.stmts[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := c.sql.PrepareContext(ctx, c.dialect.expand(text))
	if err != nil {
		return nil, err
	}
	c.stmts[text] = stmt
	return stmt, nil
}

// close really closes the connection instead of handing it back to its pool.
func (c *conn) close() error {
	for _, stmt := range c.stmts {
		_ = stmt.Close() // the connection goes with it
	}
	err := c.sql.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		err = nil
	}
	return err
}

// noRow is a row that could not even be asked for.
type noRow struct{ err error }

func (r noRow) Scan(...any) error { return r.err }
