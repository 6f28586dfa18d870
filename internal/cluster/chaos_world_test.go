package cluster

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// world is a site where everything goes wrong, and somebody watches.
type world struct {
	*site
	chaos   chaos
	witness *witness
	byHost  map[string]int // node by base URL

	mu       sync.Mutex
	rng      *rand.Rand
	current  *instance
	wanted   map[string]bool            // rooms, by internal id, whose end a frontend asked for
	ending   map[b3scale.MeetingKey]int // ends of frontends under way
	lived    map[string]time.Time       // rooms, by internal id: when a node last told us of them
	happened map[string]int
	quiet    atomic.Bool
}

func newWorld(t *testing.T, c chaos, seed uint64) *world {
	t.Helper()
	versions := []string{"2.5", "2.7", "3.0"}
	if c.patience > 0 {
		versions = []string{"2.4"}
	}
	w := &world{
		site: newSite(t, plan{nodes: c.nodes, unlisted: true, node: func(i int, o *bbbtest.Options) {
			o.Version = versions[i%len(versions)]
			o.EndDelay = time.Duration(i+1) * 500 * time.Millisecond
			// Create times tell the nodes apart, see the trigger w_i5_home.
			o.Now = func() time.Time { ms := time.Now().UnixMilli(); return time.UnixMilli(ms - ms%64 + 8*int64(i)) }
		}}),
		chaos:    c,
		byHost:   map[string]int{},
		rng:      rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // a seed repeats the faults
		wanted:   map[string]bool{},
		ending:   map[b3scale.MeetingKey]int{},
		lived:    map[string]time.Time{},
		happened: map[string]int{},
	}
	w.unchecked = true // calm does it
	for i, n := range w.nodes {
		w.byHost[n.BaseURL()] = i
	}
	var err error
	if w.witness, err = newWitness(w.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.witness.close)
	return w
}

// live lets clients work and everything go wrong for a while.
func (w *world) live() {
	begin := time.Now()
	until := begin.Add(w.chaos.lasts)
	var wg sync.WaitGroup
	for range w.chaos.clients {
		wg.Go(func() {
			for time.Now().Before(until) {
				w.nap(0, 4*time.Second)
				w.act(fmt.Sprint("m", w.n(w.chaos.meetings)))
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(until) {
			w.nap(500*time.Millisecond, 8*time.Second)
			w.fault(&wg)
		}
	})
	wg.Go(func() { w.keepAlive(until) })
	wg.Wait()
}

// calm ends the faults and waits for four lists of every backend, after the
// time for which a row may be creating. Then everything must be in order.
func (w *world) calm() {
	w.quiet.Store(true)
	w.repair()
	i := w.start()
	for n := range w.nodes {
		b := i.cluster.table.Backend(w.backends[n]).Backend
		b.AdminState = b3scale.AdminReady
		if _, err := i.cluster.SaveBackend(w.ctx, b); err != nil {
			w.witness.broken("store", "%v", err)
		}
	}
	time.Sleep(61*time.Second + w.chaos.patience)
	w.listedTimes(i.cluster, 5)
	w.c = i.cluster
	for _, p := range w.unsettled() {
		w.witness.broken("I8", "%s", p)
	}
	i.kill()
	<-i.stopped
}

// listedTimes waits until every node has been listed n times from now on.
func (w *world) listedTimes(c *Cluster, n int) {
	before := make([]int, len(w.nodes))
	for i, node := range w.nodes {
		before[i] = len(node.Calls("getMeetings"))
	}
	end := time.Now().Add(2 * time.Duration(n) * c.opts.ListInterval)
	for i, node := range w.nodes {
		for len(node.Calls("getMeetings")) < before[i]+n && time.Now().Before(end) {
			time.Sleep(time.Second)
		}
	}
	time.Sleep(time.Second)
}

func (w *world) count(what string, really bool) {
	if really {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.happened[what]++
	}
}

// some is a random time between the two.
func (w *world) some(from, to time.Duration) time.Duration {
	return from + time.Duration(w.n(int((to-from)/time.Microsecond)))*time.Microsecond
}

func (w *world) nap(from, to time.Duration) { time.Sleep(w.some(from, to)) }

func (w *world) chance(oneIn int) bool { return w.n(oneIn) == 0 }

func (w *world) n(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}
