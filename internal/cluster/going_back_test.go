package cluster

import (
	"context"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// What happens when the store itself goes back, as after a fail-over to a
// standby that was behind, or its clock does.

// patch changes the database behind everybody's back.
func (s *site) patch(text string, args ...any) {
	s.t.Helper()
	db, err := s.database.openSQL()
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text, args...); err != nil {
		s.t.Fatal(err)
	}
}

func TestALostConfirmationIsMadeAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		all := s.members(2)
		time.Sleep(15 * time.Second)
		s.as(all[0], func() {
			s.created("room")
			s.enter(s.joinAddress(s.key("room")))
		})
		time.Sleep(30 * time.Second)
		m, _ := s.row("room")
		s.patch(`UPDATE meetings SET state = 'creating', internal_id = '', create_time = 0, confirmed_at = 0, info = '', version = $1`, m.Version-60_000_000)
		fresh := s.member("instance-fresh") // starts after the fail-over
		time.Sleep(2 * time.Minute)
		s.as(fresh, func() {
			if _, err := s.join("room"); err != nil {
				t.Errorf("join at a fresh instance: %v", err)
			}
		})
	})
}

func TestALostMoveIsForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.unchecked = true // a room of the move is left over, and nobody has it booked
		all := s.members(2)
		time.Sleep(15 * time.Second)
		s.createdOn(0, "room")
		old, _ := s.row("room")
		s.enter(s.joinAddress(s.key("room")))
		time.Sleep(12 * time.Second)
		s.lose(0)
		s.createdOnAnyBut(0, "room")
		time.Sleep(2 * time.Second)
		s.patch(`UPDATE meetings SET generation = $1, backend_id = $2, internal_id = $3, create_time = $4, state = 'active', version = $5, confirmed_at = $6`,
			old.Generation, old.BackendID, old.InternalID, old.CreateTime, old.Version, int64(old.ConfirmedAt))
		s.patch(`DELETE FROM orphans`)
		fresh := s.member("instance-fresh")
		for range 3 {
			time.Sleep(time.Minute)
			var to [2]int
			for i, m := range []*member{all[0], fresh} {
				s.as(m, func() {
					address, err := s.join("room")
					if err != nil {
						t.Fatal(err)
					}
					to[i] = s.nodeAt(address)
				})
			}
			if to[0] != to[1] {
				t.Errorf("the old instance sends joins to node %d, the fresh one to node %d", to[0], to[1])
			}
		}
	})
}

// The database's clock was an hour ahead for a while, and is right again.
func TestReportsSurviveAStepOfTheClock(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		all := s.members(2)
		time.Sleep(15 * time.Second)
		s.createdOn(1, "class")
		s.createdOn(0, "other")
		time.Sleep(15 * time.Second)
		s.patch(`UPDATE reports SET version = version + 3600000000 WHERE backend_id = $1`, s.backends[0])
		time.Sleep(15 * time.Second)
		s.nodes[1].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ada"})
		opened := s.nodes[1].OpenBreakouts(nodeID("class"), 1)
		s.nodes[1].Join(opened[0].InternalID, bbbtest.Attendee{FullName: "Bob"})
		time.Sleep(5 * time.Minute)
		for i, m := range all {
			s.as(m, func() {
				_, err := s.c.Join(s.ctx, b3scale.MeetingKey{FrontendID: s.frontend.ID, MeetingID: opened[0].ExternalID}, params("fullName", "Z"))
				if err != nil {
					t.Errorf("instance %d after 5 minutes: %v (lists node 1: %v)", i, err, m.lists(s.backends[1]))
				}
			})
		}
	})
}

// A list that took long must not undo what was learned meanwhile.
func TestAListDoesNotUndoNewerFacts(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.plan.opts.Changes, s.plan.opts.Instance = deaf{}, "a"
		a := s.newCluster()
		s.c = a
		s.trust()
		s.created("room")
		s.plan.opts.Instance = "b"
		b := s.newCluster()
		key := s.key("room")
		look := func() *sight {
			x, err := a.info(s.ctx, a.table.Backend(s.backends[0]), nodeID("room"), time.Second)
			if err != nil || x == nil {
				t.Fatal(err)
			}
			return x
		}
		a.observeOne(s.ctx, key, look())
		if err := b.poll(s.ctx); err != nil {
			t.Fatal(err)
		}
		known, seen := a.table.Meeting(key), look() // a list begins
		time.Sleep(100 * time.Millisecond)
		s.nodes[0].Join(nodeID("room"), bbbtest.Attendee{FullName: "Ada"})
		b.observeOne(s.ctx, key, look())
		if err := a.poll(s.ctx); err != nil {
			t.Fatal(err)
		}
		if err := a.observe(s.ctx, s.backends[0], []observation{{known, seen}}); err != nil { // and goes on
			t.Fatal(err)
		}
		if got := a.table.Meeting(key).People; got != 1 {
			t.Errorf("%d people after the list, want 1", got)
		}
	})
}

type reaching struct {
	Nodes
	reaches bool
}

func (c reaching) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	if !c.reaches {
		return nil, &bbb.CallError{Call: call.Name, Outcome: bbb.Refused, Err: context.DeadlineExceeded}
	}
	return c.Nodes.Do(ctx, node, call)
}

// One of two instances reaches no node: the other does all the work, and does not
// give it back and take it again all the time.
func TestLeasesStay(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 4}, func(t *testing.T, s *site) {
		s.plan.calling = func(n Nodes) Nodes { return reaching{n, s.plan.opts.Instance != "instance-1"} }
		all := s.members(2)
		time.Sleep(30 * time.Second)
		before := make([]int, 4)
		for i, n := range s.nodes {
			before[i] = len(n.Calls("getMeetings"))
		}
		held, changes := make([]bool, 4), make([]int, 4)
		for range 3000 {
			time.Sleep(100 * time.Millisecond)
			for i, id := range s.backends {
				if h := all[0].lists(id); h != held[i] {
					held[i] = h
					changes[i]++
				}
			}
		}
		for i, n := range s.nodes {
			t.Logf("node %d: %d lists in 300 s, the lease came and went %d times", i, len(n.Calls("getMeetings"))-before[i], changes[i])
			if changes[i] > 20 {
				t.Error("it flaps")
			}
		}
	})
}
