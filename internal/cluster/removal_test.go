package cluster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// there reports which instances have the backend.
func (s *site) there(all []*member, node int) (n int) {
	for _, m := range all {
		if m.Backend(s.backends[node]) != nil {
			n++
		}
	}
	return n
}

// A backend that is taken out of service goes when its last meeting is over,
// and no earlier.
func TestDecommissionedBackendGoesWhenEmpty(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 2}, func(t *testing.T, s *site, all []*member) {
		s.createdOn(0, "class")
		s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ada"})
		s.admin(0, b3scale.AdminDecommissioned)
		s.admin(1, b3scale.AdminStopped) // empty, and stays
		time.Sleep(2 * time.Minute)
		if n := s.there(all, 0); n != 3 {
			t.Fatalf("%d instances have the backend where people are", n)
		}
		s.livesOn(0, "class")
		s.ended("class")
		time.Sleep(time.Minute)
		if n := s.there(all, 0); n > 0 {
			t.Errorf("%d instances still have it", n)
		}
		if n := s.there(all, 1); n != 3 {
			t.Errorf("%d instances have the stopped one", n)
		}
		left, err := s.store.Backends(s.ctx)
		if err != nil || len(left) != 1 {
			t.Errorf("%d backends are stored (%v), want one", len(left), err)
		}
		s.backends = s.backends[1:]
		s.nodes = s.nodes[1:]
	})
}

func TestDecommissionedBackendStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   Options
		before func(*site) // the backend is ready
		after  func(*site) // it is decommissioned
		goes   bool
	}{
		"while it answers and is empty it goes": {goes: true},
		"while a room runs whose row has ended": {before: func(s *site) {
			room := s.placed(0, "class", "Ada")
			s.ended("class") // the node takes an hour for it
			if removed, err := s.c.RemoveMeeting(s.ctx, s.key("class"), room.InternalID); err != nil || !removed {
				s.t.Fatal(removed, err)
			}
		}},
		"while it does not answer": {before: func(s *site) { s.nodes[0].Down() }},
		"while it does not answer, after it was empty": {
			before: func(s *site) { time.Sleep(time.Minute) }, after: func(s *site) { s.nodes[0].Down() },
		},
		"while lists fail": {before: func(s *site) {
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError, Calls: []string{"getMeetings"}})
		}},
		"while an orphan is booked": {after: func(s *site) {
			s.nodes[0].Down()
			s.placed(1, "class", "Ada")
			s.book(0, "class")
			s.lose(0)
		}},
		"lost, without rows and orphans it goes": {after: func(s *site) {
			s.nodes[0].Down()
			s.lose(0)
		}, goes: true},
		"lost, with a row": {before: func(s *site) { s.placed(0, "class", "Ada") }, after: func(s *site) {
			s.nodes[0].Down()
			s.lose(0)
		}},
		"while we observe": {opts: Options{Observe: true}},
		"when it is ready again": {after: func(s *site) {
			s.admin(0, b3scale.AdminReady)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2, opts: c.opts, node: endsSlowly(time.Hour)}, func(t *testing.T, s *site) {
				s.unchecked = true // rows of backends that do not answer
				s.run()
				time.Sleep(time.Second)
				if c.before != nil {
					c.before(s)
				}
				time.Sleep(5 * time.Second)
				s.admin(0, b3scale.AdminDecommissioned)
				if c.after != nil {
					c.after(s)
				}
				time.Sleep(80 * time.Second)
				if gone := s.backend(0) == nil; gone != c.goes {
					t.Errorf("it is gone: %v, want %v", gone, c.goes)
				}
			})
		})
	}
}

// Breakout rooms are rooms of ours, too. So are those that only lists know.
func TestDecommissionedBackendWithABreakoutRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.unchecked = true
		s.createdOn(0, "class")
		s.run()
		time.Sleep(time.Second)
		group := s.nodes[0].OpenBreakouts(nodeID("class"), 1)[0]
		s.admin(0, b3scale.AdminDecommissioned)
		time.Sleep(time.Minute)
		if s.backend(0) == nil {
			t.Fatal("it is gone while a meeting runs")
		}
		s.nodes[0].EndNow(group.InternalID)
		s.nodes[0].EndNow(nodeID("class"))
		time.Sleep(time.Minute)
		if s.backend(0) != nil {
			t.Error("it is still there")
		}
	})
}

// What lists showed before an operator took the backend out does not count.
func TestOldListsDoNotMakeABackendEmpty(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, opts: Options{ListInterval: time.Hour, ListGap: time.Second}}, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		s.admin(0, b3scale.AdminDecommissioned)
		s.list(0)
		time.Sleep(2 * time.Second)
		s.list(0)
		if s.backend(0).EmptySince() == 0 {
			t.Fatal("two empty lists do not count")
		}
		since := s.backend(0).EmptySince()
		if _, err := s.c.EditBackend(s.ctx, s.backends[0], nobody, func(b *b3scale.Backend) error { b.LoadFactor = 2; return nil }); err != nil {
			t.Fatal(err)
		}
		if s.c.knownEmpty(s.backend(0)) {
			t.Errorf("lists since %v count after an edit", since)
		}
	})
}

// Backends are taken out and put in again while people meet. No meeting is
// lost, and none has two rooms.
func TestBackendsComeAndGo(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 3, opts: Options{ListInterval: 5 * time.Second}}, func(t *testing.T, s *site, all []*member) {
		until := time.Now().Add(4 * time.Minute)
		var clients sync.WaitGroup
		for n := range 4 {
			clients.Go(func() { s.meetAgainAndAgain(all, fmt.Sprint("room-", n), until, time.Duration(n+2)*5*time.Second) })
		}
		removed := 0
		for node := 0; time.Now().Before(until); node = (node + 1) % len(s.nodes) {
			m := all[node]
			if _, err := m.EditBackend(s.ctx, s.backends[node], nobody, toState(b3scale.AdminDecommissioned)); err != nil {
				t.Fatal(err)
			}
			for begin := time.Now(); s.there(all, node) > 0; time.Sleep(time.Second) {
				if time.Since(begin) > 3*time.Minute {
					t.Fatalf("node %d is still there; its meetings are %s", node, idsOf(m.Rooms(s.backends[node])))
				}
			}
			removed++
			api := s.nodes[node].API()
			b, err := m.AddBackend(s.ctx, b3scale.Backend{Host: api.BaseURL, Secret: b3scale.Secret(api.Secret), AdminState: b3scale.AdminReady, LoadFactor: 1}, nobody)
			if err != nil {
				t.Fatal(err)
			}
			s.backends[node] = b.ID
			time.Sleep(10 * time.Second)
		}
		clients.Wait()
		if removed < 3 {
			t.Errorf("only %d backends went", removed)
		}
		time.Sleep(30 * time.Second)
	})
}

// meetAgainAndAgain creates a meeting, keeps people in it for a while, and ends
// it.
func (s *site) meetAgainAndAgain(all []*member, id string, until time.Time, lasts time.Duration) {
	for n := 0; time.Now().Before(until); n++ {
		create := func(i int) string {
			p := params("name", id, "meetingID", nodeID(id))
			answer, err := all[i%len(all)].Create(s.ctx, CreateRequest{Frontend: &s.frontend, MeetingID: id, Params: p})
			if err != nil || !answer.Succeeded() {
				s.t.Errorf("create %s: %v, %v", id, answer, err)
				return ""
			}
			return internalIDOf(answer)
		}
		internal := create(n)
		for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(5 * time.Second) {
			if again := create(n + 1); again != internal {
				s.t.Errorf("%s had the room %s, now it has %s", id, internal, again)
				internal = again
			}
		}
		if _, err := all[n%len(all)].End(s.ctx, s.key(id), params("meetingID", nodeID(id))); err != nil {
			s.t.Errorf("end %s: %v", id, err)
		}
		time.Sleep(10 * time.Second)
	}
}
