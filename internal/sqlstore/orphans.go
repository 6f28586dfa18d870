package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"b3scale"
)

const bookOrphan = `INSERT INTO orphans (frontend_id, meeting_id, backend_id, internal_id, booked_at)
	VALUES ($1, $2, $3, $4, {now}) ON CONFLICT (frontend_id, meeting_id, backend_id) DO NOTHING`

// BookOrphan books (key, backend) unless the meeting lives there now. It is
// true also when that was booked before; the older booking stays.
func (s *Store) BookOrphan(ctx context.Context, key b3scale.MeetingKey, backendID, internalID string) (booked bool, err error) {
	if err := checkKey(key, backendID, internalID); err != nil {
		return false, fmt.Errorf("book orphan %s on %s: %w", key, backendID, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		booked = false
		m, found, err := lockedMeeting(ctx, tx, key)
		if err != nil || !found || m.Live() && m.BackendID == backendID {
			return err
		}
		_, err = tx.exec(ctx, bookOrphan, key.FrontendID, key.MeetingID, backendID, internalID)
		booked = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("book orphan %s on %s: %w", key, backendID, err)
	}
	return booked, nil
}

const listOrphans = `SELECT frontend_id, meeting_id, backend_id, internal_id, booked_at, ending
	FROM orphans WHERE backend_id = $1 ORDER BY booked_at, frontend_id, meeting_id`

// Orphans reads those of one backend, the oldest first.
func (s *Store) Orphans(ctx context.Context, backendID string) ([]b3scale.Orphan, error) {
	var orphans []b3scale.Orphan
	err := s.each(ctx, listOrphans, func(rows *sql.Rows) error {
		var o b3scale.Orphan
		err := rows.Scan(&o.Key.FrontendID, &o.Key.MeetingID, &o.BackendID, &o.InternalID, &o.BookedAt, &o.Ending)
		orphans = append(orphans, o)
		return err
	}, backendID)
	if err != nil {
		return nil, fmt.Errorf("read orphans on %s: %w", backendID, err)
	}
	return orphans, nil
}

const leaseOrphan = `UPDATE orphans SET lease_until = {now} + $4
	WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND lease_until < {now}`

// LeaseOrphan reserves the sweeping of one orphan for d.
func (s *Store) LeaseOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, d time.Duration) (bool, error) {
	n, err := s.writeOne(ctx, leaseOrphan, key.FrontendID, key.MeetingID, backendID, d.Microseconds())
	if err != nil {
		return false, fmt.Errorf("lease orphan %s on %s: %w", key, backendID, err)
	}
	return n > 0, nil
}

const deleteOrphan = `DELETE FROM orphans
	WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND booked_at < $4 AND blunt_end_at <= {now} - $5 RETURNING 1`

// DeleteOrphans deletes bookings older than a list that did not show them.
func (s *Store) DeleteOrphans(ctx context.Context, backendID string, keys []b3scale.MeetingKey, before b3scale.Micros, patience time.Duration) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key b3scale.MeetingKey) bool { return !storableKey(key) })
	if len(keys) == 0 {
		return nil
	}
	slices.SortFunc(keys, compareKeys)
	args := make([][]any, len(keys))
	for i, key := range keys {
		args[i] = []any{key.FrontendID, key.MeetingID, backendID, int64(before), patience.Microseconds()}
	}
	err := s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		_, err := s.dialect.batch(ctx, tx, deleteOrphan, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete orphans on %s: %w", backendID, err)
	}
	return nil
}

// SettleOrphan decides what becomes of a room found on backendID.
func (s *Store) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (verdict b3scale.Settlement, m b3scale.Meeting, err error) {
	if room, err = checkRoom(key, room); err != nil {
		return "", b3scale.Meeting{}, fmt.Errorf("settle orphan %s on %s: %w", key, backendID, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		verdict, m, err = settle(ctx, tx, key, backendID, room, elsewhere)
		return err
	})
	if err != nil {
		return "", b3scale.Meeting{}, fmt.Errorf("settle orphan %s on %s: %w", key, backendID, err)
	}
	s.changed(verdict == b3scale.OrphanTakenBack, meetingHint(key))
	return verdict, m, nil
}

const (
	lockOrphan = `SELECT ending, booked_at FROM orphans
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 {lock}`
	dropOrphan = `DELETE FROM orphans WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`
	doomOrphan = `UPDATE orphans SET ending = $4 WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`
)

// settle also returns the meeting's row as it stands after the decision.
func settle(ctx context.Context, tx session, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	m, found, err := lockedMeeting(ctx, tx, key)
	if err != nil {
		return "", m, err
	}
	lost := false
	if found {
		if err := tx.row(ctx, backendLost, m.BackendID).Scan(&lost); err != nil {
			return "", m, err
		}
	}
	var ending string
	var bookedAt b3scale.Micros
	err = tx.row(ctx, lockOrphan, key.FrontendID, key.MeetingID, backendID).Scan(&ending, &bookedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return b3scale.OrphanGone, m, nil
	}
	if err != nil {
		return "", m, err
	}

	here := m.BackendID == backendID
	wanted := found && (m.EndRequestedInternalID == room.InternalID || bookedAt < m.EndRequestedAt)
	proven := elsewhere != nil && elsewhere.Generation == m.Generation && elsewhere.InternalID == m.InternalID
	switch {
	case m.State == b3scale.MeetingActive && m.InternalID == room.InternalID && m.EndRequestedInternalID != room.InternalID:
		// It is the meeting itself: two backends lead to one node.
		return b3scale.OrphanWaits, m, nil
	case ending != "" && ending == room.InternalID: // decided before, and the room lives on
		return b3scale.OrphanEnds, m, nil
	case m.Live() && here: // the room found is the meeting
		_, err := tx.exec(ctx, dropOrphan, key.FrontendID, key.MeetingID, backendID)
		return b3scale.OrphanGone, m, err
	case m.State == b3scale.MeetingActive && !lost && !wanted && !proven:
		return b3scale.OrphanWaits, m, nil
	case wanted, m.State == b3scale.MeetingActive && !lost:
		_, err := tx.exec(ctx, doomOrphan, key.FrontendID, key.MeetingID, backendID, room.InternalID)
		return b3scale.OrphanEnds, m, err
	case m.State == b3scale.MeetingCreating && !lost: // its successor is being born
		return b3scale.OrphanWaits, m, nil
	}
	// People are in it, and nothing else is the meeting.
	if _, err := tx.exec(ctx, dropOrphan, key.FrontendID, key.MeetingID, backendID); err != nil {
		return "", m, err
	}
	if found {
		m, err = move(ctx, tx, m, b3scale.Meeting{BackendID: backendID, State: b3scale.MeetingActive, Incarnation: room, Size: m.Size})
	} else {
		m, err = adopt(ctx, tx, key, backendID, room, 0)
	}
	return b3scale.OrphanTakenBack, m, err
}
