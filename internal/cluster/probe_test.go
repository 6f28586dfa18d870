package cluster

import (
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// Only an answer counts as one. A dead backend must not look alive to the next
// start because this one began with what the last had stored.
func TestOnlyAnswersAreStoredAsProbes(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		if err := s.store.SaveProbes(s.ctx, "before", s.backends); err != nil {
			t.Fatal(err)
		}
		s.nodes[0].Down()
		time.Sleep(10 * time.Second)
		before, err := s.store.Probes(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.c = s.newCluster()
		s.run()
		time.Sleep(10 * time.Second)
		after, err := s.store.Probes(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if before[s.backends[0]] != after[s.backends[0]] {
			t.Errorf("the dead backend was last reached at %v before, %v after", before[s.backends[0]], after[s.backends[0]])
		}
		if before[s.backends[1]] >= after[s.backends[1]] {
			t.Errorf("the other backend was last reached at %v before, %v after", before[s.backends[1]], after[s.backends[1]])
		}
	})
}

// A backend that does not answer gets no new meetings soon, keeps those it
// has, and is listed as soon as it is back.
func TestSilentBackendGetsNoNewMeetings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ off, on func(*site) }{
		"down":         {func(s *site) { s.nodes[0].Down() }, func(s *site) { _ = s.nodes[0].Up() }},
		"black hole":   {func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole}) }, func(s *site) { s.nodes[0].ClearFaults() }},
		"wrong secret": {func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.WrongSecret}) }, func(s *site) { s.nodes[0].ClearFaults() }},
		"500":          {func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError}) }, func(s *site) { s.nodes[0].ClearFaults() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 2, opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
				s.run()
				time.Sleep(time.Second)
				s.placed(0, "old")
				c.off(s)
				time.Sleep(10 * time.Second)
				s.nodes[0].ResetRequests()
				s.prefer(0, 1)
				begin := time.Now()
				s.created("new")
				if took := time.Since(begin); took > time.Millisecond {
					t.Errorf("a create took %v", took)
				}
				s.livesOn(1, "new")
				if n := len(s.nodes[0].Calls("create")); n > 0 {
					t.Errorf("the silent backend was asked for %d creates", n)
				}
				if address, err := s.join("old"); err != nil {
					t.Errorf("join: %q, %v", address, err)
				}
				c.on(s)
				time.Sleep(5 * time.Second)
				if n := len(s.nodes[0].Calls("getMeetings")); n != 1 {
					t.Errorf("the backend that came back was listed %d times, want once", n)
				}
				s.livesOn(0, "old")
			})
		})
	}
}

// A start lists every backend once. Two lists at the same moment would be as
// good as one: a node that is starting, too, may show no rooms in both.
func TestStartListsOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		room := s.placed(0, "class", "Ada")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Empty})
		s.c = s.newCluster()
		s.run()
		time.Sleep(5 * time.Second)
		s.nodes[0].ClearFaults()
		for i, n := range s.nodes {
			if lists := len(n.Calls("getMeetings")); lists != 1 {
				t.Errorf("node %d was listed %d times within 5 s, want once", i, lists)
			}
		}
		s.livesOn(0, "class")
		time.Sleep(time.Minute)
		if m, _ := s.row("class"); m.InternalID != room.InternalID || m.State != b3scale.MeetingActive {
			t.Errorf("row is %s with the room %q", m.State, m.InternalID)
		}
	})
}
