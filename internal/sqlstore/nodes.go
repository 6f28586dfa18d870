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
	saveSighting = `UPDATE meetings SET info = COALESCE($6, info),
			room_generation = CASE WHEN CAST($7 AS BIGINT) = 0 THEN room_generation ELSE CAST($7 AS BIGINT) END,
			room_create = CASE WHEN CAST($7 AS BIGINT) = 0 THEN room_create ELSE $8 END, version = ` + nextVersion + `
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND generation = $4 AND internal_id = $5 AND state = 'active'
		RETURNING version`
	roomAttendees = `SELECT internal_user_id, boot, sequence, seen_at, xml FROM attendees
		WHERE backend_id = $1 AND internal_meeting_id = $2`
	deleteAttendee = `DELETE FROM attendees
		WHERE backend_id = $1 AND internal_meeting_id = $2 AND internal_user_id = $3 RETURNING 1`
	deleteAttendees = `DELETE FROM attendees WHERE backend_id = $1 AND internal_meeting_id = $2`
	saveAttendee    = `INSERT INTO attendees (backend_id, internal_meeting_id, internal_user_id, boot, sequence, seen_at, xml, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, {now})
		ON CONFLICT (backend_id, internal_meeting_id, internal_user_id) DO UPDATE
		SET boot = excluded.boot, sequence = excluded.sequence, seen_at = excluded.seen_at, xml = excluded.xml,
			version = (SELECT max(v) FROM (SELECT attendees.version + 1 AS v UNION ALL SELECT excluded.version) AS versions)
		RETURNING 1`
)

// SaveSightings stores what a list changed. What is no longer true of a
// meeting is dropped without a word: the next list says it anew.
func (s *Store) SaveSightings(ctx context.Context, backendID string, seen []b3scale.Sighting) ([]int64, error) {
	// Everybody locks rows in the same order.
	var order []int
	for i, v := range seen {
		if !storableKey(v.Key) || !storableID(v.InternalID) {
			continue // no row is called that
		}
		if v.Info != nil || v.AttendeesReplaced {
			order = append(order, i)
		}
	}
	versions := make([]int64, len(seen))
	if len(order) == 0 {
		return versions, nil
	}
	slices.SortFunc(order, func(a, b int) int { return compareKeys(seen[a].Key, seen[b].Key) })
	args := make([][]any, len(order))
	for n, i := range order {
		v := seen[i]
		origin := storableOrigin(v.Origin)
		args[n] = []any{v.Key.FrontendID, v.Key.MeetingID, backendID, v.Generation, v.InternalID, textOrNull(mend(v.Info)), origin.Generation, origin.Create}
	}
	err := s.writeLong(ctx, func(ctx context.Context, tx session) error {
		clear(versions)
		current, err := s.dialect.batch(ctx, tx, saveSighting, args)
		if err != nil {
			return err
		}
		var counts, came [][]any
		for n, i := range order {
			v := &seen[i]
			if versions[i] = current[n]; current[n] > 0 && v.AttendeesReplaced {
				count, arrivals, err := s.replaceAttendees(ctx, tx, backendID, v)
				if err != nil {
					return err
				}
				came = arrivalArgs(came, v.Key, arrivals)
				counts = append(counts, append([]any{v.Key.FrontendID, v.Key.MeetingID, backendID, v.Generation, v.InternalID, ""},
					accountOf(count, 0, 0, 0, 0)...))
			}
		}
		if _, err := s.dialect.batch(ctx, tx, countRoom, counts); err != nil {
			return err
		}
		return s.arrived(ctx, tx, came)
	})
	if err != nil {
		return nil, fmt.Errorf("save sightings on %s: %w", backendID, err)
	}
	return versions, nil
}

// replaceAttendees writes only what is different: in a full room one person
// comes or goes, and the rest stays.
func (s *Store) replaceAttendees(ctx context.Context, tx session, backendID string, v *b3scale.Sighting) (b3scale.Headcount, []string, error) {
	before, err := attendeesOf(ctx, tx, backendID, v.InternalID)
	if err != nil {
		return b3scale.Headcount{}, nil, err
	}
	now, count, arrivals := v.Attendees, v.Headcount, v.Arrivals
	if v.Merge != nil {
		now, count, arrivals = v.Merge(before)
	}
	stored := make(map[string]b3scale.Attendee, len(before))
	for _, a := range before {
		stored[a.InternalUserID] = a
	}
	var changed, gone [][]any
	for _, a := range mendAll(now) {
		old, known := stored[a.InternalUserID]
		delete(stored, a.InternalUserID)
		if known && old.Boot == a.Boot && old.Sequence == a.Sequence && bytes.Equal(old.XML, a.XML) {
			continue
		}
		changed = append(changed, []any{backendID, v.InternalID, a.InternalUserID, a.Boot, a.Sequence, int64(a.SeenAt), string(a.XML)})
	}
	for id := range stored {
		gone = append(gone, []any{backendID, v.InternalID, id})
	}
	if _, err := s.dialect.batch(ctx, tx, deleteAttendee, gone); err != nil {
		return count, arrivals, err
	}
	_, err = s.dialect.batch(ctx, tx, saveAttendee, changed)
	return count, arrivals, err
}

// attendeesOf are those of a room that are stored, who has left included.
func attendeesOf(ctx context.Context, tx session, backendID, internalMeetingID string) ([]b3scale.Attendee, error) {
	rows, err := tx.rows(ctx, roomAttendees, backendID, internalMeetingID)
	if err != nil {
		return nil, err
	}
	var all []b3scale.Attendee
	err = eachRow(rows, func() error {
		a := b3scale.Attendee{BackendID: backendID, InternalMeetingID: internalMeetingID}
		err := rows.Scan(&a.InternalUserID, &a.Boot, &a.Sequence, &a.SeenAt, &a.XML)
		all = append(all, a)
		return err
	})
	return all, err
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
const activeAttendees = `SELECT m.frontend_id, m.meeting_id, ` + attendeeColumns + `
	FROM meetings m CROSS JOIN attendees a
	WHERE m.state = 'active' AND a.backend_id = m.backend_id AND a.internal_meeting_id = m.internal_id`

// Attendees reads those of every active meeting.
func (s *Store) Attendees(ctx context.Context, yield func(b3scale.MeetingKey, b3scale.Attendee)) error {
	err := s.each(ctx, activeAttendees, func(rows *sql.Rows) error {
		key, a, err := scanAttendee(rows)
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

const attendeeColumns = `a.backend_id, a.internal_meeting_id, a.internal_user_id, a.boot, a.sequence, a.seen_at, a.xml`

func scanAttendee(row scanner) (key b3scale.MeetingKey, a b3scale.Attendee, err error) {
	err = row.Scan(&key.FrontendID, &key.MeetingID, &a.BackendID, &a.InternalMeetingID, &a.InternalUserID, &a.Boot, &a.Sequence, &a.SeenAt, &a.XML)
	return key, a, err
}

const (
	// A backend that was deleted meanwhile is skipped.
	saveProbe = `INSERT INTO probes (instance, backend_id, probe_ok_at) SELECT $1, b.id, {now} FROM backends b WHERE b.id = $2
		ON CONFLICT (instance, backend_id) DO UPDATE SET probe_ok_at = excluded.probe_ok_at RETURNING 1`
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
	save := s.writeAlone
	if len(args) == 0 {
		save = s.write
	}
	err := save(ctx, func(ctx context.Context, tx session) error {
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
	probes, err := s.times(ctx, lastProbes)
	if err != nil {
		return nil, fmt.Errorf("read probes: %w", err)
	}
	return probes, nil
}

const saveHeartbeat = `INSERT INTO heartbeats (backend_id, heard_at) SELECT b.id, {now} FROM backends b WHERE b.id = $1
	ON CONFLICT (backend_id) DO UPDATE SET heard_at = excluded.heard_at RETURNING 1`

// SaveHeartbeats stores that the agents on these backends were heard now.
func (s *Store) SaveHeartbeats(ctx context.Context, heard []string) error {
	if len(heard) == 0 {
		return nil
	}
	heard = slices.Sorted(slices.Values(heard))
	args := make([][]any, len(heard))
	for i, backendID := range heard {
		args[i] = []any{backendID}
	}
	err := s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		_, err := s.dialect.batch(ctx, tx, saveHeartbeat, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("save heartbeats: %w", err)
	}
	return nil
}

const lastHeartbeats = `SELECT backend_id, heard_at FROM heartbeats`

// Heartbeats tells when any instance last heard the agent of each backend.
func (s *Store) Heartbeats(ctx context.Context) (map[string]b3scale.Micros, error) {
	heard, err := s.times(ctx, lastHeartbeats)
	if err != nil {
		return nil, fmt.Errorf("read heartbeats: %w", err)
	}
	return heard, nil
}

// times reads pairs of an id and a time.
func (s *Store) times(ctx context.Context, text string) (map[string]b3scale.Micros, error) {
	times := make(map[string]b3scale.Micros)
	err := s.each(ctx, text, func(rows *sql.Rows) error {
		var id string
		var at b3scale.Micros
		err := rows.Scan(&id, &at)
		times[id] = at
		return err
	})
	return times, err
}

func compareKeys(a, b b3scale.MeetingKey) int {
	return cmp.Or(cmp.Compare(a.FrontendID, b.FrontendID), cmp.Compare(a.MeetingID, b.MeetingID))
}
