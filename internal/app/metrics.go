package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof" //nolint:gosec // G108: what it registers by itself nobody serves
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"b3scale/internal/config"
	"b3scale/internal/gateway"
	"b3scale/internal/metrics"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
	"b3scale/internal/web"
)

func newMetrics(cfg config.Config, log *slog.Logger) *metrics.Metrics {
	return metrics.New(prometheus.NewRegistry(), metrics.Options{
		Log: log, Version: Version, Build: Build, Compat: cfg.MetricsCompat, PerMeeting: cfg.MetricsPerMeeting,
	})
}

// storeUses tells metrics of the database.
type storeUses struct{ *metrics.Metrics }

var _ sqlstore.Observer = storeUses{}

// Used counts one use.
func (m storeUses) Used(kind sqlstore.UseKind, took time.Duration, failure sqlstore.UseFailure) {
	m.StoreUsed(string(kind), took, string(failure))
}

// requested tells metrics of the requests of frontends.
func requested(m *metrics.Metrics) func(gateway.Record) {
	return func(r gateway.Record) {
		m.Requested(metrics.Request{Frontend: r.Frontend, Resource: r.Resource, Result: r.Result, Took: r.Took, Node: r.Node})
	}
}

// showMetrics begins to show what is there.
func (a *App) showMetrics(table *routing.Table, door *gateway.Gateway) {
	sources := metrics.Sources{Table: table, Mind: a.cluster, Callbacks: a.outbox.Queues, Quotas: func(yield func(string, metrics.Quota)) {
		for f, use := range door.Uses() {
			yield(f.Key, metrics.Quota{
				LimitedCalls: int64(use.LimitedCalls - use.LimitedJoins), LimitedJoins: int64(use.LimitedJoins),
				Crowded: int64(use.Crowded), UnderWay: use.UnderWay,
			})
		}
	}}
	if a.library != nil {
		a.survey = metrics.NewRecordingSurvey(a.store, 0)
		sources.Recordings = a.survey.Facts
	}
	if a.guard != nil {
		sources.LoginsFailed = func() map[string]int64 {
			counts := map[string]int64{}
			for reason, n := range a.guard.Failures() {
				counts[string(reason)] = n
			}
			return counts
		}
	}
	a.metrics.Show(sources)
}

// metricsDoor is on the main listener unless there is one for it alone.
func (a *App) metricsDoor() []web.Door {
	if a.cfg.MetricsListen != "" {
		return nil
	}
	return []web.Door{{Handler: a.metrics.Handler(), Patterns: []string{"GET /metrics"}}}
}

// apart is the listener for metrics and profiles alone.
type apart struct {
	server   *http.Server // nil: there is none
	listener net.Listener
}

func (a *App) newApart() apart {
	if a.cfg.MetricsListen == "" {
		return apart{}
	}
	profiles := http.NewServeMux()
	profiles.HandleFunc("/debug/pprof/", pprof.Index)
	profiles.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return apart{server: &http.Server{
		Handler: a.watched(web.Handler(http.NotFoundHandler(), nil, &a.ready,
			web.Door{Handler: a.metrics.Handler(), Patterns: []string{"GET /metrics"}},
			web.Door{Handler: profiles, Patterns: []string{"/debug/pprof/"}})),
		ReadHeaderTimeout: a.cfg.ReadHeaderTimeout,
		IdleTimeout:       a.cfg.IdleTimeout, // and no limit for answers: a profile takes as long as it is told to
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}}
}

// The settings of the listeners.
const (
	nameListen        = "B3SCALE_LISTEN_HTTP"
	nameMetricsListen = "B3SCALE_METRICS_LISTEN"
)

// listen opens the listeners, or none.
func (a *App) listen(ctx context.Context) error {
	main, err := listenOn(ctx, nameListen, a.cfg.Listen)
	if err != nil {
		return err
	}
	if a.apart.server != nil {
		if a.apart.listener, err = listenOn(ctx, nameMetricsListen, a.cfg.MetricsListen); err != nil {
			_ = main.Close() // nobody has come yet
			return err
		}
	}
	a.listener = main
	return nil
}

func listenOn(ctx context.Context, name, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s=%s: %w", name, address, err)
	}
	return l, nil
}

// serve answers until it is closed.
func (p apart) serve() error {
	if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// MetricsURL is where metrics are served, for a client on this machine.
func (a *App) MetricsURL() string {
	if a.apart.listener == nil {
		return a.URL()
	}
	return "http://" + a.apart.listener.Addr().String()
}
