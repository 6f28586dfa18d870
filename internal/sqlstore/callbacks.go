package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"b3scale"
)

const (
	callbackColumns = `id, frontend_id, kind, meeting_id, url, host, payload, dedup, state, attempts,
		created_at, next_at, expires_at, done_at, last_status, last_error`

	insertCallback = `INSERT INTO callbacks (id, frontend_id, kind, meeting_id, url, host, payload, dedup, state, created_at, next_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', {now}, {now}, {now} + $9)
		ON CONFLICT (frontend_id, dedup) WHERE dedup <> '' DO NOTHING RETURNING ` + callbackColumns
	sameCallback = `SELECT ` + callbackColumns + ` FROM callbacks WHERE frontend_id = $1 AND dedup = $2`
	readCallback = `SELECT ` + callbackColumns + ` FROM callbacks WHERE id = $1`
)

// AddCallback stores a message that is due at once.
func (s *Store) AddCallback(ctx context.Context, c b3scale.Callback, tried time.Duration) (saved b3scale.Callback, added bool, err error) {
	err = errors.Join(checkIDs(c.FrontendID, string(c.Kind), c.MeetingID, c.Host, c.Dedup), checkTexts(c.URL))
	if err == nil && c.Payload != nil {
		err = checkJSON(c.Payload)
	}
	if err != nil {
		return saved, false, fmt.Errorf("add a callback: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		saved, err = scanCallback(tx.row(ctx, insertCallback, b3scale.NewID(), c.FrontendID, string(c.Kind), c.MeetingID, c.URL, c.Host,
			textOrNull(c.Payload), c.Dedup, tried.Microseconds()))
		if added = err == nil; errors.Is(err, sql.ErrNoRows) {
			saved, err = scanCallback(tx.row(ctx, sameCallback, c.FrontendID, c.Dedup))
		}
		if s.dialect.failureOf(err) == failureForeignKey {
			return b3scale.Errorf(b3scale.NotFound, "no frontend with the id %q", c.FrontendID).Because(err)
		}
		return err
	})
	if err != nil {
		return b3scale.Callback{}, false, fmt.Errorf("add a callback: %w", err)
	}
	return saved, added, nil
}

const (
	// Those that somebody is at work with come first among those of their host
	// and of their frontend. What a host has no room for takes no turn of its
	// frontend, so that the frontend's other hosts wait for nothing.
	dueCallbacks = `SELECT id FROM (
			SELECT id, next_at, lease_until, ROW_NUMBER() OVER (PARTITION BY frontend_id
				ORDER BY CASE WHEN lease_until > {now} THEN 0 ELSE 1 END, next_at, id) AS turn
			FROM (
				SELECT id, frontend_id, next_at, lease_until, ROW_NUMBER() OVER (PARTITION BY host
					ORDER BY CASE WHEN lease_until > {now} THEN 0 ELSE 1 END, next_at, id) AS place
				FROM callbacks WHERE state = 'waiting' AND next_at <= {now}
			) AS due WHERE lease_until > {now} OR place <= $1
		) AS fair WHERE lease_until <= {now} AND turn <= $2 ORDER BY turn, next_at, id LIMIT $3`
	takeCallback = `UPDATE callbacks SET holder = $2, lease_until = {now} + $3, attempts = attempts + 1
		WHERE id = $1 AND state = 'waiting' AND next_at <= {now} AND lease_until <= {now} RETURNING ` + callbackColumns
	expireCallbacks = `UPDATE callbacks SET state = 'expired', done_at = {now} WHERE state = 'waiting' AND expires_at <= {now} AND lease_until <= {now} RETURNING kind`
	anyDueCallback  = `SELECT EXISTS (SELECT 1 FROM callbacks WHERE state = 'waiting' AND (next_at <= {now} OR expires_at <= {now}) AND lease_until <= {now})`
)

// TakeCallbacks gives holder messages that are due.
func (s *Store) TakeCallbacks(ctx context.Context, holder string, lease time.Duration, n, perHost, perFrontend int) (
	taken []b3scale.Callback, expired map[b3scale.CallbackKind]int, err error,
) {
	// The same holder may take a message anew while it is still at work with it,
	// when an operator replays it: each take has a name of its own.
	holder += "#" + b3scale.NewID()
	if err := checkIDs(holder); err != nil {
		return nil, nil, fmt.Errorf("take callbacks: %w", err)
	}
	var ids []string
	any := false
	if err = s.read(ctx, func(ctx context.Context, tx session) error { return tx.row(ctx, anyDueCallback).Scan(&any) }); err == nil && any {
		if expired, err = s.expireCallbacks(ctx); err == nil {
			err = s.each(ctx, dueCallbacks, func(rows *sql.Rows) error {
				var id string
				err := rows.Scan(&id)
				ids = append(ids, id)
				return err
			}, int64(perHost), int64(perFrontend), int64(n))
		}
	}
	// Each on its own: of two instances that saw the same, each gets some.
	for _, id := range ids {
		if err != nil {
			break
		}
		var c b3scale.Callback
		err = s.write(ctx, func(ctx context.Context, tx session) (err error) {
			c, err = scanCallback(tx.row(ctx, takeCallback, id, holder, lease.Microseconds()))
			if errors.Is(err, sql.ErrNoRows) {
				c = b3scale.Callback{}
				return nil
			}
			return err
		})
		if err == nil && c.ID != "" {
			c.Holder = holder
			taken = append(taken, c)
		}
	}
	if err != nil && len(taken) == 0 {
		return nil, expired, fmt.Errorf("take callbacks: %w", err)
	}
	return taken, expired, nil
}

func (s *Store) expireCallbacks(ctx context.Context) (map[b3scale.CallbackKind]int, error) {
	var kinds []string
	err := s.write(ctx, func(ctx context.Context, tx session) (err error) {
		kinds, err = textsOf(ctx, tx, expireCallbacks)
		return err
	})
	if err != nil || len(kinds) == 0 {
		return nil, err
	}
	expired := map[b3scale.CallbackKind]int{}
	for _, kind := range kinds {
		expired[b3scale.CallbackKind(kind)]++
	}
	return expired, nil
}

// Who has taken a message may tell how it ended even after the lease, unless
// somebody else has taken it since: better known than delivered again.
const finishCallback = `UPDATE callbacks SET state = $3, last_status = $4, last_error = $5, holder = '', lease_until = 0,
		next_at = {now} + $6, done_at = CASE WHEN $3 = 'waiting' THEN 0 ELSE {now} END
	WHERE id = $1 AND holder = $2 AND state = 'waiting'`

// FinishCallback stores how an attempt ended.
func (s *Store) FinishCallback(ctx context.Context, id, holder string, r b3scale.CallbackResult, again time.Duration) (bool, error) {
	if err := checkIDs(id, holder, string(r.State)); err != nil {
		return false, fmt.Errorf("finish a callback: %w", err)
	}
	n, err := s.writeOne(ctx, finishCallback, id, holder, string(r.State), int64(r.Status), mendText(r.Error), again.Microseconds())
	if err != nil {
		return false, fmt.Errorf("finish callback %s: %w", id, err)
	}
	return n > 0, nil
}

const (
	matching = ` FROM callbacks WHERE ($1 = '' OR frontend_id = $1) AND ($2 = '' OR state = $2) AND ($3 = '' OR kind = $3) AND ($4 = '' OR meeting_id = $4)`

	countCallbacks = `SELECT COUNT(*)` + matching
	listCallbacks  = `SELECT ` + callbackColumns + matching + ` ORDER BY created_at DESC, id LIMIT $5 OFFSET $6`

	defaultCallbackLimit = 1000
)

// Callbacks reads those that match, the newest first.
func (s *Store) Callbacks(ctx context.Context, q b3scale.CallbackQuery, yield func(b3scale.Callback)) (total int, err error) {
	if err := checkIDs(q.FrontendID, string(q.State), string(q.Kind), q.MeetingID); err != nil {
		return 0, fmt.Errorf("read callbacks: %w", err)
	}
	if q.Limit <= 0 {
		q.Limit = defaultCallbackLimit
	}
	args := []any{q.FrontendID, string(q.State), string(q.Kind), q.MeetingID}
	err = s.read(ctx, func(ctx context.Context, tx session) error { return tx.row(ctx, countCallbacks, args...).Scan(&total) })
	if err == nil {
		err = s.each(ctx, listCallbacks, func(rows *sql.Rows) error {
			c, err := scanCallback(rows)
			if err == nil {
				yield(c)
			}
			return err
		}, append(args, int64(q.Limit), int64(max(q.Offset, 0)))...)
	}
	if err != nil {
		return 0, fmt.Errorf("read callbacks: %w", err)
	}
	return total, nil
}

// Callback reads one.
func (s *Store) Callback(ctx context.Context, id string) (c b3scale.Callback, err error) {
	if err := checkIDs(id); err != nil {
		return c, fmt.Errorf("read a callback: %w", err)
	}
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		c, err = scanCallback(tx.row(ctx, readCallback, id))
		return orNoCallback(err, id)
	})
	if err != nil {
		return b3scale.Callback{}, fmt.Errorf("read callback %s: %w", id, err)
	}
	return c, nil
}

func orNoCallback(err error, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return b3scale.Errorf(b3scale.NotFound, "no callback with the id %q", id)
	}
	return err
}

const (
	// What was taken before may not finish what is tried anew.
	replayCallback = `UPDATE callbacks SET state = 'waiting', attempts = 0, next_at = {now}, expires_at = {now} + $2, done_at = 0, holder = '', lease_until = 0
		WHERE id = $1 RETURNING ` + callbackColumns
	dropCallback = `UPDATE callbacks SET state = 'dropped', done_at = {now} WHERE id = $1 AND state = 'waiting' RETURNING ` + callbackColumns
)

// ReplayCallback makes one wait again.
func (s *Store) ReplayCallback(ctx context.Context, id string, tried time.Duration, by b3scale.Actor) (b3scale.Callback, error) {
	return s.changeCallback(ctx, "replay", id, by, replayCallback, tried.Microseconds())
}

// DropCallback ends one that waits. Another is a Conflict.
func (s *Store) DropCallback(ctx context.Context, id string, by b3scale.Actor) (b3scale.Callback, error) {
	return s.changeCallback(ctx, "drop", id, by, dropCallback)
}

func (s *Store) changeCallback(ctx context.Context, verb, id string, by b3scale.Actor, text string, args ...any) (c b3scale.Callback, err error) {
	if err := checkIDs(id); err != nil {
		return c, fmt.Errorf("%s a callback: %w", verb, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		c, err = scanCallback(tx.row(ctx, text, append([]any{id}, args...)...))
		if errors.Is(err, sql.ErrNoRows) {
			if c, err = scanCallback(tx.row(ctx, readCallback, id)); err != nil {
				return orNoCallback(err, id)
			}
			return b3scale.Errorf(b3scale.Conflict, "the callback is over: %s", c.State)
		}
		if err != nil {
			return err
		}
		return note(ctx, tx, b3scale.AuditEntry{Actor: by, Action: "callback." + verb,
			Object: b3scale.AuditObject{Kind: "callback", ID: c.ID, Name: string(c.Kind) + " " + c.Host}})
	})
	if err != nil {
		return b3scale.Callback{}, fmt.Errorf("%s callback %s: %w", verb, id, err)
	}
	return c, nil
}

const (
	callbackQueues = `SELECT frontend_id, COUNT(*), MIN(created_at) FROM callbacks WHERE state = 'waiting' GROUP BY frontend_id ORDER BY frontend_id`
	purgeCallbacks = `DELETE FROM callbacks WHERE state <> 'waiting' AND done_at < {now} - $1`
)

// CallbackQueues tell what waits.
func (s *Store) CallbackQueues(ctx context.Context) (queues []b3scale.CallbackQueue, err error) {
	err = s.each(ctx, callbackQueues, func(rows *sql.Rows) error {
		var q b3scale.CallbackQueue
		err := rows.Scan(&q.FrontendID, &q.Waiting, &q.Oldest)
		queues = append(queues, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the queues of callbacks: %w", err)
	}
	return queues, nil
}

// PurgeCallbacks deletes those that ended so long ago.
func (s *Store) PurgeCallbacks(ctx context.Context, ended time.Duration) error {
	if _, err := s.writeOne(ctx, purgeCallbacks, ended.Microseconds()); err != nil {
		return fmt.Errorf("purge callbacks: %w", err)
	}
	return nil
}

func scanCallback(row scanner) (c b3scale.Callback, err error) {
	err = row.Scan(&c.ID, &c.FrontendID, &c.Kind, &c.MeetingID, &c.URL, &c.Host, &c.Payload, &c.Dedup, &c.State, &c.Attempts,
		&c.CreatedAt, &c.NextAt, &c.ExpiresAt, &c.DoneAt, &c.LastStatus, &c.LastError)
	if err != nil {
		return b3scale.Callback{}, err
	}
	return c, nil
}
