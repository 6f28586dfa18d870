package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

func (s *site) view(node int) NodeView {
	s.t.Helper()
	views, err := s.c.NodeViews(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	v, found := views[s.backends[node]]
	if !found || len(views) != len(s.backends) {
		s.t.Fatalf("no view of node %d in %d views", node, len(views))
	}
	return v
}

func TestNodeViews(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Delay: 30 * time.Millisecond})
		s.c = s.newCluster() // nobody has probed anything
		if v := s.view(0); v.State != NodeInit || v.LastContact != 0 || v.Heartbeat != 0 || v.Latency != 0 || v.LastError != "" || v.Eligible {
			t.Errorf("before any probe: %+v", v)
		}
		s.run()
		time.Sleep(5 * time.Second)
		s.created("class")
		for _, name := range []string{"Ada", "Bob"} {
			s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: name})
		}
		if err := s.store.SaveHeartbeats(s.ctx, s.backends); err != nil {
			t.Fatal(err)
		}
		heard := b3scale.MicrosOf(time.Now())
		time.Sleep(20 * time.Second)
		v := s.view(0)
		if v.State != NodeReady || !v.Eligible || len(v.Reasons) > 0 || v.LastError != "" || v.Meetings != 1 || v.Attendees != 2 || v.Heartbeat != heard {
			t.Errorf("a good backend: %+v", v)
		}
		if v.Latency != 30*time.Millisecond || time.Since(v.LastContact.Time()) > 5*time.Second {
			t.Errorf("latency %v, last contact %v ago", v.Latency, time.Since(v.LastContact.Time()))
		}
		s.admin(0, b3scale.AdminStopped)
		if v := s.view(0); v.State != NodeReady || v.Eligible || fmt.Sprint(v.Reasons) != "[an operator has stopped it]" {
			t.Errorf("a stopped backend: %+v", v)
		}
		s.admin(0, b3scale.AdminReady)

		contact := s.view(0).LastContact
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BadGateway})
		time.Sleep(10 * time.Second)
		v = s.view(0)
		if v.State != NodeError || v.Eligible || v.LastError != "isMeetingRunning: HTTP status 502" || v.Meetings != 1 || v.LastContact < contact {
			t.Errorf("a backend that fails: %+v", v)
		}
		if len(v.Reasons) != 1 || !strings.HasPrefix(v.Reasons[0], "it has not answered a probe for ") {
			t.Errorf("the reasons are %q", v.Reasons)
		}
		s.nodes[0].ClearFaults()
		time.Sleep(3 * time.Second)
		if v := s.view(0); v.State != NodeReady || !v.Eligible || v.LastError != "" {
			t.Errorf("a backend that is back: %+v", v)
		}
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.WrongSecret})
		time.Sleep(10 * time.Second)
		v = s.view(0)
		if v.State != NodeError || fmt.Sprint(v.Reasons) != "[its secret is refused]" || v.LastError != "isMeetingRunning: the node does not accept our secret" {
			t.Errorf("a backend that refuses the secret: %+v", v)
		}
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		time.Sleep(10 * time.Second)
		if v := s.view(0); v.LastError != "isMeetingRunning: no answer in time" || strings.Contains(fmt.Sprint(v.Reasons), "secret") {
			t.Errorf("a silent backend: %+v", v)
		}
		s.nodes[0].ClearFaults()
	})
}

// Another instance's probes count until there are own ones, and as contact ever
// after.
func TestNodeViewsOfOthersProbes(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		if err := s.store.SaveProbes(s.ctx, "another", s.backends); err != nil {
			t.Fatal(err)
		}
		probed := b3scale.MicrosOf(time.Now())
		s.c = s.newCluster()
		if v := s.view(0); v.State != NodeReady || v.LastContact != probed || !v.Eligible {
			t.Errorf("after another's probe: %+v", v)
		}
		time.Sleep(2 * time.Minute)
		if v := s.view(0); v.State != NodeError || v.Eligible {
			t.Errorf("after another's old probe: %+v", v)
		}
		s.nodes[0].Down()
		s.run()
		time.Sleep(10 * time.Second)
		if err := s.store.SaveProbes(s.ctx, "another", s.backends); err != nil {
			t.Fatal(err)
		}
		if v := s.view(0); v.State != NodeError || v.LastContact <= probed {
			t.Errorf("while only another reaches it: %+v", v)
		}
		if err := s.nodes[0].Up(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReasonsOfErrorsTellNoSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"dial tcp: lookup bbb1.example.org: no such host", "create: dial tcp: lookup bbb1.example.org: no such host"},
		{`Get "https://bbb1.example.org/bigbluebutton/api/create?name=x&checksum=abc": EOF`, `create: Get "…": EOF`},
		{"wrong checksum=abcdef here", "create: wrong … here"},
		{"HTTPS://UPPER.example/x and more", "create: … and more"},
		{strings.Repeat("ä", 300), "create: " + strings.Repeat("ä", 192) + "…"},
	} {
		err := fmt.Errorf("wrapped: %w", &bbb.CallError{Call: "create", Outcome: bbb.Unknown, Err: errors.New(c.text)})
		if got := reasonOf(err); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}
