package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"b3scale"
)

// sqliteReader lends connections that only read. The one used last is lent
// first, because its cache is the warmest.
type sqliteReader struct {
	db      *sql.DB
	dialect *dialect
	slots   chan struct{} // one per connection in use

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newSQLiteReader(db *sql.DB, d *dialect, connections int) *sqliteReader {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return &sqliteReader{db: db, dialect: d, slots: make(chan struct{}, connections)}
}

// do waits for a connection as long as ctx allows and then reads to the end:
// a context that can be cancelled would cost a goroutine per query, more than
// most queries. Long scans look at the context themselves.
func (r *sqliteReader) do(ctx context.Context, run job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.slots }()

	ctx = context.WithoutCancel(ctx)
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	healthy := false // so it stays when run panics
	defer func() { r.give(c, healthy) }()
	err = run(ctx, c)
	healthy = err == nil || b3scale.CodeOf(err) != "" // the answer is an error, not the connection
	return err
}

func (r *sqliteReader) long(ctx context.Context, run job) error { return r.do(ctx, run) }

func (r *sqliteReader) take(ctx context.Context) (*conn, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, errClosed
	}
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	return newConn(ctx, r.db, r.dialect)
}

// give takes c back. What failed is not lent again.
func (r *sqliteReader) give(c *conn, healthy bool) {
	r.mu.Lock()
	keep := healthy && !r.closed
	if keep {
		r.idle = append(r.idle, c)
	}
	r.mu.Unlock()
	if !keep {
		_ = c.close() // it has read; there is nothing to lose
	}
}

// close refuses further reads. Those under way finish and close their
// connections themselves.
func (r *sqliteReader) close() error {
	r.mu.Lock()
	idle := r.idle
	r.idle, r.closed = nil, true
	r.mu.Unlock()
	var err error
	for _, c := range idle {
		err = errors.Join(err, c.close())
	}
	return errors.Join(err, r.db.Close())
}
