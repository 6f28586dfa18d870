package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"b3scale"
)

// maxGroup bounds how many transactions share one commit, so that the first of
// them does not wait long for the last.
const maxGroup = 256

const (
	begin      = `BEGIN IMMEDIATE`
	commit     = `COMMIT`
	rollback   = `ROLLBACK`
	checkpoint = `PRAGMA wal_checkpoint(TRUNCATE)`
)

// groupWriter is SQLite's writer: one goroutine with the only connection that
// writes. It runs whatever is waiting in one transaction and answers after the
// commit, so one fsync pays for many jobs.
type groupWriter struct {
	db      *sql.DB
	dialect *dialect
	log     *slog.Logger
	conn    *conn // of the goroutine alone; nil: open one

	mu      sync.Mutex
	waiting []*pending
	closed  bool
	wake    chan struct{} // something is waiting, or closed
	done    chan struct{} // the goroutine has ended
}

// pending is a job whose caller waits.
type pending struct {
	ctx   context.Context
	run   job
	taken atomic.Bool // by the writer, or by a caller who gives up
	err   error
	done  chan struct{}
}

func newGroupWriter(db *sql.DB, d *dialect, log *slog.Logger) *groupWriter {
	w := &groupWriter{db: db, dialect: d, log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.loop()
	return w
}

// do answers when run is committed. A caller may give up until its job is
// taken; from then on it waits for the end, so that it always knows.
func (w *groupWriter) do(ctx context.Context, run job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &pending{ctx: ctx, run: run, done: make(chan struct{})}
	if !w.enqueue(p) {
		return errClosed
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-p.done
	}
	return p.err
}

// Every job is a part of a group's transaction anyway.
func (w *groupWriter) alone(ctx context.Context, run job) error { return w.do(ctx, run) }
func (w *groupWriter) long(ctx context.Context, run job) error  { return w.do(ctx, run) }

func (w *groupWriter) first(ctx context.Context, try, otherwise job) error {
	return w.do(ctx, func(ctx context.Context, tx session) error {
		if err := try(ctx, tx); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return otherwise(ctx, tx)
	})
}

func (w *groupWriter) enqueue(p *pending) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.waiting = append(w.waiting, p)
	w.signal()
	return true
}

func (w *groupWriter) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// close finishes what waits, then folds the log into the database file.
func (w *groupWriter) close() error {
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	<-w.done

	var err error
	if w.conn != nil {
		var busy, frames, folded int64
		err = w.conn.row(context.Background(), checkpoint).Scan(&busy, &frames, &folded)
		err = errors.Join(err, w.conn.close())
	}
	return errors.Join(err, w.db.Close())
}

func (w *groupWriter) loop() {
	defer close(w.done)
	var group []*pending
	for {
		var more bool
		if group, more = w.take(group[:0]); len(group) > 0 {
			w.runGroup(group)
			clear(group)      // hold on to no caller
			runtime.Gosched() // those just answered often come back at once
		} else if more {
			<-w.wake
		} else {
			return
		}
	}
}

// take moves what waits to group, without jobs whose callers gave up. An empty
// group means that nothing waits; more says whether anything can come.
func (w *groupWriter) take(group []*pending) (_ []*pending, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for ; n < len(w.waiting) && len(group) < maxGroup; n++ {
		if p := w.waiting[n]; p.taken.CompareAndSwap(false, true) {
			group = append(group, p)
		}
	}
	rest := copy(w.waiting, w.waiting[n:])
	clear(w.waiting[rest:])
	w.waiting = w.waiting[:rest]
	return group, !w.closed
}

// runGroup commits the whole group at once. When one of its jobs fails, each
// gets a transaction of its own: no job may harm another.
func (w *groupWriter) runGroup(group []*pending) {
	err := w.transaction(func(tx *conn) error {
		for _, p := range group {
			if err := runJob(p, tx); err != nil {
				return jobError{err}
			}
		}
		return nil
	})
	if _, failed := errors.AsType[jobError](err); failed && len(group) > 1 {
		for _, p := range group {
			p.finish(w.transaction(func(tx *conn) error { return runJob(p, tx) }))
		}
		return
	}
	for _, p := range group {
		p.finish(err)
	}
}

// jobError tells a job's own error from that of its transaction.
type jobError struct{ error }

func (p *pending) finish(err error) {
	if own, ok := errors.AsType[jobError](err); ok {
		err = own.error
	}
	p.err = err
	close(p.done)
}

// runJob turns a panic into an error: it belongs to one caller, and the
// goroutine to all of them.
func runJob(p *pending, tx *conn) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", v, debug.Stack())
		}
	}()
	return p.run(context.WithoutCancel(p.ctx), tx)
}

func (w *groupWriter) transaction(body func(tx *conn) error) error {
	ctx := context.Background()
	if err := w.begin(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := body(w.conn)
	if err == nil {
		if _, err = w.conn.exec(ctx, commit); err == nil {
			return nil
		}
		// No job is to blame, so what it means for a job does not matter.
		err = b3scale.Errorf(b3scale.Unavailable, "the store could not commit").Because(err)
		w.log.ErrorContext(ctx, "commit failed", "err", err)
	}
	// After a full disk or an I/O error there may be no transaction any more,
	// and then this fails. If it fails otherwise, the next begin will notice.
	_, _ = w.conn.exec(ctx, rollback)
	return err
}

// begin starts a transaction. A connection that cannot is replaced once.
func (w *groupWriter) begin(ctx context.Context) error {
	for fresh := false; ; fresh = true {
		if w.conn == nil {
			c, err := newConn(ctx, w.db, w.dialect)
			if err != nil {
				return err
			}
			w.conn = c
		}
		_, err := w.conn.exec(ctx, begin)
		if err == nil || w.dialect.failureOf(err) == failureBusy {
			return err
		}
		_ = w.conn.close()
		w.conn = nil
		if fresh {
			return err
		}
	}
}
