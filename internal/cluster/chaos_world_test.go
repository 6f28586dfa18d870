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
	slots   []*slot
	wire    *wire
	asked   *asked

	reopening sync.RWMutex // site.store is replaced

	mu       sync.Mutex
	rng      *rand.Rand
	wanted   map[string]bool            // rooms, by internal id, whose end a frontend asked for
	ending   map[b3scale.MeetingKey]int // ends of frontends under way
	lived    map[string]time.Time       // rooms, by internal id: when a node last told us of them
	happened map[string]int
	quiet    atomic.Bool
	dark     bool // no instance is to be started
	births   int
}

// farLimits are never reached, but counted all the time.
var farLimits = b3scale.FrontendSettings{
	AttendeesLimit: &b3scale.AttendeesLimit{Limit: 100_000}, MeetingsLimit: &b3scale.MeetingsLimit{Limit: 10_000},
}

func newWorld(t *testing.T, c chaos, seed uint64) *world {
	t.Helper()
	versions := []string{"2.5", "2.7", "3.0"}
	if c.patience > 0 {
		versions = []string{"2.4"}
	}
	w := &world{
		site: newSite(t, plan{nodes: c.nodes, dsn: c.dsn, unlisted: true, settings: farLimits, node: func(i int, o *bbbtest.Options) {
			o.Version = versions[i%len(versions)]
			o.EndDelay = time.Duration(i+1) * 500 * time.Millisecond
			// Create times tell the nodes apart, see witnessRules.
			o.Now = func() time.Time { ms := time.Now().UnixMilli(); return time.UnixMilli(ms - ms%64 + 8*int64(i)) }
		}}),
		chaos:    c,
		byHost:   map[string]int{},
		wire:     newWire(),
		asked:    newAsked(),
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
	for i := range max(1, c.on.instances) {
		w.slots = append(w.slots, w.newSlot(i))
	}
	w.wire.cut = c.mutation.deaf || c.pollOnly
	w.wire.some = func(oneIn int) bool { return !w.quiet.Load() && w.chance(oneIn) }
	w.wire.delay = func() time.Duration { return w.some(0, 100*time.Millisecond) * time.Duration(1+w.n(2)*w.n(40)) }
	var err error
	if w.witness, err = newWitness(w.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.witness.close)
	if c.mutation.prepare != nil {
		c.mutation.prepare(w)
	}
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
	for _, s := range w.slots {
		wg.Go(func() { w.keepAlive(s, until) })
	}
	wg.Go(func() { w.beat(until) })
	wg.Wait()
}

// calm ends the faults and waits for four lists of every backend, after the
// time for which a row may be creating. Then everything must be in order, and
// every instance must know it.
func (w *world) calm() {
	w.quiet.Store(true)
	w.mend()
	for _, s := range w.slots {
		i := s.get()
		if i != nil && !i.dead.Load() {
			continue
		}
		if i != nil {
			<-i.stopped
			w.bury(i)
		}
		w.start(s)
	}
	w.c = w.slots[0].get().cluster
	for n := range w.nodes {
		w.admin(n, b3scale.AdminReady)
	}
	time.Sleep(w.c.opts.HealAfter + time.Second + w.chaos.patience)
	w.listedTimes(w.c, 5)
	for _, s := range w.slots {
		w.c = s.get().cluster
		for _, p := range append(w.unsettled(), w.memoryOfPeople()...) {
			w.witness.broken("I8", "instance %d: %s", s.number, p)
		}
	}
	w.count("moves", w.witness.moves())
	for _, s := range w.slots {
		i := s.get()
		i.kill()
		<-i.stopped
		w.bury(i)
	}
}

// mend ends all that is wrong.
func (w *world) mend() {
	w.repair()
	for _, s := range w.slots {
		s.weather.set(func(weather *weather) { weather.store, weather.still = storeFair, false })
		for _, n := range w.nodes {
			s.network.Heal(n)
		}
	}
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
	time.Sleep(3 * time.Second) // and the others have read what came of it
}

// memoryOfPeople: w.c knows who is in which room.
func (w *world) memoryOfPeople() (wrong []string) {
	for key, m := range w.rows() {
		room, _ := w.nodes[w.nodeOf(m.BackendID)].Room(nodeID(key.MeetingID))
		r := w.c.table.Meeting(key)
		if r != nil && r.InternalID == room.InternalID && (r.People != len(room.Attendees) || r.Running != (r.People > 0)) {
			wrong = append(wrong, fmt.Sprintf("%s has %d people, memory knows of %d (running: %v)", key, len(room.Attendees), r.People, r.Running))
		}
	}
	return wrong
}

func (w *world) count(what string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > 0 {
		w.happened[what] += n
	}
}

func (w *world) countIf(really bool, what string) {
	if really {
		w.count(what, 1)
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
