package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"b3scale"
)

const (
	lapsedOps    = `SELECT id FROM recording_ops WHERE lease_until <= {now} ORDER BY created_at, id LIMIT $1`
	lapsedOpsFor = `SELECT id FROM recording_ops WHERE lease_until <= {now}
		AND id IN (SELECT op_id FROM recording_locks WHERE recording_id IN (SELECT key FROM json_each($2))) ORDER BY created_at, id LIMIT $1`
	takeOp = `UPDATE recording_ops SET holder = $2, lease_until = {now} + $3 WHERE id = $1 AND lease_until <= {now}
		RETURNING kind, formats, origin, created_at`
	listOps = `SELECT o.id, o.kind, o.formats, o.origin, o.created_at, o.lease_until <= {now}, COALESCE(l.recording_id, '')
		FROM recording_ops o LEFT JOIN recording_locks l ON l.op_id = o.id ORDER BY o.created_at, o.id, l.recording_id`
)

// TakeRecordingOps takes over work that nobody has any more.
func (s *Store) TakeRecordingOps(ctx context.Context, ids []string, lease time.Duration, n int) (taken []b3scale.RecordingOp, err error) {
	if err := checkIDs(ids...); err != nil {
		return nil, fmt.Errorf("take work on recordings: %w", err)
	}
	text, args := lapsedOps, []any{int64(max(n, 0))}
	if ids != nil {
		text, args = lapsedOpsFor, append(args, setOf(ids))
	}
	var found []string
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		found, err = textsOf(ctx, tx, text, args...)
		return err
	})
	// Each on its own: of two instances that saw the same, each gets some.
	for _, id := range found {
		if err != nil {
			break
		}
		var op b3scale.RecordingOp
		if op, err = s.takeRecordingOp(ctx, id, lease); op.ID != "" {
			taken = append(taken, op)
		}
	}
	if err != nil && len(taken) == 0 {
		return nil, fmt.Errorf("take work on recordings: %w", err)
	}
	return taken, nil
}

// takeRecordingOp gives no id when somebody else was faster.
func (s *Store) takeRecordingOp(ctx context.Context, id string, lease time.Duration) (op b3scale.RecordingOp, err error) {
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		op = b3scale.RecordingOp{ID: id, Holder: b3scale.NewID()}
		var formats []byte
		err := tx.row(ctx, takeOp, id, op.Holder, lease.Microseconds()).Scan((*string)(&op.Kind), &formats, &op.Origin, (*int64)(&op.CreatedAt))
		if errors.Is(err, sql.ErrNoRows) {
			op = b3scale.RecordingOp{}
			return nil
		}
		if err == nil {
			op.Formats, err = formatsOfOp(formats)
		}
		if err == nil {
			op.IDs, err = textsOf(ctx, tx, recordingsOfOp, id)
		}
		return err
	})
	if err != nil {
		return b3scale.RecordingOp{}, err
	}
	return op, nil
}

// RecordingOps reads them all, the oldest first. They have no holder: to see
// work does not mean to have it.
func (s *Store) RecordingOps(ctx context.Context) (ops []b3scale.RecordingOp, err error) {
	err = s.each(ctx, listOps, func(rows *sql.Rows) error {
		var op b3scale.RecordingOp
		var formats []byte
		var recording string
		err := rows.Scan(&op.ID, (*string)(&op.Kind), &formats, &op.Origin, (*int64)(&op.CreatedAt), &op.Lapsed, &recording)
		if err != nil {
			return err
		}
		if n := len(ops); n == 0 || ops[n-1].ID != op.ID {
			if op.Formats, err = formatsOfOp(formats); err != nil {
				return err
			}
			ops = append(ops, op)
		}
		if last := &ops[len(ops)-1]; recording != "" {
			last.IDs = append(last.IDs, recording)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read work on recordings: %w", err)
	}
	return ops, nil
}

func formatsOfOp(text []byte) (formats []string, err error) {
	if err := json.Unmarshal(text, &formats); err != nil || len(formats) == 0 {
		return nil, err
	}
	return formats, nil
}
