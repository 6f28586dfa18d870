package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"b3scale"
)

const meetingColumns = `frontend_id, meeting_id, generation, backend_id, state,
	internal_id, create_time, attendee_pw, moderator_pw, info,
	last_ended_internal_id, end_requested_internal_id, end_requested_at,
	claimed_at, confirmed_at, ended_at, size, room_generation, room_create, version`

// meetingRow is where rows of meetingColumns are scanned. It can be used again
// for the next one; what scan returned does not change with it.
type meetingRow struct {
	m    b3scale.Meeting
	size int64
	dest []any
}

func newMeetingRow() *meetingRow {
	r := new(meetingRow)
	m := &r.m
	// Pointers to the plain types spare the driver package its reflection.
	r.dest = []any{
		&m.Key.FrontendID, &m.Key.MeetingID, &m.Generation, &m.BackendID, (*string)(&m.State),
		&m.InternalID, &m.CreateTime, &m.AttendeePW, &m.ModeratorPW, &m.Info,
		&m.LastEndedInternalID, &m.EndRequestedInternalID, (*int64)(&m.EndRequestedAt),
		(*int64)(&m.ClaimedAt), (*int64)(&m.ConfirmedAt), (*int64)(&m.EndedAt), &r.size,
		&m.Origin.Generation, &m.Origin.Create, &m.Version,
	}
	return r
}

func (r *meetingRow) scan(row scanner) (b3scale.Meeting, error) {
	if err := row.Scan(r.dest...); err != nil {
		return b3scale.Meeting{}, err
	}
	r.m.Size = int(r.size)
	if len(r.m.Info) == 0 {
		r.m.Info = nil
	}
	return r.m, nil
}

func scanMeeting(row scanner) (b3scale.Meeting, error) { return newMeetingRow().scan(row) }

// each reads many rows outside a transaction. It ends early with ctx: a scan
// may be long, and scan calls foreign code.
func (s *Store) each(ctx context.Context, text string, scan func(*sql.Rows) error, args ...any) error {
	return s.observed(ctx, UseReadLong, func(ctx context.Context) error { return s.eachOf(ctx, text, scan, args...) })
}

func (s *Store) eachOf(ctx context.Context, text string, scan func(*sql.Rows) error, args ...any) error {
	return s.reader.long(ctx, func(inner context.Context, tx session) error {
		rows, err := tx.rows(inner, text, args...)
		if err != nil {
			return err
		}
		n := 0
		return eachRow(rows, func() error {
			if n%64 == 0 {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				tx.progress()
			}
			n++
			return scan(rows)
		})
	})
}

// eachRow calls scan for each row and closes rows. No end is taken for the end
// of the data without asking.
func eachRow(rows *sql.Rows, scan func() error) error {
	defer rows.Close() // again: harmless, and scan may panic
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// textsOf reads rows of one text.
func textsOf(ctx context.Context, tx session, text string, args ...any) ([]string, error) {
	rows, err := tx.rows(ctx, text, args...) //nolint:sqlclosecheck // eachRow closes it
	if err != nil {
		return nil, err
	}
	var texts []string
	err = eachRow(rows, func() error {
		var text string
		err := rows.Scan(&text)
		texts = append(texts, text)
		return err
	})
	return texts, err
}
