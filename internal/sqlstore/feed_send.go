package sqlstore

import (
	"context"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5"
)

// notify sends all payloads of a batch. A notification is a transaction that
// writes; that it survives a crash is not worth an fsync. The setting ends with
// the transaction, because behind a pooler the session belongs to everybody.
const notify = `SELECT set_config('synchronous_commit', 'off', true), count(pg_notify('` + channel + `', payload))
	FROM unnest($1::text[]) AS payload`

// send is the goroutine that sends what is pending. A lone hint goes at once,
// what follows it together.
func (f *feed) send() {
	defer close(f.sender.done)
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			hangUp(conn)
		}
	}()
	again := newBackoff()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-f.pending.filled:
		}
		hints := f.pending.take()
		if len(hints) == 0 {
			continue
		}
		err := f.sendBatch(&conn, hints)
		if err == nil {
			again = newBackoff()
			pause(f.ctx, f.limits.batch)
			continue
		}
		if f.ctx.Err() != nil {
			return
		}
		f.log.DebugContext(f.ctx, "changes not told to other instances", "hints", len(hints), "error", err)
		f.keep(hints)
		pause(f.ctx, again.next())
	}
}

// keep puts hints that were not sent back, unless they are too old by now.
func (f *feed) keep(hints map[b3scale.Hint]time.Time) {
	for h, since := range hints {
		if time.Since(since) > f.limits.late {
			delete(hints, h)
		}
	}
	f.pending.putBack(hints)
}

// sendBatch connects first if need be. A connection that failed is not used
// again.
func (f *feed) sendBatch(conn **pgx.Conn, hints map[b3scale.Hint]time.Time) (err error) {
	if *conn != nil && (*conn).IsClosed() {
		*conn = nil
	}
	if *conn == nil {
		if *conn, err = f.connect(f.ctx, f.main, "b3scale notify"); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(f.ctx, f.limits.deadline)
	defer cancel()
	if _, err := (*conn).Exec(ctx, notify, payloads(f.id, hints)); err != nil {
		hangUp(*conn)
		*conn = nil
		return err
	}
	return nil
}
