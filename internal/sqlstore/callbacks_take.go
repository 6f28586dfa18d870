package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"b3scale"
)

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
				FROM callbacks WHERE state = 'waiting' AND next_at <= {now} AND (lease_until > {now} OR expires_at > {now})
			) AS due WHERE lease_until > {now} OR place <= $1
		) AS fair WHERE lease_until <= {now} AND turn <= $2 ORDER BY turn, next_at, id LIMIT $3`
	// Who takes the same at the same time waits for the locks, and finds them
	// taken. Locks have an order.
	takeCallbacks = `WITH due AS MATERIALIZED (` + dueCallbacks + `),
			held AS MATERIALIZED (SELECT id FROM callbacks WHERE id IN (SELECT id FROM due) ORDER BY id {lock})
		UPDATE callbacks SET holder = $4, lease_until = {now} + $5, attempts = attempts + 1
		WHERE id IN (SELECT id FROM held) AND state = 'waiting' AND next_at <= {now} AND lease_until <= {now} RETURNING ` + callbackColumns
	expireCallbacks = `UPDATE callbacks SET state = 'expired', done_at = {now} WHERE id IN (SELECT id FROM callbacks
			WHERE state = 'waiting' AND expires_at <= {now} AND lease_until <= {now} ORDER BY id LIMIT $1 {lock})
		AND state = 'waiting' AND expires_at <= {now} AND lease_until <= {now} RETURNING kind`
	anyDueCallback = `SELECT EXISTS (SELECT 1 FROM callbacks WHERE state = 'waiting' AND (next_at <= {now} OR expires_at <= {now}) AND lease_until <= {now})`
)

// TakeCallbacks gives holder messages that are due. All leases begin with the
// same statement.
func (s *Store) TakeCallbacks(ctx context.Context, holder string, lease time.Duration, n, perHost, perFrontend int) (
	taken []b3scale.Callback, expired map[b3scale.CallbackKind]int, err error,
) {
	// The same holder may take a message anew while it is still at work with it,
	// when an operator replays it: each take has a name of its own.
	holder += "#" + b3scale.NewID()
	if err := checkIDs(holder); err != nil {
		return nil, nil, fmt.Errorf("take callbacks: %w", err)
	}
	any := false
	if err = s.read(ctx, func(ctx context.Context, tx session) error { return tx.row(ctx, anyDueCallback).Scan(&any) }); err == nil && any {
		if expired, err = s.expireCallbacks(ctx); err == nil {
			err = s.write(ctx, func(ctx context.Context, tx session) (err error) {
				taken, err = callbacksOf(ctx, tx, takeCallbacks, int64(perHost), int64(perFrontend), int64(n), holder, lease.Microseconds())
				return err
			})
		}
	}
	if err != nil {
		return nil, expired, fmt.Errorf("take callbacks: %w", err)
	}
	for i := range taken {
		taken[i].Holder = holder
	}
	slices.SortFunc(taken, func(a, b b3scale.Callback) int {
		return cmp.Or(cmp.Compare(a.NextAt, b.NextAt), cmp.Compare(a.ID, b.ID))
	})
	return taken, expired, nil
}

func callbacksOf(ctx context.Context, tx session, text string, args ...any) (all []b3scale.Callback, err error) {
	rows, err := tx.rows(ctx, text, args...) //nolint:sqlclosecheck // eachRow closes it
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func() error {
		c, err := scanCallback(rows)
		all = append(all, c)
		return err
	})
	return all, err
}

// expireCallbacks ends a group of them; the next take ends more.
func (s *Store) expireCallbacks(ctx context.Context) (map[b3scale.CallbackKind]int, error) {
	var kinds []string
	err := s.write(ctx, func(ctx context.Context, tx session) (err error) {
		kinds, err = textsOf(ctx, tx, expireCallbacks, int64(purgeGroup))
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
