package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"b3scale"
)

const (
	notOrphaned = `NOT EXISTS (SELECT 1 FROM orphans
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3)`
	insertActive = `INSERT INTO meetings (frontend_id, meeting_id, generation, backend_id, state,
			internal_id, create_time, attendee_pw, moderator_pw, info, size, room_generation, room_create,
			claimed_at, confirmed_at, started_at, counted_at, version)
		SELECT $1, $2, {now}, $3, 'active', $4, CAST($5 AS BIGINT), $6, $7, $8, CAST($9 AS BIGINT), CAST($10 AS BIGINT), $11, {now}, {now}, {now}, {now}, {now}
		WHERE ` + notOrphaned + `
		ON CONFLICT (frontend_id, meeting_id) DO NOTHING
		RETURNING ` + meetingColumns
	isOrphaned = `SELECT EXISTS (SELECT 1 FROM orphans
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3)`
)

// AdoptMeeting inserts a room that has no row.
func (s *Store) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (m b3scale.Meeting, adopted bool, err error) {
	if room, err = checkRoom(key, room); err != nil {
		return m, false, fmt.Errorf("adopt meeting %s on %s: %w", key, backendID, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		m, err = adopt(ctx, tx, key, backendID, room, size)
		if adopted = err == nil; errors.Is(err, sql.ErrNoRows) {
			m, _, err = lockedMeeting(ctx, tx, key)
		}
		return err
	})
	if err != nil {
		return b3scale.Meeting{}, false, fmt.Errorf("adopt meeting %s on %s: %w", key, backendID, err)
	}
	s.changed(adopted, meetingHint(key))
	return m, adopted, nil
}

func adopt(ctx context.Context, tx session, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, error) {
	return scanMeeting(tx.row(ctx, insertActive, key.FrontendID, key.MeetingID, backendID,
		room.InternalID, room.CreateTime, room.AttendeePW, room.ModeratorPW, string(room.Info), int64(size), room.Origin.Generation, room.Origin.Create))
}

// ActivateMeeting gives an ended row a new generation for a room that lives.
func (s *Store) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (m b3scale.Meeting, activated bool, err error) {
	if room, err = checkRoom(seen.Key, room); err != nil {
		return m, false, fmt.Errorf("activate meeting %s on %s: %w", seen.Key, backendID, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		m, activated, err = activate(ctx, tx, seen, backendID, room)
		return err
	})
	if err != nil {
		return b3scale.Meeting{}, false, fmt.Errorf("activate meeting %s on %s: %w", seen.Key, backendID, err)
	}
	s.changed(activated, meetingHint(seen.Key))
	return m, activated, nil
}

func activate(ctx context.Context, tx session, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, found, err := lockedMeeting(ctx, tx, seen.Key)
	if err != nil || !found {
		return m, false, err
	}
	unchanged := m.State == b3scale.MeetingEnded && m.Generation == seen.Generation && m.EndedAt == seen.EndedAt
	// The request may have come after the row was seen.
	if !unchanged || m.EndRequestedInternalID == room.InternalID {
		return m, false, nil
	}
	var orphaned bool
	err = tx.row(ctx, isOrphaned, seen.Key.FrontendID, seen.Key.MeetingID, backendID).Scan(&orphaned)
	if err != nil || orphaned {
		return m, false, err // the sweeper decides
	}
	m, err = move(ctx, tx, m, b3scale.Meeting{BackendID: backendID, State: b3scale.MeetingActive, Incarnation: room, Size: m.Size})
	return m, err == nil, err
}
