package cluster

import (
	"slices"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// A meeting has left node 0, where its old room is still alive. What becomes
// of that room when node 0 is listed depends on what became of the meeting.
func TestSweep(t *testing.T) {
	t.Parallel()
	const (
		ends  = "ends"  // the old room is ended
		waits = "waits" // nothing happens yet
		taken = "taken" // the old room is the meeting again
	)
	// move makes the meeting active on node 1, with node 0 booked.
	move := func(s *site) {
		s.lose(0)
		s.prefer(1)
		s.created("class")
		s.find(0)
	}
	cases := []struct {
		name   string
		before func(*site)
		want   string
		state  b3scale.MeetingState
	}{
		{"active elsewhere, seen alive", move, ends, b3scale.MeetingActive},
		{"active elsewhere, silent", func(s *site) {
			move(s)
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		}, waits, b3scale.MeetingActive},
		{"active elsewhere, off", func(s *site) { move(s); s.nodes[1].Down() }, waits, b3scale.MeetingActive},
		{"active elsewhere, gone there", func(s *site) { move(s); s.nodes[1].ForgetRooms() }, taken, b3scale.MeetingActive},
		{"active elsewhere, on a lost backend", func(s *site) { move(s); s.lose(1) }, taken, b3scale.MeetingActive},
		{"active elsewhere, silent, end of the old room requested", func(s *site) {
			row, _ := s.row("class")
			if _, ok, err := s.store.RequestEnd(s.ctx, row.Key, row.Generation, row.InternalID); err != nil || !ok {
				s.t.Fatal(ok, err)
			}
			move(s)
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		}, ends, b3scale.MeetingActive},
		{"ended by itself", func(s *site) { move(s); s.nodes[1].ForgetRooms(); s.c.look(s.ctx, s.key("class")) }, taken, b3scale.MeetingActive},
		{"ended on request", func(s *site) {
			move(s)
			s.ended("class")
			s.c.look(s.ctx, s.key("class"))
			time.Sleep(time.Microsecond)
		}, ends, b3scale.MeetingEnded},
		{"being created elsewhere", func(s *site) { s.lose(0); s.claim(1, "class"); s.find(0) }, waits, b3scale.MeetingCreating},
		{"being created on a lost backend", func(s *site) { s.lose(0); s.claim(1, "class"); s.find(0); s.lose(1) }, taken, b3scale.MeetingActive},
		{"create FAILED elsewhere", func(s *site) {
			s.lose(0)
			s.prefer(1)
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"create"}, Key: "no"})
			if _, err := s.create("class"); err != nil {
				s.t.Fatal(err)
			}
			s.find(0)
		}, taken, b3scale.MeetingActive},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
				s.trustAll()
				room := s.placed(0, "class", "Ada")
				c.before(s)
				if got := s.orphans("class"); !slices.Equal(got, []int{0}) {
					t.Fatalf("orphans on nodes %v, want it on node 0", got)
				}
				before, _ := s.row("class")
				s.list(0)
				got := waits
				after, _ := s.row("class")
				old := s.room(0, "class")
				switch {
				case old.InternalID == "":
					got = ends
				case after.BackendID == s.backends[0] && after.InternalID == room.InternalID:
					got = taken
				}
				if got != c.want || after.State != c.state {
					t.Errorf("it %s and the row is %s, want that it %s and is %s", got, after.State, c.want, c.state)
				}
				if taken := c.want == taken; taken != (after.Generation > before.Generation) {
					t.Errorf("generation %d became %d", before.Generation, after.Generation)
				}
				if n := len(s.nodes[0].Calls("end")); (n > 0) != (c.want == ends) {
					t.Errorf("node 0 was asked for %d ends", n)
				}
				if c.want == taken {
					s.livesOn(0, "class")
					if got := s.joined("class"); got != 0 {
						t.Errorf("join led to node %d", got)
					}
				}
				// Once everything works again there is one room, the right one.
				s.nodes[1].ClearFaults()
				if err := s.nodes[1].Up(); err != nil {
					t.Fatal(err)
				}
				s.find(1)
				if c.state == b3scale.MeetingCreating {
					time.Sleep(time.Minute)
				}
				s.lists(4)
				if c.state == b3scale.MeetingEnded {
					if got := s.orphans("class"); len(got) > 0 || s.state("class") != b3scale.MeetingEnded {
						t.Errorf("row is %s, orphans on nodes %v; want it ended, without", s.state("class"), got)
					}
					return
				}
				s.oneRoom("class")
			})
		})
	}
}

// A node that forgets the end of an orphan is asked again, for the same room.
func TestSweepRepeatsTheEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2, node: endsSlowly(time.Hour)}, func(t *testing.T, s *site) {
		s.trustAll()
		room := s.placed(0, "class", "Ada")
		s.lose(0)
		s.created("class")
		s.find(0)
		s.lists(2)
		if got, want := s.endsAt(0), []string{room.InternalID, room.InternalID}; !slices.Equal(got, want) {
			t.Errorf("ends: %q, want %q", got, want)
		}
		// It is being ended, so it is not taken back whatever happens.
		s.nodes[1].ForgetRooms()
		s.c.look(s.ctx, s.key("class"))
		s.lists(3)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
		s.nodes[0].EndNow(room.InternalID)
		s.lists(1)
		if got := s.orphans("class"); len(got) > 0 {
			t.Errorf("orphans on nodes %v", got)
		}
	})
}

// An orphan is forgotten once a list without its room began after the booking.
func TestOrphanIsForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.trustAll()
		s.placed(1, "class")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"getMeetings"}, Delay: 5 * time.Second, Times: 1})
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.list(0)
		}()
		time.Sleep(time.Second)
		s.book(0, "class")
		<-done
		if got := s.orphans("class"); len(got) != 1 {
			t.Errorf("a list that began before the booking deleted it")
		}
		s.list(0)
		if got := s.orphans("class"); len(got) != 0 {
			t.Errorf("orphans on nodes %v, want none", got)
		}
		s.livesOn(1, "class")
	})
}

// While an orphan is booked the meeting goes anywhere but there.
func TestNoReturnToAnOrphan(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.trustAll()
		s.placed(1, "class")
		s.book(0, "class")
		s.endRow("class")
		s.nodes[1].ForgetRooms()
		s.admin(1, b3scale.AdminStopped)
		s.prefer(0, 1, 2)
		s.createdOnAnyBut(0, "class")
		s.endRow("class")
		s.nodes[2].ForgetRooms()
		s.admin(2, b3scale.AdminStopped)
		if _, err := s.create("class"); codeOf(err) != b3scale.NoBackend {
			t.Errorf("create: %v, want %q", err, b3scale.NoBackend)
		}
		s.list(0)
		s.created("class")
		s.livesOn(0, "class")
	})
}

func (s *site) createdOnAnyBut(node int, id string) {
	s.t.Helper()
	s.created(id)
	if m, _ := s.row(id); m.BackendID == s.backends[node] {
		s.t.Errorf("%s was placed on node %d", id, node)
	}
}

// Several sweeps of one orphan at the same time look and act once.
func TestSweepIsLeased(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.trustAll()
		s.placed(0, "class", "Ada")
		s.lose(0)
		s.prefer(1)
		s.created("class")
		s.find(0)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { s.c.sweep(s.ctx, s.key("class"), s.backends[0]) })
		}
		wg.Wait()
		if n := len(s.nodes[0].Calls("getMeetingInfo")); n != 1 {
			t.Errorf("%d looks at node 0, want 1", n)
		}
		if n := len(s.nodes[0].Calls("end")); n != 1 {
			t.Errorf("%d ends at node 0, want 1", n)
		}
		s.lists(1)
		s.oneRoom("class")
	})
}

// A room that is found beside the meeting's own is booked, and ended because
// the meeting is seen alive where its row says.
func TestSecondRoomIsBookedAndEnded(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.placed(0, "class", "Ada")
		s.addRoom(1, "class", "Bob")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		s.list(1)
		if got := s.orphans("class"); !slices.Equal(got, []int{1}) {
			t.Errorf("orphans on nodes %v, want it on node 1", got)
		}
		if n := len(s.nodes[1].Calls("end")); n > 0 {
			t.Errorf("it was ended although nobody saw the meeting alive")
		}
		s.nodes[0].ClearFaults()
		time.Sleep(s.c.opts.OrphanLease + time.Second)
		s.list(1)
		s.list(1)
		s.oneRoom("class")
	})
}

// A 2.4 node knows no internal ids: the room is looked at and ended by the id
// that the next room will have, too. So that no late end can meet that one,
// the meeting does not return for minutes.
func TestOrphanOnAnOldNode(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2, node: func(_ int, o *bbbtest.Options) { o.Version = "2.4" }}, func(t *testing.T, s *site) {
		s.trustAll()
		room := s.placed(0, "class", "Ada")
		s.lose(0)
		s.prefer(1)
		s.created("class")
		s.find(0)
		s.list(0)
		if got, want := s.endsAt(0), []string{room.InternalID, nodeID("class")}; !slices.Equal(got, want) {
			t.Errorf("ends: %q, want %q", got, want)
		}
		for _, r := range s.nodes[0].Calls("end") {
			if got := r.Params.Get("password"); got != room.ModeratorPW {
				t.Errorf("password %q, want %q", got, room.ModeratorPW)
			}
		}
		if r := s.room(0, "class"); r.InternalID != "" {
			t.Errorf("the room is still there: %q", r.InternalID)
		}
		time.Sleep(time.Minute)
		s.list(0)
		if got := s.orphans("class"); !slices.Equal(got, []int{0}) {
			t.Errorf("after a minute orphans on nodes %v, want it on node 0", got)
		}
		time.Sleep(10 * time.Minute)
		s.list(0)
		if got := s.orphans("class"); len(got) > 0 {
			t.Errorf("after 11 minutes orphans on nodes %v, want none", got)
		}
	})
}

// Two backends lead to one node: what the second one shows is the meeting
// itself, and no orphan of it.
func TestOneNodeUnderTwoAddresses(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.unchecked = true
		room := s.placed(0, "room", "Ada")
		m, _ := s.row("room")
		if booked, err := s.store.BookOrphan(s.ctx, m.Key, s.backends[1], ""); !booked || err != nil {
			t.Fatalf("booked %v, error %v", booked, err)
		}
		got, _, err := s.store.SettleOrphan(s.ctx, m.Key, s.backends[1], incarnationOf(room), &b3scale.Alive{Generation: m.Generation, InternalID: m.InternalID})
		if got != b3scale.OrphanWaits || err != nil {
			t.Errorf("the meeting's own room: %s, error %v, want it to wait", got, err)
		}
	})
}
