package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"b3scale"
)

const (
	anyRecordingLock = `SELECT recording_id FROM recording_locks WHERE recording_id IN (SELECT key FROM json_each($1)) ORDER BY recording_id LIMIT 1`
	insertOp         = `INSERT INTO recording_ops (id, kind, formats, origin, holder, lease_until, created_at)
		VALUES ($1, $2, $3, $4, $5, {now} + $6, {now}) RETURNING created_at`
	insertRecordingLock = `INSERT INTO recording_locks (recording_id, op_id) VALUES ($1, $2) ON CONFLICT (recording_id) DO NOTHING RETURNING 1`

	renewOp  = `UPDATE recording_ops SET lease_until = {now} + $3 WHERE id = $1 AND holder = $2`
	finishOp = `DELETE FROM recording_ops WHERE id = $1 AND holder = $2`
	holdOp   = `SELECT 1 FROM recording_ops WHERE id = $1 AND holder = $2 {lock}`

	recordingsOfOp   = `SELECT recording_id FROM recording_locks WHERE op_id = $1 ORDER BY recording_id`
	deleteRecordings = `DELETE FROM recordings WHERE id IN (SELECT key FROM json_each($1))`
)

// BeginRecordingOp books work, if there is none on the same recordings.
func (s *Store) BeginRecordingOp(ctx context.Context, op b3scale.RecordingOp, lease time.Duration) (b3scale.RecordingOp, error) {
	op.ID, op.Holder, op.IDs, op.Lapsed = b3scale.NewID(), b3scale.NewID(), sortedSet(op.IDs), false
	formats, err := opFormats(op)
	if err != nil {
		return b3scale.RecordingOp{}, fmt.Errorf("begin work on recordings: %w", err)
	}
	locks := make([][]any, len(op.IDs))
	for i, id := range op.IDs {
		locks[i] = []any{id, op.ID}
	}
	var refusal error
	err = s.writeLong(ctx, func(ctx context.Context, tx session) error {
		refusal = nil
		var taken string
		err := tx.row(ctx, anyRecordingLock, setOf(op.IDs)).Scan(&taken)
		if err == nil {
			refusal = atWork(taken)
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = tx.row(ctx, insertOp, op.ID, string(op.Kind), formats, op.Origin, op.Holder, lease.Microseconds()).Scan((*int64)(&op.CreatedAt))
		if err != nil {
			return err
		}
		locked, err := s.dialect.batch(ctx, tx, insertRecordingLock, locks)
		if err != nil {
			return err
		}
		if i := slices.Index(locked, 0); i >= 0 { // since we looked
			return atWork(op.IDs[i])
		}
		return nil
	})
	if err = cmp.Or(err, refusal); err != nil {
		return b3scale.RecordingOp{}, fmt.Errorf("begin work on recordings: %w", err)
	}
	return op, nil
}

func atWork(id string) error {
	return b3scale.Errorf(b3scale.Conflict, "somebody is at work with the recording %q", id)
}

func opFormats(op b3scale.RecordingOp) (string, error) {
	switch op.Kind {
	case b3scale.RecordingImport, b3scale.RecordingPublish, b3scale.RecordingDelete, b3scale.RecordingRepair:
	default:
		return "", b3scale.Errorf(b3scale.InvalidArgument, "there is no work %q on recordings", op.Kind)
	}
	if err := errors.Join(checkIDs(op.IDs...), checkIDs(op.Formats...), checkIDs(op.Origin)); err != nil {
		return "", err
	}
	formats, err := json.Marshal(append([]string{}, op.Formats...))
	return string(formats), err
}

// RenewRecordingOp keeps it for so long.
func (s *Store) RenewRecordingOp(ctx context.Context, op b3scale.RecordingOp, lease time.Duration) (bool, error) {
	n, err := s.writeOne(ctx, renewOp, op.ID, op.Holder, lease.Microseconds())
	if err != nil {
		return false, fmt.Errorf("renew work on recordings %s: %w", op.ID, err)
	}
	return n > 0, nil
}

// FinishRecordingOp deletes it with its locks. It runs once: whoever lost the
// answer is not told that somebody else has it.
func (s *Store) FinishRecordingOp(ctx context.Context, op b3scale.RecordingOp) (done bool, err error) {
	if err := checkIDs(op.ID, op.Holder); err != nil {
		return false, fmt.Errorf("finish work on recordings: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		n, err := tx.exec(ctx, finishOp, op.ID, op.Holder)
		done = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("finish work on recordings %s: %w", op.ID, err)
	}
	return done, nil
}

// CommitRecordingOp writes what settle says, as long as the op is op's. settle
// must not write to the store: its transaction is under way.
func (s *Store) CommitRecordingOp(ctx context.Context, op b3scale.RecordingOp,
	settle func(now []b3scale.Recording) (put []b3scale.Recording, gone []string, err error),
) (ours bool, err error) {
	if err := checkIDs(op.ID, op.Holder); err != nil {
		return false, fmt.Errorf("commit work on recordings: %w", err)
	}
	var refusal error // see EditRecordings
	err = s.writeLong(ctx, func(ctx context.Context, tx session) error {
		ours, refusal = false, nil
		held := 0
		err := tx.row(ctx, holdOp, op.ID, op.Holder).Scan(&held)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		ours = true
		ids, err := textsOf(ctx, tx, recordingsOfOp, op.ID)
		if err != nil {
			return err
		}
		now, err := recordingsOf(ctx, tx, lockRecordings, setOf(ids), "")
		if err != nil {
			return err
		}
		was := searchedOf(now)
		put, gone, err := settle(now)
		if refusal = err; refusal != nil {
			return nil
		}
		put = slices.Clone(put)
		slices.SortFunc(put, byRecordingID)
		args, err := argsOfOp(ids, put, gone)
		if refusal = err; refusal != nil {
			return nil
		}
		if len(gone) > 0 {
			if _, err := tx.exec(ctx, deleteRecordings, setOf(gone)); err != nil {
				return err
			}
		}
		return s.writeRecordings(ctx, tx, putRecording, args, was, put)
	})
	if err != nil {
		return false, fmt.Errorf("commit work on recordings %s: %w", op.ID, err)
	}
	if refusal != nil {
		return false, refusal
	}
	return ours, nil
}

// argsOfOp refuses recordings that are not the op's: nothing keeps others away
// from them.
func argsOfOp(ids []string, put []b3scale.Recording, gone []string) ([][]any, error) {
	seen := make(map[string]bool, len(ids))
	once := func(id string) error {
		if _, ok := slices.BinarySearch(ids, id); !ok || seen[id] {
			return b3scale.Errorf(b3scale.InvalidArgument, "the recording %q is not part of the work, or twice", id)
		}
		seen[id] = true
		return nil
	}
	for _, id := range gone {
		if err := once(id); err != nil {
			return nil, err
		}
	}
	args := make([][]any, len(put))
	for i := range put {
		err := once(put[i].ID)
		if err == nil {
			args[i], err = recordingArgs(&put[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return args, nil
}
