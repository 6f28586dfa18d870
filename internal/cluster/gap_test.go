package cluster

import (
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// Lists that follow each other at once are one witness: a server that starts
// shows no rooms for a while.
func TestListsInQuickSuccession(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, opts: Options{ListGap: 5 * time.Second}}, func(t *testing.T, s *site) {
		s.placed(0, "class", "Ada")
		state := func(want b3scale.MeetingState) {
			t.Helper()
			if got, _ := s.row("class"); got.State != want {
				t.Errorf("the row is %s, want %s", got.State, want)
			}
		}
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Empty, Calls: []string{"getMeetings"}})
		for range 4 {
			s.list(0)
			time.Sleep(time.Second)
		}
		state(b3scale.MeetingActive)
		time.Sleep(time.Second)
		s.list(0)
		state(b3scale.MeetingEnded)
		s.nodes[0].ClearFaults()
		for range 4 {
			time.Sleep(time.Second)
			s.list(0)
		}
		state(b3scale.MeetingEnded)
		time.Sleep(2 * time.Second)
		s.list(0)
		state(b3scale.MeetingActive)
	})
}
