package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/cluster"
	"b3scale/internal/pgtest"
)

// limitedSite is instances on one database, whose frontend has limits.
type limitedSite struct {
	t       *testing.T
	env     []string
	node    *bbbtest.Node
	members []*instance
	waited  atomic.Int64 // answers that one has to come again
}

// onBothDatabases runs a test with three instances on one PostgreSQL, and with
// one on SQLite.
func onBothDatabases(t *testing.T, settings b3scale.FrontendSettings, test func(s *limitedSite)) {
	t.Helper()
	for name, c := range map[string]struct {
		url     func(t testing.TB) string
		members int
	}{
		"PostgreSQL": {pgtest.NewDatabase, 3},
		"SQLite":     {func(t testing.TB) string { return "sqlite:" + file(t) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &limitedSite{t: t, node: node(t, bbbtest.Options{})}
			s.env = []string{"B3SCALE_DB_URL=" + c.url(t), "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_LOG_LEVEL=warn",
				"B3SCALE_HTTP_REQUEST_TIMEOUT=10m", "B3SCALE_HTTP_WRITE_TIMEOUT=10m", "B3SCALE_HTTP_READ_HEADER_TIMEOUT=10m"}
			for range c.members {
				s.start(settings, time.Hour)
			}
			test(s)
		})
	}
}

// start adds an instance that holds places for so long.
func (s *limitedSite) start(settings b3scale.FrontendSettings, hold time.Duration) *instance {
	s.t.Helper()
	cfg := load(s.t, s.env)
	d := &instance{TB: s.t, log: &syncBuffer{}}
	a, err := app.New(s.t.Context(), cfg, app.NewLogger(cfg, d.log), app.Options{
		Client:  bbb.ClientOptions{Transport: bbbtest.Transport(s.node)},
		Cluster: cluster.Options{PlaceHold: hold, ListInterval: 200 * time.Millisecond},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	d.App = a
	s.t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	frontend := b3scale.Frontend{Key: frontendKey, Secret: frontendSecret, Active: true, Settings: settings}
	backend := b3scale.Backend{Host: s.node.BaseURL(), Secret: nodeSecret, AdminState: b3scale.AdminReady, LoadFactor: 1}
	if err := d.Seed(s.t.Context(), []b3scale.Frontend{frontend}, []b3scale.Backend{backend}); err != nil {
		s.t.Fatal(err)
	}
	if err := d.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "it is ready", d.ready)
	s.members = append(s.members, d)
	return d
}

// patient asks for as long as it takes: a thousand stand in line.
var patient = &http.Client{Timeout: 10 * time.Minute, CheckRedirect: client.CheckRedirect}

// insist asks again while the answer is that one has to wait, or that the
// database is too busy, as people do.
func (s *limitedSite) insist(n int, call, query string) answer {
	s.t.Helper()
	for try := 0; ; try++ {
		got := s.ask(n, call, query)
		if !strings.Contains(got.body, "b3scaleGatewayError") || s.t.Context().Err() != nil {
			return got
		}
		s.waited.Add(1)
		time.Sleep(time.Duration(min(try+1, 10)) * 50 * time.Millisecond)
	}
}

// ask calls one of the members.
func (s *limitedSite) ask(n int, call, query string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.members[n%len(s.members)].URL()+signed(call, query), nil)
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	resp, err := patient.Do(req)
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body)}
}

// atOnce asks n times at the same time, and counts who gets what was wanted. All
// others must be refused for that reason.
func (s *limitedSite) atOnce(n int, ask func(i int) answer, granted func(answer) bool, refusal string) (winners []int) {
	s.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			got := ask(i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case granted(got):
				winners = append(winners, i)
			case got.status != http.StatusOK || !strings.Contains(got.body, refusal):
				s.t.Errorf("%d: got %d %s, want %s", i, got.status, got.body, refusal)
			}
		})
	}
	begin := time.Now()
	close(start)
	wg.Wait()
	s.t.Logf("%d at once, %d granted, took %v, %d had to come again so far", n, len(winners), time.Since(begin).Round(time.Millisecond), s.waited.Load())
	for i, d := range s.members {
		if n := d.Cluster().Unreserved(); n > 0 {
			s.t.Errorf("instance %d let in %d without a reservation", i, n)
		}
	}
	return winners
}

func (s *limitedSite) join(i int, user string) answer {
	s.t.Helper()
	return s.insist(i, "join", "meetingID=class&role=VIEWER&fullName=Somebody&userID="+user)
}

func redirected(a answer) bool { return a.status == http.StatusFound }

// A thousand people come at the same time, and fifty may.
func TestAttendeesLimitIsExact(t *testing.T) {
	t.Parallel()
	const people, limit = 1000, 50
	settings := b3scale.FrontendSettings{AttendeesLimit: &b3scale.AttendeesLimit{Limit: limit}}
	onBothDatabases(t, settings, func(s *limitedSite) {
		t := s.t
		if got := s.ask(0, "create", "name=Class&meetingID=class"); got.internalID() == "" {
			t.Fatal(got)
		}
		for i := range s.members {
			eventually(t, "all know the meeting", func() bool { return strings.Contains(s.ask(i, "getMeetings", "").body, ">class<") })
		}
		user := func(kind string, i int) string { return fmt.Sprint(kind, "-", i) }
		crowd := func(kind string, n int) []int {
			return s.atOnce(n, func(i int) answer { return s.join(i, user(kind, i)) }, redirected, "attendeesLimitReached")
		}
		admitted := crowd("user", people)
		if len(admitted) != limit {
			t.Fatalf("%d of %d were let in, want %d", len(admitted), people, limit)
		}
		again := s.atOnce(limit, func(i int) answer { return s.join(i+1, user("user", admitted[i])) }, redirected, "")
		if len(again) != limit {
			t.Errorf("%d of those came in again, want all", len(again))
		}

		// Twenty arrive, and nothing changes; they leave, and twenty others may come.
		const visitors = 20
		id := b3scale.EncodeMeetingID(frontendKey, "class")
		there := func(n int) {
			t.Helper()
			for i := range s.members {
				eventually(t, fmt.Sprint(n, " are there"), func() bool {
					return strings.Contains(s.ask(i, "getMeetings", "").body, fmt.Sprintf("<participantCount>%d<", n))
				})
			}
		}
		for _, i := range admitted[:visitors] {
			s.node.Join(id, bbbtest.Attendee{UserID: user("user", i), FullName: "Somebody"})
		}
		there(visitors)
		if late := crowd("late", visitors); len(late) > 0 {
			t.Errorf("%d more were let in", len(late))
		}
		for _, i := range admitted[:visitors] {
			s.node.Leave(id, user("user", i))
		}
		there(0)
		next := crowd("next", 2*visitors)
		if len(next) != visitors {
			t.Errorf("%d were let in for %d who left", len(next), visitors)
		}

		// Those who are still expected renew their places for a second, and do not come.
		if len(s.members) == 1 {
			if err := s.members[0].Stop(); err != nil {
				t.Fatal(err)
			}
			s.members = nil
		}
		hasty := s.start(settings, time.Second)
		s.members = []*instance{hasty}
		for _, i := range admitted[visitors:] {
			s.join(0, user("user", i))
		}
		for _, i := range next {
			s.join(0, user("next", i))
		}
		within(t, time.Minute, "places return of those who never come", func() string {
			if got := s.join(0, "last"); !redirected(got) {
				return got.body
			}
			return ""
		})
	})
}

func TestMeetingsLimitIsExact(t *testing.T) {
	t.Parallel()
	const creates, limit = 200, 20
	settings := b3scale.FrontendSettings{MeetingsLimit: &b3scale.MeetingsLimit{Limit: limit}}
	onBothDatabases(t, settings, func(s *limitedSite) {
		t := s.t
		create := func(i int) answer { return s.insist(i, "create", fmt.Sprint("name=Class&meetingID=class-", i)) }
		succeeded := func(a answer) bool { return a.internalID() != "" }
		created := s.atOnce(creates, create, succeeded, "meetingsLimitReached")
		if len(created) != limit || len(s.node.Rooms()) != limit {
			t.Fatalf("%d of %d were created and %d rooms, want %d", len(created), creates, len(s.node.Rooms()), limit)
		}
		again := s.atOnce(limit, func(i int) answer { return s.ask(i, "create", fmt.Sprint("name=Class&meetingID=class-", created[i])) }, succeeded, "")
		if len(again) != limit {
			t.Errorf("%d of those were created again, want all", len(again))
		}
		s.ask(0, "end", fmt.Sprint("meetingID=class-", created[0]))
		within(t, time.Minute, "there is room for another one", func() string {
			if got := create(creates + 1); !succeeded(got) {
				return got.body
			}
			return ""
		})
		if got := create(creates + 2); !strings.Contains(got.body, "meetingsLimitReached") {
			t.Errorf("and one more: %v", got)
		}
	})
}
