package cluster

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// mortal is the outside of one instance: it can be killed or stand still
// between any two steps, or in the middle of one, and its store can be away.
// What a dead instance still does reaches neither the store nor the nodes.
type mortal struct {
	b3scale.Store // as the instance sees it
	nodes         Nodes
	weather       *weather

	mayDie func(method string) bool // asked before and after each step
	called func(node bbb.Node, call bbb.Call)
	told   func(node bbb.Node, call bbb.Call, answer *bbb.Answer)
	held   func(place string) // somebody calls a node with something of the store in hand
	ctx    context.Context    // ends with the instance
	die    context.CancelFunc
	dead   atomic.Bool
}

var errDied = errors.New("the instance died")

func (m *mortal) kill() {
	m.dead.Store(true)
	m.die()
}

// alive is asked before and after every step. It waits while the instance
// stands still.
func (m *mortal) alive(method string) bool {
	if !underLock[method] {
		m.weather.stand(m.ctx)
	}
	if !m.dead.Load() && m.mayDie(method) {
		m.kill()
	}
	return !m.dead.Load()
}

// Do calls a node.
func (m *mortal) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	if !m.alive(call.Name) {
		return nil, errDied
	}
	if place := insideStore(); place != "" {
		m.held(place)
	}
	m.called(node, call)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	answer, err := m.nodes.Do(ctx, node, call)
	if !m.alive(call.Name) {
		return nil, errDied
	}
	if err == nil {
		m.told(node, call, answer)
	}
	return answer, err
}

// step is one call of the store.
func (m *mortal) step(ctx context.Context, method string, call func() error) error {
	if !m.alive(method) {
		return errDied
	}
	if err := m.weather.before(ctx, m.ctx, underLock[method]); err != nil {
		return err
	}
	err := call()
	if !m.alive(method) {
		return errDied
	}
	if err == nil && writes(method) && m.weather.loses() {
		return b3scale.Errorf(b3scale.Unavailable, "the answer of the store was lost")
	}
	return err
}

// insideStore names the call of the store in which this goroutine is, if any:
// who calls a node from there holds a connection or a transaction.
func insideStore() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, "internal/cluster.tapped.") || strings.Contains(frame.Function, "/internal/sqlstore.") {
			return frame.Function
		}
		if !more {
			return ""
		}
	}
}

// reading are the calls that change nothing; an answer of theirs that is lost
// is only one that did not come.
var reading = map[string]bool{
	"Frontends": true, "FrontendDefaults": true, "Backends": true, "LiveMeetings": true, "Meeting": true, "LiveVersions": true, "VersionsSince": true,
	"ReadMeetings": true, "ConfigVersion": true, "Reports": true, "Agents": true, "Orphans": true, "Attendees": true, "Probes": true,
	"Leases": true, "Now": true, "Heartbeats": true, "SecretUses": true, "Commands": true, "Command": true, "Audit": true, "Schema": true,
}

// underLock are those that memory is filled from, one at a time. They fail at
// once where others wait: a bubble's clock stands still while somebody waits
// for a mutex.
var underLock = map[string]bool{
	"Frontends": true, "FrontendDefaults": true, "Backends": true, "LiveVersions": true, "VersionsSince": true, "ReadMeetings": true,
	"ConfigVersion": true, "Reports": true, "Agents": true,
}

func writes(method string) bool { return !reading[method] }

// weather is how an instance fares with its store, and whether it runs at all.
// It outlives the instance.
type weather struct {
	mu      sync.Mutex
	store   storeMode
	still   bool
	changed chan struct{} // closed at the next change
	bad     time.Time     // when it last was anything but fair
	lose    func() bool
	lost    int
}

// storeMode is how the store behaves.
type storeMode int

const (
	storeFair    storeMode = iota
	storeRefuses           // at once
	storeHangs             // until the caller or the driver gives up
	storeForgets           // some answers are lost after the commit
)

const storePatience = 5 * time.Second // of the driver

func newWeather(lose func() bool) *weather { return &weather{changed: make(chan struct{}), lose: lose} }

func (w *weather) set(change func(w *weather)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store != storeFair || w.still {
		w.bad = time.Now()
	}
	change(w)
	if w.store != storeFair || w.still {
		w.bad = time.Now()
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *weather) setStore(mode storeMode) { w.set(func(w *weather) { w.store = mode }) }
func (w *weather) setStill(still bool)     { w.set(func(w *weather) { w.still = still }) }

func (w *weather) get() (mode storeMode, still bool, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.store, w.still, w.changed
}

// fairSince reports whether nothing has been wrong from then on.
func (w *weather) fairSince(t time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.store == storeFair && !w.still && w.bad.Before(t)
}

// stand waits while the instance stands still, unless it dies.
func (w *weather) stand(life context.Context) {
	for {
		_, still, changed := w.get()
		if !still {
			return
		}
		select {
		case <-changed:
		case <-life.Done():
			return
		}
	}
}

// before is the way to the store.
func (w *weather) before(ctx, life context.Context, atOnce bool) error {
	patience := time.NewTimer(storePatience)
	defer patience.Stop()
	for {
		mode, still, changed := w.get()
		switch {
		case mode == storeRefuses, atOnce && (still || mode == storeHangs):
			return b3scale.Errorf(b3scale.Unavailable, "the store refuses")
		case mode != storeHangs:
			return nil
		}
		select {
		case <-changed:
			continue
		case <-life.Done():
			return errDied
		case <-ctx.Done():
		case <-patience.C:
		}
		return b3scale.Errorf(b3scale.Unavailable, "the store did not answer in time")
	}
}

// loses reports whether the answer to a write is lost.
func (w *weather) loses() bool {
	if mode, _, _ := w.get(); mode != storeForgets || !w.lose() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost++
	return true
}

// hasLost reports whether any answer was ever lost.
func (w *weather) hasLost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost > 0
}
