package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// createBreakout asks for a breakout room as a frontend does.
func (s *site) createBreakout(id, parent string, pairs ...string) (*bbb.Answer, error) {
	p := params("name", "Breakout "+id, "meetingID", nodeID(id), "isBreakout", "true", "sequence", "1")
	if parent != "" {
		p.Set("parentMeetingID", parent)
	}
	p.Append(params(pairs...))
	return s.c.Create(s.ctx, CreateRequest{Frontend: s.c.Frontend(frontendKey), MeetingID: id, Params: p})
}

// Breakout rooms that moderators open never pass us. Lists bring them and take
// them away, and their people count once.
func TestBreakoutRoomsComeAndGo(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.createdOn(1, "class", "meta_bbb-meeting-size-hint", "0")
		s.prefer() // no foreign people on node 1
		for _, name := range []string{"Ada", "Bob", "Cyd", "Dan", "Eve"} {
			s.nodes[1].Join(nodeID("class"), bbbtest.Attendee{FullName: name})
		}
		s.list(1)
		s.counts(1, 1, 5)

		opened := s.nodes[1].OpenBreakouts(nodeID("class"), 2)
		for i, name := range []string{"Ada", "Bob", "Cyd"} {
			s.nodes[1].Join(opened[i%2].InternalID, bbbtest.Attendee{FullName: name})
		}
		s.list(1)
		s.counts(1, 3, 5)
		for _, room := range opened {
			s.enter(s.joinAddress(b3scale.MeetingKey{FrontendID: s.frontend.ID, MeetingID: room.ExternalID}))
		}
		live := 0
		if err := s.store.LiveMeetings(s.ctx, func(b3scale.Meeting) { live++ }); err != nil {
			t.Fatal(err)
		}
		if live != 1 {
			t.Errorf("%d rows are live, want that of the parent alone", live)
		}

		s.restart()
		if r := s.c.Room(b3scale.MeetingKey{FrontendID: s.frontend.ID, MeetingID: opened[0].ExternalID}); r != nil {
			t.Errorf("a breakout room was stored: %+v", r)
		}
		s.list(1)
		s.counts(1, 3, 5)

		for _, room := range opened {
			s.nodes[1].EndNow(room.InternalID)
		}
		s.list(1)
		s.counts(1, 1, 5)
	})
}

// counts checks how many meetings a backend has, and its load.
func (s *site) counts(node, meetings int, load float64) {
	s.t.Helper()
	if got := s.backend(node).Meetings(); got != meetings {
		s.t.Errorf("node %d has %d meetings, want %d", node, got, meetings)
	}
	if got := s.backend(node).Score(); got != load {
		s.t.Errorf("load of node %d is %v, want %v", node, got, load)
	}
}

func (s *site) joinAddress(key b3scale.MeetingKey) string {
	s.t.Helper()
	address, err := s.c.Join(s.ctx, key, params("meetingID", nodeID(key.MeetingID), "fullName", "Zoe", "role", "VIEWER"))
	if err != nil {
		s.t.Fatalf("join %s: %v", key, err)
	}
	return address
}

// A frontend may create breakout rooms, too. They go to their parent's
// backend, and keep the id that they were created with.
func TestBreakoutRoomsOfAFrontend(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"by its id", "by the id of its room"} {
		t.Run(parent, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2, opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
				s.run()
				synctest.Wait()
				internal := s.createdOn(1, "class")
				id := nodeID("class")
				if parent == "by the id of its room" {
					id = internal
				}
				s.prefer(0)
				answer, err := s.createBreakout("group", id)
				if err != nil || !answer.Succeeded() {
					t.Fatalf("create: %v, error %v", answer, err)
				}
				if got := len(s.nodes[0].Calls("create")); got != 0 {
					t.Errorf("the other node got %d creates", got)
				}
				if _, found := s.row("group"); found {
					t.Error("the breakout room has a row")
				}
				checkRoom := func(when string) {
					t.Helper()
					r := s.c.Room(s.key("group"))
					if r == nil || !r.Breakout || s.nodeOf(r.BackendID) != 1 || r.InternalID != internalIDOf(answer) {
						t.Errorf("%s memory has %+v", when, r)
					}
					s.enter(s.joinAddress(s.key("group")))
				}
				checkRoom("after the create")
				time.Sleep(time.Second) // the list that a new breakout room asks for
				checkRoom("after the list")
				if got := s.backend(1).Meetings(); got != 2 {
					t.Errorf("%d meetings on the node, want 2", got)
				}

				s.nodes[1].EndNow(nodeID("class"))
				s.list(1)
				if r := s.c.Room(s.key("group")); r != nil {
					t.Errorf("the breakout room outlived its parent: %+v", r)
				}
			})
		})
	}
}

func TestBreakoutRoomsNeedTheirParent(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		parent string
		before func(*site)
		key    string
		code   b3scale.Code
	}{
		{name: "not named", key: "parentMeetingIDMissing"},
		{name: "unknown", parent: nodeID("class"), key: "parentMeetingDoesNotExist"},
		{name: "of another frontend", parent: b3scale.EncodeMeetingID("other", "class"), key: "parentMeetingDoesNotExist"},
		{name: "being created", parent: nodeID("class"), before: func(s *site) { s.claim(0, "class") }, code: b3scale.NotYet},
		{name: "lost", parent: nodeID("class"), before: func(s *site) { s.placed(0, "class"); s.lose(0) }, code: b3scale.NodeFailed},
		{name: "silent", parent: nodeID("class"), before: func(s *site) {
			s.placed(0, "class")
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		}, code: b3scale.NodeFailed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
				if c.before != nil {
					c.before(s)
				}
				_, err := s.createBreakout("group", c.parent)
				if f, ok := errors.AsType[*bbb.Failure](err); ok {
					if f.Key != c.key {
						t.Errorf("create: FAILED %s, want %s", f.Key, c.key)
					}
				} else if c.key != "" || codeOf(err) != c.code {
					t.Errorf("create: %v, want key %q or code %q", err, c.key, c.code)
				}
				if n := len(s.nodes[1].Calls("create")); n != 0 {
					t.Errorf("another node got %d creates", n)
				}
			})
		})
	}
}

// The end of a breakout room is for its room alone.
func TestEndOfABreakoutRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, node: endsSlowly(2 * time.Second), opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
		s.run()
		synctest.Wait()
		s.created("class")
		opened := s.nodes[0].OpenBreakouts(nodeID("class"), 2)
		s.list(0)
		key := b3scale.MeetingKey{FrontendID: s.frontend.ID, MeetingID: opened[0].ExternalID}
		answer, err := s.c.End(s.ctx, key, params("meetingID", nodeID(key.MeetingID)))
		if err != nil || !answer.Succeeded() {
			t.Fatalf("end: %v, error %v", answer, err)
		}
		time.Sleep(5 * time.Second)
		s.list(0)
		if r := s.c.Room(key); r != nil {
			t.Errorf("memory still has %+v", r)
		}
		key.MeetingID = opened[1].ExternalID
		if r := s.c.Room(key); r == nil {
			t.Error("the other breakout room is gone, too")
		}
		s.livesOn(0, "class")
	})
}
