package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
)

const frontendKey = "school"

// plan describes a site. The zero value has three 3.0 nodes, reached without
// sockets, whose rooms have been listed before.
type plan struct {
	nodes    int
	node     func(i int, o *bbbtest.Options)
	backend  func(i int, b *b3scale.Backend)
	settings b3scale.FrontendSettings
	sockets  bool
	dsn      string // of a PostgreSQL database; SQLite in a file otherwise
	ownClock bool   // PostgreSQL's clock counts, which no bubble moves
	unlisted bool   // nobody has ever listed the backends
	opts     Options
	load     routing.LoadOptions
	wrap     func(b3scale.Store) b3scale.Store
	calling  func(Nodes) Nodes
}

// site is a cluster over simulated nodes and a database of its own.
type site struct {
	t        testing.TB
	ctx      context.Context // also while cleaning up
	plan     plan
	database database
	store    *sqlstore.Store
	nodes    []*bbbtest.Node
	network  *bbbtest.Network // nil with sockets
	client   *bbb.Client
	frontend b3scale.Frontend
	backends []string // ids, by node
	c        *Cluster
	seen     []*sightings // of the lists that the test asks for, by node

	background sync.WaitGroup
	unchecked  bool // the test leaves rows and rooms apart on purpose
}

// inBubble runs a test in fake time.
func inBubble(t *testing.T, p plan, body func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		body(t, newSite(t, p))
	})
}

func newSite(t testing.TB, p plan) *site {
	t.Helper()
	if p.nodes == 0 {
		p.nodes = 3
	}
	if p.load == (routing.LoadOptions{}) {
		p.load = routing.LoadOptions{DefaultSize: 15, Hold: 10 * time.Minute, Fade: 20 * time.Minute}
	}
	s := &site{t: t, ctx: context.WithoutCancel(t.Context()), plan: p, database: database{dsn: p.dsn, ownClock: p.ownClock}}
	s.startNodes()
	s.open()
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	s.configure()
	s.c = s.newCluster()
	s.trust()
	for range s.nodes {
		s.seen = append(s.seen, &sightings{})
	}
	t.Cleanup(func() {
		if !t.Failed() && !s.unchecked {
			s.check()
		}
	})
	return s
}

func (s *site) startNodes() {
	s.t.Helper()
	for i := range s.plan.nodes {
		o := bbbtest.Options{Name: fmt.Sprint("bbb", i), Secret: fmt.Sprint("secret-of-", i)}
		// Internal ids are made of the time. In fake time two nodes would make the same.
		o.Now = func() time.Time { return time.Now().Add(time.Duration(i) * 7013 * time.Millisecond) }
		if s.plan.node != nil {
			s.plan.node(i, &o)
		}
		var n *bbbtest.Node
		if s.plan.sockets {
			n = bbbtest.Start(s.t, o)
		} else {
			n = bbbtest.New(o)
			s.t.Cleanup(n.Close)
		}
		logtest.Node(s.t, n)
		s.nodes = append(s.nodes, n)
	}
	var opts bbb.ClientOptions
	if !s.plan.sockets {
		s.network = bbbtest.Transport(s.nodes...)
		opts.Transport = s.network
	}
	s.client = bbb.NewClient(opts)
	s.t.Cleanup(s.client.CloseIdle)
}

// emptyDatabase is the file of a store that has just been made. Copies of it
// spare every test the migrations and their commits.
var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "b3scale-cluster-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	store, err := sqlstore.Open(context.Background(), path, sqlstore.Options{})
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// open opens the store, in a fresh file at first.
func (s *site) open() {
	s.t.Helper()
	if s.database.path == "" && s.database.dsn == "" {
		s.database.path = filepath.Join(s.t.TempDir(), "b3scale.db")
		empty, err := emptyDatabase()
		if err == nil {
			err = os.WriteFile(s.database.path, empty, 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	store, err := s.database.open(s.ctx, 4)
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = store
}

// configure saves the frontend and the backends, all at once: their commits
// then cost little more than one.
func (s *site) configure() {
	s.t.Helper()
	s.backends = make([]string, len(s.nodes))
	var g errgroup.Group
	g.Go(func() (err error) {
		s.frontend, err = s.store.AddFrontend(s.ctx, b3scale.Frontend{Key: frontendKey, Secret: logtest.Secret[b3scale.Secret]("frontend-secret"), Active: true, Settings: s.plan.settings}, b3scale.Actor{})
		s.frontend.Policy = s.frontend.Settings
		return err
	})
	for i, n := range s.nodes {
		g.Go(func() error {
			b := b3scale.Backend{Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1}
			if s.plan.backend != nil {
				s.plan.backend(i, &b)
			}
			saved, err := s.store.AddBackend(s.ctx, b, b3scale.Actor{})
			s.backends[i] = saved.ID
			if err != nil || s.plan.unlisted {
				return err
			}
			return s.store.MarkListed(s.ctx, saved.ID, b3scale.MicrosOf(time.Now()))
		})
	}
	if err := g.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// newCluster makes a cluster as after a start: from what the store knows.
func (s *site) newCluster() *Cluster {
	s.t.Helper()
	var store b3scale.Store = s.store
	if s.plan.wrap != nil {
		store = s.plan.wrap(store)
	}
	var nodes Nodes = s.client
	if s.plan.calling != nil {
		nodes = s.plan.calling(nodes)
	}
	opts := s.plan.opts
	if opts.ListGap == 0 {
		opts.ListGap = 1 // tests list when they like
	}
	c := New(store, routing.NewTable(s.plan.load), nodes, logtest.Logger(), opts)
	if err := c.Load(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// trust marks all backends as probed well just now.
func (s *site) trust() {
	for _, b := range s.c.Backends() {
		b.Probed(true, time.Now())
	}
}

// restart replaces the cluster by a new one on the same store.
func (s *site) restart() {
	s.t.Helper()
	s.c = s.newCluster()
	s.trust()
	for i := range s.seen {
		s.seen[i] = &sightings{}
	}
}

// run starts the cluster's own work: probes, lists and looks.
func (s *site) run() (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.background.Go(func() {
		if err := s.c.Run(ctx); err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	stop = func() {
		cancel()
		s.background.Wait()
	}
	s.t.Cleanup(stop)
	return stop
}

// settleConfig reads the configuration if the cluster asked for that. Run does
// it otherwise.
func (s *site) settleConfig() {
	s.t.Helper()
	select {
	case <-s.c.reload:
		if err := s.c.LoadConfig(s.ctx); err != nil {
			s.t.Fatal(err)
		}
	default:
	}
}

// trustAll keeps the good probes fresh without asking the nodes, so that only
// the test's own calls reach them.
func (s *site) trustAll() {
	ctx, cancel := context.WithCancel(s.ctx)
	s.background.Go(func() {
		for ctx.Err() == nil {
			s.trust()
			pause(ctx, time.Second)
		}
	})
	s.t.Cleanup(func() {
		cancel()
		s.background.Wait()
	})
}

// prefer makes new meetings go to these nodes, in this order, by people in
// foreign rooms on the others.
func (s *site) prefer(nodes ...int) {
	for i := range s.nodes {
		rank := slices.Index(nodes, i)
		if rank < 0 {
			rank = len(s.nodes)
		}
		s.backend(i).SetForeign(1000 * rank)
	}
}

func (s *site) backend(node int) *routing.Backend { return s.c.table.Backend(s.backends[node]) }

// nodeOf is the number of the node that a backend id stands for.
func (s *site) nodeOf(backendID string) int { return slices.Index(s.backends, backendID) }

func (s *site) key(id string) b3scale.MeetingKey {
	return b3scale.MeetingKey{FrontendID: s.frontend.ID, MeetingID: id}
}

// nodeID is the id of a meeting on the nodes.
func nodeID(id string) string { return b3scale.EncodeMeetingID(frontendKey, id) }

func params(pairs ...string) bbb.Params {
	var p bbb.Params
	for i := 0; i < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	return p
}

func (s *site) admin(node int, state b3scale.AdminState) {
	s.t.Helper()
	if _, err := s.c.EditBackend(s.ctx, s.backends[node], b3scale.Actor{}, toState(state)); err != nil {
		s.t.Fatal(err)
	}
}

// toState is an edit of a backend.
func toState(state b3scale.AdminState) func(*b3scale.Backend) error {
	return func(b *b3scale.Backend) error {
		b.AdminState = state
		return nil
	}
}

func (s *site) lose(node int) {
	s.t.Helper()
	if err := s.c.DeclareLost(s.ctx, s.backends[node], b3scale.Actor{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) find(node int) {
	s.t.Helper()
	if _, err := s.store.ClearLost(s.ctx, s.backends[node]); err != nil {
		s.t.Fatal(err)
	}
	if err := s.c.LoadConfig(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}
