package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"b3scale"
)

// A changed set of attendees gives the meeting a new version too: nobody can
// see from the rows of the others that one is gone.
const (
	saveSighting = `UPDATE meetings SET info = COALESCE($6, info), version = ` + nextVersion + `
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND generation = $4 AND internal_id = $5 AND state = 'active'`
	roomAttendees = `SELECT internal_user_id, boot, sequence, xml FROM attendees
		WHERE backend_id = $1 AND internal_meeting_id = $2`
	deleteAttendee = `DELETE FROM attendees
		WHERE backend_id = $1 AND internal_meeting_id = $2 AND internal_user_id = $3`
	deleteAttendees = `DELETE FROM attendees WHERE backend_id = $1 AND internal_meeting_id = $2`
	saveAttendee    = `INSERT INTO attendees (backend_id, internal_meeting_id, internal_user_id, boot, sequence, xml, version)
		VALUES ($1, $2, $3, $4, $5, $6, {now})
		ON CONFLICT (backend_id, internal_meeting_id, internal_user_id) DO UPDATE
		SET boot = excluded.boot, sequence = excluded.sequence, xml = excluded.xml,
			version = (SELECT max(v) FROM (SELECT attendees.version + 1 AS v UNION ALL SELECT excluded.version) AS versions)`
)

// SaveSightings stores what a list changed. What is no longer true of a
// meeting is dropped without a word: the next list says it anew.
func (s *Store) SaveSightings(ctx context.Context, backendID string, seen []b3scale.Sighting) error {
	seen = slices.DeleteFunc(slices.Clone(seen), func(v b3scale.Sighting) bool { return v.Info == nil && !v.AttendeesReplaced })
	if len(seen) == 0 {
		return nil
	}
	// Everybody locks rows in the same order.
	slices.SortFunc(seen, func(a, b b3scale.Sighting) int { return compareKeys(a.Key, b.Key) })
	args := make([][]any, len(seen))
	for i, v := range seen {
		args[i] = []any{v.Key.FrontendID, v.Key.MeetingID, backendID, v.Generation, v.InternalID, textOrNull(v.Info)}
	}
	err := s.write(ctx, func(ctx context.Context, tx session) error {
		current, err := s.dialect.batch(ctx, tx, saveSighting, args)
		if err != nil {
			return err
		}
		for i, v := range seen {
			if current[i] > 0 && v.AttendeesReplaced {
				if err := s.replaceAttendees(ctx, tx, backendID, v.InternalID, v.Attendees); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save sightings on %s: %w", backendID, err)
	}
	return nil
}

// replaceAttendees writes only what is different: in a full room one person
// comes or goes, and the rest stays.
func (s *Store) replaceAttendees(ctx context.Context, tx session, backendID, internalMeetingID string, now []b3scale.Attendee) error {
	rows, err := tx.rows(ctx, roomAttendees, backendID, internalMeetingID)
	if err != nil {
		return err
	}
	stored := make(map[string]b3scale.Attendee)
	err = eachRow(rows, func() error {
		var a b3scale.Attendee
		err := rows.Scan(&a.InternalUserID, &a.Boot, &a.Sequence, &a.XML)
		stored[a.InternalUserID] = a
		return err
	})
	if err != nil {
		return err
	}
	var changed, gone [][]any
	for _, a := range now {
		old, known := stored[a.InternalUserID]
		delete(stored, a.InternalUserID)
		if known && old.Boot == a.Boot && old.Sequence == a.Sequence && bytes.Equal(old.XML, a.XML) {
			continue
		}
		changed = append(changed, []any{backendID, internalMeetingID, a.InternalUserID, a.Boot, a.Sequence, string(a.XML)})
	}
	for id := range stored {
		gone = append(gone, []any{backendID, internalMeetingID, id})
	}
	if _, err := s.dialect.batch(ctx, tx, deleteAttendee, gone); err != nil {
		return err
	}
	_, err = s.dialect.batch(ctx, tx, saveAttendee, changed)
	return err
}

// forgetAttendees deletes those of a room that is over or no longer ours.
func forgetAttendees(ctx context.Context, tx session, backendID, internalMeetingID string) error {
	if internalMeetingID == "" {
		return nil
	}
	_, err := tx.exec(ctx, deleteAttendees, backendID, internalMeetingID)
	return err
}

// Meetings come first: each knows its room, and a room its people.
const activeAttendees = `SELECT m.frontend_id, m.meeting_id, a.backend_id, a.internal_meeting_id, a.internal_user_id, a.boot, a.sequence, a.xml
	FROM meetings m CROSS JOIN attendees a
	WHERE m.state = 'active' AND a.backend_id = m.backend_id AND a.internal_meeting_id = m.internal_id`

// Attendees reads those of every active meeting.
func (s *Store) Attendees(ctx context.Context, yield func(b3scale.MeetingKey, b3scale.Attendee)) error {
	err := s.each(ctx, activeAttendees, func(rows *sql.Rows) error {
		var key b3scale.MeetingKey
		var a b3scale.Attendee
		err := rows.Scan(&key.FrontendID, &key.MeetingID, &a.BackendID, &a.InternalMeetingID, &a.InternalUserID,
			&a.Boot, &a.Sequence, &a.XML)
		if err == nil {
			yield(key, a)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read attendees: %w", err)
	}
	return nil
}

const (
	// A backend that was deleted meanwhile is skipped.
	saveProbe = `INSERT INTO probes (instance, backend_id, probe_ok_at) SELECT $1, b.id, {now} FROM backends b WHERE b.id = $2
		ON CONFLICT (instance, backend_id) DO UPDATE SET probe_ok_at = excluded.probe_ok_at`
	lastProbes = `SELECT backend_id, max(probe_ok_at) FROM probes GROUP BY backend_id`
)

// SaveProbes stores that this instance reached these backends now. It begins a
// transaction even for none: a prober must know that the store does not answer.
func (s *Store) SaveProbes(ctx context.Context, instance string, reached []string) error {
	reached = slices.Sorted(slices.Values(reached))
	args := make([][]any, len(reached))
	for i, backendID := range reached {
		args[i] = []any{instance, backendID}
	}
	err := s.write(ctx, func(ctx context.Context, tx session) error {
		_, err := s.dialect.batch(ctx, tx, saveProbe, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("save probes: %w", err)
	}
	return nil
}

// Probes tells when any instance last reached each backend.
func (s *Store) Probes(ctx context.Context) (map[string]b3scale.Micros, error) {
	probes := make(map[string]b3scale.Micros)
	err := s.each(ctx, lastProbes, func(rows *sql.Rows) error {
		var backendID string
		var at b3scale.Micros
		err := rows.Scan(&backendID, &at)
		probes[backendID] = at
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read probes: %w", err)
	}
	return probes, nil
}

func compareKeys(a, b b3scale.MeetingKey) int {
	return cmp.Or(cmp.Compare(a.FrontendID, b.FrontendID), cmp.Compare(a.MeetingID, b.MeetingID))
}
