package app_test

import (
	"strings"
	"testing"
	"time"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/pgtest"
)

func TestNodeRestarts(t *testing.T) {
	t.Parallel()
	// An outage may take a third of the time after which a backend is lost, as
	// the 20 to 60 s of a real one.
	nodeRestarts(t, 4*time.Second, "B3SCALE_PROBE_INTERVAL=200ms", "B3SCALE_LOST_AFTER=15s")
}

// nodeRestarts proves that the restart of a node's web application, while its
// rooms live on, costs nobody the meeting.
func nodeRestarts(t *testing.T, outage time.Duration, settings ...string) {
	f := startFleet(t, pgtest.NewDatabase(t), settings...)
	c := newClients(f, f.once)
	stop := c.run(t.Context(), 4)
	defer stop()
	eventually(t, "there are meetings on all nodes", func() bool {
		for _, n := range f.nodes {
			if len(n.Rooms()) < 3 {
				return false
			}
		}
		return true
	})
	stop()
	c.contentment(t)
	f.settles(t, c)

	sick := f.nodes[0]
	before := sick.Rooms()
	for _, n := range f.nodes {
		n.ResetRequests()
	}
	sick.SetFault(bbbtest.Fault{Kind: bbbtest.BadGateway})
	alive, _ := c.known()
	joins := 0
	for begin := time.Now(); time.Since(begin) < outage; {
		for id := range alive {
			for _, d := range f.members {
				got := d.getFor(t.Context(), "text/html", signed("join", "fullName=Ada&role=VIEWER&meetingID="+id))
				urls, _ := f.homes(id)
				polite := got.status == 302 && (strings.HasPrefix(got.location, urls[0]) || strings.HasPrefix(got.location, "/b3s/retry-join/"))
				if joins++; !polite {
					t.Fatalf("during the restart, a join of %s is answered with %d to %q: %s", id, got.status, got.location, got.body)
				}
			}
			if time.Since(begin) >= outage {
				break
			}
		}
	}
	sick.ClearFaults()
	t.Logf("%d joins during the restart", joins)
	f.settles(t, c)
	if after := sick.Rooms(); len(after) != len(before) {
		t.Errorf("the node has %d rooms, before its restart it had %d", len(after), len(before))
	}
	for _, n := range f.nodes {
		for _, call := range []string{"create", "end"} {
			if got := n.Calls(call); len(got) > 0 {
				t.Errorf("%s got %d times %s, want none: no meeting moves and none is ended", n.Name(), len(got), call)
			}
		}
	}
	for i, d := range f.members {
		if strings.Contains(d.log.String(), "backend is lost") {
			t.Errorf("instance %d called it lost", i)
		}
	}
}
