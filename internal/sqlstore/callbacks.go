package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"b3scale"
)

const (
	callbackColumns = `id, frontend_id, kind, meeting_id, url, host, payload, dedup, state, attempts,
		created_at, next_at, expires_at, done_at, last_status, last_error`

	// What waits is counted only as far as it matters.
	insertCallback = `INSERT INTO callbacks (id, frontend_id, kind, meeting_id, url, host, payload, dedup, state, created_at, next_at, expires_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'waiting', {now}, {now}, {now} + CAST($9 AS BIGINT)
		WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM callbacks WHERE frontend_id = $2 AND state = 'waiting' LIMIT $10) AS waiting) < $10
		ON CONFLICT (frontend_id, dedup) WHERE dedup <> '' DO NOTHING RETURNING ` + callbackColumns
	sameCallback = `SELECT ` + callbackColumns + ` FROM callbacks WHERE frontend_id = $1 AND dedup = $2 AND dedup <> ''`
	// Nothing is a repeat of these any more.
	forgetAged  = `UPDATE callbacks SET dedup = '' WHERE frontend_id = $1 AND dedup = $2 AND dedup <> '' AND created_at <= {now} - $3`
	forgetTaken = `UPDATE callbacks SET dedup = '' WHERE frontend_id = $1 AND dedup = $2 AND dedup <> ''
		AND (state <> 'waiting' OR attempts = 0 OR lease_until > {now})`
	readCallback = `SELECT ` + callbackColumns + ` FROM callbacks WHERE id = $1`
)

// AddCallback stores a message that is due at once.
func (s *Store) AddCallback(ctx context.Context, c b3scale.Callback, terms b3scale.CallbackTerms) (saved b3scale.Callback, added bool, err error) {
	err = errors.Join(checkIDs(c.FrontendID, string(c.Kind), c.MeetingID, c.Host, c.Dedup), checkTexts(c.URL))
	if err == nil && c.Payload != nil {
		err = checkJSON(c.Payload)
	}
	if err != nil {
		return saved, false, fmt.Errorf("add a callback: %w", err)
	}
	full := false // a refusal is no error of the transaction
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		saved, added, err = addCallback(ctx, tx, c, terms)
		if full = errors.Is(err, sql.ErrNoRows); full {
			return nil
		}
		if s.dialect.failureOf(err) == failureForeignKey {
			return b3scale.Errorf(b3scale.NotFound, "no frontend with the id %q", c.FrontendID).Because(err)
		}
		return err
	})
	if err == nil && full {
		err = b3scale.Errorf(b3scale.LimitReached, "%d messages to the frontend wait already", terms.Most)
	}
	if err != nil {
		return b3scale.Callback{}, false, fmt.Errorf("add a callback: %w", err)
	}
	return saved, added, nil
}

// addCallback gives sql.ErrNoRows when too many wait.
func addCallback(ctx context.Context, tx session, c b3scale.Callback, terms b3scale.CallbackTerms) (saved b3scale.Callback, added bool, err error) {
	switch {
	case c.Dedup == "":
	case terms.UntilTaken:
		_, err = tx.exec(ctx, forgetTaken, c.FrontendID, c.Dedup)
	case terms.Repeats > 0:
		_, err = tx.exec(ctx, forgetAged, c.FrontendID, c.Dedup, terms.Repeats.Microseconds())
	}
	if err != nil {
		return saved, false, err
	}
	most := int64(math.MaxInt64)
	if terms.Most > 0 {
		most = int64(terms.Most)
	}
	saved, err = scanCallback(tx.row(ctx, insertCallback, b3scale.NewID(), c.FrontendID, string(c.Kind), c.MeetingID, c.URL, c.Host,
		textOrNull(c.Payload), c.Dedup, terms.Tried.Microseconds(), most))
	if errors.Is(err, sql.ErrNoRows) && c.Dedup != "" {
		saved, err = scanCallback(tx.row(ctx, sameCallback, c.FrontendID, c.Dedup))
		return saved, false, err
	}
	return saved, err == nil, err
}

const (
	matching = ` FROM callbacks WHERE ($1 = '' OR frontend_id = $1) AND ($2 = '' OR state = $2) AND ($3 = '' OR kind = $3) AND ($4 = '' OR meeting_id = $4)`

	countCallbacks = `SELECT COUNT(*)` + matching
	// Payloads may be long, and lists too.
	listCallbacks = `SELECT id, frontend_id, kind, meeting_id, url, host, NULL, dedup, state, attempts,
		created_at, next_at, expires_at, done_at, last_status, last_error` + matching + ` ORDER BY created_at DESC, id LIMIT $5 OFFSET $6`

	defaultCallbackLimit = 1000
)

// Callbacks reads those that match, the newest first, without their payloads.
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
	purgeCallbacks = `DELETE FROM callbacks WHERE id IN (SELECT id FROM callbacks
		WHERE state <> 'waiting' AND done_at < {now} - $1 ORDER BY done_at, id LIMIT $2 {lock})`
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

// PurgeCallbacks deletes those that ended so long ago, a group per transaction.
func (s *Store) PurgeCallbacks(ctx context.Context, ended time.Duration) error {
	for {
		n, err := s.writeOne(ctx, purgeCallbacks, ended.Microseconds(), int64(purgeGroup))
		if err != nil {
			return fmt.Errorf("purge callbacks: %w", err)
		}
		if n < purgeGroup {
			return nil
		}
	}
}

func scanCallback(row scanner) (c b3scale.Callback, err error) {
	err = row.Scan(&c.ID, &c.FrontendID, &c.Kind, &c.MeetingID, &c.URL, &c.Host, &c.Payload, &c.Dedup, &c.State, &c.Attempts,
		&c.CreatedAt, &c.NextAt, &c.ExpiresAt, &c.DoneAt, &c.LastStatus, &c.LastError)
	if err != nil {
		return b3scale.Callback{}, err
	}
	return c, nil
}
