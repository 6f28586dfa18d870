package cluster

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// endsSlowly makes nodes take d for an end, as real ones do.
func endsSlowly(d time.Duration) func(int, *bbbtest.Options) {
	return func(_ int, o *bbbtest.Options) { o.EndDelay = d }
}

// endsAt are the ids for which a node was asked to end a room.
func (s *site) endsAt(node int) []string {
	var ids []string
	for _, r := range s.nodes[node].Calls("end") {
		ids = append(ids, r.Params.Get("meetingID"))
	}
	return ids
}

func TestEnd(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		version string
		before  func(*site)
		sent    []string
		ends    func(internal string) []string // ids that node 0 is asked for
		code    b3scale.Code
		key     string
		state   b3scale.MeetingState // at once
		asked   bool                 // the request is in the row
		took    time.Duration
	}{
		{name: "3.0", version: "3.0", ends: func(internal string) []string { return []string{internal} },
			key: "sentEndMeetingRequest", state: b3scale.MeetingActive, asked: true},
		{name: "2.5", version: "2.5", ends: func(internal string) []string { return []string{internal} },
			key: "sentEndMeetingRequest", state: b3scale.MeetingActive, asked: true},
		{name: "2.4", version: "2.4", ends: func(internal string) []string { return []string{internal, nodeID("class")} },
			key: "sentEndMeetingRequest", state: b3scale.MeetingActive, asked: true},
		{name: "2.4 with the password", version: "2.4", sent: []string{"password", "host"},
			ends: func(internal string) []string { return []string{internal, nodeID("class")} },
			key:  "sentEndMeetingRequest", state: b3scale.MeetingActive, asked: true},
		{name: "2.4 with a wrong password", version: "2.4", sent: []string{"password", "guess"},
			ends: func(internal string) []string { return []string{internal, nodeID("class")} },
			key:  "invalidPassword", state: b3scale.MeetingActive},
		{name: "room gone", version: "3.0", before: func(s *site) { s.nodes[0].ForgetRooms() },
			ends: func(internal string) []string { return []string{internal} }, key: "notFound", state: b3scale.MeetingEnded},
		{name: "2.4, room gone", version: "2.4", before: func(s *site) { s.nodes[0].ForgetRooms() },
			ends: func(internal string) []string { return []string{internal} }, key: "notFound", state: b3scale.MeetingEnded},
		{name: "2.4, another room of that id", version: "2.4", before: func(s *site) {
			s.nodes[0].ForgetRooms()
			time.Sleep(time.Second)
			s.addRoom(0, "class", "Ada")
		}, ends: func(internal string) []string { return []string{internal} }, key: "notFound", state: b3scale.MeetingEnded},
		{name: "another room of that id", version: "3.0", before: func(s *site) {
			s.nodes[0].ForgetRooms()
			time.Sleep(time.Second)
			s.addRoom(0, "class", "Ada")
		}, ends: func(internal string) []string { return []string{internal} }, key: "notFound", state: b3scale.MeetingEnded},
		{name: "silent", version: "3.0", before: func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole}) },
			ends: func(internal string) []string { return []string{internal} }, code: b3scale.NodeFailed, state: b3scale.MeetingActive, took: 10 * time.Second},
		{name: "500", version: "3.0", before: func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError}) },
			ends: func(internal string) []string { return []string{internal} }, code: b3scale.NodeFailed, state: b3scale.MeetingActive},
		{name: "lost", version: "3.0", before: func(s *site) { s.lose(0) }, code: b3scale.NodeFailed, state: b3scale.MeetingActive},
		{name: "drained", version: "3.0", before: func(s *site) { s.admin(0, b3scale.AdminStopped) },
			ends: func(internal string) []string { return []string{internal} }, key: "sentEndMeetingRequest", state: b3scale.MeetingActive, asked: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1, node: func(_ int, o *bbbtest.Options) { o.Version = c.version; o.EndDelay = 5 * time.Second }}, func(t *testing.T, s *site) {
				internal := s.created("class", "attendeePW", "guest", "moderatorPW", "host")
				if c.before != nil {
					c.before(s)
				}
				begin := time.Now()
				answer, err := s.end("class", c.sent...)
				took := time.Since(begin)
				key := ""
				if err == nil {
					key = answer.MessageKey()
				}
				if codeOf(err) != c.code || key != c.key {
					t.Errorf("end: code %q, key %q (error %v), want code %q, key %q", codeOf(err), key, err, c.code, c.key)
				}
				if took.Round(time.Second) != c.took {
					t.Errorf("it took %v, want about %v", took, c.took)
				}
				var want []string
				if c.ends != nil {
					want = c.ends(internal)
				}
				if got := s.endsAt(0); !slices.Equal(got, want) {
					t.Errorf("ends at the node: %q, want %q", got, want)
				}
				m, _ := s.row("class")
				if m.State != c.state {
					t.Errorf("row is %s, want %s", m.State, c.state)
				}
				if asked := m.EndRequestedInternalID == internal; asked != c.asked {
					t.Errorf("end requested of %q, want %v that it is of %q", m.EndRequestedInternalID, c.asked, internal)
				}
				if ending := s.room(0, "class").Ending; ending != c.asked {
					t.Errorf("the room is ending: %v, want %v", ending, c.asked)
				}
			})
		})
	}
}

func TestEndWithoutARoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		if _, err := s.end("nothing"); codeOf(err) != b3scale.NotFound {
			t.Errorf("end of no meeting: %v, want %q", err, b3scale.NotFound)
		}
		s.claim(0, "class")
		if _, err := s.end("class"); codeOf(err) != b3scale.NotYet {
			t.Errorf("end of a meeting in creation: %v, want %q", err, b3scale.NotYet)
		}
	})
}

// The room goes a while after the answer; then the place is free within
// seconds, and the next create makes another room.
func TestEndFreesThePlace(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{node: endsSlowly(2 * time.Second), opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
		s.run()
		synctest.Wait()
		first := s.created("class")
		s.ended("class")
		time.Sleep(time.Second)
		if got := s.state("class"); got != b3scale.MeetingActive {
			t.Errorf("row is %s while the room is there, want active", got)
		}
		time.Sleep(3 * time.Second)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
		if _, err := s.join("class"); codeOf(err) != b3scale.NotFound {
			t.Errorf("join: %v, want %q", err, b3scale.NotFound)
		}
		if second := s.created("class"); second == first {
			t.Errorf("the ended room %q was answered again", second)
		}
	})
}

// Who ends a meeting and begins it anew at once gets a new room, as soon as
// the node has closed the old one.
func TestCreateWhileTheOldRoomEnds(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.4", "3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2, node: func(_ int, o *bbbtest.Options) { o.Version, o.EndDelay = version, 3*time.Second }}, func(t *testing.T, s *site) {
				s.trustAll()
				first := s.createdOn(0, "class")
				s.ended("class")
				begin := time.Now()
				if second := s.created("class"); second == first {
					t.Errorf("the room %q that is being ended was answered again", second)
				}
				if took := time.Since(begin); took > 8*time.Second {
					t.Errorf("it took %v", took)
				}
				s.oneRoom("class")
			})
		})
	}
}

// An end that is late can meet the next room of the same meeting. It must not
// hit it.
func TestLateEndMissesTheNextRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.trustAll()
		first := s.created("class")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateExecution, Calls: []string{"end"}, Delay: 5 * time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.end("class")
		}()
		time.Sleep(time.Second)
		s.nodes[0].EndNow(first)
		second := s.created("class")
		<-done
		time.Sleep(10 * time.Second)
		s.lists(3)
		s.livesOn(0, "class")
		if got := s.room(0, "class").InternalID; got != second {
			t.Errorf("the room is %q, want %q", got, second)
		}
	})
}

func TestEndTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{node: endsSlowly(2 * time.Second)}, func(t *testing.T, s *site) {
		s.run()
		s.created("class")
		s.ended("class")
		s.ended("class")
		time.Sleep(5 * time.Second)
		if _, err := s.end("class"); codeOf(err) != b3scale.NotFound {
			t.Errorf("end after the end: %v, want %q", err, b3scale.NotFound)
		}
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
	})
}

// A node that took the end and forgot it is asked again with every list, for
// exactly that room.
func TestListsRepeatAnEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, node: endsSlowly(time.Hour)}, func(t *testing.T, s *site) {
		internal := s.created("class")
		s.created("other")
		s.ended("class")
		time.Sleep(time.Second)
		s.list(0)
		s.list(0)
		if got, want := s.endsAt(0), []string{internal, internal, internal}; !slices.Equal(got, want) {
			t.Errorf("ends at the node: %q, want %q", got, want)
		}
		s.nodes[0].EndNow(internal)
		s.list(0)
		s.list(0)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
		s.livesOn(0, "other")
	})
}

// A room whose end was asked for is not the meeting again, even if lists
// showed it as gone for a while.
func TestRequestedEndIsFinal(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, node: endsSlowly(time.Hour)}, func(t *testing.T, s *site) {
		internal := s.created("class")
		s.ended("class")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Empty})
		s.lists(2)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Fatalf("row is %s, want ended", got)
		}
		s.nodes[0].ClearFaults()
		s.lists(3)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
		if got, want := s.endsAt(0), []string{internal, internal, internal, internal}; !slices.Equal(got, want) {
			t.Errorf("ends at the node: %q, want %q", got, want)
		}
	})
}
