package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"b3scale"
)

const (
	readMeeting  = `SELECT ` + meetingColumns + ` FROM meetings WHERE frontend_id = $1 AND meeting_id = $2`
	lockMeeting  = readMeeting + ` {lock}`
	liveMeetings = `SELECT ` + meetingColumns + ` FROM meetings WHERE state <> 'ended'`
)

// Meeting reads one row.
func (s *Store) Meeting(ctx context.Context, key b3scale.MeetingKey) (m b3scale.Meeting, err error) {
	if err := checkKey(key); err != nil {
		return m, fmt.Errorf("read meeting %s: %w", key, err)
	}
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		m, err = scanMeeting(tx.row(ctx, readMeeting, key.FrontendID, key.MeetingID))
		if errors.Is(err, sql.ErrNoRows) {
			return b3scale.Errorf(b3scale.NotFound, "no meeting %q", key.MeetingID)
		}
		return err
	})
	if err != nil {
		return b3scale.Meeting{}, fmt.Errorf("read meeting %s: %w", key, err)
	}
	return m, nil
}

// LiveMeetings reads every row that is creating or active.
func (s *Store) LiveMeetings(ctx context.Context, yield func(b3scale.Meeting)) error {
	row := newMeetingRow()
	err := s.each(ctx, liveMeetings, func(rows *sql.Rows) error {
		m, err := row.scan(rows)
		if err == nil {
			yield(m)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read live meetings: %w", err)
	}
	return nil
}

// What a meeting was like is forgotten when it ends, but for what fences late
// facts: this incarnation is over.
const endMeeting = `UPDATE meetings SET state = 'ended', ended_at = {now}, info = '',
		last_ended_internal_id = CASE WHEN internal_id = '' THEN last_ended_internal_id ELSE internal_id END,
		version = ` + nextVersion + `
	WHERE frontend_id = $1 AND meeting_id = $2 AND generation = $3 AND state = $4 AND state <> 'ended' AND internal_id = $5`

// EndMeeting ends exactly the row that was seen.
func (s *Store) EndMeeting(ctx context.Context, seen b3scale.Meeting) (ended bool, err error) {
	if err := checkKey(seen.Key, seen.InternalID); err != nil {
		return false, fmt.Errorf("end meeting %s: %w", seen.Key, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		n, err := tx.exec(ctx, endMeeting, seen.Key.FrontendID, seen.Key.MeetingID,
			seen.Generation, string(seen.State), seen.InternalID)
		if ended = n > 0; err != nil || !ended {
			return err
		}
		if err := endSession(ctx, tx, seen.Key, b3scale.MeetingEnded); err != nil {
			return err
		}
		return forgetAttendees(ctx, tx, seen.BackendID, seen.InternalID)
	})
	if err != nil {
		return false, fmt.Errorf("end meeting %s: %w", seen.Key, err)
	}
	s.changed(ended, meetingHint(seen.Key))
	return ended, nil
}

const requestEnd = `UPDATE meetings SET end_requested_internal_id = internal_id, end_requested_at = {now}, version = ` + nextVersion + `
	WHERE frontend_id = $1 AND meeting_id = $2 AND generation = $3 AND internal_id = $4 AND internal_id <> ''
	RETURNING ` + meetingColumns

// RequestEnd notes that the end of exactly this room was asked for. A row that
// has ended meanwhile keeps the request too: its room must not be activated
// again.
func (s *Store) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (m b3scale.Meeting, noted bool, err error) {
	if err := checkKey(key, internalID); err != nil {
		return m, false, fmt.Errorf("request the end of meeting %s: %w", key, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		m, err = scanMeeting(tx.row(ctx, requestEnd, key.FrontendID, key.MeetingID, generation, internalID))
		if noted = err == nil; errors.Is(err, sql.ErrNoRows) {
			m, _, err = lockedMeeting(ctx, tx, key)
		}
		return err
	})
	if err != nil {
		return b3scale.Meeting{}, false, fmt.Errorf("request the end of meeting %s: %w", key, err)
	}
	s.changed(noted, meetingHint(key))
	return m, noted, nil
}

// purgeGroup bounds the rows of one transaction: others wait meanwhile.
const purgeGroup = 500

// The candidates are locked first. A booking of an orphan locks the row too,
// so the second statement sees those that came in between.
const (
	unorphaned = `NOT EXISTS (SELECT 1 FROM orphans o
		WHERE o.frontend_id = meetings.frontend_id AND o.meeting_id = meetings.meeting_id)`
	purgeable = `SELECT frontend_id, meeting_id FROM meetings
		WHERE state = 'ended' AND ended_at < $1 AND ` + unorphaned + ` ORDER BY ended_at LIMIT $2 {lock}`
	purgeMeeting = `DELETE FROM meetings
		WHERE frontend_id = $1 AND meeting_id = $2 AND state = 'ended' AND ended_at < $3 AND ` + unorphaned + ` RETURNING 1`
)

// PurgeMeetings deletes old ended rows, a group per transaction.
func (s *Store) PurgeMeetings(ctx context.Context, before b3scale.Micros) (int, error) {
	total := 0
	for {
		found, purged := 0, 0
		err := s.writeLong(ctx, func(ctx context.Context, tx session) (err error) {
			found, purged, err = s.purge(ctx, tx, before)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("purge meetings: %w", err)
		}
		total += purged
		if found < purgeGroup {
			return total, nil
		}
	}
}

func (s *Store) purge(ctx context.Context, tx session, before b3scale.Micros) (found, purged int, err error) {
	rows, err := tx.rows(ctx, purgeable, int64(before), purgeGroup)
	if err != nil {
		return 0, 0, err
	}
	var args [][]any
	err = eachRow(rows, func() error {
		var key b3scale.MeetingKey
		err := rows.Scan(&key.FrontendID, &key.MeetingID)
		args = append(args, []any{key.FrontendID, key.MeetingID, int64(before)})
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	deleted, err := s.dialect.batch(ctx, tx, purgeMeeting, args)
	for _, n := range deleted {
		purged += int(n)
	}
	return len(args), purged, err
}

const (
	noteBluntEnd       = `UPDATE meetings SET blunt_end_at = {now} WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`
	noteOrphanBluntEnd = `UPDATE orphans SET blunt_end_at = {now} WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`
)

// NoteBluntEnd notes it in the row, if the meeting is placed there, and in the
// booking, if it was. The row takes it along when the meeting moves.
func (s *Store) NoteBluntEnd(ctx context.Context, key b3scale.MeetingKey, backendID string) error {
	if err := checkKey(key, backendID); err != nil {
		return fmt.Errorf("note the end of meeting %s on %s: %w", key, backendID, err)
	}
	err := s.write(ctx, func(ctx context.Context, tx session) error {
		if _, err := tx.exec(ctx, noteBluntEnd, key.FrontendID, key.MeetingID, backendID); err != nil {
			return err
		}
		_, err := tx.exec(ctx, noteOrphanBluntEnd, key.FrontendID, key.MeetingID, backendID)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the end of meeting %s on %s: %w", key, backendID, err)
	}
	return nil
}

// lockedMeeting reads the row under its lock, in a statement of its own: what
// follows sees everything that was committed before. found is false, and err
// nil, when there is no row.
func lockedMeeting(ctx context.Context, tx session, key b3scale.MeetingKey) (m b3scale.Meeting, found bool, err error) {
	m, err = scanMeeting(tx.row(ctx, lockMeeting, key.FrontendID, key.MeetingID))
	if errors.Is(err, sql.ErrNoRows) {
		return b3scale.Meeting{}, false, nil
	}
	return m, err == nil, err
}
