package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"b3scale"
	"b3scale/internal/sqlstore"

	"github.com/jackc/pgx/v5"
)

const (
	manyRecordings = 10_000
	fewRecordings  = 100 // one page
)

// recordings compares pages of a frontend that has many recordings with the only
// one of a frontend that has few, in turn. It prints medians as ratios.
func recordings(ctx context.Context, s settings, store, database string) error {
	fmt.Fprintf(os.Stderr, "%s, recordings: seeding\n", store)
	db, err := open(ctx, database)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	many, err := withRecordings(ctx, db, manyRecordings)
	if err != nil {
		return err
	}
	few, err := withRecordings(ctx, db, fewRecordings)
	if err != nil {
		return err
	}
	if err := vacuum(ctx, store, database); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s, recordings\n", store)
	bothStates := []string{b3scale.StatePublished, b3scale.StateUnpublished} // what getRecordings asks for by default
	for _, w := range []struct {
		name  string
		query b3scale.RecordingQuery
		base  b3scale.RecordingQuery
	}{
		{"first page", b3scale.RecordingQuery{}, b3scale.RecordingQuery{}},
		{"last page", b3scale.RecordingQuery{Offset: manyRecordings - fewRecordings}, b3scale.RecordingQuery{}},
		{"first page of two states", b3scale.RecordingQuery{States: bothStates}, b3scale.RecordingQuery{States: bothStates}},
		{"ten meetings", b3scale.RecordingQuery{MeetingIDs: meetingIDs(10)}, b3scale.RecordingQuery{MeetingIDs: meetingIDs(10)}},
		{"one value of metadata", metadata("bbb-context-id", "7"), metadata("bbb-context-id", "0")},
	} {
		w.query.FrontendID, w.query.Limit, w.base.FrontendID, w.base.Limit = many, fewRecordings, few, fewRecordings
		var got, base []time.Duration
		for end := time.Now().Add(s.measure); len(got) < 10 || time.Now().Before(end); {
			for _, c := range []struct {
				query b3scale.RecordingQuery
				took  *[]time.Duration
			}{{w.base, &base}, {w.query, &got}} {
				begin, n := time.Now(), 0
				if _, err := db.Recordings(ctx, c.query, func(b3scale.Recording) { n++ }); err != nil {
					return err
				}
				if n != fewRecordings {
					return fmt.Errorf("%s: got %d recordings, want %d", w.name, n, fewRecordings)
				}
				*c.took = append(*c.took, time.Since(begin))
			}
		}
		slices.Sort(got)
		slices.Sort(base)
		_, err := fmt.Fprintf(os.Stdout, "recordings, %s: %s of %d takes %.2f times as long as of %d\n", store, w.name, manyRecordings, ratio(got, base, 0.5), fewRecordings)
		if err != nil {
			return err
		}
	}
	return nil
}

// vacuum does at once what a PostgreSQL server does by itself within a minute or
// so, after many rows have come.
func vacuum(ctx context.Context, store, database string) error {
	if store != "postgres" {
		return nil
	}
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `VACUUM ANALYZE`)
	return err
}

func meetingIDs(n int) (ids []string) {
	for i := range n {
		ids = append(ids, meetingOf(i*10))
	}
	return ids
}

// meetingOf says of which meeting the i-th recording is: ten are of one.
func meetingOf(i int) string { return "meeting-" + strconv.Itoa(i/10) }

func metadata(name, value string) b3scale.RecordingQuery {
	return b3scale.RecordingQuery{Metadata: []b3scale.MetadataMatch{{Name: name, Value: value}}}
}

// withRecordings makes a frontend with so many recordings as Moodle gets them.
func withRecordings(ctx context.Context, db *sqlstore.Store, n int) (frontendID string, err error) {
	f, err := db.AddFrontend(ctx, b3scale.Frontend{Key: "recordings-" + b3scale.NewID(), Secret: secret, Active: true}, b3scale.Actor{})
	if err != nil {
		return "", err
	}
	for from := 0; from < n; from += 250 {
		var ids []string
		var put []b3scale.Recording
		for i := from; i < min(from+250, n); i++ {
			r := moodleRecording(f.ID, i)
			ids, put = append(ids, r.ID), append(put, r)
		}
		op, err := db.BeginRecordingOp(ctx, b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: ids}, time.Minute)
		if err != nil {
			return "", err
		}
		_, err = db.CommitRecordingOp(ctx, op, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) { return put, nil, nil })
		if err != nil {
			return "", err
		}
		if _, err := db.FinishRecordingOp(ctx, op); err != nil {
			return "", err
		}
	}
	return f.ID, nil
}

func moodleRecording(frontendID string, i int) b3scale.Recording {
	_, _, _, _, id, start := room(i, 1)
	id = frontendID[:8] + id[8:]
	number := strconv.Itoa(i)
	return b3scale.Recording{
		ID: id, FrontendID: frontendID, MeetingID: meetingOf(i), InternalMeetingID: id, Name: "Physics", Published: true, State: b3scale.StatePublished,
		StartMillis: start, EndMillis: start + 3_600_000, Participants: 20, RawSize: 1 << 30,
		Metadata: map[string]string{
			"bbb-origin": "Moodle", "bbb-origin-version": "4.5 (Build: 20241007)", "bbb-origin-server-name": "lms.example.org",
			"bbb-context": "Physics", "bbb-context-id": strconv.Itoa(i / fewRecordings), "bbb-context-label": "PHY", "bbb-recording-name": "Lecture " + number,
			"bbb-recording-description": "", "bbb-recording-tags": "", "meetingId": meetingOf(i), "meetingName": "Physics", "isBreakout": "false",
		},
		Formats: []b3scale.RecordingFormat{{
			Type: "presentation", URL: "https://bbb.example.org/playback/presentation/2.3/" + id, DurationMillis: 3_600_000, Size: 1 << 20,
			Preview: []b3scale.RecordingImage{
				{URL: "/presentation/" + id + "/presentation/1/thumbnails/thumb-1.png", Width: 176, Height: 136},
				{URL: "/presentation/" + id + "/presentation/1/thumbnails/thumb-2.png", Width: 176, Height: 136},
				{URL: "/presentation/" + id + "/presentation/1/thumbnails/thumb-3.png", Width: 176, Height: 136},
			},
		}},
	}
}
