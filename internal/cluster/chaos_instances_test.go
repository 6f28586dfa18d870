package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
)

// slot is where one instance after the other runs: its network and its way to
// the store stay.
type slot struct {
	number  int
	network *bbbtest.Network
	client  *bbb.Client
	weather *weather

	mu      sync.Mutex
	current *instance
	lives   int
}

// instance is one life of the process.
type instance struct {
	*mortal
	slot    *slot
	cluster *Cluster
	own     *sqlstore.Store // nil where the store is shared
	born    time.Time
	stopped chan struct{}
}

func (w *world) newSlot(number int) *slot {
	s := &slot{number: number, network: bbbtest.Transport(w.nodes...)}
	s.weather = newWeather(func() bool { return !w.quiet.Load() && w.chance(4) })
	s.client = bbb.NewClient(bbb.ClientOptions{Transport: s.network})
	w.t.Cleanup(s.client.CloseIdle)
	return s
}

func (s *slot) get() *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *slot) set(i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = i
}

// instance is one that runs, nil when none does.
func (w *world) instance() *instance {
	var running []*instance
	for _, s := range w.slots {
		if i := s.get(); i != nil && !i.dead.Load() {
			running = append(running, i)
		}
	}
	if len(running) == 0 {
		return nil
	}
	return running[w.n(len(running))]
}

// keepAlive starts an instance, and another one whenever it has died. The last
// one stays.
func (w *world) keepAlive(s *slot, until time.Time) {
	for time.Now().Before(until) {
		i := w.start(s)
		select {
		case <-i.ctx.Done():
			w.count("deaths", 1)
		case <-time.After(time.Until(until)):
			return
		}
		<-i.stopped
		w.bury(i)
		s.set(nil)
		if len(w.slots) == 1 && w.chance(3) {
			w.reopen()
		}
		w.nap(0, 5*time.Second)
	}
}

// blackout kills all instances, does something while none runs, and lets them
// be started again.
func (w *world) blackout(do func()) {
	if !w.darken() {
		return
	}
	for settled := false; !settled; time.Sleep(50 * time.Millisecond) {
		settled = w.begun(0) == 0
		for _, s := range w.slots {
			if i := s.get(); i != nil {
				i.kill()
				<-i.stopped
			}
		}
	}
	do()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dark = false
}

func (w *world) darken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.dark
	w.dark = true
	return !before
}

// begun counts the births that are under way.
func (w *world) begun(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.births += n
	return w.births
}

// beginBirth reports whether an instance may be born now.
func (w *world) beginBirth() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dark {
		w.births++
	}
	return !w.dark
}

func (w *world) start(s *slot) *instance {
	for !w.beginBirth() {
		time.Sleep(100 * time.Millisecond) // a lock would stop the clock of the bubble
	}
	defer w.begun(-1)
	i := w.birth(s)
	go func() {
		defer close(i.stopped)
		if err := i.cluster.Run(i.ctx); err != nil {
			w.witness.broken("run", "%v", err)
		}
	}()
	s.set(i)
	return i
}

// birth makes an instance, which does nothing by itself yet.
func (w *world) birth(s *slot) *instance {
	i := &instance{slot: s, born: time.Now(), stopped: make(chan struct{})}
	shared := w.chaos.on.instances > 1
	store := w.store
	if w.database.dsn != "" {
		own, err := w.database.open(w.ctx, 4)
		if err != nil {
			w.t.Errorf("open the store: %v", err)
		}
		store, i.own = own, own
	}
	var seen b3scale.Store = store
	if w.chaos.mutation.store != nil {
		seen = w.chaos.mutation.store(w, seen)
	}
	seen = &judge{Store: seen, w: w}
	ear := w.wire.newEar()
	if shared {
		seen = telling{Store: seen, ear: ear}
	}
	m := &mortal{nodes: s.client, weather: s.weather, called: w.called, held: w.held}
	if w.chaos.mutation.nodes != nil {
		m.nodes = w.chaos.mutation.nodes(m.nodes)
	}
	m.told = func(node bbb.Node, call bbb.Call, answer *bbb.Answer) { w.told(s, node, call, answer) }
	m.Store = tapped{store: seen, around: m.step}
	if w.chaos.mutation.outer != nil {
		m.Store = w.chaos.mutation.outer(m.Store)
	}
	m.ctx, m.die = context.WithCancel(w.ctx)
	loaded := false
	m.mayDie = func(method string) bool { return loaded && w.mayDie(method) }
	i.mortal = m
	opts := w.chaos.opts()
	s.lives++
	opts.Instance = fmt.Sprint("instance-", s.number, "-", s.lives)
	if shared {
		opts.Changes = ear
	}
	i.cluster = New(m, routing.NewTable(w.plan.load), m, logtest.Logger(), opts)
	for err := i.cluster.Load(w.ctx); err != nil; err = i.cluster.Load(w.ctx) {
		if s.weather.fairSince(time.Now().Add(-10 * time.Second)) {
			w.witness.broken("store", "load: %v", err)
		}
		time.Sleep(time.Second)
	}
	loaded = true
	return i
}

// bury closes what a dead instance leaves behind.
func (w *world) bury(i *instance) {
	if i.own == nil {
		return
	}
	if err := i.own.Close(); err != nil {
		w.witness.broken("store", "close: %v", err)
	}
}

// routine are the steps that every instance makes all the time.
var routine = []string{
	"isMeetingRunning", "VersionsSince", "ConfigVersion", "Reports", "LiveVersions", "ReadMeetings", "Leases", "AcquireLeases",
	"SaveProbes", "Now", "Frontends", "Backends", "Orphans", "SaveReport", "TakeCommand",
	"PurgeCommands", "SaveSecretUses",
}

func (w *world) mayDie(method string) bool {
	if w.chaos.deaths == 0 || w.quiet.Load() {
		return false
	}
	rarely := 1
	if slices.Contains(routine, method) {
		rarely = 20
	}
	return w.chance(w.chaos.deaths * rarely)
}

// row reads the row of a meeting, also while the store is opened again.
func (w *world) row(id string) (b3scale.Meeting, bool) {
	w.t.Helper()
	w.reopening.RLock()
	defer w.reopening.RUnlock()
	return w.site.row(id)
}

func (w *world) reopen() {
	w.reopening.Lock()
	defer w.reopening.Unlock()
	if err := w.store.Close(); err != nil {
		w.witness.broken("store", "close: %v", err)
	}
	w.open()
}
