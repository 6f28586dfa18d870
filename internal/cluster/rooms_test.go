package cluster

import (
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/routing"
)

func idsOf(rooms []*routing.Room) string {
	var ids []string
	for _, r := range rooms {
		id := r.Key.MeetingID
		if r.Breakout {
			id = "a breakout room"
		}
		ids = append(ids, id)
	}
	return roomNames(ids)
}

func TestRooms(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		internal := s.createdOn(0, "class")
		s.createdOn(1, "other")
		opened := s.nodes[0].OpenBreakouts(nodeID("class"), 1)
		s.list(0)
		for _, c := range []struct{ what, got, want string }{
			{"on node 0", idsOf(s.c.Rooms(s.backends[0])), "[a breakout room class]"},
			{"on node 1", idsOf(s.c.Rooms(s.backends[1])), "[other]"},
			{"nowhere", idsOf(s.c.Rooms(b3scale.NewID())), "[]"},
			{"all", idsOf(s.c.AllRooms()), "[a breakout room class other]"},
		} {
			if c.got != c.want {
				t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
			}
		}
		if r := s.c.RoomByInternalID("", internal); r == nil || r.Key != s.key("class") {
			t.Errorf("by internal id: %+v", r)
		}
		if r := s.c.RoomByInternalID(s.backends[0], opened[0].InternalID); r == nil || !r.Breakout {
			t.Errorf("the breakout room by internal id: %+v", r)
		}
		if r := s.c.RoomByInternalID(s.backends[1], internal); r != nil {
			t.Errorf("by internal id on another backend: %+v", r)
		}
	})
}

func TestRemoveMeeting(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 1}, func(t *testing.T, s *site, all []*member) {
		internal := s.created("class")
		remove := func(m *member, id, internalID string, want bool) {
			t.Helper()
			if removed, err := m.RemoveMeeting(s.ctx, s.key(id), internalID); err != nil || removed != want {
				t.Errorf("remove %s: %v, %v; want %v", id, removed, err, want)
			}
		}
		remove(all[1], "class", "another", false)
		remove(all[1], "class", "", false)
		remove(all[1], "nothing", internal, false)
		if s.state("class") != b3scale.MeetingActive {
			t.Fatal("another room's end ended the meeting")
		}
		s.nodes[0].EndNow(nodeID("class"))
		remove(all[1], "class", internal, true)
		remove(all[2], "class", internal, false)
		if all[1].Room(s.key("class")) != nil || s.state("class") != b3scale.MeetingEnded {
			t.Error("the meeting is still there")
		}
		if n := len(s.endsAt(0)); n > 0 {
			t.Errorf("the node was asked %d times", n)
		}
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if m.Room(s.key("class")) != nil {
				t.Errorf("instance %d still has the meeting", i)
			}
		}
	})
}

// Who says that a room is gone may be wrong: lists bring it back.
func TestRemovedMeetingThatLives(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		internal := s.created("class")
		if removed, err := s.c.RemoveMeeting(s.ctx, s.key("class"), internal); err != nil || !removed {
			t.Fatal(removed, err)
		}
		s.claim(0, "creating")
		if _, err := s.c.RemoveMeeting(s.ctx, s.key("creating"), ""); b3scale.CodeOf(err) != b3scale.NotYet {
			t.Errorf("a meeting in creation: %v, want %q", err, b3scale.NotYet)
		}
		time.Sleep(time.Second)
		s.lists(2)
		s.livesOn(0, "class")
		if got := s.c.Room(s.key("class")).InternalID; got != internal {
			t.Errorf("the room is %q, want %q", got, internal)
		}
	})
}

func TestRemoveBreakout(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.created("class")
		opened := s.nodes[0].OpenBreakouts(nodeID("class"), 1)[0]
		s.list(0)
		r := s.c.RoomByInternalID("", opened.InternalID)
		for _, want := range []bool{true, false} {
			if removed, err := s.c.RemoveMeeting(s.ctx, r.Key, opened.InternalID); err != nil || removed != want {
				t.Errorf("removed: %v, %v; want %v", removed, err, want)
			}
		}
		if s.c.Room(r.Key) != nil || s.c.Room(s.key("class")) == nil {
			t.Error("the breakout room is still there, or its parent is not")
		}
		s.list(0)
		if s.c.Room(r.Key) == nil {
			t.Error("the list did not bring it back")
		}
	})
}

func TestEndRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, node: endsSlowly(2 * time.Second)}, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		internal := s.created("class", "moderatorPW", "host")
		if err := s.c.EndRoom(s.ctx, s.key("class"), ""); err != nil {
			t.Fatal(err)
		}
		if got := s.endsAt(0); len(got) != 1 || got[0] != internal {
			t.Errorf("ends at the node: %q, want that of %q", got, internal)
		}
		if m, _ := s.row("class"); m.EndRequestedInternalID != internal {
			t.Errorf("the request is not in the row: %q", m.EndRequestedInternalID)
		}
		time.Sleep(5 * time.Second)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
		if err := s.c.EndRoom(s.ctx, s.key("class"), ""); b3scale.CodeOf(err) != b3scale.NotFound {
			t.Errorf("end again: %v, want %q", err, b3scale.NotFound)
		}
		s.created("class", "moderatorPW", "host") // anew
		before := len(s.endsAt(0))
		if err := s.c.EndRoom(s.ctx, s.key("class"), internal); b3scale.CodeOf(err) != b3scale.NotFound || len(s.endsAt(0)) != before {
			t.Errorf("the end of the room before: %v, and the node was asked for %q", err, s.endsAt(0)[before:])
		}
		s.created("silent")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError})
		if err := s.c.EndRoom(s.ctx, s.key("silent"), ""); b3scale.CodeOf(err) != b3scale.NodeFailed {
			t.Errorf("a node that fails: %v, want %q", err, b3scale.NodeFailed)
		}
		s.nodes[0].ClearFaults()
	})
}

func TestEditRoom(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 1, opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site, all []*member) {
		s.created("class")
		r := all[0].Room(s.key("class"))
		info := []byte(strings.Replace(string(r.Info), "<meetingName>Meeting class<", "<meetingName>Physics<", 1))
		people := []b3scale.Attendee{{XML: []byte("<attendee><userID>1</userID></attendee>")}, {XML: []byte("<attendee><userID>2</userID></attendee>")}}
		edit := func(generation int64, internalID string, info []byte, people []b3scale.Attendee, want bool) {
			t.Helper()
			edited, err := all[0].EditRoom(s.ctx, s.key("class"), generation, internalID, info, people)
			if err != nil || edited != want {
				t.Errorf("edited: %v, %v; want %v", edited, err, want)
			}
		}
		edit(r.Generation+1, r.InternalID, info, people, false)
		edit(r.Generation, "another", info, people, false)
		edit(r.Generation, r.InternalID, nil, people, true)
		if now := all[0].Room(s.key("class")); now.People != 2 || !now.Running || string(now.Info) != string(r.Info) {
			t.Errorf("after its people were edited it is %+v", now)
		}
		edit(r.Generation, r.InternalID, info, nil, true)
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			now := m.Room(s.key("class"))
			if !strings.Contains(string(now.Info), ">Physics<") || len(now.Present()) != 2 || string(now.Present()[1]) != string(people[1].XML) {
				t.Errorf("instance %d has %s with %q", i, now.Info, now.Attendees)
			}
		}
		edit(r.Generation, r.InternalID, nil, []b3scale.Attendee{}, true)
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if now := m.Room(s.key("class")); now.People != 0 || now.Running {
				t.Errorf("instance %d has %d people (running: %v), want none", i, now.People, now.Running)
			}
		}
		if _, err := all[0].EditRoom(s.ctx, s.key("class"), r.Generation, r.InternalID, []byte("<open>"), nil); b3scale.CodeOf(err) != b3scale.InvalidArgument {
			t.Errorf("broken XML: %v, want %q", err, b3scale.InvalidArgument)
		}
	})
}
