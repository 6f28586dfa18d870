package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// endAllOn asks for the end of all meetings on a backend.
func (s *site) endAllOn(c *Cluster, backendID string) b3scale.Command {
	s.t.Helper()
	command, err := c.AddCommand(s.ctx, b3scale.EndAllMeetings, fmt.Appendf(nil, `{"BackendID":%q}`, backendID), nobody)
	if err != nil {
		s.t.Fatal(err)
	}
	if left := command.Deadline.Time().Sub(command.CreatedAt.Time()); left != 2*time.Minute {
		s.t.Errorf("the deadline is in %v", left)
	}
	return command
}

// over waits for the end of a command and checks it.
func (s *site) over(c *Cluster, id string, within time.Duration, state b3scale.CommandState, result string) {
	s.t.Helper()
	begin := time.Now()
	for {
		command, err := c.Command(s.ctx, id)
		if err != nil {
			s.t.Fatal(err)
		}
		if command.State == b3scale.CommandSuccess || command.State == b3scale.CommandError {
			if command.State != state || string(command.Result) != result {
				s.t.Errorf("the command ended as %s: %s, want %s: %s", command.State, command.Result, state, result)
			}
			return
		}
		if time.Since(begin) > within {
			s.t.Fatalf("after %v the command is %s", within, command.State)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestEndAllMeetings(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 2, node: endsSlowly(time.Second)}, func(t *testing.T, s *site, all []*member) {
		var rooms []string
		for i := range 20 {
			s.as(all[i%3], func() { rooms = append(rooms, s.createdOn(0, fmt.Sprint("room-", i))) })
		}
		s.createdOn(1, "other")
		command := s.endAllOn(all[1].Cluster, s.backends[0])
		if command.State != b3scale.CommandRequested || command.Action != b3scale.EndAllMeetings {
			t.Errorf("the command is %+v", command)
		}
		s.over(all[2].Cluster, command.ID, 3*time.Second, b3scale.CommandSuccess, "true")
		asked := map[string]int{}
		for _, id := range s.endsAt(0) {
			asked[id]++
		}
		for _, id := range rooms {
			if asked[id] != 1 {
				t.Errorf("the node was asked %d times to end %s, want once", asked[id], id)
			}
		}
		if m, _ := s.row("room-0"); m.EndRequestedInternalID != rooms[0] {
			t.Errorf("the request is not in the row: %q", m.EndRequestedInternalID)
		}
		time.Sleep(10 * time.Second)
		for i, m := range all {
			if n := len(m.Rooms(s.backends[0])); n > 0 {
				t.Errorf("instance %d still has %d meetings there", i, n)
			}
		}
		s.livesOn(1, "other")
		if list, err := s.c.Commands(s.ctx); err != nil || len(list) != 1 {
			t.Errorf("commands: %v, %v", list, err)
		}
		time.Sleep(2*time.Minute + commandGone + purgeEvery)
		if _, err := s.c.Command(s.ctx, command.ID); b3scale.CodeOf(err) != b3scale.NotFound {
			t.Errorf("an old command: %v, want %q", err, b3scale.NotFound)
		}
	})
}

// atOnce counts the calls that are under way.
type atOnce struct {
	Nodes
	now, most *atomic.Int32
}

func (n atOnce) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	if call.Name == "end" {
		if now := n.now.Add(1); now > n.most.Load() {
			n.most.Store(now)
		}
		defer n.now.Add(-1)
	}
	return n.Nodes.Do(ctx, node, call)
}

// One failure does not stop the rest.
func TestEndAllMeetingsWithFailures(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	p := plan{
		nodes: 1, calling: func(n Nodes) Nodes { return atOnce{n, &now, &most} },
	}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		for i := range 30 {
			s.created(fmt.Sprint("room-", i))
		}
		s.nodes[0].OpenBreakouts(nodeID("room-0"), 1)
		s.list(0)
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Delay: 20 * time.Millisecond})
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Key: "busy", Calls: []string{"end"}, Times: 3})
		s.over(s.c, s.endAllOn(s.c, s.backends[0]).ID, time.Second, b3scale.CommandError, `"3 of 31 meetings were not ended: end meeting failed: busy"`)
		if n := most.Load(); n != manyEnds {
			t.Errorf("%d ends at the same time, want %d", n, manyEnds)
		}
		time.Sleep(10 * time.Second)
		if n := len(s.c.Rooms(s.backends[0])); n != 3 {
			t.Errorf("%d meetings are left, want the 3 that failed", n)
		}
	})
}

func TestEndAllMeetingsOfNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		s.over(s.c, s.endAllOn(s.c, s.backends[0]).ID, time.Second, b3scale.CommandSuccess, "true")
		s.over(s.c, s.endAllOn(s.c, "nothing").ID, time.Second, b3scale.CommandError, `"no such backend: nothing"`)
		if _, err := s.c.AddCommand(s.ctx, "dance", nil, nobody); b3scale.CodeOf(err) != b3scale.InvalidArgument {
			t.Errorf("an unknown command: %v, want %q", err, b3scale.InvalidArgument)
		}
		for _, params := range []string{`{"BackendID":7}`, `[]`} {
			command, err := s.c.AddCommand(s.ctx, b3scale.EndAllMeetings, []byte(params), nobody)
			if err != nil {
				t.Fatal(err)
			}
			s.over(s.c, command.ID, time.Second, b3scale.CommandError, `"the parameters are malformed"`)
		}
		s.created("class")
		s.lose(0)
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		s.over(s.c, s.endAllOn(s.c, s.backends[0]).ID, time.Second, b3scale.CommandError, `"1 of 1 meetings were not ended: the server of this meeting did not answer"`)
		s.nodes[0].ClearFaults()
	})
}

// A node that hangs makes the command fail in time for its poller.
func TestEndAllMeetingsOnANodeThatHangs(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		for i := range 60 {
			s.created(fmt.Sprint("room-", i))
		}
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"end"}})
		s.over(s.c, s.endAllOn(s.c, s.backends[0]).ID, time.Minute, b3scale.CommandError,
			`"60 of 60 meetings were not ended: the server of this meeting did not answer; there was no time left"`)
		s.nodes[0].ClearFaults()
	})
}

func TestEndAllMeetingsWhileObserving(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, opts: Options{Observe: true}}, func(t *testing.T, s *site) {
		s.run()
		s.placed(0, "class", "Ada")
		time.Sleep(time.Second)
		s.over(s.c, s.endAllOn(s.c, s.backends[0]).ID, time.Second, b3scale.CommandError, `"`+errObserving.Message+`"`)
		if n := len(s.endsAt(0)); n > 0 {
			t.Errorf("the node was asked to end %d rooms", n)
		}
	})
}

// A command whose instance stops is done by another one.
func TestCommandOfAStoppedInstance(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 1}, func(t *testing.T, s *site, all []*member) {
		s.created("class")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"end"}, Times: 1})
		command := s.endAllOn(all[0].Cluster, s.backends[0])
		time.Sleep(1500 * time.Millisecond)
		for len(s.endsAt(0)) == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		for _, m := range all[:2] {
			m.stop()
		}
		s.c = all[2].Cluster
		// If the third has it, it needs the time of one call.
		s.over(s.c, command.ID, commandLease+15*time.Second, b3scale.CommandSuccess, "true")
	})
}
