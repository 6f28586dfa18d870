package metrics_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"b3scale"
	"b3scale/internal/cluster"
	"b3scale/internal/metrics"
	"b3scale/internal/routing"
)

// site is memory as a store would have filled it, and what is shown of it.
type site struct {
	testing.TB
	table     *routing.Table
	metrics   *metrics.Metrics
	callbacks []b3scale.CallbackQueue
	config    struct {
		frontends []b3scale.Frontend
		backends  []b3scale.Backend
	}
}

// newSite has frontends fe0, fe1… and backends on bbb0.example.org, bbb1…
func newSite(t testing.TB, opts metrics.Options, frontends, backends int, more ...func(*metrics.Sources)) *site {
	t.Helper()
	s := &site{TB: t, table: routing.NewTable(routing.LoadOptions{DefaultSize: 15, Hold: time.Minute, Fade: time.Minute})}
	s.metrics = metrics.New(prometheus.NewRegistry(), opts)
	for i := range frontends {
		s.config.frontends = append(s.config.frontends, b3scale.Frontend{ID: fmt.Sprint("f", i), Key: fmt.Sprint("fe", i), Active: true})
	}
	for i := range backends {
		s.config.backends = append(s.config.backends, b3scale.Backend{
			ID: fmt.Sprint("b", i), Host: fmt.Sprintf("https://bbb%d.example.org/bigbluebutton/api/", i), AdminState: b3scale.AdminReady, LoadFactor: 1,
		})
	}
	s.configure()
	mind := cluster.New(nil, s.table, nil, slog.New(slog.DiscardHandler), cluster.Options{})
	sources := metrics.Sources{Table: s.table, Mind: mind, Callbacks: func() []b3scale.CallbackQueue { return s.callbacks }}
	for _, change := range more {
		change(&sources)
	}
	s.metrics.Show(sources)
	return s
}

func (s *site) configure() {
	s.table.SetConfig(b3scale.FrontendSettings{}, s.config.frontends, s.config.backends, time.Now())
}

// meetings fills all frontends and backends evenly, three people in each
// meeting, of whom two speak and one shows a camera.
func (s *site) meetings(from, to int) {
	now := time.Now()
	for i := from; i < to; i++ {
		key := b3scale.MeetingKey{FrontendID: s.config.frontends[i%len(s.config.frontends)].ID, MeetingID: fmt.Sprint("room", i)}
		internal := fmt.Sprint("internal", i)
		s.table.Apply(b3scale.Meeting{
			Key: key, Generation: 1, BackendID: s.config.backends[i%len(s.config.backends)].ID, State: b3scale.MeetingActive,
			Incarnation: b3scale.Incarnation{InternalID: internal}, ClaimedAt: b3scale.MicrosOf(now.Add(-time.Hour)), Version: 1,
		}, now)
		crowd := s.table.Meeting(key).Crowd()
		for k := range 3 {
			crowd.Take(routing.Fact{
				ID: fmt.Sprint("w_", k), Who: fmt.Sprint("who", k), Boot: "boot", Sequence: int64(k + 1), At: b3scale.MicrosOf(now), Arrived: true,
				Draw: func([]byte) ([]byte, routing.Traits) {
					return []byte("<attendee/>"), routing.Traits{Speaks: k < 2, Shows: k == 0, Listens: k == 2, Moderates: k == 0}
				},
			})
		}
		s.table.Recount(key, crowd, nil, now)
	}
}

// scrape gives the series by name and labels, as they are written.
func (s *site) scrape() map[string]string {
	s.Helper()
	w := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		s.Fatalf("status %d: %s", w.Code, w.Body)
	}
	text, err := io.ReadAll(w.Body)
	if err != nil {
		s.Fatal(err)
	}
	series := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line[strings.LastIndexByte(line, '}')+1:], " ")
		name = line[:strings.LastIndexByte(line, '}')+1] + name
		if !found || series[name] != "" {
			s.Errorf("odd line %q", line)
		}
		series[name] = strings.TrimSpace(value)
	}
	return series
}

// wants compares some series; "" is one that must not be there.
func (s *site) wants(want map[string]string) {
	s.Helper()
	got := s.scrape()
	for name, value := range want {
		if got[name] != value {
			s.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}
