package cluster

import (
	"context"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// partial hides some rooms in lists, as a node that is still starting does.
type partial struct {
	Nodes
	hidden map[string]bool // meeting ids
}

func (p *partial) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	answer, err := p.Nodes.Do(ctx, node, call)
	if err != nil || call.Name != "getMeetings" {
		return answer, err
	}
	edit := answer.Doc.Edit()
	for e := range answer.Root().Child("meetings").Children() {
		if _, id, _ := b3scale.DecodeMeetingID(e.Child("meetingID").Text()); p.hidden[id] {
			edit.Remove(e)
		}
	}
	return bbb.NewOwnAnswer(edit.Bytes()), nil
}

// A row ends when two lists in a row do not show its room, and no earlier.
func TestAbsentRooms(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		lists string // each "-" without the room, "+" with it, "!" failing
		state b3scale.MeetingState
	}{
		{"once", "-", b3scale.MeetingActive},
		{"twice", "--", b3scale.MeetingEnded},
		{"not in a row", "-+-", b3scale.MeetingActive},
		{"twice in the end", "-+--", b3scale.MeetingEnded},
		{"once, then no list", "-!!!", b3scale.MeetingActive},
		{"no list at all", "!!!!", b3scale.MeetingActive},
	}
	for _, c := range cases {
		for _, how := range []string{"partial list", "empty list"} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				hide := &partial{hidden: map[string]bool{}}
				p := plan{nodes: 1, calling: func(n Nodes) Nodes { hide.Nodes = n; return hide }}
				inBubble(t, p, func(t *testing.T, s *site) {
					room := s.placed(0, "class", "Ada")
					if how == "partial list" {
						s.placed(0, "other", "Bob")
					}
					for _, list := range c.lists {
						s.nodes[0].ClearFaults()
						hide.hidden["class"] = list == '-' && how == "partial list"
						if list == '-' && how == "empty list" {
							s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Empty, Calls: []string{"getMeetings"}})
						}
						if list == '!' {
							s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Truncated, Calls: []string{"getMeetings"}})
							if err := s.c.reconcile(s.ctx, s.backend(0), s.seen[0]); err == nil {
								t.Error("half a list was taken for a whole one")
							}
							continue
						}
						s.list(0)
						time.Sleep(10 * time.Second)
					}
					if m, _ := s.row("class"); m.State != c.state || m.LastEndedInternalID != "" && m.LastEndedInternalID != room.InternalID {
						t.Errorf("row is %s, last ended %q; want it %s", m.State, m.LastEndedInternalID, c.state)
					}
					if how == "partial list" {
						s.livesOn(0, "other")
					}
					if n := len(s.nodes[0].Calls("end")); n > 0 {
						t.Errorf("the node was asked for %d ends", n)
					}
				})
			})
		}
	}
}

// A list that was made before the room says nothing about it, however late it
// arrives.
func TestOldListsDoNotEndNewMeetings(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.trustAll()
		for i := range 4 {
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"getMeetings"}, Delay: 5 * time.Second, Times: 1})
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.list(0)
			}()
			time.Sleep(time.Second)
			s.nodes[0].ForgetRooms()
			s.created("class")
			<-done
			s.livesOn(0, "class")
			if i == 3 {
				return
			}
			time.Sleep(5 * time.Second)
		}
	})
}

// A room whose row has ended is the meeting again when two lists show it.
func TestReturnedRooms(t *testing.T) {
	t.Parallel()
	const active, ended = b3scale.MeetingActive, b3scale.MeetingEnded
	cases := []struct {
		name   string
		before func(*site)
		states []b3scale.MeetingState // after each list of node 0
	}{
		{"two lists", func(*site) {}, []b3scale.MeetingState{ended, active}},
		{"gone in between", func(s *site) {
			s.list(0)
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Empty, Times: 1})
			s.list(0)
		}, []b3scale.MeetingState{ended, active}},
		{"booked as orphan there", func(s *site) { s.book(0, "class") }, []b3scale.MeetingState{active}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
				room := s.placed(0, "class", "Ada")
				before, _ := s.row("class")
				s.endRow("class")
				time.Sleep(time.Second)
				c.before(s)
				for i, want := range c.states {
					s.list(0)
					if got := s.state("class"); got != want {
						t.Errorf("after list %d the row is %s, want %s", i+1, got, want)
					}
					time.Sleep(10 * time.Second)
				}
				m, _ := s.row("class")
				if m.Generation <= before.Generation || m.InternalID != room.InternalID {
					t.Errorf("generation %d after %d, room %q; want a new generation of the room %q", m.Generation, before.Generation, m.InternalID, room.InternalID)
				}
				s.list(0)
				if r := s.c.Room(s.key("class")); r == nil || r.People != 1 {
					t.Errorf("memory has %+v, want one person", r)
				}
				s.oneRoom("class")
			})
		})
	}
}

// The room of an ended row is found on another node: the old one is booked.
func TestReturnedElsewhere(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.placed(0, "class")
		s.nodes[0].ForgetRooms()
		s.list(0)
		s.list(0)
		s.addRoom(1, "class", "Ada")
		s.list(1)
		s.list(1)
		s.livesOn(1, "class")
		if got := s.orphans("class"); len(got) != 1 || got[0] != 0 {
			t.Errorf("orphans on nodes %v, want it on node 0", got)
		}
		s.lists(1)
		s.oneRoom("class")
	})
}

// A list that began before the row ended shows nothing about what came after.
func TestOldListsDoNotBringMeetingsBack(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.placed(0, "class")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"getMeetings"}, Delay: 5 * time.Second})
		for range 2 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.list(0)
			}()
			time.Sleep(time.Second)
			if r := s.c.Room(s.key("class")); r != nil {
				s.nodes[0].ForgetRooms()
				s.c.look(s.ctx, s.key("class"))
			}
			<-done
			if got := s.state("class"); got != b3scale.MeetingEnded {
				t.Errorf("row is %s, want ended", got)
			}
		}
	})
}

// Rows whose create was never brought to its end are settled by the lists
// after a minute.
func TestHealing(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		before func(*site)
		state  b3scale.MeetingState
	}{
		{"no room", func(*site) {}, b3scale.MeetingEnded},
		{"room there", func(s *site) { s.addRoom(0, "class", "Ada") }, b3scale.MeetingActive},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
				claimed := s.claim(0, "class")
				c.before(s)
				for range 5 {
					s.list(0)
					if got := s.state("class"); got != b3scale.MeetingCreating {
						t.Fatalf("row is %s after %v, want creating", got, time.Since(claimed.ClaimedAt.Time()))
					}
					time.Sleep(11 * time.Second)
				}
				time.Sleep(10 * time.Second)
				s.list(0)
				m, _ := s.row("class")
				if m.State != c.state || m.Generation != claimed.Generation {
					t.Errorf("row is %s, generation %d; want %s, generation %d", m.State, m.Generation, c.state, claimed.Generation)
				}
				if c.state == b3scale.MeetingActive {
					if got := s.joined("class"); got != 0 {
						t.Errorf("join led to node %d", got)
					}
				}
			})
		})
	}
}

// The room that a stuck row finds is the one that ended before: it is not
// confirmed. It lives, so it becomes the meeting again by itself.
func TestHealingRefusesTheOldRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		room := s.placed(0, "class", "Ada")
		s.endRow("class")
		s.claim(0, "class")
		time.Sleep(61 * time.Second)
		s.list(0)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
		s.list(0)
		s.list(0)
		s.livesOn(0, "class")
		if got := s.room(0, "class"); got.InternalID != room.InternalID || got.Ending {
			t.Errorf("the room is %q, ending %v; want %q untouched", got.InternalID, got.Ending, room.InternalID)
		}
	})
}

// bbb-web was restarted, and somebody made the room again behind our back.
func TestAnotherRoomIsConfirmed(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		clock time.Duration // of the node, when it makes the second room
		lists int
	}{
		{"newer", 0, 1},
		{"older by the node's clock", -time.Hour, 4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
				s.placed(0, "class")
				before, _ := s.row("class")
				s.nodes[0].ForgetRooms()
				time.Sleep(time.Second)
				room := s.nodes[0].AddRoom(bbbtest.Room{ExternalID: nodeID("class"), CreateTime: before.CreateTime + 1000 + c.clock.Milliseconds()})
				for range c.lists {
					s.list(0)
					time.Sleep(10 * time.Second)
				}
				m, _ := s.row("class")
				if m.State != b3scale.MeetingActive || m.InternalID != room.InternalID {
					t.Errorf("row is %s with the room %q, want it active with %q", m.State, m.InternalID, room.InternalID)
				}
				if same := m.Generation == before.Generation; same != (c.clock == 0) {
					t.Errorf("generation %d became %d", before.Generation, m.Generation)
				}
				s.livesOn(0, "class")
			})
		})
	}
}
