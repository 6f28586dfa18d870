package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"b3scale"
)

const (
	lockRecordings = `SELECT ` + recordingColumns + ` FROM recordings r
		WHERE r.id IN (SELECT key FROM json_each($1)) AND ($2 = '' OR r.frontend_id = $2) ORDER BY r.id {lock}`
	// Where the files are is not written here: who moves them has an op.
	updateRecording = `UPDATE recordings SET frontend_id = $2, meeting_id = $3, internal_meeting_id = $4, name = $5, breakout = $6,
			start_millis = $7, end_millis = $8, participants = $9, raw_size = $10, metadata = $11, breakout_of = $12, breakout_rooms = $13,
			updated_at = {now}, version = ` + nextVersion + `
		WHERE id = $1 RETURNING 1`
	ownColumns = 13 // as many of recordingArgs does it take

	putRecording = `INSERT INTO recordings (id, frontend_id, meeting_id, internal_meeting_id, name, breakout, start_millis, end_millis,
			participants, raw_size, metadata, breakout_of, breakout_rooms, published, state, formats, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, {now}, {now}, {now})
		ON CONFLICT (id) DO UPDATE SET frontend_id = excluded.frontend_id, meeting_id = excluded.meeting_id,
			internal_meeting_id = excluded.internal_meeting_id, name = excluded.name, breakout = excluded.breakout,
			start_millis = excluded.start_millis, end_millis = excluded.end_millis, participants = excluded.participants,
			raw_size = excluded.raw_size, metadata = excluded.metadata, breakout_of = excluded.breakout_of,
			breakout_rooms = excluded.breakout_rooms, published = excluded.published, state = excluded.state, formats = excluded.formats,
			updated_at = excluded.updated_at,
			version = (SELECT max(v) FROM (SELECT recordings.version + 1 AS v UNION ALL SELECT excluded.version) AS versions)
		RETURNING 1`
	forgetMetadata = `DELETE FROM recording_metadata WHERE recording_id IN (SELECT key FROM json_each($1))`
	insertMetadata = `INSERT INTO recording_metadata (recording_id, frontend_id, name, spelling, value) VALUES ($1, $2, $3, $4, $5) RETURNING 1`
)

// EditRecordings changes all of them or none. edit must not write to the store:
// its transaction is under way.
func (s *Store) EditRecordings(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error {
	ids = sortedSet(ids)
	if err := checkIDs(append([]string{frontendID}, ids...)...); err != nil {
		return fmt.Errorf("edit recordings: %w", err)
	}
	// A refusal ends a transaction that wrote nothing; as an error it would make
	// SQLite's writer do everything again that others wrote beside it.
	var refusal error
	err := s.writeLong(ctx, func(ctx context.Context, tx session) error {
		refusal = nil
		now, err := recordingsOf(ctx, tx, lockRecordings, setOf(ids), frontendID)
		if err != nil {
			return err
		}
		was := searchedOf(now)
		var args [][]any
		for i, id := range ids {
			if i >= len(now) || now[i].ID != id {
				refusal = noRecording(id)
				return nil
			}
			r := &now[i]
			if refusal = edit(r); refusal != nil {
				return nil
			}
			r.ID = id
			all, err := recordingArgs(r)
			if err != nil {
				refusal = fmt.Errorf("edit recording %s: %w", id, err)
				return nil
			}
			args = append(args, all[:ownColumns])
		}
		return s.writeRecordings(ctx, tx, updateRecording, args, was, now)
	})
	if err != nil {
		return fmt.Errorf("edit recordings: %w", err)
	}
	return refusal
}

func byRecordingID(a, b b3scale.Recording) int { return strings.Compare(a.ID, b.ID) }

// sortedSet is the order in which rows are locked.
func sortedSet(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

func recordingsOf(ctx context.Context, tx session, text string, args ...any) (found []b3scale.Recording, err error) {
	rows, err := tx.rows(ctx, text, args...) //nolint:sqlclosecheck // eachRow closes it
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func() error {
		r, err := scanRecording(rows)
		found = append(found, r)
		return err
	})
	tx.progress()
	return found, err
}

// searched is what the table of metadata has of a recording.
type searched struct {
	frontendID string
	metadata   map[string]string
}

// searchedOf are copies: who gets the recordings may change them.
func searchedOf(recordings []b3scale.Recording) map[string]searched {
	all := make(map[string]searched, len(recordings))
	for i := range recordings {
		all[recordings[i].ID] = searched{recordings[i].FrontendID, maps.Clone(recordings[i].Metadata)}
	}
	return all
}

// writeRecordings runs a text for each recording, and brings the metadata that
// are searched in step with theirs. was is what they were before.
func (s *Store) writeRecordings(ctx context.Context, tx session, text string, args [][]any,
	was map[string]searched, now []b3scale.Recording,
) error {
	if _, err := s.dialect.batch(ctx, tx, text, args); err != nil {
		if s.dialect.failureOf(err) == failureForeignKey {
			return b3scale.Errorf(b3scale.NotFound, "no frontend with the id that a recording shall have").Because(err)
		}
		return err
	}
	var changed []string
	var entries [][]any
	for i := range now {
		r := &now[i]
		before, known := was[r.ID]
		if known && before.frontendID == r.FrontendID && maps.Equal(before.metadata, r.Metadata) {
			continue
		}
		if known {
			changed = append(changed, r.ID)
		}
		for _, spelling := range slices.Sorted(maps.Keys(r.Metadata)) {
			entries = append(entries, []any{r.ID, r.FrontendID, searchedName(spelling), spelling, r.Metadata[spelling]})
		}
	}
	if len(changed) > 0 {
		if _, err := tx.exec(ctx, forgetMetadata, setOf(changed)); err != nil {
			return err
		}
	}
	_, err := s.dialect.batch(ctx, tx, insertMetadata, entries)
	return err
}
