package app_test

import (
	"context"
	"fmt"
	"net/http"
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
			for i, d := range f.members {
				if problem := f.waitsPolitely(t.Context(), d, sick, id); problem != "" {
					t.Fatalf("during the restart, at instance %d: %s", i, problem)
				}
				joins++
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
		if ends := n.Calls("end"); len(ends) > 0 {
			t.Errorf("%s was told to end %d meetings, want none", n.Name(), len(ends))
		}
		if creates := n.Calls("create"); n != sick && len(creates) > 0 {
			t.Errorf("%d meetings of the restarting node were created on %s, want none", len(creates), n.Name())
		}
	}
	for i, d := range f.members {
		if strings.Contains(d.log.String(), "backend is lost") {
			t.Errorf("instance %d called it lost", i)
		}
	}
}

// waitsPolitely reports what is wrong with how a browser is received, or "". As
// every frontend does, it creates the meeting before it joins.
func (f *fleet) waitsPolitely(ctx context.Context, d *daemon, sick *bbbtest.Node, id string) string {
	urls, _ := f.homes(id)
	if len(urls) != 1 {
		return fmt.Sprintf("%s has rooms at %q", id, urls)
	}
	if urls[0] == sick.BaseURL() {
		// Nobody can say more about it now than that it lives there.
		if got := d.call(ctx, "create", "name=Class&meetingID="+id); got.status != http.StatusOK || !strings.Contains(got.body, "<messageKey>b3scaleGatewayError<") {
			return fmt.Sprintf("create of %s: %d %s, want b3scaleGatewayError", id, got.status, got.body)
		}
	}
	got := d.getFor(ctx, "text/html", signed("join", "fullName=Ada&role=VIEWER&meetingID="+id))
	if got.status == http.StatusFound && (strings.HasPrefix(got.location, urls[0]) || strings.HasPrefix(got.location, "/b3s/retry-join/")) {
		return ""
	}
	return fmt.Sprintf("join of %s: %d to %q, want %s or the waiting page: %s", id, got.status, got.location, urls[0], got.body)
}
