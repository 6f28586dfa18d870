package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"b3scale"
	"b3scale/internal/cluster"
	"b3scale/internal/routing"
)

// Options have useful zero values.
type Options struct {
	Log        *slog.Logger // of scrapes that fail; nil: silent
	Version    string
	Build      string // the commit
	Compat     bool   // show the series of the existing product, too
	PerMeeting bool   // and these by meeting
}

// Mind is what is read of the cluster. *cluster.Cluster is one.
type Mind interface {
	EachCount(yield func(*routing.Room, b3scale.Headcount))
	PlacementStats() cluster.PlacementStats
	EventStats() cluster.EventStats
	Unvalidated() int64
	StoreAnswers() bool
	FeedLag() time.Duration
	LimitHits() map[cluster.LimitHit]int64
	Unreserved() int64
}

var _ Mind = (*cluster.Cluster)(nil)

// Sources are what is read at every scrape. The functions may be nil.
type Sources struct {
	Table        *routing.Table
	Mind         Mind
	LoginsFailed func() map[string]int64               // by reason
	Quotas       func(yield func(key string, q Quota)) // of frontends by key
	Callbacks    func() []b3scale.CallbackQueue        // what waits for frontends, on all instances together
	Recordings   func() RecordingFacts                 // of all instances together
}

// Quota is what the limits of calls have done to a frontend at this instance.
type Quota struct {
	LimitedCalls, LimitedJoins, Crowded int64 // refused
	UnderWay                            int   // calls to nodes
}

// Metrics counts what it is told, and shows that beside what memory knows.
type Metrics struct {
	opts     Options
	registry *prometheus.Registry
	counts   counts
}

// New makes one that shows itself in a registry. What it is told counts at once.
func New(registry *prometheus.Registry, opts Options) *Metrics {
	m := &Metrics{opts: opts, registry: registry, counts: counts{doors: newDoors()}}
	if m.opts.Log == nil {
		m.opts.Log = slog.New(slog.DiscardHandler)
	}
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Show begins to show what is read of the sources, and what was counted. Call
// it once.
func (m *Metrics) Show(sources Sources) {
	m.registry.MustRegister(&collector{Metrics: m, Sources: sources})
}

// Handler answers scrapes. One that fails is an error, not a part of the truth.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{m.opts.Log},
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTime, // so that who reads slowly keeps nobody else waiting: the answer is buffered
	})
}

// These bound what somebody can make us do by asking.
const (
	maxScrapes = 4
	scrapeTime = 30 * time.Second
)

type scrapeLog struct{ log *slog.Logger }

// Println is what the client library asks of a log.
func (l scrapeLog) Println(v ...any) {
	l.log.Error("metrics not shown", "error", strings.TrimSpace(fmt.Sprintln(v...)))
}

// collector reads everything at each scrape. It describes nothing beforehand:
// frontends and backends come and go, and their series with them.
type collector struct {
	*Metrics
	Sources
}

func (*collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	out := sink{ch}
	c.forget()
	s := c.survey()
	c.showFrontends(out, s)
	c.showBackends(out, s)
	c.showInstance(out)
	c.showCallbacks(out, s.now)
	c.showRecordings(out, s.now)
	if c.opts.Compat {
		c.showCompat(out, s)
	}
	out.gauge(buildInfo, 1, c.opts.Version, c.opts.Build, runtime.Version())
}

// forget drops what was counted of frontends and backends that are gone.
func (c *collector) forget() {
	c.counts.frontends.keep(func(key string) bool { return key == "" || c.Table.Frontend(key) != nil })
	c.counts.backends.keep(func(id string) bool { return c.Table.Backend(id) != nil })
}

// sink takes metrics. One that cannot be is told by the registry at its end.
type sink struct{ ch chan<- prometheus.Metric }

func (s sink) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	s.take(desc)(prometheus.NewConstMetric(desc, prometheus.GaugeValue, value, labels...))
}

func (s sink) counter(desc *prometheus.Desc, value float64, labels ...string) {
	s.take(desc)(prometheus.NewConstMetric(desc, prometheus.CounterValue, value, labels...))
}

func (s sink) histogram(desc *prometheus.Desc, h *histogram, labels ...string) {
	s.take(desc)(h.metric(desc, labels...))
}

func (s sink) flag(desc *prometheus.Desc, on bool, labels ...string) {
	value := 0.0
	if on {
		value = 1
	}
	s.gauge(desc, value, labels...)
}

func (s sink) take(desc *prometheus.Desc) func(prometheus.Metric, error) {
	return func(m prometheus.Metric, err error) {
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		s.ch <- m
	}
}

// family describes one of ours.
func family(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("b3scale_"+name, help, labels, nil)
}

var buildInfo = family("build_info", "Always 1; the labels tell what runs here.", "version", "revision", "goversion")
