package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/routing"
)

// chaos describes one round: the size of the world, and what is wrong with it
// on purpose.
type chaos struct {
	nodes, clients, meetings int
	lasts                    time.Duration
	deaths                   int           // one step in so many kills the instance; 0: none
	patience                 time.Duration // 2.4 nodes, where orphans are kept so long
	opts                     Options
	mutate                   func(b3scale.Store) b3scale.Store
}

// Few meetings on few nodes come back to a node sooner. Old nodes know no
// internal ids.
var (
	wide  = chaos{nodes: 6, clients: 10, meetings: 16, lasts: 2 * time.Minute, deaths: 400}
	dense = chaos{nodes: 3, clients: 6, meetings: 4, lasts: 2 * time.Minute, deaths: 300}
	old   = chaos{nodes: 3, clients: 6, meetings: 6, lasts: 2 * time.Minute, deaths: 300, patience: keepOrphan}
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

// instance is one life of the process.
type instance struct {
	*mortal
	cluster *Cluster
	stopped chan struct{}
}

// runChaos makes one round and returns which invariants were broken.
func runChaos(t *testing.T, c chaos, seed uint64) (report []string, happened map[string]int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c, seed)
		stop := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() { w.watch(stop) })
		w.live()
		w.calm()
		close(stop)
		watching.Wait()
		report = w.witness.report()
		happened = w.happened
	})
	return report, happened
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

func (w *world) count(what string, really bool) {
	if really {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.happened[what]++
	}
}

func (w *world) n(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) chance(oneIn int) bool { return w.n(oneIn) == 0 }

// some is a random time between the two.
func (w *world) some(from, to time.Duration) time.Duration {
	return from + time.Duration(w.n(int((to-from)/time.Microsecond)))*time.Microsecond
}

func (w *world) nap(from, to time.Duration) { time.Sleep(w.some(from, to)) }

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

func (w *world) reopen() {
	if err := w.store.Close(); err != nil {
		w.witness.broken("store", "close: %v", err)
	}
	w.open()
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

func (w *world) mayDie() bool {
	return w.chaos.deaths > 0 && !w.quiet.Load() && w.chance(w.chaos.deaths)
}

// told notes the rooms that answers show.
func (w *world) told(answer *bbb.Answer) {
	if id := internalIDOf(answer); id != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lived[id] = time.Now()
	}
}

// called sees every call that is about to be sent to a node.
func (w *world) called(node bbb.Node, call bbb.Call) {
	i := w.byHost[node.BaseURL]
	id := call.Params.Get("meetingID")
	switch call.Name {
	case "create":
		if key, _ := w.c.keyOf(id); !w.witness.placed(key, w.backends[i]) {
			w.witness.broken("I2", "%s: create sent to node %d, where it never had a place", key.MeetingID, i)
		}
	case "end":
		room, found := w.nodes[i].Room(id)
		if !found {
			return
		}
		key, _ := w.c.keyOf(room.ExternalID)
		w.mu.Lock()
		if w.ending[key] > 0 {
			w.wanted[room.InternalID] = true
		}
		wanted := w.wanted[room.InternalID]
		w.mu.Unlock()
		if !wanted && !w.witness.isEnding(room.InternalID) {
			w.witness.broken("I6", "%s: end of the room %s on node %d with %d people, for no reason", key.MeetingID, room.InternalID, i, len(room.Attendees))
		}
	}
}

// watch looks at all rooms now and then: one that is being ended, unwanted by
// its frontend, is not what its row calls the meeting.
func (w *world) watch(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(500 * time.Millisecond):
		}
		for i, n := range w.nodes {
			for _, r := range n.Rooms() {
				w.mu.Lock()
				wanted := w.wanted[r.InternalID]
				w.mu.Unlock()
				if !r.Ending || wanted {
					continue
				}
				if key, _ := w.c.keyOf(r.ExternalID); w.witness.isActive(key, w.backends[i], r.InternalID) {
					w.witness.broken("I6", "%s: the room %s on node %d is being ended, its row calls it active", key.MeetingID, r.InternalID, i)
				}
			}
		}
	}
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

// act is what a frontend does with a meeting.
func (w *world) act(id string) {
	i := w.instance()
	if i == nil {
		return
	}
	switch w.n(10) {
	case 0, 1:
		w.join(i.cluster, id)
	case 2:
		w.end(i.cluster, id)
		if w.chance(2) { // and again, at once
			w.create(i.cluster, id)
		}
	case 3:
		_, _ = i.cluster.Forward(w.ctx, w.key(id), bbb.Call{Name: "getMeetingInfo", Params: params("meetingID", nodeID(id))})
	default:
		w.create(i.cluster, id)
	}
}

// create opens a meeting; most people who do that join it.
func (w *world) create(c *Cluster, id string) {
	p := params("name", id, "meetingID", nodeID(id))
	switch number, _ := strconv.Atoi(id[1:]); number % 3 {
	case 1:
		p.Append(params("attendeePW", "guest-"+id, "moderatorPW", "host-"+id))
	case 2:
		p.Append(params("attendeePW", fmt.Sprint("guest-", w.n(3)), "moderatorPW", "host-"+id))
	}
	answer, err := c.Create(w.ctx, CreateRequest{Frontend: &w.frontend, MeetingID: id, Params: p})
	if err != nil || !answer.Succeeded() {
		w.count("creates not answered", true)
		return
	}
	w.count("creates answered", true)
	if !w.witness.wasActive(w.key(id), internalIDOf(answer)) {
		w.witness.broken("I3", "%s: answered with the room %s, which was never confirmed", id, internalIDOf(answer))
	}
	if !w.chance(4) {
		w.join(c, id)
	}
}

func (w *world) join(c *Cluster, id string) {
	address, err := c.Join(w.ctx, w.key(id), params("meetingID", nodeID(id)))
	if err != nil {
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		w.witness.broken("join", "%v", err)
		return
	}
	for _, n := range w.nodes {
		if n.PublicURL() == u.Scheme+"://"+u.Host && !n.IsDown() && n.Join(nodeID(id), bbbtest.Attendee{}) {
			w.count("joins", true)
		}
	}
}

func (w *world) end(c *Cluster, id string) {
	key := w.key(id)
	w.mu.Lock()
	w.ending[key]++
	w.mu.Unlock()
	if answer, err := c.End(w.ctx, key, params("meetingID", nodeID(id))); err == nil && answer.Succeeded() {
		w.count("ends", true)
	}
	w.mu.Lock()
	w.ending[key]--
	w.mu.Unlock()
}

// fault breaks something, mostly for a while.
func (w *world) fault(wg *sync.WaitGroup) {
	number := w.n(len(w.nodes))
	n := w.nodes[number]
	later := func(from, to time.Duration, do func()) {
		wg.Go(func() {
			w.nap(from, to)
			do()
		})
	}
	some := func(f bbbtest.Fault) { // of some calls
		if f.Calls = nil; !w.chance(3) {
			f.Calls = []string{[]string{"create", "end", "getMeetingInfo"}[w.n(3)]}
		}
		n.SetFault(f)
		later(time.Second, 30*time.Second, n.ClearFaults)
	}
	switch w.n(22) {
	case 0: // a crash: the rooms are gone
		n.Down()
		n.ForgetRooms()
		later(2*time.Second, 40*time.Second, func() { _ = n.Up() })
	case 1: // bbb-web is restarted
		n.SetFault(bbbtest.Fault{Kind: bbbtest.BadGateway})
		if w.chance(2) {
			n.ForgetRooms()
		}
		later(5*time.Second, 20*time.Second, n.ClearFaults)
	case 2, 3, 4: // a cut; people talk on
		w.network.Cut(n)
		later(2*time.Second, time.Minute, func() { w.network.Heal(n) })
	case 5:
		some(bbbtest.Fault{Kind: bbbtest.BlackHole})
	case 6:
		some(bbbtest.Fault{Kind: bbbtest.ServerError})
	case 7:
		some(bbbtest.Fault{Kind: bbbtest.ServerErrorAfter, Times: 1 + w.n(3)})
	case 8:
		some(bbbtest.Fault{Kind: bbbtest.AnswerLost, Times: 1 + w.n(3)})
	case 9:
		some(bbbtest.Fault{Kind: bbbtest.LateExecution, Times: 1 + w.n(4), Delay: w.some(time.Second, 40*time.Second)})
	case 10:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.Empty, Times: 1 + w.n(8)})
	case 11:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.ClockSkew, Delay: time.Duration(w.n(80)-50) * 64 * 10 * time.Millisecond, Times: 1 + w.n(4)})
		n.SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Key: "busy", Calls: []string{"create"}, Times: 1})
	case 12: // rooms end by themselves
		for _, r := range n.Rooms() {
			if w.chance(3) {
				n.EndNow(r.InternalID)
			}
		}
	case 13, 14: // an operator drains a backend
		w.setAdmin(number, b3scale.AdminStopped)
		later(5*time.Second, 40*time.Second, func() { w.setAdmin(number, b3scale.AdminReady) })
	case 15: // or gives up one that answers
		w.giveUp(number)
	case 16, 17, 18: // or one that is cut off, where people talk on
		w.network.Cut(n)
		w.giveUp(number)
		later(5*time.Second, 40*time.Second, func() { w.network.Heal(n) })
	case 19, 20: // what answers tell is old when they arrive
		n.SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Delay: w.some(time.Second, 9*time.Second)})
		later(time.Second, 30*time.Second, n.ClearFaults)
	case 21: // or cleans up
		if i := w.instance(); i != nil {
			_, _ = i.PurgeMeetings(w.ctx, b3scale.MicrosOf(time.Now().Add(-30*time.Second)))
		}
	}
}

func (w *world) giveUp(node int) {
	if i := w.instance(); i != nil {
		_ = i.cluster.DeclareLost(w.ctx, w.backends[node])
	}
}

func (w *world) setAdmin(node int, state b3scale.AdminState) {
	if i := w.instance(); i != nil {
		b := i.cluster.table.Backend(w.backends[node]).Backend
		b.AdminState = state
		_, _ = i.cluster.SaveBackend(w.ctx, b)
	}
}

// seedOf reads a seed from the environment, or makes another one each time.
func seedOf(t *testing.T, variable string) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return uint64(time.Now().UnixNano()) % 1_000_000
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return seed
}

// TestChaos kills, cuts, drains and forgets, and then looks whether all that
// was promised held: I1 to I8. A seed repeats the faults, not the schedule: one
// that fails is a hint.
func TestChaos(t *testing.T) {
	t.Parallel()
	chaosFor(t, 5*time.Second, seedOf(t, "B3SCALE_CHAOS_SEED"))
}

// chaosFor makes rounds until the time is up.
func chaosFor(t *testing.T, d time.Duration, seed uint64) {
	t.Helper()
	begin := time.Now()
	for round := uint64(0); round < 3 || time.Since(begin) < d; round++ {
		report, happened := runChaos(t, []chaos{wide, dense, old}[round%3], seed+round)
		t.Logf("seed %d: %v", seed+round, happened)
		for _, line := range report {
			t.Errorf("seed %d: %s", seed+round, line)
		}
		if t.Failed() {
			t.Logf("to repeat: B3SCALE_CHAOS_SEED=%d", seed)
			return
		}
	}
}
