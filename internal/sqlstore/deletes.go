package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"b3scale"
)

// ownedRows are the texts for the rows that go with a frontend or a backend.
// Those of meetings and orphans are locked before the row that they refer to,
// as by everybody, and each sort in one order.
type ownedRows struct {
	hold                      string // comes before all locks; may be empty
	lockMeetings, lockOrphans string
	count                     string // of both
	deletes                   []string
}

const forgetUses = `DELETE FROM secret_uses WHERE owner_id = $1`

func ownedByFrontend() ownedRows {
	return ownedRows{
		hold:         holdLimits,
		lockMeetings: `SELECT COUNT(*) FROM (SELECT 1 FROM meetings WHERE frontend_id = $1 ORDER BY frontend_id, meeting_id {lock}) AS held`,
		lockOrphans:  `SELECT COUNT(*) FROM (SELECT 1 FROM orphans WHERE frontend_id = $1 ORDER BY frontend_id, meeting_id, backend_id {lock}) AS held`,
		count:        `SELECT (SELECT COUNT(*) FROM meetings WHERE frontend_id = $1) + (SELECT COUNT(*) FROM orphans WHERE frontend_id = $1)`,
		deletes: []string{
			closeSessionsFrontend,
			`DELETE FROM attendees WHERE (backend_id, internal_meeting_id) IN (SELECT backend_id, internal_id FROM meetings WHERE frontend_id = $1)`,
			`DELETE FROM orphans WHERE frontend_id = $1`,
			`DELETE FROM meetings WHERE frontend_id = $1`,
			forgetUses,
		},
	}
}

func ownedByBackend() ownedRows {
	return ownedRows{
		lockMeetings: `SELECT COUNT(*) FROM (SELECT 1 FROM meetings WHERE backend_id = $1 ORDER BY frontend_id, meeting_id {lock}) AS held`,
		lockOrphans:  `SELECT COUNT(*) FROM (SELECT 1 FROM orphans WHERE backend_id = $1 ORDER BY frontend_id, meeting_id, backend_id {lock}) AS held`,
		count:        `SELECT (SELECT COUNT(*) FROM meetings WHERE backend_id = $1) + (SELECT COUNT(*) FROM orphans WHERE backend_id = $1)`,
		deletes: []string{
			closeSessionsOnBackend,
			`DELETE FROM attendees WHERE backend_id = $1`,
			`DELETE FROM orphans WHERE backend_id = $1`,
			`DELETE FROM meetings WHERE backend_id = $1`,
			forgetUses,
		},
	}
}

func (k *kind[T]) delete(ctx context.Context, s *Store, id string, by b3scale.Actor) (deleted T, err error) {
	var none T
	if err := checkIDs(id); err != nil {
		return none, fmt.Errorf("delete a %s: %w", k.name, err)
	}
	err = s.writeLong(ctx, func(ctx context.Context, tx session) error {
		deleted, err = k.lockOwned(ctx, tx, id)
		if errors.Is(err, sql.ErrNoRows) {
			return k.unknown(id)
		}
		if err == nil && k.spare != nil {
			err = k.spare(ctx, tx, id)
		}
		if err != nil {
			return err
		}
		return k.deleteOwned(ctx, tx, id, by, deleted)
	})
	if err != nil {
		return none, fmt.Errorf("delete %s %s: %w", k.name, id, err)
	}
	s.changed(true, configHint)
	return deleted, nil
}

// errCrowded says that rows came while those before were being locked. Their
// holders may wait for the row that is locked by now, so nobody waits for them:
// the job runs again.
var errCrowded = b3scale.Errorf(b3scale.Unavailable, "meetings are being placed there all the time; try again")

// lockOwned locks the row and all that refer to it. From then on there are no
// new ones: each needs a lock on the row that it refers to.
func (k *kind[T]) lockOwned(ctx context.Context, tx session, id string) (v T, err error) {
	var meetings, orphans, found int64
	if k.owned.hold != "" {
		if _, err := tx.exec(ctx, k.owned.hold, id); err != nil {
			return v, err
		}
	}
	if err := tx.row(ctx, k.owned.lockMeetings, id).Scan(&meetings); err != nil {
		return v, err
	}
	tx.progress()
	if err := tx.row(ctx, k.owned.lockOrphans, id).Scan(&orphans); err != nil {
		return v, err
	}
	if v, err = k.scan(tx.row(ctx, k.lock, id)); err != nil {
		return v, err
	}
	if err := tx.row(ctx, k.owned.count, id).Scan(&found); err != nil {
		return v, err
	}
	if found != meetings+orphans {
		return v, errCrowded
	}
	tx.progress()
	return v, nil
}

func (k *kind[T]) deleteOwned(ctx context.Context, tx session, id string, by b3scale.Actor, v T) error {
	for _, text := range append(k.owned.deletes, k.deleteRow) {
		if _, err := tx.exec(ctx, text, id); err != nil {
			return err
		}
	}
	return k.note(ctx, tx, by, "delete", &v, nil)
}

const isEmptyBackend = `SELECT EXISTS (SELECT 1 FROM backends WHERE id = $1 AND admin_state = 'decommissioned')
	AND NOT EXISTS (SELECT 1 FROM meetings WHERE backend_id = $1 AND state <> 'ended')
	AND NOT EXISTS (SELECT 1 FROM orphans WHERE backend_id = $1)`

// DeleteEmptyBackend deletes a decommissioned backend on which nothing lives,
// with the rows of meetings that ended there.
func (s *Store) DeleteEmptyBackend(ctx context.Context, id string) (deleted bool, err error) {
	if err := checkIDs(id); err != nil {
		return false, fmt.Errorf("delete an empty backend: %w", err)
	}
	k := backendKind()
	empty := func(ctx context.Context, tx session) error { return tx.row(ctx, isEmptyBackend, id).Scan(&deleted) }
	if err = s.read(ctx, empty); err == nil && deleted { // mostly it is not, and nobody should wait for that
		err = s.writeLong(ctx, func(ctx context.Context, tx session) error {
			deleted = false
			b, err := k.lockOwned(ctx, tx, id)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := empty(ctx, tx); err != nil || !deleted {
				return err
			}
			return k.deleteOwned(ctx, tx, id, b3scale.Actor{}, b)
		})
	}
	if err != nil {
		return false, fmt.Errorf("delete backend %s if it is empty: %w", id, err)
	}
	s.changed(deleted, configHint)
	return deleted, nil
}
