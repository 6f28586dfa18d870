package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"b3scale/internal/cluster"
	"b3scale/internal/metrics"
)

// large is a site as large as they get, on which everything has happened.
func large(t testing.TB, meetings, backends int) *site {
	t.Helper()
	s := newSite(t, metrics.Options{Compat: true}, 100, backends)
	s.meetings(0, meetings)
	for _, f := range s.config.frontends {
		for _, resource := range []string{"create", "join", "isMeetingRunning", "getMeetings", "getMeetingInfo", "end"} {
			for _, result := range []string{"ok", "notFound", "b3scaleGatewayError"} {
				s.metrics.Requested(metrics.Request{Frontend: f.Key, Resource: resource, Result: result, Took: time.Millisecond, Node: time.Microsecond})
			}
		}
	}
	for _, b := range s.config.backends {
		s.table.Backend(b.ID).Probed(true, time.Now())
		for _, resource := range []string{"create", "isMeetingRunning", "getMeetings", "getMeetingInfo", "end"} {
			s.metrics.Called(b.ID, resource, time.Millisecond, cluster.CallTimeout)
		}
	}
	return s
}

// sized counts what is written.
type sized struct {
	header http.Header
	bytes  int
}

func (w *sized) Header() http.Header         { return w.header }
func (w *sized) Write(b []byte) (int, error) { w.bytes += len(b); return len(b), nil }
func (*sized) WriteHeader(int)               {}

// scrapeAs asks as Prometheus does, who likes it compressed.
func scrapeAs(t testing.TB, h http.Handler, encoding string) *sized {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "text/plain;version=0.0.4;q=0.5")
	r.Header.Set("Accept-Encoding", encoding)
	w := &sized{header: http.Header{}}
	h.ServeHTTP(w, r)
	if w.bytes == 0 || w.header.Get("Content-Encoding") != encoding {
		t.Fatalf("%d bytes as %q, want them as %q", w.bytes, w.header.Get("Content-Encoding"), encoding)
	}
	return w
}

// worked is the time that processors have spent on this process: others use
// them, too.
func worked(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// BenchmarkScrape tells which share of one core scrapes take, one in 15 s.
func BenchmarkScrape(b *testing.B) {
	for _, size := range []struct{ meetings, backends int }{{100, 10}, {5000, 1000}} {
		s := large(b, size.meetings, size.backends)
		lines := len(s.scrape())
		for _, encoding := range []string{"", "gzip"} {
			b.Run(fmt.Sprintf("meetings=%d/backends=%d/encoding=%s", size.meetings, size.backends, encoding), func(b *testing.B) {
				b.ReportAllocs()
				bytes, before := 0, worked(b)
				for b.Loop() {
					bytes = scrapeAs(b, s.metrics.Handler(), encoding).bytes
				}
				each := (worked(b) - before) / time.Duration(b.N)
				b.ReportMetric(100*each.Seconds()/15, "%core")
				b.ReportMetric(float64(lines), "series")
				b.ReportMetric(float64(bytes), "bytes")
			})
		}
	}
}

// bare is as many series that cost nothing to find out.
type bare struct {
	desc  *prometheus.Desc
	names []string
}

func (bare) Describe(chan<- *prometheus.Desc) {}

func (c bare) Collect(ch chan<- prometheus.Metric) {
	for _, name := range c.names {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, 1, name, "value")
	}
}

// A series of ours costs about what a constant does: nothing that a scrape
// does may grow with people or meetings, or read the database. Both are measured
// in this run, at the size that we promise.
func TestScrapesAreCheap(t *testing.T) {
	t.Parallel()
	meetings, backends := 5000, 1000
	if raced {
		meetings, backends = meetings/10, backends/10
	}
	s := large(t, meetings, backends)
	c := bare{desc: prometheus.NewDesc("bare", "Nothing.", []string{"name", "label"}, nil)}
	for i := range len(s.scrape()) {
		c.names = append(c.names, strconv.Itoa(i))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	floor := promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	took := func(h http.Handler) time.Duration {
		begin := time.Now()
		scrapeAs(t, h, "")
		return time.Since(begin)
	}
	// The fastest of some, by turns: what others do on the machine only adds.
	ours, theirs := time.Hour, time.Hour
	for range 5 {
		ours, theirs = min(ours, took(s.metrics.Handler())), min(theirs, took(floor))
	}
	t.Logf("%d series take %.1f times what as many constants do", len(c.names), ours.Seconds()/theirs.Seconds())
	if ours > 5*theirs {
		t.Errorf("a scrape takes %s, one of as many constants %s", ours, theirs)
	}
}

func BenchmarkRequested(b *testing.B) {
	s := large(b, 1000, 10)
	r := metrics.Request{Frontend: "fe7", Resource: "join", Result: "ok", Took: 15 * time.Microsecond}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.metrics.Requested(r)
		}
	})
}
