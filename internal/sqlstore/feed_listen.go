package sqlstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// follow hands out what listen puts into a bag, so that a slow receiver keeps
// no notification waiting in the server, where they fill a queue for all.
func (f *feed) follow(ctx context.Context, missed func(), changed func([]b3scale.Hint)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)()

	heard := newBag()
	ended := make(chan struct{})
	if f.opts.PollOnly {
		heard.add(hintMissed)
		close(ended)
	} else {
		go func() {
			defer close(ended)
			f.listen(ctx, heard)
		}()
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-heard.filled:
			hints := heard.take()
			if _, ok := hints[hintMissed]; ok {
				delete(hints, hintMissed)
				missed()
			}
			if len(hints) > 0 && ctx.Err() == nil {
				changed(keysOf(hints))
			}
		}
	}
	<-ended
	if f.ctx.Err() != nil {
		return errClosed
	}
	return nil
}

func keysOf(hints map[b3scale.Hint]time.Time) []b3scale.Hint {
	keys := make([]b3scale.Hint, 0, len(hints))
	for h := range hints {
		keys = append(keys, h)
	}
	return keys
}

// listen connects again and again until ctx ends.
func (f *feed) listen(ctx context.Context, heard *bag) {
	again := newBackoff()
	down := false
	for ctx.Err() == nil {
		var since time.Time
		err := f.listenOnce(ctx, heard, func() {
			since = time.Now()
			if down {
				f.log.InfoContext(ctx, "changes of other instances are heard again")
			}
			down = false
		})
		if ctx.Err() != nil {
			return
		}
		if !since.IsZero() && time.Since(since) > f.limits.quiet {
			again = newBackoff() // one that lasts no longer is no success
		}
		if !down {
			f.log.WarnContext(ctx, "changes of other instances are not heard, only polled", "error", err)
		}
		down = true
		pause(ctx, again.next())
	}
}

// listenOnce listens on one connection until that breaks. Whatever was told
// before it listened is missed, whatever comes from then on is heard: a
// snapshot that is taken in between holds the one and stands before the other.
func (f *feed) listenOnce(ctx context.Context, heard *bag, up func()) error {
	conn, err := f.connect(ctx, f.opts.ListenURL, "b3scale listen")
	if err != nil {
		return err
	}
	defer hangUp(conn)
	if err := f.within(ctx, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "LISTEN "+channel)
		return err
	}); err != nil {
		return err
	}
	up()
	heard.add(hintMissed)
	for {
		n, err := f.wait(ctx, conn)
		if n != nil {
			f.hear(ctx, heard, n.Payload)
		}
		if err != nil {
			return err
		}
	}
}

// wait gives the next notification, or nothing when it was quiet and the
// connection still works. Half a connection is quiet for ever.
func (f *feed) wait(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	quiet, cancel := context.WithTimeout(ctx, f.limits.quiet)
	defer cancel()
	n, err := conn.WaitForNotification(quiet)
	if err == nil || n != nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) || conn.IsClosed() {
		return n, err
	}
	return nil, f.within(ctx, conn.Ping)
}

func (f *feed) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.limits.deadline)
	defer cancel()
	return call(ctx)
}

func (f *feed) hear(ctx context.Context, heard *bag, payload string) {
	from, hints, err := parsePayload(payload)
	switch {
	case err != nil: // of a newer version, or of somebody else
		f.log.DebugContext(ctx, "notification not understood", "bytes", len(payload), "error", err)
		heard.add(hintMissed)
	case from != f.id:
		heard.add(hints...)
	}
}

// backoff grows from attempt to attempt. Chance keeps instances apart that lost
// the same server.
type backoff struct{ step time.Duration }

func newBackoff() backoff { return backoff{100 * time.Millisecond} }

func (b *backoff) next() time.Duration {
	d := b.step
	b.step = min(2*d, time.Second)
	return d/2 + rand.N(d/2+1) //nolint:gosec // no secret
}
