package cluster

import (
	"context"
	"log/slog"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// instance is one life of the process.
type instance struct {
	*mortal
	cluster *Cluster
	stopped chan struct{}
}

// keepAlive starts an instance, and another one whenever it has died.
func (w *world) keepAlive(until time.Time) {
	for time.Now().Before(until) {
		i := w.start()
		select {
		case <-i.ctx.Done():
			w.count("deaths", true)
		case <-time.After(time.Until(until)):
			i.kill()
		}
		w.setCurrent(nil)
		<-i.stopped
		if w.chance(3) {
			w.reopen()
		}
		w.nap(0, 5*time.Second)
	}
}

func (w *world) start() *instance {
	i := w.birth()
	go func() {
		defer close(i.stopped)
		if err := i.cluster.Run(i.ctx); err != nil {
			w.witness.broken("run", "%v", err)
		}
	}()
	w.setCurrent(i)
	return i
}

// birth makes an instance, which does nothing by itself yet.
func (w *world) birth() *instance {
	var store b3scale.Store = w.store
	if w.chaos.mutate != nil {
		store = w.chaos.mutate(store)
	}
	m := &mortal{Store: &judge{Store: store, w: w}, nodes: w.client, mayDie: w.mayDie, called: w.called, told: w.told}
	m.ctx, m.die = context.WithCancel(w.ctx)
	opts := w.chaos.opts
	if opts == (Options{}) {
		opts = Options{ListInterval: 5 * time.Second, OrphanLease: 4 * time.Second, LostAfter: 30 * time.Second}
	}
	i := &instance{mortal: m, stopped: make(chan struct{})}
	i.cluster = New(m, routing.NewTable(w.plan.load), m, slog.New(slog.DiscardHandler), opts)
	if err := i.cluster.Load(w.ctx); err != nil {
		w.witness.broken("store", "load: %v", err)
	}
	return i
}

func (w *world) mayDie() bool {
	return w.chaos.deaths > 0 && !w.quiet.Load() && w.chance(w.chaos.deaths)
}

func (w *world) setCurrent(i *instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current = i
}

func (w *world) instance() *instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current
}

func (w *world) reopen() {
	if err := w.store.Close(); err != nil {
		w.witness.broken("store", "close: %v", err)
	}
	w.open()
}
