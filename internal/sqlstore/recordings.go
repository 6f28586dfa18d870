package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"b3scale"
)

const (
	recordingColumns = `r.id, r.frontend_id, r.meeting_id, r.internal_meeting_id, r.name, r.breakout, r.published, r.state, r.start_millis, r.end_millis,
		r.participants, r.raw_size, r.metadata, r.breakout_of, r.breakout_rooms, r.formats, r.created_at, r.updated_at, r.version`

	readRecording   = `SELECT ` + recordingColumns + ` FROM recordings r WHERE r.id = $1`
	countRecordings = `SELECT frontend_id, state, COUNT(*) FROM recordings GROUP BY frontend_id, state ORDER BY frontend_id, state`
)

// Recordings reads one page, or all, the newest first.
func (s *Store) Recordings(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (total int, err error) {
	search, err := newRecordingSearch(q)
	if err != nil {
		return 0, fmt.Errorf("read recordings: %w", err)
	}
	text, args := search.page()
	seen := 0
	err = s.each(ctx, text, func(rows *sql.Rows) error {
		r, err := scanRecording(rows)
		if err == nil {
			seen++
			yield(r)
		}
		return err
	}, args...)
	if total = search.offset + seen; err == nil && !search.atEnd(seen) {
		counted := 0
		err = s.read(ctx, func(ctx context.Context, tx session) error {
			text, args := search.count()
			return tx.row(ctx, text, args...).Scan(&counted)
		})
		// Some may be gone since the page was read.
		if total = counted; seen > 0 {
			total = max(counted, search.offset+seen)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("read recordings: %w", err)
	}
	return total, nil
}

// Recording reads one.
func (s *Store) Recording(ctx context.Context, id string) (r b3scale.Recording, err error) {
	if err := checkIDs(id); err != nil {
		return r, fmt.Errorf("read a recording: %w", err)
	}
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		r, err = scanRecording(tx.row(ctx, readRecording, id))
		if errors.Is(err, sql.ErrNoRows) {
			return noRecording(id)
		}
		return err
	})
	if err != nil {
		return b3scale.Recording{}, fmt.Errorf("read recording %s: %w", id, err)
	}
	return r, nil
}

func noRecording(id string) error {
	return b3scale.Errorf(b3scale.NotFound, "no recording with the id %q", id)
}

// CountRecordings counts those of every frontend.
func (s *Store) CountRecordings(ctx context.Context) (counts []b3scale.RecordingCount, err error) {
	err = s.each(ctx, countRecordings, func(rows *sql.Rows) error {
		var c b3scale.RecordingCount
		err := rows.Scan(&c.FrontendID, &c.State, &c.Count)
		counts = append(counts, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count recordings: %w", err)
	}
	return counts, nil
}

// scanRecording never gives nil for the metadata, so that who edits them can.
func scanRecording(row scanner) (r b3scale.Recording, err error) {
	var participants int64
	var metadata, breakoutOf, rooms, formats []byte
	// Pointers to the plain types spare the driver package its reflection.
	err = row.Scan(&r.ID, &r.FrontendID, &r.MeetingID, &r.InternalMeetingID, &r.Name, &r.Breakout, &r.Published, &r.State, &r.StartMillis, &r.EndMillis,
		&participants, &r.RawSize, &metadata, &breakoutOf, &rooms, &formats, (*int64)(&r.CreatedAt), (*int64)(&r.UpdatedAt), &r.Version)
	if err != nil {
		return b3scale.Recording{}, err
	}
	r.Participants = int(participants)
	err = cmp.Or(decode(metadata, &r.Metadata), decode(breakoutOf, &r.BreakoutOf), decode(rooms, &r.BreakoutRooms), decode(formats, &r.Formats))
	if err != nil {
		return b3scale.Recording{}, fmt.Errorf("decode recording %s: %w", r.ID, err)
	}
	if len(r.Formats) == 0 {
		r.Formats = nil
	}
	return r, nil
}

// decode leaves v as it is when there is nothing.
func decode(text []byte, v any) error {
	if text == nil {
		return nil
	}
	return json.Unmarshal(text, v)
}

// recordingArgs are those of the text that writes a whole recording.
func recordingArgs(r *b3scale.Recording) ([]any, error) {
	if err := checkRecording(r); err != nil {
		return nil, err
	}
	metadata, rooms, formats := r.Metadata, any(nil), r.Formats
	if metadata == nil {
		metadata = map[string]string{}
	}
	if formats == nil {
		formats = []b3scale.RecordingFormat{}
	}
	if len(r.BreakoutRooms) > 0 {
		rooms = r.BreakoutRooms
	}
	parent := any(nil)
	if r.BreakoutOf != nil {
		parent = r.BreakoutOf
	}
	args := []any{
		r.ID, r.FrontendID, r.MeetingID, r.InternalMeetingID, r.Name, r.Breakout, r.StartMillis, r.EndMillis,
		int64(r.Participants), r.RawSize, metadata, parent, rooms, r.Published, r.State, formats,
	}
	for i, arg := range args {
		switch arg.(type) {
		case map[string]string, *b3scale.RecordingParent, []string, []b3scale.RecordingFormat:
			text, err := json.Marshal(arg)
			if err != nil {
				return nil, fmt.Errorf("encode recording %s: %w", r.ID, err)
			}
			args[i] = string(text)
		}
	}
	return args, nil
}

// maxMetadataName: longer names of metadata have no place in the index.
const maxMetadataName = 255

func checkRecording(r *b3scale.Recording) error {
	if r.ID == "" {
		return b3scale.Errorf(b3scale.InvalidArgument, "a recording without an id")
	}
	texts := append([]string{r.Name}, r.BreakoutRooms...)
	if r.BreakoutOf != nil {
		texts = append(texts, r.BreakoutOf.ParentID)
	}
	for name, value := range r.Metadata {
		if len(name) > maxMetadataName {
			return b3scale.Errorf(b3scale.InvalidArgument, "a name of %d bytes in the metadata, %d are possible", len(name), maxMetadataName)
		}
		texts = append(texts, name, value)
	}
	for _, f := range r.Formats {
		texts = append(texts, f.Type, f.URL, f.Extensions)
		for _, image := range f.Preview {
			texts = append(texts, image.URL, image.Alt)
		}
	}
	return errors.Join(checkIDs(r.ID, r.FrontendID, r.MeetingID, r.InternalMeetingID, r.State), checkTexts(texts...))
}
