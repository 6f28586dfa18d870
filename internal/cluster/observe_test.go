package cluster

import (
	"slices"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// An instance that observes learns everything and changes nothing.
func TestObserve(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{unlisted: true, node: endsSlowly(time.Hour), opts: Options{Observe: true}}, func(t *testing.T, s *site) {
		room := s.addRoom(0, "class", "Ada")
		s.placed(1, "asked") // its end was asked for before
		asked, _ := s.row("asked")
		if _, _, err := s.store.RequestEnd(s.ctx, asked.Key, asked.Generation, asked.InternalID); err != nil {
			t.Fatal(err)
		}
		s.placed(0, "twice", "Ada") // and this one has an orphan
		s.addRoom(2, "twice", "Bob")
		s.book(2, "twice")
		s.run()
		time.Sleep(2 * time.Minute)

		s.livesOn(0, "class")
		if got := s.joined("class"); got != 0 {
			t.Errorf("join led to node %d, want 0", got)
		}
		if _, err := s.create("new"); codeOf(err) != b3scale.Observing {
			t.Errorf("create: %v, want %q", err, b3scale.Observing)
		}
		if _, err := s.create("class", "attendeePW", room.AttendeePW, "moderatorPW", room.ModeratorPW); codeOf(err) != b3scale.Observing {
			t.Errorf("create again: %v, want %q", err, b3scale.Observing)
		}
		if _, err := s.createBreakout("group", nodeID("class")); codeOf(err) != b3scale.Observing {
			t.Errorf("create of a breakout room: %v, want %q", err, b3scale.Observing)
		}
		if _, err := s.end("class"); codeOf(err) != b3scale.Observing {
			t.Errorf("end: %v, want %q", err, b3scale.Observing)
		}
		s.nodes[1].Down()
		time.Sleep(5 * time.Minute)
		if s.backend(1).Lost {
			t.Error("a backend was called lost")
		}
		harmless := []string{"isMeetingRunning", "getMeetings", "getMeetingInfo", "join"}
		for i, n := range s.nodes {
			for _, r := range n.Requests() {
				if !slices.Contains(harmless, r.Call) {
					t.Errorf("node %d was asked for %s", i, r.Call)
				}
			}
		}
		s.unchecked = true // the second room of "twice" stays
	})
}

// Others place the meetings while we observe. Memory follows, also when one
// moves to another node.
func TestObserveFollowsMeetings(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{unlisted: true, opts: Options{Observe: true}}, func(t *testing.T, s *site) {
		s.run()
		s.addRoom(0, "class", "Ada")
		time.Sleep(30 * time.Second)
		s.livesOn(0, "class")
		s.nodes[0].EndNow(nodeID("class"))
		s.addRoom(1, "class", "Ada", "Bob")
		time.Sleep(time.Minute)
		s.livesOn(1, "class")
		if got := s.joined("class"); got != 1 {
			t.Errorf("join led to node %d, want 1", got)
		}
		s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.Empty})
		time.Sleep(time.Minute)
		if _, err := s.join("class"); codeOf(err) != b3scale.NotFound {
			t.Errorf("join: %v, want %q", err, b3scale.NotFound)
		}
		s.nodes[1].ClearFaults()
		time.Sleep(time.Minute)
		s.livesOn(1, "class")
	})
}
