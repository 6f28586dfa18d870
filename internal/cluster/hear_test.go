package cluster

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/logtest"
	"b3scale/internal/routing"
)

// hearer is a program on a node that hears its agent and is no instance.
type hearer struct {
	*Cluster
	deaf
	s *site

	mu     sync.Mutex
	wanted []string // backends of which it asked for a list
	calls  int      // of nodes
}

func (h *hearer) Hint(hint b3scale.Hint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hint.Kind == b3scale.HintList {
		h.wanted = append(h.wanted, hint.BackendID)
	}
}

func (h *hearer) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	h.mu.Lock()
	h.calls++
	h.mu.Unlock()
	return h.s.client.Do(ctx, node, call)
}

// lists is how often it has asked for a list since the last time, all of node 0.
func (h *hearer) lists() int {
	h.s.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range h.wanted {
		if id != h.s.backends[0] {
			h.s.t.Errorf("it asked for a list of %s, which is not its node", id)
		}
	}
	n := len(h.wanted)
	h.wanted = nil
	return n
}

func (s *site) hearer() *hearer {
	s.t.Helper()
	h := &hearer{s: s}
	h.Cluster = New(s.store, routing.NewTable(s.plan.load), h, logtest.Logger(), Options{Instance: "hearer", Changes: h})
	if err := h.Load(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.background.Go(func() {
		if err := h.Hear(ctx); err != nil {
			s.t.Errorf("Hear: %v", err)
		}
	})
	s.t.Cleanup(func() {
		cancel()
		s.background.Wait()
		if h.calls > 0 {
			s.t.Errorf("it has called nodes %d times", h.calls)
		}
	})
	return h
}

// Instances learn from the store what a hearer was told, and do for it what
// needs a node.
func TestHearerTellsTheInstances(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		all := s.members(2)
		time.Sleep(15 * time.Second)
		h := s.hearer()
		s.createdOn(0, "class")
		time.Sleep(2500 * time.Millisecond) // it polls
		a := s.teller(0)
		a.c, a.real = h.Cluster, true
		a.tell(Event{Kind: EventGap})
		if n := h.lists(); n != 1 {
			t.Errorf("after a gap it asked for %d lists, want 1", n)
		}
		a.joins("class", "Ada", "Bob")
		a.leaves("class", "Ada")
		time.Sleep(2500 * time.Millisecond)
		for i, m := range all {
			s.people(m.Cluster, "class", 1)
			if told := m.Room(s.key("class")).Crowd().All(); len(told) == 0 || told[0].Boot != a.boot {
				t.Errorf("instance %d has %+v, not from the agent", i, told)
			}
		}
		yes := true
		a.tell(Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Eve", Person: PersonFacts{Video: &yes}})
		time.Sleep(20 * time.Second)
		if n := h.lists(); n != 1 {
			t.Errorf("for somebody whom it does not know it asked for %d lists, want 1", n)
		}
		a.tell(Event{Kind: EventMeetingCreated, Meeting: "not-ours"}, Event{Kind: EventMeetingEnded, Meeting: "not-ours"})
		time.Sleep(5 * time.Second)
		if n := h.lists(); n != 1 {
			t.Errorf("for a room that nobody knows it asked for %d lists, want 1", n)
		}
		s.unchecked = true // the room is still on the node
		a.tell(Event{Kind: EventMeetingEnded, Meeting: a.room("class")})
		time.Sleep(2500 * time.Millisecond)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("the row is %s, want ended", got)
		}
	})
}

// While one agent takes over from the other, both may tell the same.
func TestTwoAgentsOnOneNode(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		all := s.members(2)
		h := s.hearer()
		time.Sleep(15 * time.Second)
		s.created("class")
		time.Sleep(2500 * time.Millisecond)
		old, fresh := s.teller(0), s.teller(0)
		old.c, old.boot, fresh.real = h.Cluster, "of-noded", true
		for _, a := range []*teller{fresh, old} {
			a.joins("class", "Ada", "Bob", "Cyd")
			a.leaves("class", "Bob")
			time.Sleep(700 * time.Millisecond)
		}
		for _, a := range []*teller{old, fresh} {
			a.leaves("class", "Cyd")
			time.Sleep(700 * time.Millisecond)
		}
		time.Sleep(2500 * time.Millisecond)
		for _, c := range []*Cluster{all[0].Cluster, all[1].Cluster, h.Cluster} {
			s.people(c, "class", 1)
		}
	})
}

// A hearer takes no work from the instances, and passes no judgement.
func TestHearerIsNoInstance(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		h := s.hearer()
		s.admin(0, b3scale.AdminDecommissioned)
		time.Sleep(20 * time.Second)
		leases, err := s.store.Leases(s.ctx)
		if err != nil || len(leases) > 0 {
			t.Errorf("there are leases %v, error %v", leases, err)
		}
		backends, err := s.store.Backends(s.ctx)
		if err != nil || len(backends) != 2 || backends[0].Lost || backends[1].Lost {
			t.Errorf("the backends are %+v, error %v", backends, err)
		}
		if b := h.Backend(s.backends[0]); b.AdminState != b3scale.AdminDecommissioned {
			t.Errorf("it has not learned the new state, it has %s", b.AdminState)
		}
	})
}

// The agents that write to the database have no token: their backends have an
// agent all the same.
func TestAgentsWithoutAToken(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		all := s.members(2)
		h := s.hearer()
		time.Sleep(15 * time.Second)
		for range 5 {
			if err := h.SaveHeartbeat(s.ctx, s.backends[0], &AgentReport{Version: "b3scalenoded/1"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(500 * time.Millisecond)
		trouble := func(want string) {
			t.Helper()
			for i, m := range all {
				if got := m.Backend(s.backends[0]).AgentTrouble(time.Now()); (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("at instance %d its trouble is %q, want %q", i, got, want)
				}
			}
		}
		for i, m := range all {
			b := m.Backend(s.backends[0])
			if r, _ := b.AgentReport().(*AgentReport); !b.AgentLive(time.Now()) || r == nil || r.Version != "b3scalenoded/1" {
				t.Errorf("instance %d does not know the agent, its report is %+v", i, r)
			}
		}
		trouble("")
		time.Sleep(10 * time.Second)
		trouble("its agent has been silent for 1")
	})
}
