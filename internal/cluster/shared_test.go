package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// deaf connects instances that never hear of each other: what they know they
// have polled.
type deaf struct{}

func (deaf) Hint(b3scale.Hint) {}

func (deaf) Follow(ctx context.Context, missed func(), _ func([]b3scale.Hint)) error {
	missed()
	<-ctx.Done()
	return nil
}

// member is one of several instances on one store.
type member struct {
	*Cluster
	stop func()
}

// members starts instances that share the store. The first one is s.c.
func (s *site) members(n int) []*member {
	s.t.Helper()
	all := make([]*member, n)
	for i := range all {
		all[i] = s.member(fmt.Sprint("instance-", i))
	}
	s.c = all[0].Cluster
	return all
}

func (s *site) member(name string) *member {
	s.t.Helper()
	s.plan.opts.Changes, s.plan.opts.Instance = deaf{}, name
	m := &member{Cluster: s.newCluster()}
	ctx, cancel := context.WithCancel(s.ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.Run(ctx); err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	m.stop = func() {
		cancel()
		running.Wait()
	}
	s.t.Cleanup(m.stop)
	return m
}

// as makes another instance the one that the site's methods use.
func (s *site) as(m *member, body func()) {
	before := s.c
	s.c = m.Cluster
	defer func() { s.c = before }()
	body()
}

func TestJoinAtAnotherInstanceRightAfterTheCreate(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		all := s.members(3)
		time.Sleep(time.Second)
		for i := range 30 {
			id := fmt.Sprint("room-", i)
			s.as(all[i%3], func() { s.created(id) })
			for _, m := range all {
				s.as(m, func() { s.joined(id) })
			}
		}
	})
}

func TestInstancesFollowEachOther(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		all := s.members(2)
		time.Sleep(15 * time.Second)
		s.as(all[0], func() { s.created("room") })
		for range 2 {
			s.as(all[0], func() { s.enter(s.joinAddress(s.key("room"))) })
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		for i, m := range all {
			r := m.Room(s.key("room"))
			if r == nil || !m.Running(s.key("room")) || r.People != 2 || len(m.Meetings(s.frontend.ID)) != 1 {
				t.Errorf("instance %d has %+v", i, r)
			}
		}
		s.as(all[1], func() { s.ended("room") })
		time.Sleep(25 * time.Second)
		for i, m := range all {
			if r := m.Room(s.key("room")); r != nil {
				t.Errorf("instance %d still has %+v", i, r)
			}
		}
	})
}

// Rows that go without an end, because somebody emptied the table, go from
// memory too.
func TestRowsThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		all := s.members(2)
		time.Sleep(time.Second)
		s.created("room")
		s.nodes[s.nodeOf(s.c.Room(s.key("room")).BackendID)].EndNow(nodeID("room"))
		time.Sleep(2 * time.Second)
		m, _ := s.row("room")
		if ended, err := s.store.EndMeeting(s.ctx, m); err != nil || !ended {
			t.Fatal(ended, err)
		}
		now, _ := s.store.Now(s.ctx)
		if n, err := s.store.PurgeMeetings(s.ctx, now.Add(time.Second)); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		time.Sleep(resyncEvery + 5*time.Second)
		for i, m := range all {
			if r := m.Room(s.key("room")); r != nil {
				t.Errorf("instance %d still has %+v", i, r)
			}
		}
	})
}

// What instances store for each other must not keep them storing.
func TestInstancesComeToRest(t *testing.T) {
	t.Parallel()
	var writes atomic.Int64
	p := plan{nodes: 2, wrap: func(store b3scale.Store) b3scale.Store { return countingStore{store, &writes} }}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.members(3)
		time.Sleep(15 * time.Second)
		for i := range 12 {
			s.createdOn(i%2, fmt.Sprint("room-", i))
			for n := range 13 { // ids of more than one digit
				s.nodes[i%2].Join(nodeID(fmt.Sprint("room-", i)), bbbtest.Attendee{FullName: fmt.Sprint("Guest ", n)})
			}
		}
		time.Sleep(time.Minute)
		before := writes.Load()
		time.Sleep(5 * time.Minute)
		if n := writes.Load() - before; n > 0 {
			t.Errorf("%d sightings and reports were stored while nothing changed", n)
		}
	})
}

type countingStore struct {
	b3scale.Store
	n *atomic.Int64
}

func (s countingStore) SaveSightings(ctx context.Context, backendID string, seen []b3scale.Sighting) ([]int64, error) {
	s.n.Add(1)
	return s.Store.SaveSightings(ctx, backendID, seen)
}

func (s countingStore) SaveReport(ctx context.Context, backendID string, report []byte) error {
	s.n.Add(1)
	return s.Store.SaveReport(ctx, backendID, report)
}

func TestBreakoutRoomsAreKnownEverywhere(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		all := s.members(3)
		time.Sleep(15 * time.Second)
		s.createdOn(1, "class", "meta_bbb-meeting-size-hint", "0")
		s.prefer()
		for n := range 5 {
			s.nodes[1].Join(nodeID("class"), bbbtest.Attendee{FullName: fmt.Sprint("Guest ", n)})
		}
		opened := s.nodes[1].OpenBreakouts(nodeID("class"), 2)
		for i := range 3 {
			s.nodes[1].Join(opened[i%2].InternalID, bbbtest.Attendee{FullName: fmt.Sprint("Guest ", i)})
		}
		time.Sleep(30 * time.Second)
		for _, m := range all {
			s.as(m, func() {
				s.counts(1, 3, 5)
				s.enter(s.joinAddress(b3scale.MeetingKey{FrontendID: s.frontend.ID, MeetingID: opened[0].ExternalID}))
			})
		}
		for _, room := range opened {
			s.nodes[1].EndNow(room.InternalID)
		}
		time.Sleep(30 * time.Second)
		for _, m := range all {
			s.as(m, func() { s.counts(1, 1, 5) })
		}
	})
}

// lister is the number of the instance that lists a node; -1: nobody.
func (s *site) lister(all []*member, node int) int {
	s.t.Helper()
	found := -1
	for i, m := range all {
		if m.lists(s.backends[node]) {
			if found >= 0 {
				s.t.Errorf("instances %d and %d both list node %d", found, i, node)
			}
			found = i
		}
	}
	return found
}

func TestBackendsAreSharedOutToBeListed(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 6}, func(t *testing.T, s *site) {
		all := s.members(3)
		shares := func(what string, want ...int) {
			t.Helper()
			got := make([]int, len(all))
			for n := range s.nodes {
				if i := s.lister(all, n); i < 0 {
					t.Errorf("%s: nobody lists node %d", what, n)
				} else {
					got[i]++
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: shares %v, want %v", what, got, want)
			}
		}
		time.Sleep(20 * time.Second)
		shares("three instances", 2, 2, 2)

		all[2].stop()
		time.Sleep(4 * time.Second) // it gave them up
		shares("one has stopped", 3, 3, 0)

		all[2] = s.member("instance-new")
		time.Sleep(20 * time.Second)
		shares("one has started", 2, 2, 2)
	})
}

// An instance that dies cannot give anything up: its leases run out.
func TestDeadListerIsReplacedInSeconds(t *testing.T) {
	t.Parallel()
	dead := map[string]*atomic.Bool{}
	for i := range 2 {
		dead[fmt.Sprint("instance-", i)] = &atomic.Bool{}
	}
	inBubble(t, plan{nodes: 4}, func(t *testing.T, s *site) {
		s.plan.wrap = func(store b3scale.Store) b3scale.Store { return deadStore{store, dead[s.plan.opts.Instance]} }
		all := s.members(2)
		time.Sleep(20 * time.Second)
		dead["instance-0"].Store(true)
		time.Sleep(all[0].opts.Lease * 3 / 4)
		for n := range s.nodes {
			if all[0].lists(s.backends[n]) {
				t.Errorf("the dead instance still trusts itself to list node %d", n)
			}
		}
		time.Sleep(all[0].opts.Lease)
		for n := range s.nodes {
			if s.lister(all, n) != 1 {
				t.Errorf("node %d is listed by %d, want the other instance", n, s.lister(all, n))
			}
		}
	})
}

// deadStore answers nobody whose instance is dead.
type deadStore struct {
	b3scale.Store
	dead *atomic.Bool
}

var errDead = b3scale.Errorf(b3scale.Unavailable, "%s", "away").Because(errors.New("dead"))

func (s deadStore) Leases(ctx context.Context) (map[string]string, error) {
	if s.dead.Load() {
		return nil, errDead
	}
	return s.Store.Leases(ctx)
}

func (s deadStore) AcquireLeases(ctx context.Context, names []string, holder string, d time.Duration) ([]string, error) {
	if s.dead.Load() {
		return nil, errDead
	}
	return s.Store.AcquireLeases(ctx, names, holder, d)
}

func (s deadStore) ReleaseLeases(ctx context.Context, names []string, holder string) error {
	if s.dead.Load() {
		return errDead
	}
	return s.Store.ReleaseLeases(ctx, names, holder)
}
