package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"b3scale"
)

const (
	liveVersions  = `SELECT frontend_id, meeting_id, version FROM meetings WHERE state <> 'ended'`
	versionsSince = `SELECT frontend_id, meeting_id, version FROM meetings WHERE version >= $1`
	configVersion = `SELECT
		(SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(SUM(version), 0) AS TEXT) FROM frontends) || ' ' ||
		(SELECT CAST(COALESCE(SUM(version), 0) AS TEXT) FROM frontend_defaults) || ' ' ||
		(SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(SUM(version), 0) AS TEXT) FROM backends)`
)

// LiveVersions reads the versions of all rows that are creating or active.
func (s *Store) LiveVersions(ctx context.Context, yield func(b3scale.MeetingKey, int64)) error {
	return s.versions(ctx, yield, liveVersions)
}

// VersionsSince reads those of all rows from a version on.
func (s *Store) VersionsSince(ctx context.Context, since int64, yield func(b3scale.MeetingKey, int64)) error {
	return s.versions(ctx, yield, versionsSince, since)
}

func (s *Store) versions(ctx context.Context, yield func(b3scale.MeetingKey, int64), text string, args ...any) error {
	err := s.each(ctx, text, func(rows *sql.Rows) error {
		var key b3scale.MeetingKey
		var version int64
		err := rows.Scan(&key.FrontendID, &key.MeetingID, &version)
		if err == nil {
			yield(key, version)
		}
		return err
	}, args...)
	if err != nil {
		return fmt.Errorf("read versions: %w", err)
	}
	return nil
}

// keyGroup is the pair of texts that read so many rows. What is left of a group
// is filled with its last key, so that there are only a few texts. For many keys
// a database may well read the whole table.
type keyGroup struct {
	size             int
	meetings, people string
}

var keyGroups = []keyGroup{newKeyGroup(1), newKeyGroup(8), newKeyGroup(64)}

func newKeyGroup(size int) keyGroup {
	pairs := make([]string, size)
	for i := range pairs {
		pairs[i] = fmt.Sprintf("(CAST($%d AS TEXT), CAST($%d AS TEXT))", 2*i+1, 2*i+2)
	}
	among := `(m.frontend_id, m.meeting_id) IN (VALUES ` + strings.Join(pairs, ", ") + `)`
	return keyGroup{size,
		`SELECT ` + meetingColumns + ` FROM meetings m WHERE ` + among,
		`SELECT m.frontend_id, m.meeting_id, ` + attendeeColumns + ` FROM meetings m JOIN attendees a
			ON a.backend_id = m.backend_id AND a.internal_meeting_id = m.internal_id
			WHERE m.state = 'active' AND ` + among}
}

// groupFor is the smallest that takes all keys, or the largest.
func groupFor(keys int) keyGroup {
	for _, g := range keyGroups {
		if g.size >= keys {
			return g
		}
	}
	return keyGroups[len(keyGroups)-1]
}

// ReadMeetings reads rows and their people. The people are read after the row:
// they may be newer than it says, and then it is read again for its version.
func (s *Store) ReadMeetings(ctx context.Context, keys []b3scale.MeetingKey, yield func(b3scale.Meeting, []b3scale.Attendee)) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key b3scale.MeetingKey) bool { return !storableKey(key) })
	for len(keys) > 0 {
		group := groupFor(len(keys))
		n := min(group.size, len(keys))
		if err := s.readGroup(ctx, group, keys[:n], yield); err != nil {
			return fmt.Errorf("read meetings: %w", err)
		}
		keys = keys[n:]
	}
	return nil
}

func (s *Store) readGroup(ctx context.Context, group keyGroup, keys []b3scale.MeetingKey, yield func(b3scale.Meeting, []b3scale.Attendee)) error {
	args := make([]any, 0, 2*group.size)
	for i := range group.size {
		key := keys[min(i, len(keys)-1)]
		args = append(args, key.FrontendID, key.MeetingID)
	}
	var meetings []b3scale.Meeting
	row := newMeetingRow()
	err := s.each(ctx, group.meetings, func(rows *sql.Rows) error {
		m, err := row.scan(rows)
		meetings = append(meetings, m)
		return err
	}, args...)
	if err != nil {
		return err
	}
	people := map[b3scale.MeetingKey][]b3scale.Attendee{}
	err = s.each(ctx, group.people, func(rows *sql.Rows) error {
		key, a, err := scanAttendee(rows)
		people[key] = append(people[key], a)
		return err
	}, args...)
	if err != nil {
		return err
	}
	for _, m := range meetings {
		of := people[m.Key]
		if len(of) > 0 && (of[0].BackendID != m.BackendID || of[0].InternalMeetingID != m.InternalID) {
			of = nil // of the next room
		}
		yield(m, of)
	}
	return nil
}

// ConfigVersion changes whenever a frontend or a backend does.
func (s *Store) ConfigVersion(ctx context.Context) (version string, err error) {
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		return tx.row(ctx, configVersion).Scan(&version)
	})
	if err != nil {
		return "", fmt.Errorf("read the version of the configuration: %w", err)
	}
	return version, nil
}

const (
	saveReport = `INSERT INTO reports (backend_id, report, version) SELECT b.id, $2, {now} FROM backends b WHERE b.id = $1
		ON CONFLICT (backend_id) DO UPDATE SET report = excluded.report,
			version = (SELECT max(v) FROM (SELECT reports.version + 1 AS v UNION ALL SELECT excluded.version) AS versions)`
	reportsSince = `SELECT backend_id, version, report FROM reports WHERE version >= $1`
)

// SaveReport stores what else a list showed of a backend.
func (s *Store) SaveReport(ctx context.Context, backendID string, report []byte) error {
	if _, err := s.writeOne(ctx, saveReport, backendID, string(report)); err != nil {
		return fmt.Errorf("save the report on %s: %w", backendID, err)
	}
	return nil
}

// Reports reads them from a version on.
func (s *Store) Reports(ctx context.Context, since int64, yield func(backendID string, version int64, report []byte)) error {
	err := s.each(ctx, reportsSince, func(rows *sql.Rows) error {
		var backendID string
		var version int64
		var report []byte
		err := rows.Scan(&backendID, &version, &report)
		if err == nil {
			yield(backendID, version, report)
		}
		return err
	}, since)
	if err != nil {
		return fmt.Errorf("read reports: %w", err)
	}
	return nil
}
