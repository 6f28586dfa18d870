package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"b3scale"
)

// takesMeetings says of backends b that it may get meeting ($1, $2).
const takesMeetings = `b.admin_state = 'ready' AND NOT b.lost AND NOT EXISTS (SELECT 1 FROM orphans o
		WHERE o.frontend_id = $1 AND o.meeting_id = $2 AND o.backend_id = b.id)`

const (
	insertClaim = `INSERT INTO meetings (frontend_id, meeting_id, generation, backend_id, state, attendee_pw, moderator_pw, size, claimed_at, version)
		SELECT $1, $2, {now}, b.id, 'creating', $4, $5, CAST($6 AS BIGINT), {now}, {now}
		FROM backends b WHERE b.id = $3 AND ` + takesMeetings + `
		ON CONFLICT (frontend_id, meeting_id) DO NOTHING
		RETURNING ` + meetingColumns
	isCandidate = `SELECT EXISTS (SELECT 1 FROM backends b WHERE b.id = $3 AND ` + takesMeetings + `)`
	backendLost = `SELECT lost FROM backends WHERE id = $1 {share}`
)

// ClaimMeeting decides who hosts the meeting.
func (s *Store) ClaimMeeting(ctx context.Context, c b3scale.Claim) (m b3scale.Meeting, fit bool, err error) {
	if err := errors.Join(checkKey(c.Key, c.BackendID), checkTexts(c.AttendeePW, c.ModeratorPW)); err != nil {
		return m, false, fmt.Errorf("claim meeting %s: %w", c.Key, err)
	}
	if c.MaxMeetings > 0 {
		m, fit, err = s.claimWithin(ctx, c)
	} else {
		err = s.writeFirst(ctx, func(ctx context.Context, tx session) error {
			m, err = claimNew(ctx, tx, c)
			fit = err == nil
			return err
		}, func(ctx context.Context, tx session) error {
			m, fit, err = claim(ctx, tx, c)
			return err
		})
	}
	if err != nil {
		return b3scale.Meeting{}, false, fmt.Errorf("claim meeting %s: %w", c.Key, err)
	}
	s.changed(fit, meetingHint(c.Key))
	return m, fit, nil
}

func claimNew(ctx context.Context, tx session, c b3scale.Claim) (b3scale.Meeting, error) {
	return scanMeeting(tx.row(ctx, insertClaim, c.Key.FrontendID, c.Key.MeetingID,
		c.BackendID, c.AttendeePW, c.ModeratorPW, int64(c.Size)))
}

// claim goes on after claimNew: either there is a row or the candidate is none.
// The row is read in statements of their own: one that joins it with its backend
// may return nothing after a concurrent move.
func claim(ctx context.Context, tx session, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	m, found, err := lockedMeeting(ctx, tx, c.Key)
	if err != nil || !found {
		return b3scale.Meeting{}, false, err
	}
	return claimLocked(ctx, tx, c, m)
}

// claimLocked decides about a row that is locked.
func claimLocked(ctx context.Context, tx session, c b3scale.Claim, m b3scale.Meeting) (b3scale.Meeting, bool, error) {
	var lost, candidate bool
	if err := tx.row(ctx, backendLost, m.BackendID).Scan(&lost); err != nil {
		return b3scale.Meeting{}, false, err
	}
	abandoned := m.State == b3scale.MeetingCreating && slices.Contains(c.Abandoned, m.Generation)
	if m.Live() && !lost && !abandoned {
		return m, true, nil // it lives there, whoever asks
	}
	if err := tx.row(ctx, isCandidate, c.Key.FrontendID, c.Key.MeetingID, c.BackendID).Scan(&candidate); err != nil {
		return b3scale.Meeting{}, false, err
	}
	if !candidate {
		return b3scale.Meeting{}, false, nil
	}
	m, err := move(ctx, tx, m, b3scale.Meeting{
		BackendID:   c.BackendID,
		State:       b3scale.MeetingCreating,
		Incarnation: b3scale.Incarnation{AttendeePW: c.AttendeePW, ModeratorPW: c.ModeratorPW},
		Size:        c.Size,
	})
	return m, err == nil, err
}

const (
	bookMoved = `INSERT INTO orphans (frontend_id, meeting_id, backend_id, internal_id, booked_at, blunt_end_at)
		SELECT frontend_id, meeting_id, backend_id, internal_id, {now}, blunt_end_at FROM meetings WHERE frontend_id = $1 AND meeting_id = $2
		ON CONFLICT (frontend_id, meeting_id, backend_id) DO UPDATE SET booked_at = excluded.booked_at,
			internal_id = excluded.internal_id, blunt_end_at = excluded.blunt_end_at`
	nextGeneration = `(SELECT max(g) FROM (SELECT generation + 1 AS g UNION ALL SELECT {now}) AS generations)`
	moveMeeting    = `UPDATE meetings SET generation = ` + nextGeneration + `, backend_id = $3, state = $4, internal_id = $5,
			create_time = $6, blunt_end_at = CASE WHEN backend_id = $3 THEN blunt_end_at ELSE 0 END, attendee_pw = $7, moderator_pw = $8, info = $9, size = $10,
			room_generation = $11, room_create = $12, claimed_at = {now},
			confirmed_at = CASE WHEN $4 = 'active' THEN {now} ELSE confirmed_at END,
			last_ended_internal_id = CASE WHEN last_ended_internal_id = $5 THEN '' ELSE last_ended_internal_id END, ` + freshAccount + `,
			version = ` + nextVersion + `
		WHERE frontend_id = $1 AND meeting_id = $2 RETURNING ` + meetingColumns
)

// move gives old, whose row is locked, a new generation: to's backend, state,
// room and size. What may be left on the old backend is booked in the same
// transaction, and a request to end the meeting stays.
func move(ctx context.Context, tx session, old, to b3scale.Meeting) (b3scale.Meeting, error) {
	if old.BackendID != to.BackendID {
		_, err := tx.exec(ctx, bookMoved, old.Key.FrontendID, old.Key.MeetingID)
		if err != nil {
			return b3scale.Meeting{}, err
		}
	}
	if old.State == b3scale.MeetingActive {
		if err := endSession(ctx, tx, old.Key, old.State); err != nil {
			return b3scale.Meeting{}, err
		}
	}
	if err := forgetAttendees(ctx, tx, old.BackendID, old.InternalID); err != nil {
		return b3scale.Meeting{}, err
	}
	return scanMeeting(tx.row(ctx, moveMeeting, old.Key.FrontendID, old.Key.MeetingID, to.BackendID, string(to.State),
		to.InternalID, to.CreateTime, to.AttendeePW, to.ModeratorPW, string(to.Info), int64(to.Size), to.Origin.Generation, to.Origin.Create))
}

// knownOrigin keeps what is known of the same room ($4) when nothing ($10) is
// told.
const knownOrigin = `room_generation = CASE WHEN CAST($10 AS BIGINT) = 0 AND internal_id = $4 THEN room_generation ELSE CAST($10 AS BIGINT) END,
		room_create = CASE WHEN CAST($10 AS BIGINT) = 0 AND internal_id = $4 THEN room_create ELSE $11 END`

// The room in the row is named ($9), so that nothing is confirmed over a room
// that the transaction has not seen.
const confirmMeeting = `UPDATE meetings SET state = 'active', internal_id = $4, create_time = $5,
		attendee_pw = $6, moderator_pw = $7, info = COALESCE($8, info), confirmed_at = {now}, ` + knownOrigin + `, ` + sameAccount + `, version = ` + nextVersion + `
	WHERE frontend_id = $1 AND meeting_id = $2 AND generation = $3 AND state IN ('creating', 'active')
		AND internal_id = $9 AND create_time <= $5
		AND last_ended_internal_id <> $4 AND end_requested_internal_id <> $4
	RETURNING ` + meetingColumns

// ConfirmMeeting stores the room of a claimed generation. A room whose Info is
// nil keeps the one that is stored; so does the same room without an Origin.
func (s *Store) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (m b3scale.Meeting, current bool, err error) {
	if room, err = checkRoom(key, room); err != nil {
		return m, false, fmt.Errorf("confirm meeting %s: %w", key, err)
	}
	wrote := false
	err = s.writeFirst(ctx, func(ctx context.Context, tx session) error {
		m, err = confirmOver(ctx, tx, "", key, generation, room) // nearly always the first room of its generation
		current, wrote = err == nil, err == nil
		return err
	}, func(ctx context.Context, tx session) error {
		m, current, wrote, err = confirm(ctx, tx, key, generation, room)
		return err
	})
	if err != nil {
		return b3scale.Meeting{}, false, fmt.Errorf("confirm meeting %s: %w", key, err)
	}
	s.changed(wrote, meetingHint(key))
	return m, current, nil
}

// confirmOver stores the room instead of the one with the id old.
func confirmOver(ctx context.Context, tx session, old string, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, error) {
	return scanMeeting(tx.row(ctx, confirmMeeting, key.FrontendID, key.MeetingID, generation, room.InternalID, room.CreateTime,
		room.AttendeePW, room.ModeratorPW, textOrNull(room.Info), old, room.Origin.Generation, room.Origin.Create))
}

func confirm(ctx context.Context, tx session, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (m b3scale.Meeting, current, wrote bool, err error) {
	m, found, err := lockedMeeting(ctx, tx, key)
	if err != nil || !found || m.Generation != generation || m.State != b3scale.MeetingActive {
		return m, false, false, err
	}
	if sameRoom(m.Incarnation, room) && !m.EndRequested() {
		return m, true, false, nil // create precedes every join: writing each time would cost the most
	}
	if m.InternalID != room.InternalID && confirmable(&m, &room) {
		if err := endSession(ctx, tx, key, m.State); err != nil {
			return m, false, false, err
		}
	}
	next, err := confirmOver(ctx, tx, m.InternalID, key, generation, room)
	if errors.Is(err, sql.ErrNoRows) {
		return m, false, false, nil
	}
	if err == nil && m.InternalID != room.InternalID {
		err = forgetAttendees(ctx, tx, m.BackendID, m.InternalID)
	}
	return next, err == nil, err == nil, err
}

// confirmable is what confirmMeeting asks of a row that is locked.
func confirmable(m *b3scale.Meeting, room *b3scale.Incarnation) bool {
	return m.CreateTime <= room.CreateTime && m.LastEndedInternalID != room.InternalID && m.EndRequestedInternalID != room.InternalID
}

func sameRoom(stored, told b3scale.Incarnation) bool {
	return stored.InternalID == told.InternalID && stored.CreateTime == told.CreateTime &&
		stored.AttendeePW == told.AttendeePW && stored.ModeratorPW == told.ModeratorPW &&
		(told.Info == nil || bytes.Equal(stored.Info, told.Info))
}

// textOrNull gives XML as the text that it is, and NULL for "unchanged".
func textOrNull(xml []byte) any {
	if xml == nil {
		return nil
	}
	return string(xml)
}
