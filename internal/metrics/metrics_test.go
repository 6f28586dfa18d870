package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/cluster"
	"b3scale/internal/metrics"
)

func TestMeetingsAndPeople(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{Version: "1.2.3", Build: "abcdef0"}, 2, 3)
	s.meetings(0, 6) // fe0 has those on bbb0, bbb2, bbb1, fe1 those on bbb1, bbb0, bbb2
	s.wants(map[string]string{
		`b3scale_frontend_meetings{frontend="fe0"}`:                                                       "3",
		`b3scale_frontend_participants{frontend="fe0"}`:                                                   "9",
		`b3scale_frontend_participants_by_kind{frontend="fe0",kind="listener"}`:                           "3",
		`b3scale_frontend_participants_by_kind{frontend="fe0",kind="voice"}`:                              "6",
		`b3scale_frontend_participants_by_kind{frontend="fe0",kind="video"}`:                              "3",
		`b3scale_frontend_participants_by_kind{frontend="fe0",kind="moderator"}`:                          "3",
		`b3scale_backend_meetings{backend="bbb2.example.org"}`:                                            "2",
		`b3scale_backend_participants{backend="bbb2.example.org"}`:                                        "6",
		`b3scale_backend_load{backend="bbb2.example.org"}`:                                                "6",
		`b3scale_backend_node_state{backend="bbb2.example.org",state="init"}`:                             "1",
		`b3scale_backend_node_state{backend="bbb2.example.org",state="ready"}`:                            "0",
		`b3scale_backend_admin_state{backend="bbb2.example.org",state="ready"}`:                           "1",
		`b3scale_backend_admin_state{backend="bbb2.example.org",state="stopped"}`:                         "0",
		`b3scale_backend_lost{backend="bbb2.example.org"}`:                                                "0",
		`b3scale_backend_eligible{backend="bbb2.example.org"}`:                                            "0",
		`b3scale_backend_last_contact_seconds{backend="bbb2.example.org"}`:                                "",
		`b3scale_backend_agent_heartbeat_age_seconds{backend="bbb2.example.org"}`:                         "",
		`b3scale_meeting_attendees{backend="bbb2.example.org",frontend="fe0",meeting="all",type="video"}`: "",
		`b3scale_frontend_attendees{frontend="fe0"}`:                                                      "",
	})
	if got := s.scrape(); !slices.ContainsFunc(keys(got), func(name string) bool {
		return strings.HasPrefix(name, `b3scale_build_info{goversion="go`) && strings.HasSuffix(name, `,revision="abcdef0",version="1.2.3"}`)
	}) {
		t.Errorf("no build info: %q", keys(got))
	}
	now := time.Now()
	b := s.table.Backend("b2")
	b.Probed(true, now)
	b.HeardAgent(now.Add(-time.Hour), false)
	s.config.backends[2].AdminState, s.config.backends[2].AgentRef = b3scale.AdminStopped, "agent"
	s.configure()
	got := s.scrape()
	for name, want := range map[string]string{
		`b3scale_backend_node_state{backend="bbb2.example.org",state="ready"}`:    "1",
		`b3scale_backend_admin_state{backend="bbb2.example.org",state="stopped"}`: "1",
		`b3scale_backend_last_contact_seconds{backend="bbb2.example.org"}`:        "0.",
		`b3scale_backend_agent_heartbeat_age_seconds{backend="bbb2.example.org"}`: "36",
	} {
		if !strings.HasPrefix(got[name], want) && !strings.Contains(got[name], "e-") {
			t.Errorf("%s is %q, want %s…", name, got[name], want)
		}
	}
}

func keys(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// The existing product shows these by meeting. Ours do so when asked for.
func TestCompatibleSeries(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{Compat: true}, 2, 2)
	s.meetings(0, 4)
	s.wants(map[string]string{
		`b3scale_meeting_attendees{backend="bbb0.example.org",frontend="fe0",meeting="all",type="video"}`: "2",
		`b3scale_meeting_attendees{backend="bbb0.example.org",frontend="fe0",meeting="all",type="audio"}`: "4",
		`b3scale_meeting_attendees{backend="bbb1.example.org",frontend="fe0",meeting="all",type="audio"}`: "",
		`b3scale_frontend_attendees{frontend="fe0"}`:                                                      "6",
		`b3scale_frontend_meetings{frontend="fe0"}`:                                                       "2",
		`b3scale_backend_meetings{backend="bbb0.example.org"}`:                                            "2",
	})
	// Two meetings that began an hour ago, and nobody knows how slow this is.
	durations := `b3scale_meeting_durations{backend="bbb0.example.org",frontend="fe0",meeting="all"}`
	var seconds float64
	if _, err := fmt.Sscan(s.scrape()[durations], &seconds); err != nil || seconds < 7200 || seconds > 14400 {
		t.Errorf("%s is %v, want 7200 and a little more (%v)", durations, seconds, err)
	}

	one := newSite(t, metrics.Options{Compat: true, PerMeeting: true}, 2, 2)
	one.meetings(0, 4)
	room := b3scale.EncodeMeetingID("fe0", "room0")
	one.wants(map[string]string{
		`b3scale_meeting_attendees{backend="bbb0.example.org",frontend="fe0",meeting="` + room + `",type="video"}`: "1",
		`b3scale_meeting_attendees{backend="bbb0.example.org",frontend="fe0",meeting="` + room + `",type="audio"}`: "2",
		`b3scale_meeting_attendees{backend="bbb0.example.org",frontend="fe0",meeting="all",type="audio"}`:          "",
	})
	if one.scrape()[`b3scale_meeting_durations{backend="bbb0.example.org",frontend="fe0",meeting="`+room+`"}`] == "" {
		t.Error("no duration by meeting")
	}
}

// However many meetings there are, the series are the same.
func TestSeriesDoNotGrowWithMeetings(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{Compat: true}, 2, 2)
	s.meetings(0, 10)
	few := keys(s.scrape())
	s.meetings(10, 500)
	many := s.scrape()
	if got := keys(many); !slices.Equal(got, few) {
		t.Errorf("%d series with 10 meetings, %d with 500", len(few), len(got))
	}
	if got := many[`b3scale_frontend_meetings{frontend="fe0"}`]; got != "250" {
		t.Errorf("fe0 has %s meetings, want 250", got)
	}
	by := newSite(t, metrics.Options{Compat: true, PerMeeting: true}, 2, 2)
	by.meetings(0, 10)
	before := len(by.scrape())
	by.meetings(10, 20)
	if after := len(by.scrape()); after != before+10*3 {
		t.Errorf("by meeting: %d series with 10 meetings, %d with 20, want 3 more for each", before, after)
	}
}

func TestWhatIsDeletedDisappears(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{Compat: true}, 2, 2)
	s.meetings(0, 8)
	for _, f := range []string{"fe0", "fe1"} {
		s.metrics.Requested(metrics.Request{Frontend: f, Resource: "join", Result: "redirect"})
	}
	for _, b := range []string{"b0", "b1"} {
		s.metrics.Called(b, "create", time.Millisecond, cluster.CallBroken)
	}
	about := func(name string) bool {
		return strings.Contains(name, `"fe1"`) || strings.Contains(name, `"bbb1.example.org"`)
	}
	if !slices.ContainsFunc(keys(s.scrape()), about) {
		t.Fatal("there is nothing that could disappear")
	}
	s.config.frontends, s.config.backends = s.config.frontends[:1], s.config.backends[:1]
	s.configure()
	s.metrics.Requested(metrics.Request{Frontend: "fe1", Resource: "join", Result: "redirect"}) // one that was on its way
	s.metrics.Called("b1", "create", time.Millisecond, "")
	for _, name := range keys(s.scrape()) {
		if about(name) {
			t.Errorf("it is still there: %s", name)
		}
	}
	s.wants(map[string]string{
		`b3scale_frontend_requests_total{frontend="fe0",resource="join",result="redirect"}`:         "1",
		`b3scale_backend_call_duration_seconds_count{backend="bbb0.example.org",resource="create"}`: "1",
	})
	// With the same names again they begin anew.
	s.config.frontends = append(s.config.frontends, b3scale.Frontend{ID: "f9", Key: "fe1"})
	s.configure()
	s.wants(map[string]string{
		`b3scale_frontend_requests_total{frontend="fe1",resource="join",result="redirect"}`: "",
		`b3scale_frontend_meetings{frontend="fe1"}`:                                         "0",
	})
}

func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{}, 1, 1)
	for _, r := range []metrics.Request{
		{Frontend: "fe0", Resource: "join", Result: "redirect", Took: 20 * time.Microsecond},
		{Frontend: "fe0", Resource: "join", Result: "redirect", Took: 2 * time.Second},
		{Frontend: "fe0", Resource: "create", Result: "ok", Took: 3 * time.Second, Node: 2 * time.Second},
		{Resource: "create", Result: "checksumError"},
		{Resource: "create", Result: "checksumError"},
		{Resource: "create", Result: "checksumError"},
	} {
		s.metrics.Requested(r)
	}
	for _, key := range []string{"fe0", "", ""} {
		s.metrics.Unproven(key)
	}
	s.metrics.Called("b0", "create", 2*time.Second, "")
	s.metrics.Called("b0", "create", 20*time.Second, cluster.CallTimeout)
	s.metrics.StoreUsed("read", time.Millisecond, "")
	s.metrics.StoreUsed("read", time.Second, "timeout")
	s.wants(map[string]string{
		`b3scale_frontend_requests_total{frontend="fe0",resource="join",result="redirect"}`:              "2",
		`b3scale_frontend_requests_total{frontend="fe0",resource="create",result="ok"}`:                  "1",
		`b3scale_frontend_requests_total{frontend="undefined",resource="create",result="checksumError"}`: "3",
		`b3scale_frontend_checksum_failures_total{frontend="fe0"}`:                                       "1",
		`b3scale_frontend_checksum_failures_total{frontend="undefined"}`:                                 "2",
		`b3scale_request_duration_seconds_bucket{resource="join",le="0.0001"}`:                           "1",
		`b3scale_request_duration_seconds_bucket{resource="join",le="1"}`:                                "1",
		`b3scale_request_duration_seconds_bucket{resource="join",le="3"}`:                                "2",
		`b3scale_request_duration_seconds_bucket{resource="join",le="+Inf"}`:                             "2",
		`b3scale_request_duration_seconds_sum{resource="join"}`:                                          "2.00002",
		`b3scale_request_node_seconds_total{resource="create"}`:                                          "2",

		`b3scale_backend_call_duration_seconds_bucket{backend="bbb0.example.org",resource="create",le="10"}`:   "1",
		`b3scale_backend_call_duration_seconds_bucket{backend="bbb0.example.org",resource="create",le="+Inf"}`: "2",
		`b3scale_backend_call_errors_total{backend="bbb0.example.org",reason="timeout"}`:                       "1",
		`b3scale_backend_call_errors_total{backend="bbb0.example.org",reason="refused"}`:                       "0",

		`b3scale_store_use_duration_seconds_count{kind="read"}`:    "2",
		`b3scale_store_errors_total{kind="read",reason="timeout"}`: "1",
		`b3scale_store_errors_total{kind="read",reason="failed"}`:  "0",
		`b3scale_placement_failures_total{reason="no_backend"}`:    "0",
		`b3scale_agent_events_total{result="taken"}`:               "0",
		`b3scale_store_feed_lag_seconds`:                           "0",
		`b3scale_store_degraded`:                                   "0",
	})
}

// Neither paths nor hosts name series: anybody could make any number of them.
func TestDoors(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{}, 1, 1)
	h := s.metrics.Doors(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/teapot"):
			w.WriteHeader(http.StatusContinue)
			w.WriteHeader(http.StatusTeapot)
		case strings.HasSuffix(r.URL.Path, "/odd"):
			w.WriteHeader(999)
		case strings.HasSuffix(r.URL.Path, "/panic"):
			panic(http.ErrAbortHandler)
		default:
			_, _ = w.Write([]byte("fine"))
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("the writer below is out of reach: %v", err)
		}
	}))
	for _, path := range []string{
		"/bbb/fe/api/join", "/bbb//x", "/bigbluebutton/api/create", "/b3s/retry-join/x", "/api/v1/teapot", "/api/v1", "/docs/api/v1", "/metrics", "/healthz", "/", "/bbbx/teapot", "/odd",
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://"+strings.ReplaceAll(path, "/", "x")+path, nil))
	}
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/panic", nil))
	}()
	want := map[string]string{
		`b3scale_http_requests_total{code="200",door="gateway"}`: "4",
		`b3scale_http_requests_total{code="418",door="api"}`:     "1",
		`b3scale_http_requests_total{code="200",door="api"}`:     "2",
		`b3scale_http_requests_total{code="200",door="metrics"}`: "1",
		`b3scale_http_requests_total{code="200",door="other"}`:   "4",
		`b3scale_http_requests_total{code="418",door="other"}`:   "1",
	}
	s.wants(want)
	n := 0
	for _, name := range keys(s.scrape()) {
		if strings.HasPrefix(name, "b3scale_http_requests_total") {
			n++
		}
	}
	if n != len(want) {
		t.Errorf("%d series, want %d", n, len(want))
	}
}

// Two backends must never have the same series, and nothing that somebody has
// stored may spoil a scrape.
func TestOddNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{Compat: true}, 1, 0)
	for i, host := range []string{
		"https://user:Pa55word@bbb.example.org:8443/bigbluebutton/api/", "http://two.example.org/a/", "http://two.example.org/b/", "no address", "://", "http://b\xffd.example.org/",
	} {
		s.config.backends = append(s.config.backends, b3scale.Backend{ID: fmt.Sprint("b", i), Host: host})
	}
	s.config.frontends = append(s.config.frontends,
		b3scale.Frontend{ID: "f1", Key: "undefined"}, b3scale.Frontend{ID: "f2", Key: `quo"te\n`}, b3scale.Frontend{ID: "f3", Key: "\xff"})
	s.configure()
	s.meetings(0, 30)
	s.metrics.Requested(metrics.Request{Resource: "join", Result: "checksumError"})
	got := s.scrape()
	for _, want := range []string{"bbb.example.org:8443", "two.example.org b1", "two.example.org b2", "undefined b3", "undefined b4"} {
		if got[`b3scale_backend_meetings{backend="`+want+`"}`] != "5" {
			t.Errorf("%s has no series of its own", want)
		}
	}
	if strings.Contains(strings.Join(keys(got), "\n"), "Pa55word") {
		t.Error("a password is shown")
	}
}

// Scrapes come while everything goes on.
func TestScrapesAmongChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{Compat: true}, 4, 4)
	s.meetings(0, 40)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for k := range 200 {
				s.metrics.Requested(metrics.Request{Frontend: fmt.Sprint("fe", k%5), Resource: fmt.Sprint("call", k%7), Result: "ok", Took: time.Duration(k)})
				s.metrics.Called(fmt.Sprint("b", k%5), fmt.Sprint("call", i), time.Duration(k), cluster.CallRefused)
				s.metrics.StoreUsed("read", time.Duration(k), "failed")
			}
		})
	}
	all.Go(func() {
		for range 20 {
			s.scrape()
		}
	})
	all.Wait()
	// 200 calls each by 4 callers; every fifth was for a frontend that there is not.
	sum := 0
	for name, value := range s.scrape() {
		if strings.HasPrefix(name, "b3scale_frontend_requests_total") {
			var n int
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Error(err)
			}
			sum += n
		}
	}
	if sum != 4*200*4/5 {
		t.Errorf("%d requests were counted, want %d", sum, 4*200*4/5)
	}
}
