package cluster

import (
	"slices"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// What a create does when the node that was chosen, number 0, misbehaves.
// Node 1 comes next, then node 2.
func TestCreateWhenTheNodeMisbehaves(t *testing.T) {
	t.Parallel()
	fault := func(kind bbbtest.Kind, times int) func(*site) {
		return func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: kind, Calls: []string{"create"}, Times: times}) }
	}
	late := func(kind bbbtest.Kind, delay time.Duration) func(*site) {
		return func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: kind, Calls: []string{"create"}, Delay: delay}) }
	}
	on := func(nodes []int, do func(s *site, node int)) func(*site) {
		return func(s *site) {
			for _, i := range nodes {
				do(s, i)
			}
		}
	}
	down := func(s *site, i int) { s.nodes[i].Down() }
	silent := func(s *site, i int) {
		s.nodes[i].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"create"}})
	}

	const creating, active, ended = b3scale.MeetingCreating, b3scale.MeetingActive, b3scale.MeetingEnded
	cases := []struct {
		name    string
		sick    func(*site)
		active  bool  // its room is on node 0 already
		creates []int // that arrived at each node
		code    b3scale.Code
		key     string // of a FAILED answer
		state   b3scale.MeetingState
		home    int
		orphans []int
		took    time.Duration // rounded to whole seconds
	}{
		{name: "nothing is wrong", sick: func(*site) {}, creates: []int{1, 0, 0}, state: active},
		{name: "refused", sick: on([]int{0}, down), creates: []int{0, 1, 0}, state: active, home: 1, orphans: []int{0}},
		{name: "refused twice", sick: on([]int{0, 1}, down), creates: []int{0, 0, 1}, state: active, home: 2, orphans: []int{0, 1}},
		{name: "refused by all", sick: on([]int{0, 1, 2}, down), creates: []int{0, 0, 0}, code: b3scale.NoBackend, state: creating, home: 2, orphans: []int{0, 1}},
		{name: "refused while active", active: true, sick: on([]int{0}, down), creates: []int{0, 0, 0}, code: b3scale.NodeFailed, state: active},
		{name: "no way there", sick: on([]int{0}, func(s *site, i int) { s.network.Cut(s.nodes[i]) }),
			creates: []int{0, 1, 0}, state: active, home: 1, orphans: []int{0}, took: 3 * time.Second},
		{name: "hangs", sick: on([]int{0}, silent), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}, took: 20 * time.Second},
		{name: "hangs, and so does the next", sick: on([]int{0, 1}, silent),
			creates: []int{1, 1, 0}, code: b3scale.NodeFailed, state: creating, home: 1, orphans: []int{0}, took: 40 * time.Second},
		{name: "hangs, and the next refuses", sick: func(s *site) { silent(s, 0); down(s, 1) },
			creates: []int{1, 0, 1}, state: active, home: 2, orphans: []int{0, 1}, took: 20 * time.Second},
		{name: "refuses, and the next hangs", sick: func(s *site) { down(s, 0); silent(s, 1) },
			creates: []int{0, 1, 1}, state: active, home: 2, orphans: []int{0, 1}, took: 20 * time.Second},
		{name: "hangs while active", active: true, sick: on([]int{0}, silent),
			creates: []int{1, 0, 0}, code: b3scale.NodeFailed, state: active, took: 20 * time.Second},
		{name: "answer lost", sick: fault(bbbtest.AnswerLost, 0), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}},
		{name: "answer lost while active", active: true, sick: fault(bbbtest.AnswerLost, 0), creates: []int{1, 0, 0}, code: b3scale.NodeFailed, state: active},
		{name: "connection closed", sick: fault(bbbtest.HangUp, 0), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}},
		{name: "cut off in the answer", sick: fault(bbbtest.CutOff, 0), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}},
		{name: "executes late", sick: late(bbbtest.LateExecution, 25*time.Second), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}, took: 20 * time.Second},
		{name: "answers late", sick: late(bbbtest.LateAnswer, 15*time.Second), creates: []int{1, 0, 0}, state: active, took: 15 * time.Second},
		{name: "slow, byte by byte", sick: late(bbbtest.SlowBody, 10*time.Millisecond), creates: []int{1, 0, 0}, state: active, took: 7 * time.Second},
		{name: "too slow, byte by byte", sick: late(bbbtest.SlowBody, time.Second), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}, took: 20 * time.Second},
		{name: "500 once", sick: fault(bbbtest.ServerError, 1), creates: []int{2, 0, 0}, state: active},
		{name: "500", sick: fault(bbbtest.ServerError, 0), creates: []int{2, 0, 0}, code: b3scale.NodeFailed, state: creating},
		{name: "500 once, executed", sick: fault(bbbtest.ServerErrorAfter, 1), creates: []int{2, 0, 0}, state: active},
		{name: "500, executed", sick: fault(bbbtest.ServerErrorAfter, 0), creates: []int{2, 0, 0}, code: b3scale.NodeFailed, state: creating},
		{name: "500 while active", active: true, sick: fault(bbbtest.ServerError, 0), creates: []int{2, 0, 0}, code: b3scale.NodeFailed, state: active},
		// The model of the protocol does that, too: a room that a call may have made is booked.
		{name: "500, then silence", sick: func(s *site) { fault(bbbtest.ServerError, 1)(s); silent(s, 0) },
			creates: []int{2, 1, 0}, state: active, home: 1, orphans: []int{0}, took: 20 * time.Second},
		{name: "502", sick: fault(bbbtest.BadGateway, 0), creates: []int{2, 0, 0}, code: b3scale.NodeFailed, state: creating},
		{name: "HTML once", sick: fault(bbbtest.HTMLPage, 1), creates: []int{2, 0, 0}, state: active},
		{name: "HTML", sick: fault(bbbtest.HTMLPage, 0), creates: []int{2, 0, 0}, code: b3scale.NodeFailed, state: creating},
		{name: "half the XML once", sick: fault(bbbtest.Truncated, 1), creates: []int{2, 0, 0}, state: active},
		{name: "half the XML", sick: fault(bbbtest.Truncated, 0), creates: []int{2, 0, 0}, code: b3scale.NodeFailed, state: creating},
		{name: "wrong secret", sick: fault(bbbtest.WrongSecret, 0), creates: []int{1, 1, 0}, state: active, home: 1, orphans: []int{0}},
		{name: "wrong secret while active", active: true, sick: fault(bbbtest.WrongSecret, 0), creates: []int{1, 0, 0}, code: b3scale.NodeFailed, state: active},
		{name: "FAILED", sick: func(s *site) {
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"create"}, Key: "maxMeetings", Message: "Too many"})
		}, creates: []int{1, 0, 0}, key: "maxMeetings", state: ended},
		{name: "FAILED while active", active: true, sick: func(s *site) {
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"create"}, Key: "maxMeetings", Message: "Too many"})
		}, creates: []int{1, 0, 0}, key: "maxMeetings", state: active},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{}, func(t *testing.T, s *site) {
				s.trustAll()
				if c.active {
					s.placed(0, "class")
				}
				s.prefer(0, 1, 2)
				c.sick(s)
				begin := time.Now()
				answer, err := s.create("class")
				took := time.Since(begin)

				key := ""
				if err == nil && !answer.Succeeded() {
					key = answer.MessageKey()
				}
				if codeOf(err) != c.code || key != c.key {
					t.Errorf("create: code %q, key %q (error %v), want code %q, key %q", codeOf(err), key, err, c.code, c.key)
				}
				if took.Round(time.Second) != c.took {
					t.Errorf("it took %v, want about %v", took, c.took)
				}
				if got := s.counted("create", "class"); !slices.Equal(got, c.creates) {
					t.Errorf("creates at the nodes: %v, want %v", got, c.creates)
				}
				m, _ := s.row("class")
				if m.State != c.state || m.BackendID != s.backends[c.home] {
					t.Errorf("row is %s on node %d, want %s on node %d", m.State, s.nodeOf(m.BackendID), c.state, c.home)
				}
				if got := s.orphans("class"); !slices.Equal(got, c.orphans) {
					t.Errorf("orphans on nodes %v, want %v", got, c.orphans)
				}
				if err == nil && answer.Succeeded() && internalIDOf(answer) != m.InternalID {
					t.Errorf("answered with the room %q, the row says %q", internalIDOf(answer), m.InternalID)
				}
				s.check()
				s.heals("class")
			})
		})
	}
}
