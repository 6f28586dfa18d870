package metrics_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway"
	"b3scale/internal/metrics"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
	"b3scale/internal/web"
)

// BenchmarkJoin tells what counting adds to a join that memory answers: compare
// the two. No network is between.
func BenchmarkJoin(b *testing.B) {
	const secret = "the-frontend-secret"
	store, err := sqlstore.Open(b.Context(), filepath.Join(b.TempDir(), "b3scale.db"), sqlstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	frontend, err := store.AddFrontend(b.Context(), b3scale.Frontend{Key: "fe", Secret: secret, Active: true}, b3scale.Actor{})
	if err != nil {
		b.Fatal(err)
	}
	backend, err := store.AddBackend(b.Context(), b3scale.Backend{Host: "https://bbb.example.org/bigbluebutton/api/", Secret: "s", AdminState: b3scale.AdminReady, LoadFactor: 1}, b3scale.Actor{})
	if err != nil {
		b.Fatal(err)
	}
	table := routing.NewTable(routing.LoadOptions{})
	log := slog.New(slog.DiscardHandler)
	mind := cluster.New(store, table, nil, log, cluster.Options{})
	if err := mind.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	table.Apply(b3scale.Meeting{
		Key: b3scale.MeetingKey{FrontendID: frontend.ID, MeetingID: "room"}, Generation: 1, BackendID: backend.ID, State: b3scale.MeetingActive,
		Incarnation: b3scale.Incarnation{InternalID: "internal"}, Version: 1,
	}, time.Now())
	m := metrics.New(prometheus.NewRegistry(), metrics.Options{})
	done := func(r gateway.Record) {
		m.Requested(metrics.Request{Frontend: r.Frontend, Resource: r.Resource, Result: r.Result, Took: r.Took, Node: r.Node})
	}
	serve := func(opts gateway.Options) http.Handler {
		return web.Handler(gateway.New(mind, log, opts), gateway.Prefixes, &web.Readiness{})
	}
	target := "/bbb/fe/bigbluebutton/api/join?" + bbb.SignedQuery("join", "fullName=Ada&meetingID=room&role=VIEWER&userID=u1", secret)
	for _, c := range []struct {
		name string
		http.Handler
	}{
		{"bare", serve(gateway.Options{})},
		{"counted", m.Doors(serve(gateway.Options{Done: done, Unproven: m.Unproven}))},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, target, nil)
			w := httptest.NewRecorder()
			if c.ServeHTTP(w, r); w.Code != http.StatusFound {
				b.Fatalf("status %d: %s", w.Code, w.Body)
			}
			b.ReportAllocs()
			before := worked(b)
			for b.Loop() {
				c.ServeHTTP(&sized{header: http.Header{}}, r)
			}
			b.ReportMetric(float64(worked(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
