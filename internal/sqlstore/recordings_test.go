package sqlstore

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"b3scale"
)

// TestRecordingPlans keeps searches on their indexes, where the tables are not
// small: nobody pays for the recordings of others.
func TestRecordingPlans(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s := openNew(t)
		frontend := manyRecordings(t, s)
		recordingPlans(t, s, frontend, func(text string, args []any) (plan string, err error) {
			err = s.each(t.Context(), `EXPLAIN QUERY PLAN `+text, func(rows *sql.Rows) error {
				var id, parent, unused int
				var line string
				err := rows.Scan(&id, &parent, &unused, &line)
				plan += line + "\n"
				return err
			}, args...)
			return plan, err
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		s := connect(t, migrated(t), PostgresOptions{Timeout: 20 * time.Second})
		frontend := manyRecordings(t, s)
		if err := s.each(t.Context(), `VACUUM ANALYZE`, func(*sql.Rows) error { return nil }); err != nil {
			t.Fatal(err)
		}
		recordingPlans(t, s, frontend, func(text string, args []any) (plan string, err error) {
			err = s.each(t.Context(), `EXPLAIN `+text, func(rows *sql.Rows) error {
				var line string
				err := rows.Scan(&line)
				plan += line + "\n"
				return err
			}, args...)
			return plan, err
		})
	})
}

// manyRecordings gives three frontends 1,000 each.
func manyRecordings(t *testing.T, s *Store) (frontendID string) {
	t.Helper()
	for n := range 3 {
		f, err := s.AddFrontend(t.Context(), b3scale.Frontend{Key: fmt.Sprint("frontend ", n)}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		frontendID = f.ID
		var ids []string
		var put []b3scale.Recording
		for i := range 1000 {
			id := fmt.Sprintf("%d-%x-%d", n, uint64(i)*0x9e3779b97f4a7c15, i)
			ids = append(ids, id)
			put = append(put, b3scale.Recording{ID: id, FrontendID: f.ID, MeetingID: fmt.Sprint("room ", i/5), State: "published", StartMillis: int64(i),
				Metadata: map[string]string{"all": "same", "one": fmt.Sprint(i)}})
		}
		op, err := s.BeginRecordingOp(t.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: ids}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		ok, err := s.CommitRecordingOp(t.Context(), op, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) { return put, nil, nil })
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	return frontendID
}

func recordingPlans(t *testing.T, s *Store, frontendID string, explain func(text string, args []any) (string, error)) {
	t.Helper()
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprint("room ", i)
	}
	for what, c := range map[string]struct {
		query       b3scale.RecordingQuery
		page, count string // indexes that must be used
	}{
		"all":          {b3scale.RecordingQuery{}, "recordings_newest_of_all", ""},
		"frontend":     {b3scale.RecordingQuery{FrontendID: frontendID}, "recordings_newest", "recordings_"},
		"states":       {b3scale.RecordingQuery{FrontendID: frontendID, States: []string{"published", "unpublished"}}, "recordings_newest", "recordings_"},
		"meeting":      {b3scale.RecordingQuery{FrontendID: frontendID, MeetingIDs: []string{"room 1"}}, "recordings_meeting", "recordings_meeting"},
		"meetings":     {b3scale.RecordingQuery{FrontendID: frontendID, MeetingIDs: []string{"room 1", "room 2"}}, "recordings_meeting", "recordings_meeting"},
		"ids":          {b3scale.RecordingQuery{FrontendID: frontendID, IDs: []string{"2-1"}}, "recordings_", "recordings_"},
		"prefix":       {b3scale.RecordingQuery{FrontendID: frontendID, IDPrefixes: []string{"2-1"}}, "recordings_", "recordings_"},
		"prefixes":     {b3scale.RecordingQuery{FrontendID: frontendID, IDPrefixes: []string{"2-1", "2-a"}}, "recordings_", "recordings_"},
		"many":         {b3scale.RecordingQuery{FrontendID: frontendID, MeetingIDs: many}, "recordings_", "recordings_"},
		"metadata":     {b3scale.RecordingQuery{FrontendID: frontendID, Metadata: []b3scale.MetadataMatch{{Name: "one", Value: "1"}}}, "recording_metadata_value", "recording_metadata_value"},
		"any metadata": {b3scale.RecordingQuery{Metadata: []b3scale.MetadataMatch{{Name: "one", Value: "1"}}}, "recording_metadata_value", "recording_metadata_value"},
	} {
		c.query.Limit = 10
		search, err := newRecordingSearch(c.query)
		if err != nil {
			t.Fatal(err)
		}
		check := func(part, want, text string, args []any) {
			plan, err := explain(text, args)
			readsAll := strings.Contains(plan, "Seq Scan on record") || strings.Contains(plan, "SCAN r\n") || strings.Contains(plan, "SCAN i\n")
			if err != nil || !strings.Contains(plan, want) || readsAll && want != "" {
				t.Errorf("%s of %s: %v\n%s\n%swant %s", part, what, err, text, plan, want)
			}
		}
		text, args := search.page()
		check("page", c.page, text, args)
		text, args = search.count()
		check("count", c.count, text, args)
	}
}
