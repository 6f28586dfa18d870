package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/internal/pgtest"
)

// connect opens a database for the rest of the test.
func connect(t testing.TB, dsn string, opts PostgresOptions) *Store {
	t.Helper()
	opts.Timeout = cmp.Or(opts.Timeout, 20*time.Second) // a busy machine is no outage
	s, err := Connect(t.Context(), b3scale.Secret(dsn), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// migrated gives a database with the schema.
func migrated(t testing.TB) string {
	t.Helper()
	return pgtest.FromTemplate(t, "b3scale", func(dsn string) error {
		s, err := Connect(context.Background(), b3scale.Secret(dsn), PostgresOptions{})
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func TestInstancesThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Connect(t.Context(), b3scale.Secret(dsn), PostgresOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			if !s.Created() {
				t.Log("one came late") // it may, but must work all the same
			}
			if _, err := s.Frontends(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if connect(t, dsn, PostgresOptions{}).Created() {
		t.Error("Created says that the schema is new, it was there")
	}
}

func TestPostgresSchemaIsChecked(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	try := func(want string, opts PostgresOptions) {
		t.Helper()
		s, err := Connect(t.Context(), b3scale.Secret(dsn), opts)
		if err == nil {
			err = s.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check := PostgresOptions{Options: Options{CheckSchemaOnly: true}}
	try("no schema", check)
	try("no schema", check) // the check has not made one
	try("", PostgresOptions{})
	try("", check)
	s := connect(t, dsn, check)
	exec1(t, s, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
	try("a newer one has written it", check)
	try("a newer one has written it", PostgresOptions{})
	exec1(t, s, `DELETE FROM goose_db_version WHERE version_id = 9999`)
	exec1(t, s, `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
	try("older than this program", check)
}

func TestTheDatabaseMustHoldAnyText(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{})
	dsn := pgtest.NewDatabase(t)
	name := dsn[strings.LastIndex(dsn, "b3scale_test_"):]
	name, _, _ = strings.Cut(name, "?")
	err := s.writer.alone(t.Context(), func(ctx context.Context, tx session) error {
		if _, err := tx.exec(ctx, `DROP DATABASE `+name); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `CREATE DATABASE `+name+` ENCODING 'LATIN1' TEMPLATE template0`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(t.Context(), b3scale.Secret(dsn), PostgresOptions{}); err == nil || !strings.Contains(err.Error(), "LATIN1") {
		t.Errorf("got %v, want it to name the encoding", err)
	}
}

// TestNoPasswordIsTold looks at everything that may be printed of a failure.
func TestNoPasswordIsTold(t *testing.T) {
	t.Parallel()
	server := pgtest.StartTCP(t)
	good := strings.TrimPrefix(server.DSN(), "postgres://postgres@")
	for name, dsn := range map[string]string{
		"no such database": "postgres://postgres:hunter2@" + strings.Replace(good, "/b3scale", "/nothing", 1),
		"no such user":     "postgres://nobody:hunter2@" + good,
		"nobody listens":   "postgres://postgres:hunter2@127.0.0.1:1/b3scale",
		"no such host":     "postgres://postgres:hunter2@b3scale.invalid/b3scale",
		"no such socket":   "host=/nowhere user=postgres password='hunter2' dbname=b3scale",
		"bad port":         "postgres://postgres:hunter2@127.0.0.1:port/b3scale",
		"bad escape":       "postgres://postgres:hunter2%zz@127.0.0.1/b3scale",
		"stray @":          "postgres://postgres:x@hunter2@127.0.0.1/b3scale",
		"stray /":          "postgres://postgres:hunter2/x@127.0.0.1/b3scale",
		"stray space":      "user=postgres password=x hunter2 host=127.0.0.1",
		"open quote":       "user=postgres password='hunter2 host=127.0.0.1",
		"bad sslmode":      "postgres://postgres:hunter2@127.0.0.1/b3scale?sslmode=hunter2",
		"bad timeout":      "postgres://postgres:hunter2@127.0.0.1/b3scale?connect_timeout=hunter2",
		"swapped":          "hunter2://postgres@127.0.0.1/b3scale",
	} {
		var log strings.Builder
		opts := PostgresOptions{Options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, Timeout: 500 * time.Millisecond}
		_, err := Connect(t.Context(), b3scale.Secret(dsn), opts)
		if err == nil {
			t.Errorf("%s: it was opened", name)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got several lines:\n%v", name, err)
		}
		waiting := name == "nobody listens" || name == "no such host" || name == "no such socket"
		if got := b3scale.CodeOf(err); (got == b3scale.Unavailable) != waiting {
			t.Errorf("%s: got code %q: %v", name, got, err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%v %+v %#v %s", e, e, e, log.String()); strings.Contains(text, "hunter2") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

// TestPostgresInABubble has a clock that stands still while anything is done.
func TestPostgresInABubble(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	synctest.Test(t, func(t *testing.T) {
		s := connect(t, dsn, PostgresOptions{Now: time.Now, PollOnly: true, PoolSize: 4})
		m := place(t, s)
		if want := b3scale.MicrosOf(time.Now()); m.ClaimedAt != want || m.Generation != int64(want) || m.ClaimedAt.Time().Year() != 2000 {
			t.Errorf("got %+v, want it claimed at %d", m, want)
		}
		if ok, err := s.EndMeeting(t.Context(), m); err != nil || !ok {
			t.Fatal(ok, err)
		}
		again, _, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: m.Key, BackendID: m.BackendID})
		if err != nil || again.Generation != m.Generation+1 || again.Version <= m.Version {
			t.Errorf("got %+v, %v after %+v", again, err, m)
		}
		if err := s.SaveProbes(t.Context(), "one", []string{m.BackendID}); err != nil {
			t.Error(err)
		}
		all(16, func(i int) { // more than there are connections, and all want one row
			if _, fit, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: m.Key, BackendID: m.BackendID, Abandoned: []int64{again.Generation}}); err != nil || !fit {
				t.Error(fit, err)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		// It may have ended before anybody looked.
		if err := s.LiveMeetings(ctx, func(b3scale.Meeting) { cancel() }); err != nil && b3scale.CodeOf(err) != b3scale.Unavailable {
			t.Error(err)
		}
		if _, err := s.Meeting(ctx, m.Key); b3scale.CodeOf(err) != b3scale.Unavailable {
			t.Errorf("for a caller who has gone: %v", err)
		}
		time.Sleep(7 * 24 * time.Hour) // ends at once when nothing of the store waits for anything
		now, err := s.Now(t.Context())
		if want := m.ClaimedAt.Add(7 * 24 * time.Hour); err != nil || now != want {
			t.Errorf("got %d, %v, want %d", now, err, want)
		}
		if passed, err := s.PassVerdict(t.Context(), m.BackendID, time.Hour); err != nil || !passed {
			t.Errorf("got %v, %v, want the old probe to be no veto", passed, err)
		}
	})
}

// TestPostgresPlans keeps statements on their indexes, in a database whose
// tables are not small.
func TestPostgresPlans(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{})
	m := place(t, s)
	err := s.writer.long(t.Context(), func(ctx context.Context, tx session) error {
		for _, text := range []string{
			`INSERT INTO meetings (frontend_id, meeting_id, generation, backend_id, state, internal_id, version, ended_at)
				SELECT frontend_id, 'room ' || n, n, backend_id, CASE WHEN n % 5 = 0 THEN 'active' ELSE 'ended' END, 'r' || n, n, n
				FROM meetings, generate_series(1, 10000) n WHERE meeting_id = 'room'`,
			`INSERT INTO attendees SELECT backend_id, internal_id, 'user ' || n, '', 0, '', n
				FROM meetings, generate_series(1, 5) n WHERE state = 'active'`,
			`INSERT INTO audit (at, subject, address, request_id, action, kind, object_id, name)
				SELECT n, 'subject ' || n % 100, '', '', 'meeting.end', 'meeting', n % 1000, '' FROM generate_series(1, 10000) n`,
			`INSERT INTO commands (id, state, action, deadline, created_at)
				SELECT n, CASE WHEN n % 3000 = 0 THEN 'requested' ELSE 'success' END, 'x', 9000000000000000, n FROM generate_series(1, 10000) n`,
			`INSERT INTO places (frontend_id, holder, meeting_id, arrival, until)
				SELECT f.id, 'holder ' || n, 'room', 'arrival ' || n, 9000000000000000 FROM frontends f, generate_series(1, 200) n`,
			`INSERT INTO frontends (id, key, secret, secondary_secret, active, settings, account_ref, created_at, updated_at, version)
				SELECT n, n, '', '', TRUE, '{}', '', 0, 0, 0 FROM generate_series(1, 50) n`,
			`INSERT INTO places (frontend_id, holder, meeting_id, arrival, until)
				SELECT n % 50 + 1, 'holder ' || n, 'room', 'arrival ' || n, 9000000000000000 FROM generate_series(1, 5000) n`,
			`ANALYZE`,
		} {
			if _, err := tx.exec(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	key := []any{m.Key.FrontendID, m.Key.MeetingID}
	group := groupFor(5)
	keys := make([]any, 0, 2*group.size)
	for n := range group.size {
		keys = append(keys, m.Key.FrontendID, fmt.Sprint("room ", 100*n))
	}
	objects, aboutObject := auditText(b3scale.AuditQuery{Kind: "meeting", ObjectID: "17"})
	subjects, aboutSubject := auditText(b3scale.AuditQuery{Subject: "subject 17", Limit: 20})
	newest, aboutNewest := auditText(b3scale.AuditQuery{BeforeID: 9000, Limit: 20})
	recent, aboutRecent := auditText(b3scale.AuditQuery{Since: 9990})
	for _, c := range []struct {
		text string
		args []any
		want string
	}{
		{objects, aboutObject, "audit_object"},
		{subjects, aboutSubject, "audit_subject"},
		{newest, aboutNewest, "audit_pkey"},
		{recent, aboutRecent, "audit_at"},
		{lockOldest, nil, "commands_open"},
		{anyToTake, nil, "commands_open"},
		{readMeeting, key, "meetings_pkey"},
		{groupFor(1).meetings, key, "meetings_pkey"},
		{lockMeeting, key, "meetings_pkey"},
		{confirmMeeting, append(key, 1, "x", 1, "", "", nil, "", 0, ""), "meetings_pkey"},
		{versionsSince, []any{9990}, "meetings_version"},
		{group.meetings, keys, "meetings_pkey"},
		{group.people, keys, "attendees_pkey"},
		{roomAttendees, []any{m.BackendID, "r5"}, "attendees_pkey"},
		{purgeable, []any{20, purgeGroup}, "meetings_ended"},
		{othersLive, append(key, 10), "meetings_live"},
		{countPlaces, []any{m.Key.FrontendID, "holder 1", true, 0}, "meetings_live"},
		{endPlace, append(key, "arrival 1"), "places_arrival"},
	} {
		plan := ""
		err := s.each(t.Context(), `EXPLAIN `+c.text, func(rows *sql.Rows) error {
			var line string
			err := rows.Scan(&line)
			plan += line + "\n"
			return err
		}, c.args...)
		if err != nil || !strings.Contains(plan, c.want) || strings.Contains(plan, "Seq Scan on meetings") || strings.Contains(plan, "Seq Scan on attendees") ||
			strings.Contains(plan, "Seq Scan on audit") || strings.Contains(plan, "Seq Scan on commands") || strings.Contains(plan, "Seq Scan on places") {
			t.Errorf("%s\ngot %v\n%swant %s", c.text, err, plan, c.want)
		}
	}
}
