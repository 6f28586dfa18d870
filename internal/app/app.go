package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/adminapi"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
	"b3scale/internal/cluster"
	"b3scale/internal/config"
	"b3scale/internal/gateway"
	"b3scale/internal/metrics"
	"b3scale/internal/recordings"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
	"b3scale/internal/web"
)

// noticeFor is how long /readyz says that we are about to go before we close the
// door, so that a balancer in front can look elsewhere.
const noticeFor = time.Second

// drainFor is how long requests in flight may take once we were told to stop.
const drainFor = 20 * time.Second

// Options replace what production takes from its defaults.
type Options struct {
	Cluster       cluster.Options    // the settings win where both say something
	Client        bbb.ClientOptions  // towards the nodes
	Level         *Level             // of the log, if it may change
	StorePatience time.Duration      // how long New waits for a PostgreSQL that does not answer; 0: not at all
	Callbacks     callbacks.Options  // what the settings say wins
	Recordings    recordings.Options // what the settings say wins
	StoreTimeout  time.Duration      // how long a transaction may take there; 0: as long as the store says
}

// App is one b3scaled.
type App struct {
	cfg      config.Config
	log      *slog.Logger
	instance string
	level    *Level // nil: it stays as it is
	store    *sqlstore.Store
	client   *bbb.Client
	cluster  *cluster.Cluster
	outbox   *callbacks.Outbox
	intake   *callbacks.Intake
	library  *recordings.Library      // nil: no recordings are kept
	playback *recordings.Playback     // nil: as above
	survey   *metrics.RecordingSurvey // nil: as above
	ready    web.Readiness
	server   *http.Server
	guard    *auth.Guard // nil: there is no REST API
	metrics  *metrics.Metrics
	apart    apart

	listener net.Listener
	stop     context.CancelFunc
	quiet    context.CancelFunc // no further callbacks
	running  *errgroup.Group
}

// New opens the store and wires everything. Nothing runs yet.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, opts Options) (*App, error) {
	counts := newMetrics(cfg, log)
	store, err := awaitStore(ctx, cfg, log, opts.StorePatience, opts.StoreTimeout, storeUses{counts})
	if err != nil {
		return nil, err
	}
	opts.Cluster = clusterOptions(cfg, store, opts.Cluster)
	opts.Cluster.Calls = counts
	keys := auth.NewKeys(cfg.JWTSecret, cfg.JWTSecondarySecret)
	relay := callbacks.NewRelay(cfg.APIURL, keys)
	if cfg.JWTSecret != "" { // else nobody could take in what comes back
		opts.Cluster.Relay = relay
	}
	log.InfoContext(ctx, "store opened", "url", cfg.Store, "instance", opts.Cluster.Instance)
	if store.Created() {
		log.WarnContext(ctx, "the database is new and empty", "url", cfg.Store)
	}
	if opts.Client.RootCAs == nil {
		opts.Client.RootCAs = cfg.NodeRoots()
	}
	client := bbb.NewClient(opts.Client)
	table := routing.NewTable(routing.LoadOptions{DefaultSize: cfg.MeetingSize, Hold: cfg.MeetingSizeHold, Fade: cfg.MeetingSizeFade})
	mind := cluster.New(store, table, client, log, opts.Cluster)
	a := &App{cfg: cfg, log: log, level: opts.Level, instance: opts.Cluster.Instance, store: store, client: client, cluster: mind, metrics: counts}
	a.outbox = callbacks.New(store, mind, log, outboxOptions(cfg, a.instance, counts, opts.Callbacks))
	a.intake = callbacks.NewIntake(a.outbox, relay, mind, log)
	a.library = a.newLibrary(relay, opts.Recordings)
	a.playback = a.newPlayback(keys)
	a.ready.Degraded = a.degraded
	door := gateway.New(mind, log, gateway.Options{
		MaxBody: int64(cfg.MaxBody), MaxPresentation: int64(cfg.MaxPresentationBody), MaxBodies: int64(cfg.MaxBodies), ExtraResources: cfg.ExtraResources,
		WriteTimeout: cfg.WriteTimeout, RequestTimeout: opts.Cluster.RequestTimeout, NodeCalls: cfg.NodeCalls, Trusted: cfg.TrustedProxies,
		Done: requested(counts), Unproven: counts.Unproven, Recordings: a.gatewayRecordings(), Playback: a.gatewayPlayback(),
	})
	doors := slices.Concat(a.operatorsDoor(keys), a.metricsDoor(), []web.Door{web.Welcome(Version, Build)})
	handler := web.Handler(door, gateway.Prefixes, &a.ready, doors...)
	a.showMetrics(table, door)
	a.apart = a.newApart()
	a.server = &http.Server{
		Handler:           a.watched(handler),
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		ReadTimeout:       cfg.RequestTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    64 << 10, // joins carry long queries
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return a, nil
}

// watched gives every request its id, its count, its line in the log, and an
// answer if it panics.
func (a *App) watched(next http.Handler) http.Handler {
	line := web.AccessLog(a.log, web.Access(a.cfg.AccessLog), a.cfg.TrustedProxies, web.Recover(a.log, next))
	return web.RequestID(a.metrics.Doors(line))
}

// operatorsDoor is open only where tokens can be told from forgeries.
func (a *App) operatorsDoor(keys auth.Keys) []web.Door {
	if a.cfg.JWTSecret == "" {
		return nil
	}
	a.guard = auth.New(auth.Options{Keys: keys, Log: a.log, Trusted: a.cfg.TrustedProxies})
	var level adminapi.LogLevel
	if a.level != nil {
		level = a.level
	}
	api := adminapi.New(adminapi.Options{
		Recordings: a.apiRecordings(), Playback: a.apiPlayback(),
		Instance: a.instance, Level: level,
		Mind: a.cluster, Store: a.store, Callbacks: a.intake, Guard: a.guard, Log: a.log, Trusted: a.cfg.TrustedProxies,
		Version: Version, Build: Build, MaxBody: int64(a.cfg.MaxBody), Timeout: min(a.cfg.RequestTimeout, a.cfg.WriteTimeout) * 9 / 10,
	})
	return []web.Door{{Handler: api, Patterns: adminapi.Paths}}
}

func outboxOptions(cfg config.Config, instance string, counts *metrics.Metrics, opts callbacks.Options) callbacks.Options {
	opts.Instance = instance
	opts.Allow = callbacks.Allow(cfg.CallbackAllow)
	opts.TurnedAway = counts.CallbackTurnedAway
	opts.Done = func(kind b3scale.CallbackKind, r b3scale.CallbackResult) { counts.CallbackTried(kind, r.State) }
	return opts
}

func clusterOptions(cfg config.Config, store *sqlstore.Store, opts cluster.Options) cluster.Options {
	opts.Instance = "local" // one process has the database
	if cfg.Store.Kind == config.PostgreSQL {
		opts.Instance = b3scale.NewID() // a start is a new instance: what the last one held runs out
		opts.Changes = store
	}
	opts.Observe = cfg.Observe
	opts.ProbeInterval = cfg.ProbeInterval
	opts.LostAfter = cfg.LostAfter
	// The answer must be written before the server gives up on the request.
	opts.RequestTimeout = min(cfg.RequestTimeout, cfg.WriteTimeout) * 9 / 10
	return opts
}

// Cluster is for tests, the demo and later doors.
func (a *App) Cluster() *cluster.Cluster { return a.cluster }

// Seed saves frontends and backends that are not there yet, by key and host.
func (a *App) Seed(ctx context.Context, frontends []b3scale.Frontend, backends []b3scale.Backend) error {
	if err := a.cluster.LoadConfig(ctx); err != nil {
		return err
	}
	hosts := map[string]bool{}
	for _, b := range a.cluster.Backends() {
		hosts[b.Host] = true
	}
	for _, f := range frontends {
		if a.cluster.Frontend(f.Key) != nil {
			continue
		}
		if _, err := a.cluster.AddFrontend(ctx, f, b3scale.Actor{}); err != nil {
			return fmt.Errorf("seed frontend %q: %w", f.Key, err)
		}
	}
	for _, b := range backends {
		if hosts[b.Host] {
			continue
		}
		if _, err := a.cluster.AddBackend(ctx, b, b3scale.Actor{}); err != nil {
			return fmt.Errorf("seed backend %q: %w", b.Host, err)
		}
	}
	return nil
}

// Start loads the memory, listens and begins to work. It returns when joins
// are served; /readyz follows when the backends were probed.
func (a *App) Start(ctx context.Context) error {
	begin := time.Now()
	if err := a.cluster.Load(ctx); err != nil {
		return err
	}
	if err := a.listen(ctx); err != nil {
		return err
	}
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	a.running, ctx = errgroup.WithContext(ctx)
	a.running.Go(func() error { return a.cluster.Run(ctx) })
	a.running.Go(func() error { return a.runLibrary(ctx) })
	a.running.Go(func() error { return a.runSurvey(ctx) })
	sending, quiet := context.WithCancel(ctx)
	a.quiet = quiet
	a.running.Go(func() error { return a.outbox.Run(sending) })
	a.running.Go(func() error {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	if a.apart.server != nil {
		a.running.Go(a.apart.serve)
		a.log.InfoContext(ctx, "serving metrics", "address", a.apart.listener.Addr().String())
	}
	a.running.Go(func() error {
		a.becomeReady(ctx)
		return nil
	})
	a.log.InfoContext(ctx, "serving", "address", a.Addr(), "observe", a.cfg.Observe, "took", time.Since(begin))
	return nil
}

// degraded tells what does not work although we serve.
func (a *App) degraded() string {
	if a.cluster.StoreAnswers() {
		return ""
	}
	return "the database does not answer; people can join, new meetings have to wait"
}

// becomeReady waits for the first round of probes, but not for ever: a backend
// that does not answer must not keep the others from working.
func (a *App) becomeReady(ctx context.Context) {
	for range 50 {
		if a.cluster.Probed() {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	a.ready.Set(true)
	a.log.InfoContext(ctx, "ready", "backends", len(a.cluster.Backends()))
}

// Addr is the address that is listened on.
func (a *App) Addr() string { return a.listener.Addr().String() }

// URL is that address for a client on this machine.
func (a *App) URL() string { return "http://" + a.Addr() }

// Stop drains and closes everything: requests in flight are answered, what
// waits to be written is written.
func (a *App) Stop() error {
	var err error
	if a.running != nil {
		a.ready.Set(false)
		a.log.Info("draining")
		a.quiet() // what is under way ends while requests do
		ctx, cancel := context.WithTimeout(context.Background(), drainFor)
		defer cancel()
		halt := time.AfterFunc(drainFor*3/4, a.cluster.Halt)
		defer halt.Stop()
		if err := a.server.Shutdown(ctx); err != nil {
			a.log.Warn("requests were cut off", "error", err)
			_ = a.server.Close()
		}
		if a.apart.server != nil {
			_ = a.apart.server.Close() // who scrapes comes again
		}
		a.stop()
		err = errors.Join(err, a.running.Wait())
	}
	a.client.CloseIdle()
	err = errors.Join(err, a.store.Close())
	a.log.Info("stopped")
	return err
}

// Run starts, serves until ctx ends or something breaks, and stops.
func (a *App) Run(ctx context.Context) error {
	if err := a.Start(ctx); err != nil {
		return errors.Join(err, a.store.Close())
	}
	broken := make(chan error, 1)
	go func() { broken <- a.running.Wait() }()
	select {
	case <-ctx.Done():
	case err := <-broken:
		return errors.Join(err, a.Stop())
	}
	a.ready.Set(false)
	select {
	case <-time.After(noticeFor):
		return a.Stop()
	case err := <-broken:
		return errors.Join(err, a.Stop())
	}
}
