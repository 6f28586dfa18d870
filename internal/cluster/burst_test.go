package cluster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
)

// 300 meetings, six people each, who create them at the same moment at three
// instances on one PostgreSQL, in real time and over real connections: every
// meeting has one room, everybody is told of it, and a join right after the
// create is right wherever it arrives, with hints and without.
//
// Not beside other tests: nodes that get no processor for five seconds are silent.
func TestBurst(t *testing.T) { //nolint:paralleltest // see above
	for name, deafness := range map[string]bool{"with hints": false, "without hints": true} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			burst(t, deafness)
		})
	}
}

func burst(t *testing.T, deafness bool) {
	versions := []string{"2.4", "2.6", "2.7", "3.0"}
	s := newSite(t, plan{nodes: 10, sockets: true, dsn: onPostgres.fresh(t), node: func(i int, o *bbbtest.Options) { o.Version = versions[i%len(versions)] }})
	var instances []*site
	for range onPostgres.instances {
		instances = append(instances, s.beside(deafness))
	}
	s.c = instances[0].c
	const meetings, callers = 300, 6
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		told  [meetings]map[string]int // internal id → callers who were told of it
		homes [meetings]map[int]int    // node → joins that it got
	)
	places := make(chan struct{}, 20) // meetings at a time: the machine may be a small one
	for i := range meetings {
		told[i], homes[i] = map[string]int{}, map[int]int{}
		id := fmt.Sprint("class-", i)
		places <- struct{}{}
		var class sync.WaitGroup
		for caller := range callers {
			class.Go(func() {
				answer, err := instances[caller%len(instances)].create(id)
				if err != nil || !answer.Succeeded() {
					t.Errorf("create %s: %v, error %v", id, answer, err)
					return
				}
				address, err := instances[(caller+1)%len(instances)].join(id)
				if err != nil {
					t.Errorf("join %s: %v", id, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				told[i][internalIDOf(answer)]++
				homes[i][s.nodeAt(address)]++
			})
		}
		wg.Go(func() {
			class.Wait()
			<-places
		})
	}
	wg.Wait()
	rooms := map[string]int{}
	for _, n := range s.nodes {
		for _, r := range n.Rooms() {
			rooms[r.ExternalID]++
		}
	}
	for i := range meetings {
		id := fmt.Sprint("class-", i)
		m, _ := s.row(id)
		if rooms[nodeID(id)] != 1 {
			t.Errorf("%s has %d rooms, want 1", id, rooms[nodeID(id)])
		}
		if len(told[i]) != 1 || told[i][m.InternalID] != callers {
			t.Errorf("%s: callers were told of %v, want all of %q", id, told[i], m.InternalID)
		}
		if len(homes[i]) != 1 || homes[i][s.nodeOf(m.BackendID)] != callers {
			t.Errorf("%s: joins led to the nodes %v, want all to %d", id, homes[i], s.nodeOf(m.BackendID))
		}
	}
}

// beside is the site as another instance sees it, with its own connections.
func (s *site) beside(deafness bool) *site {
	s.t.Helper()
	store, err := sqlstore.Connect(s.ctx, b3scale.Secret(s.database.dsn), sqlstore.PostgresOptions{PollOnly: deafness, Timeout: 20 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = store.Close() })
	other := &site{
		t: s.t, ctx: s.ctx, plan: s.plan, database: s.database, store: store, nodes: s.nodes, client: s.client,
		frontend: s.frontend, backends: s.backends, unchecked: true,
	}
	other.c = New(store, routing.NewTable(s.plan.load), s.client, logtest.Logger(), Options{Changes: store})
	if err := other.c.Load(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	other.trust()
	other.run()
	return other
}
