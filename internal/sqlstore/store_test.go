package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
)

func TestTheClockIsThatOfTheBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "b3scale.db"))
		m := place(t, s)
		if got, want := m.ClaimedAt, b3scale.MicrosOf(time.Now()); got != want || m.ClaimedAt.Time().Year() != 2000 {
			t.Errorf("claimed at %v, want %v", got.Time(), want.Time())
		}
		if ok, err := s.EndMeeting(t.Context(), m); err != nil || !ok {
			t.Fatal(ok, err)
		}
		again, _, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: m.Key, BackendID: m.BackendID})
		if err != nil {
			t.Fatal(err)
		}
		if again.Generation != m.Generation+1 || again.Version <= m.Version { // no time has passed
			t.Errorf("got generation %d after %d, version %d after %d", again.Generation, m.Generation, again.Version, m.Version)
		}
		time.Sleep(7 * 24 * time.Hour)
		now, err := s.Now(t.Context())
		if want := m.ClaimedAt.Add(7 * 24 * time.Hour); err != nil || now != want {
			t.Errorf("got %d, %v, want %d", now, err, want)
		}
	})
}

// TestManyRows needs more of them than one group of a scan or a purge.
func TestManyRows(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	first := place(t, s)
	const n = purgeGroup + 100
	each := func(f func(key b3scale.MeetingKey) error) {
		t.Helper()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if err := f(b3scale.MeetingKey{FrontendID: first.Key.FrontendID, MeetingID: fmt.Sprint("room ", i)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	each(func(key b3scale.MeetingKey) error {
		_, _, err := s.ClaimMeeting(context.Background(), b3scale.Claim{Key: key, BackendID: first.BackendID})
		return err
	})

	seen := make(map[b3scale.MeetingKey]bool)
	err := s.LiveMeetings(t.Context(), func(m b3scale.Meeting) {
		seen[m.Key] = true
		if len(seen)%100 == 0 { // who is called may call
			if again, err := s.Meeting(t.Context(), m.Key); err != nil || again.Generation != m.Generation {
				t.Errorf("got %+v, %v", again, err)
			}
		}
	})
	if err != nil || len(seen) != n+1 {
		t.Errorf("got %d rows, %v, want %d", len(seen), err, n+1)
	}

	ctx, cancel := context.WithCancel(t.Context())
	yields := 0
	err = s.LiveMeetings(ctx, func(b3scale.Meeting) { yields++; cancel() })
	if b3scale.CodeOf(err) != b3scale.Unavailable || yields > n/2 {
		t.Errorf("cancelled: got %v after %d rows", err, yields)
	}

	each(func(key b3scale.MeetingKey) error {
		m, err := s.Meeting(context.Background(), key)
		if err == nil {
			_, err = s.EndMeeting(context.Background(), m)
		}
		return err
	})
	if got, err := s.PurgeMeetings(t.Context(), first.ClaimedAt.Add(time.Hour)); err != nil || got != n {
		t.Errorf("purged %d, %v, want %d", got, err, n)
	}
}

// TestAnOrphanWithoutARow cannot happen through the store's methods, but an
// operator may delete rows, and a backup may be a mixture.
func TestAnOrphanWithoutARow(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	m := place(t, s)
	other, err := s.AddBackend(t.Context(), b3scale.Backend{Host: "https://bbb2/", AdminState: b3scale.AdminReady}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.BookOrphan(t.Context(), m.Key, other.ID, "x"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	exec1(t, s, `DELETE FROM meetings`)

	room := b3scale.Incarnation{InternalID: "x", CreateTime: 1}
	if got, ok, err := s.AdoptMeeting(t.Context(), m.Key, other.ID, room, 1); err != nil || ok {
		t.Errorf("adopted on its orphan: %+v, %v", got, err)
	}
	if got, fit, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: m.Key, BackendID: other.ID}); err != nil || fit {
		t.Errorf("claimed on its orphan: %+v, %v", got, err)
	}
	verdict, got, err := s.SettleOrphan(t.Context(), m.Key, other.ID, room, nil)
	if err != nil || verdict != b3scale.OrphanTakenBack || got.BackendID != other.ID || got.State != b3scale.MeetingActive {
		t.Errorf("got %q, %+v, %v", verdict, got, err)
	}
	if orphans, err := s.Orphans(t.Context(), other.ID); err != nil || len(orphans) != 0 {
		t.Errorf("got %+v, %v, want none", orphans, err)
	}
}

// TestAnOrphanWhereTheMeetingLives cannot happen either. The sweeper must not
// end the room that its row calls active (I6), whatever was seen or asked for.
func TestAnOrphanWhereTheMeetingLives(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	room := b3scale.Incarnation{InternalID: "x", CreateTime: 1}
	m := place(t, s)
	m, _, err := s.ConfirmMeeting(t.Context(), m.Key, m.Generation, room)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, s, bookOrphan, m.Key.FrontendID, m.Key.MeetingID, m.BackendID, "x")
	if m, _, err = s.RequestEnd(t.Context(), m.Key, m.Generation, "x"); err != nil {
		t.Fatal(err)
	}
	verdict, got, err := s.SettleOrphan(t.Context(), m.Key, m.BackendID, room, &b3scale.Alive{Generation: m.Generation, InternalID: "x"})
	if err != nil || verdict != b3scale.OrphanGone || got.Version != m.Version {
		t.Errorf("got %q, %+v, %v", verdict, got, err)
	}
	if orphans, err := s.Orphans(t.Context(), m.BackendID); err != nil || len(orphans) != 0 {
		t.Errorf("got %+v, %v, want none", orphans, err)
	}
}

// TestNobodyIsRemembered looks into the table: names of people live only while
// their meeting runs.
func TestNobodyIsRemembered(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	m := place(t, s)
	m, _, err := s.ConfirmMeeting(t.Context(), m.Key, m.Generation, b3scale.Incarnation{InternalID: "x", CreateTime: 1})
	if err != nil {
		t.Fatal(err)
	}
	rows := func() (n int) {
		t.Helper()
		err := s.read(t.Context(), func(ctx context.Context, tx session) error {
			return tx.row(ctx, `SELECT count(*) FROM attendees`).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	_, err = s.SaveSightings(t.Context(), m.BackendID, []b3scale.Sighting{{Key: m.Key, Generation: m.Generation, InternalID: "x",
		AttendeesReplaced: true, Attendees: []b3scale.Attendee{{InternalUserID: "ann"}, {InternalUserID: "bob"}}}})
	if got := rows(); err != nil || got != 2 {
		t.Errorf("got %d rows, %v, want 2", got, err)
	}
	if ok, err := s.EndMeeting(t.Context(), m); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := rows(); got != 0 {
		t.Errorf("got %d rows after the end, want none", got)
	}
}

// TestPlans keeps statements on their indexes.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	for text, want := range map[string]string{
		readMeeting:     "SEARCH meetings USING INDEX sqlite_autoindex_meetings_1",
		confirmMeeting:  "SEARCH meetings USING INDEX sqlite_autoindex_meetings_1",
		purgeable:       "SEARCH meetings USING INDEX meetings_ended",
		listOrphans:     "SEARCH orphans USING INDEX orphans_backend",
		roomAttendees:   "SEARCH attendees USING INDEX sqlite_autoindex_attendees_1",
		insertCallback:  "SEARCH callbacks USING COVERING INDEX callbacks_queue",
		sameCallback:    "SEARCH callbacks USING INDEX callbacks_dedup",
		forgetAged:      "SEARCH callbacks USING INDEX callbacks_dedup",
		forgetTaken:     "SEARCH callbacks USING INDEX callbacks_dedup",
		purgeCallbacks:  "SEARCH callbacks USING INDEX callbacks_over",
		activeAttendees: "SEARCH a USING INDEX sqlite_autoindex_attendees_1",
	} {
		plan := ""
		err := s.each(t.Context(), `EXPLAIN QUERY PLAN `+text, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan += detail + "\n"
			return err
		}, make([]any, 11)...)
		if err != nil || !containsLine(plan, want) {
			t.Errorf("%s\ngot %v\n%swant %s", text, err, plan, want)
		}
	}
}

func containsLine(plan, start string) bool {
	for line := range strings.Lines(plan) {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}
