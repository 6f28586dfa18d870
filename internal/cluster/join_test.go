package cluster

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// enter follows the address of a join as a browser does, and must be let in.
func (s *site) enter(address string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.network.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if where := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || !strings.Contains(where, "sessionToken=") {
		s.t.Errorf("the node answered the join with %d to %q", resp.StatusCode, where)
	}
}

// joined joins a meeting and tells which node it led to, where the person is
// let in.
func (s *site) joined(id string) int {
	s.t.Helper()
	address, err := s.join(id)
	if err != nil {
		s.t.Fatalf("join %s: %v", id, err)
	}
	s.enter(address)
	node := s.nodeAt(address)
	if node < 0 {
		s.t.Fatalf("join %s led to %q", id, address)
	}
	return node
}

// nodeAt is the number of the node that an address leads to, -1 if to none.
func (s *site) nodeAt(address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return -1
	}
	return slices.IndexFunc(s.nodes, func(n *bbbtest.Node) bool { return strings.HasPrefix(n.BaseURL(), u.Scheme+"://"+u.Host+"/") })
}

func TestJoin(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		before func(*site)
		code   b3scale.Code
		home   int
		took   time.Duration
	}{
		{name: "active", before: func(s *site) { s.placed(1, "class") }, home: 1},
		{name: "drained", before: func(s *site) { s.placed(1, "class"); s.admin(1, b3scale.AdminStopped) }, home: 1},
		{name: "no such meeting", before: func(*site) {}, code: b3scale.NotFound},
		{name: "ended", before: func(s *site) { s.placed(1, "class"); s.nodes[1].ForgetRooms(); _, _ = s.end("class") }, code: b3scale.NotFound},
		{name: "lost", before: func(s *site) { s.placed(1, "class"); s.lose(1) }, code: b3scale.NotYet},
		{name: "creating", before: func(s *site) { s.claim(1, "class") }, code: b3scale.NotYet, took: 3 * time.Second},
		{name: "creating for 2 s", before: func(s *site) {
			s.prefer(1)
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"create"}, Delay: 2 * time.Second})
			go func() { _, _ = s.create("class") }()
			synctest.Wait()
		}, home: 1, took: 2 * time.Second},
		{name: "creating, then elsewhere", before: func(s *site) {
			s.prefer(1, 2)
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Calls: []string{"create"}, Delay: time.Second})
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.HangUp, Calls: []string{"create"}})
			s.nodes[2].SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Calls: []string{"create"}, Delay: time.Second})
			go func() { _, _ = s.create("class") }()
			synctest.Wait()
		}, home: 2, took: 2 * time.Second},
		{name: "creating, then FAILED", before: func(s *site) {
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Calls: []string{"create"}, Delay: time.Second})
			s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"create"}, Key: "no"})
			s.prefer(1)
			go func() { _, _ = s.create("class") }()
			synctest.Wait()
		}, code: b3scale.NotFound, took: time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{}, func(t *testing.T, s *site) {
				s.trustAll()
				c.before(s)
				begin := time.Now()
				address, err := s.join("class")
				took := time.Since(begin)
				if codeOf(err) != c.code {
					t.Errorf("join: %v, want code %q", err, c.code)
				}
				if took.Round(time.Second) != c.took {
					t.Errorf("it took %v, want about %v", took, c.took)
				}
				if c.code != "" {
					return
				}
				if !strings.HasPrefix(address, s.nodes[c.home].BaseURL()+"join?") {
					t.Errorf("join led to %q, want node %d", address, c.home)
				}
				s.enter(address)
			})
		})
	}
}

// Who goes away while waiting is not waited for.
func TestJoinStopsWaitingWithItsClient(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.claim(0, "class")
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		defer cancel()
		begin := time.Now()
		_, err := s.c.Join(ctx, s.key("class"), params("meetingID", nodeID("class")))
		if codeOf(err) != b3scale.NotYet || time.Since(begin) != time.Second {
			t.Errorf("join: %v after %v, want %q after 1 s", err, time.Since(begin), b3scale.NotYet)
		}
	})
}

// Joins need memory and the node, not the store.
func TestJoinWithoutTheStore(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.placed(1, "class")
		if err := s.store.Close(); err != nil {
			t.Fatal(err)
		}
		s.unchecked = true
		if got := s.joined("class"); got != 1 {
			t.Errorf("join led to node %d, want 1", got)
		}
		if _, err := s.create("new"); codeOf(err) != b3scale.Unavailable {
			t.Errorf("create without the store: %v, want %q", err, b3scale.Unavailable)
		}
	})
}
