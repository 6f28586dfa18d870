package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pool lends PostgreSQL's connections and bounds how long a call may take. Who
// waits for one may give up. Whoever has one goes on until its deadline: to
// abandon a statement costs the connection, and leaves open what it did.
type pool struct {
	db      *sql.DB
	dialect *dialect
	now     func() time.Time // nil: the database's clock
	timeout time.Duration
	pulse   *pulse
	slots   chan struct{} // one per connection in use
	reads   chan struct{} // those of them that readers have; a quarter is never theirs
	closed  chan struct{}
	texts   sync.Map // as written → as sent
}

func newPool(config *pgx.ConnConfig, d *dialect, opts PostgresOptions) *pool {
	beat := &pulse{patience: opts.Timeout / 4}
	p := &pool{
		db:      sql.OpenDB(&pgConnector{config: config, dials: make(chan struct{}, 4), limits: limitsFor(opts.Timeout), pulse: beat}),
		dialect: d,
		now:     opts.Now,
		timeout: opts.Timeout,
		pulse:   beat,
		slots:   make(chan struct{}, opts.PoolSize),
		reads:   make(chan struct{}, max(1, opts.PoolSize-max(1, opts.PoolSize/4))),
		closed:  make(chan struct{}),
	}
	// The slots bound their number. A bound here would open some of them in the
	// background, with nobody's deadline.
	p.db.SetMaxIdleConns(opts.PoolSize)
	return p
}

// close refuses further calls and lets those under way finish.
func (p *pool) close() error {
	close(p.closed)
	end := time.NewTimer(2 * p.timeout)
	defer end.Stop()
	for range cap(p.slots) {
		select {
		case p.slots <- struct{}{}:
		case <-end.C:
			return p.db.Close()
		}
	}
	return p.db.Close()
}

// lend waits for a connection as long as wait allows and calls use with it.
func (p *pool) lend(wait context.Context, use func(c *sql.Conn) error) error {
	if err := p.enter(wait, p.slots); err != nil {
		return err
	}
	return p.lent(wait, func() { <-p.slots }, use)
}

// lendToRead keeps readers, who may be many, from standing in line before those
// who write.
func (p *pool) lendToRead(wait context.Context, use func(c *sql.Conn) error) error {
	if err := p.enter(wait, p.reads); err != nil {
		return err
	}
	if err := p.enter(wait, p.slots); err != nil {
		<-p.reads
		return err
	}
	return p.lent(wait, func() { <-p.slots; <-p.reads }, use)
}

func (p *pool) enter(wait context.Context, slots chan struct{}) error {
	if err := wait.Err(); err != nil {
		return err
	}
	select {
	case slots <- struct{}{}:
		return nil
	case <-p.closed:
		return errClosed
	case <-wait.Done():
		return wait.Err()
	}
}

// lent calls use with a connection and then leave.
func (p *pool) lent(wait context.Context, leave func(), use func(c *sql.Conn) error) error {
	c, err := p.open(wait, leave)
	if err != nil {
		return err
	}
	defer leave()
	keep := false // so it stays when use panics
	defer func() {
		if !keep {
			_ = c.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = c.Close()
	}()
	err = use(c)
	keep = !broken(err)
	if !keep && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		p.pulse.lost()
	}
	return err
}

// open takes an idle connection or makes one. A new one that its caller does not
// wait for is there for the next: when all are in a hurry and the database is
// slow to let them in, there would never be any. It is open that leaves after an
// error, be it later.
func (p *pool) open(wait context.Context, leave func()) (*sql.Conn, error) {
	type opened struct {
		conn *sql.Conn
		err  error
	}
	ready := make(chan opened)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(wait), p.timeout)
		defer cancel()
		c, err := p.db.Conn(ctx)
		select {
		case ready <- opened{c, err}:
		case <-wait.Done():
			if err == nil {
				_ = c.Close()
			}
			leave()
		}
	}()
	select {
	case o := <-ready:
		if o.err != nil {
			leave()
			return nil, repeatable{o.err}
		}
		return o.conn, nil
	case <-wait.Done():
		return nil, wait.Err()
	}
}

// repeatable is an error after which a job may simply run again: certainly it
// changed nothing, or it does not matter if it did. Another connection may do
// better.
type repeatable struct{ error }

func (e repeatable) Unwrap() error { return e.error }

// broken reports whether a connection is of no use after an error: it may be
// half read, its server ends, or has become one that only reads.
func broken(err error) bool {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Severity != "ERROR" || len(e.Code) < 2 || e.Code[:2] == "08" || e.Code[:2] == "57" && e.Code != "57014" || e.Code == "25006"
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, wrong := errors.AsType[*json.UnmarshalTypeError](err)
	return b3scale.CodeOf(err) == "" && !syntax && !wrong // what somebody else has written is not the connection's fault
}

const (
	maxBusy    = 6  // times to try what was locked, deadlocked or not serialisable
	maxCrowded = 40 // times to try what found new rows; its time bounds it too
	maxGone    = 2  // times to try what referred to a row that went meanwhile: texts look for it first
	maxLost    = 2  // times to try what lost its connection: the rest of the pool may be lost too
)

// insist calls once until it succeeds or another time would not help. Both
// contexts end in time; only the first one when the caller gives up.
func (p *pool) insist(caller context.Context, once func(wait, run context.Context) error) error {
	wait, cancel := context.WithTimeout(caller, p.timeout)
	defer cancel()
	deadline, _ := wait.Deadline()
	run, cancel := context.WithDeadline(context.WithoutCancel(caller), deadline)
	defer cancel()
	for try := 1; ; try++ {
		err := once(wait, run)
		if !p.again(err, try) || !stepAside(wait, try) {
			return err
		}
	}
}

// stepAside waits by chance, longer after each try: those who met once shall not
// meet again. It is false when ctx ends first.
func stepAside(ctx context.Context, try int) bool {
	end := time.NewTimer(rand.N(time.Duration(min(try*try, 100)) * time.Millisecond)) //nolint:gosec // chance, no secret
	defer end.Stop()
	select {
	case <-end.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *pool) again(err error, try int) bool {
	if err == nil {
		return false
	}
	switch {
	case p.dialect.failureOf(err) == failureBusy:
		return try < maxBusy
	case errors.Is(err, errCrowded):
		return try < maxCrowded
	case p.dialect.failureOf(err) == failureForeignKey:
		return try < maxGone
	}
	_, ok := errors.AsType[repeatable](err)
	return ok && try < maxLost && !errors.Is(err, context.DeadlineExceeded)
}

// patiently is insist for a job that may take long: it is given up when it makes
// no progress for as long as others have for everything, or after longest.
func (p *pool) patiently(caller context.Context, longest time.Duration, once func(run context.Context, more func()) error) error {
	run, cancel := context.WithTimeout(caller, longest)
	defer cancel()
	stalled := time.AfterFunc(p.timeout, cancel)
	defer stalled.Stop()
	for try := 1; ; try++ {
		err := once(run, func() { stalled.Reset(p.timeout) })
		if run.Err() != nil || !p.again(err, try) || !stepAside(run, try) {
			return err
		}
	}
}

// pgReader reads. Each of its statements sees all that was committed before.
type pgReader struct{ *pool }

func (r pgReader) do(ctx context.Context, run job) error {
	return r.insist(ctx, func(wait, ctx context.Context) error {
		return r.lendToRead(wait, func(c *sql.Conn) error {
			err := run(ctx, &pgSession{conn: c, pool: r.pool})
			if broken(err) {
				return repeatable{err}
			}
			return err
		})
	})
}

// long does not read again what the caller has seen.
func (r pgReader) long(ctx context.Context, run job) error {
	return r.patiently(ctx, longestRead, func(ctx context.Context, more func()) error {
		return r.lendToRead(ctx, func(c *sql.Conn) error {
			began := false
			err := run(ctx, &pgSession{conn: c, pool: r.pool, more: func() { began = true; more() }})
			if broken(err) && !began {
				return repeatable{err}
			}
			return err
		})
	})
}

// pgWriter writes.
type pgWriter struct{ *pool }

func (w pgWriter) do(ctx context.Context, run job) error {
	return w.insist(ctx, func(wait, ctx context.Context) error {
		return w.lend(wait, func(c *sql.Conn) error {
			return (&pgSession{conn: c, pool: w.pool}).transaction(ctx, run)
		})
	})
}

func (w pgWriter) long(ctx context.Context, run job) error {
	return w.patiently(ctx, longestWrite, func(ctx context.Context, more func()) error {
		return w.lend(ctx, func(c *sql.Conn) error {
			return (&pgSession{conn: c, pool: w.pool, more: more}).transaction(ctx, run)
		})
	})
}

// alone needs no BEGIN and COMMIT, which are two more round trips. Nobody knows
// whether a statement was committed whose answer was lost; it runs again.
func (w pgWriter) alone(ctx context.Context, run job) error {
	return w.insist(ctx, func(wait, ctx context.Context) error {
		return w.lend(wait, func(c *sql.Conn) error {
			err := run(ctx, &pgSession{conn: c, pool: w.pool})
			if broken(err) {
				return repeatable{err}
			}
			return err
		})
	})
}

func (w pgWriter) first(ctx context.Context, try, otherwise job) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	err := w.alone(ctx, try)
	if errors.Is(err, sql.ErrNoRows) {
		return w.do(ctx, otherwise)
	}
	return err
}
