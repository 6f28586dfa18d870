package cluster

import (
	"slices"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// A create for a meeting that has a row already. Its backend is node 0.
func TestCreateForAMeetingWithARow(t *testing.T) {
	t.Parallel()
	drain := func(s *site) { s.admin(0, b3scale.AdminStopped) }
	mute := func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole}) }
	forget := func(s *site) { s.nodes[0].ForgetRooms() }
	cases := []struct {
		name     string
		creating bool // claimed only; the row is active otherwise, with its room
		changes  []func(*site)
		creates  []int
		looks    []int // getMeetingInfo at each node
		code     b3scale.Code
		home     int
		sameRow  bool // the generation stays
		sameRoom bool
		orphans  []int
		took     time.Duration
	}{
		{name: "active", creates: []int{1, 0, 0}, looks: []int{0, 0, 0}, sameRow: true, sameRoom: true},
		{name: "active, room gone with a restart", changes: []func(*site){forget},
			creates: []int{1, 0, 0}, looks: []int{0, 0, 0}, sameRow: true},
		{name: "creating", creating: true, creates: []int{1, 0, 0}, looks: []int{0, 0, 0}, sameRow: true},
		{name: "creating, room there", creating: true, changes: []func(*site){func(s *site) { s.addRoom(0, "class") }},
			creates: []int{1, 0, 0}, looks: []int{1, 0, 0}, sameRow: true},
		{name: "drained, room there", changes: []func(*site){drain},
			creates: []int{1, 0, 0}, looks: []int{1, 0, 0}, sameRow: true, sameRoom: true},
		{name: "drained, room gone", changes: []func(*site){drain, forget},
			creates: []int{0, 1, 0}, looks: []int{1, 0, 0}, home: 1, orphans: []int{0}},
		{name: "drained and silent", changes: []func(*site){drain, mute},
			creates: []int{0, 0, 0}, looks: []int{1, 0, 0}, code: b3scale.NodeFailed, sameRow: true, sameRoom: true, took: 10 * time.Second},
		{name: "drained and off", changes: []func(*site){drain, func(s *site) { s.nodes[0].Down() }},
			creates: []int{0, 0, 0}, looks: []int{0, 0, 0}, code: b3scale.NodeFailed, sameRow: true, sameRoom: true},
		{name: "drained while creating, room there", creating: true, changes: []func(*site){drain, func(s *site) { s.addRoom(0, "class") }},
			creates: []int{1, 0, 0}, looks: []int{2, 0, 0}, sameRow: true},
		{name: "drained while creating, no room", creating: true, changes: []func(*site){drain},
			creates: []int{0, 1, 0}, looks: []int{1, 0, 0}, home: 1, orphans: []int{0}},
		{name: "drained while creating, silent", creating: true, changes: []func(*site){drain, mute},
			creates: []int{0, 1, 0}, looks: []int{1, 0, 0}, home: 1, orphans: []int{0}, took: 10 * time.Second},
		{name: "lost", changes: []func(*site){func(s *site) { s.lose(0) }},
			creates: []int{0, 1, 0}, looks: []int{0, 0, 0}, home: 1, orphans: []int{0}},
		{name: "lost while creating", creating: true, changes: []func(*site){func(s *site) { s.lose(0) }},
			creates: []int{0, 1, 0}, looks: []int{0, 0, 0}, home: 1, orphans: []int{0}},
		{name: "lost, and nowhere to go", changes: []func(*site){func(s *site) { s.lose(0); s.admin(1, b3scale.AdminInit); s.admin(2, b3scale.AdminError) }},
			creates: []int{0, 0, 0}, looks: []int{0, 0, 0}, code: b3scale.NoBackend, sameRow: true, sameRoom: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{}, func(t *testing.T, s *site) {
				s.trustAll()
				var room bbbtest.Room
				if c.creating {
					s.claim(0, "class")
				} else {
					room = s.placed(0, "class", "Ada")
				}
				before, _ := s.row("class")
				for _, change := range c.changes {
					change(s)
				}
				s.prefer(0, 1, 2)
				begin := time.Now()
				_, err := s.create("class")
				took := time.Since(begin)

				if codeOf(err) != c.code {
					t.Errorf("create: %v, want code %q", err, c.code)
				}
				if took.Round(time.Second) != c.took {
					t.Errorf("it took %v, want about %v", took, c.took)
				}
				if got := s.counted("create", "class"); !slices.Equal(got, c.creates) {
					t.Errorf("creates at the nodes: %v, want %v", got, c.creates)
				}
				if got := s.counted("getMeetingInfo", "class"); !slices.Equal(got, c.looks) {
					t.Errorf("looks at the nodes: %v, want %v", got, c.looks)
				}
				if got := s.orphans("class"); !slices.Equal(got, c.orphans) {
					t.Errorf("orphans on nodes %v, want %v", got, c.orphans)
				}
				after, _ := s.row("class")
				if sameRow := after.Generation == before.Generation; sameRow != c.sameRow {
					t.Errorf("generation %d became %d, same is %v, want %v", before.Generation, after.Generation, sameRow, c.sameRow)
				}
				if sameRoom := !c.creating && after.InternalID == room.InternalID; sameRoom != c.sameRoom {
					t.Errorf("room %q became %q, same is %v, want %v", room.InternalID, after.InternalID, sameRoom, c.sameRoom)
				}
				if c.code == "" {
					s.livesOn(c.home, "class")
				}
			})
		})
	}
}

// A backend that was lost comes back: the room that was replaced is ended, and
// everybody is sent to the new one.
func TestLostBackendReturns(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.trustAll()
		s.placed(0, "class", "Ada")
		s.placed(0, "other", "Bob") // nobody asks for it meanwhile
		s.lose(0)
		s.prefer(1)
		moved := s.created("class")
		s.find(0)
		s.lists(3)
		s.oneRoom("class")
		if m, _ := s.row("class"); m.InternalID != moved {
			t.Errorf("the meeting is %q now, want %q", m.InternalID, moved)
		}
		s.livesOn(0, "other")
	})
}

// Two requests create the same meeting; the backend of the first is declared
// lost before it answers. Both get the room that counts.
func TestCreateThatLost(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.trustAll()
		s.prefer(0, 1)
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"create"}, Delay: 15 * time.Second, Times: 1})
		first := make(chan string)
		go func() { first <- s.created("class") }()
		time.Sleep(5 * time.Second)
		s.lose(0)
		second := s.created("class")
		s.livesOn(1, "class")
		s.find(0)
		if got := <-first; got != second {
			t.Errorf("the first create was answered with room %q, the second with %q", got, second)
		}
		s.lists(2)
		s.oneRoom("class")
	})
}

// A create whose row was ended and claimed anew meanwhile has made a room that
// is nobody's: it is booked and ended, at once.
func TestLoserEndsItsRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.trustAll()
		s.prefer(0, 1)
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"create"}, Delay: 15 * time.Second})
		first := make(chan string)
		go func() { first <- s.created("class") }()
		time.Sleep(5 * time.Second)
		s.endRow("class")
		s.prefer(1)
		second := s.created("class")
		if got := <-first; got != second {
			t.Errorf("the first create was answered with room %q, the second with %q", got, second)
		}
		if r := s.room(0, "class"); r.InternalID != "" {
			t.Errorf("the loser's room is still there: %q", r.InternalID)
		}
		s.lists(1)
		s.oneRoom("class")
	})
}

func TestCreateWithoutCandidates(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		backend func(int, *b3scale.Backend)
		tags    b3scale.Tags
	}{
		{name: "all stopped", backend: func(_ int, b *b3scale.Backend) { b.AdminState = b3scale.AdminStopped }},
		{name: "tags", tags: b3scale.Tags{"gpu"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{backend: c.backend}, func(t *testing.T, s *site) {
				s.limited(func(f *b3scale.FrontendSettings) { f.RequiredTags = c.tags })
				begin := time.Now()
				_, err := s.create("class")
				if codeOf(err) != b3scale.NoBackend {
					t.Errorf("create: %v, want code %q", err, b3scale.NoBackend)
				}
				if m, found := s.row("class"); found {
					t.Errorf("there is a row: %+v", m)
				}
				if took := time.Since(begin); took > 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// The rooms of a backend that nobody has listed may be the meeting: before a
// new one is made, those backends are asked.
func TestCreateAsksUnlistedBackends(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{unlisted: true}, func(t *testing.T, s *site) {
		s.trustAll()
		room := s.addRoom(2, "class", "Ada")
		s.prefer(0)
		if got := s.created("class", "attendeePW", room.AttendeePW, "moderatorPW", room.ModeratorPW); got != room.InternalID {
			t.Errorf("created %q, want the running room %q", got, room.InternalID)
		}
		s.livesOn(2, "class")
		if got, want := s.counted("create", "class"), []int{0, 0, 1}; !slices.Equal(got, want) {
			t.Errorf("creates at the nodes: %v, want %v", got, want)
		}
		// One that does not say might have it, so nothing is created. But it
		// may not keep the others from working for ever.
		s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		if _, err := s.create("new"); codeOf(err) != b3scale.NotYet {
			t.Errorf("create beside a backend that does not say: %v, want code %q", err, b3scale.NotYet)
		}
		time.Sleep(unlistedPatience)
		begin := time.Now()
		s.created("new")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("a create took %v beside a backend that never says", took)
		}
		for i := range s.nodes {
			if i != 1 {
				s.list(i)
			}
		}
		s.prefer(0)
		s.nodes[0].ResetRequests()
		s.created("newer")
		if got := len(s.nodes[0].Calls("getMeetingInfo")); got != 0 {
			t.Errorf("a listed backend was asked %d times", got)
		}
	})
}

// A slow cluster beside a fresh database: slow is not empty.
func TestCreateWaitsForSlowUnlistedBackends(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{unlisted: true}, func(t *testing.T, s *site) {
		s.trustAll()
		room := s.addRoom(2, "class", "Ada")
		s.prefer(0)
		for _, n := range s.nodes {
			n.SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Calls: []string{"getMeetingInfo"}, Delay: 4 * time.Second})
		}
		if got := s.created("class", "attendeePW", room.AttendeePW, "moderatorPW", room.ModeratorPW); got != room.InternalID {
			t.Errorf("created %q, want the running room %q", got, room.InternalID)
		}
		s.livesOn(2, "class")
	})
}
