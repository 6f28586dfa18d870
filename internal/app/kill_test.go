package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
)

func TestKill9LosesNoAcknowledgedMeeting(t *testing.T) {
	nodes := startNodes(t, 4)
	binary := buildDaemon(t)
	d := newDaemon(t, binary, nodes)
	var acknowledged sync.Map
	total, deaths := 0, 0
	for ; deaths < 20 || total < 100 && deaths < 200; deaths++ { // too few would prove nothing
		round := deaths
		d.start(t)
		bad := 0
		total = 0
		acknowledged.Range(func(id, internalID any) bool {
			total++
			if wrong := d.joinsHome(t.Context(), nodes, id.(string), internalID.(string)); wrong != "" {
				t.Errorf("round %d: %s", round, wrong)
				bad++
			}
			return bad < 10
		})
		if bad > 0 {
			t.Fatalf("log of b3scaled:\n%s", &d.log)
		}
		ctx, cancel := context.WithCancel(t.Context())
		loaded := make(chan struct{})
		go func() {
			defer close(loaded)
			d.load(ctx, round, &acknowledged)
		}()
		time.Sleep(time.Duration(20+rand.IntN(130)) * time.Millisecond) // the moment of death is what varies here
		d.kill()
		cancel()
		<-loaded
	}
	if total < 100 {
		t.Errorf("only %d meetings were acknowledged: too few to prove anything", total)
	}
	t.Logf("%d acknowledged meetings, all joinable after each of %d deaths", total, deaths)
	t.Run("an empty database beside them adopts every room", func(t *testing.T) {
		adoptAll(t, binary, nodes, &acknowledged)
	})
}

// adoptAll starts b3scaled with an empty database beside the running rooms.
func adoptAll(t *testing.T, binary string, nodes []*bbbtest.Node, running *sync.Map) {
	for i, n := range nodes {
		n.AddRoom(bbbtest.Room{ExternalID: fmt.Sprintf("not-ours-%d", i), Name: "Foreign"})
		n.AddRoom(bbbtest.Room{ExternalID: b3scale.EncodeMeetingID("stranger", "room"), Name: "Unknown frontend"})
		n.ResetRequests()
	}
	rooms := 0
	for _, n := range nodes {
		rooms += len(n.Rooms())
	}
	d := newDaemon(t, binary, nodes)
	d.start(t)
	running.Range(func(id, internalID any) bool {
		within(t, time.Minute, "adoption of "+id.(string), func() string {
			return d.joinsHome(t.Context(), nodes, id.(string), internalID.(string))
		})
		return true
	})
	left := 0
	for _, n := range nodes {
		left += len(n.Rooms())
		if calls := n.Calls("end"); len(calls) > 0 {
			t.Errorf("%s got %d end calls, want none", n.Name(), len(calls))
		}
	}
	if left != rooms {
		t.Errorf("%d rooms are left, want all %d", left, rooms)
	}
}

func startNodes(t *testing.T, n int) []*bbbtest.Node {
	t.Helper()
	nodes := make([]*bbbtest.Node, n)
	for i := range nodes {
		nodes[i] = bbbtest.Start(t, bbbtest.Options{Name: fmt.Sprintf("bbb%d", i), Version: []string{"3.0", "2.7", "2.5", "3.0"}[i%4]})
		logtest.Node(t, nodes[i])
	}
	return nodes
}

// load creates new meetings, and repeats earlier ones, until ctx ends, and
// collects what was acknowledged.
func (d *daemon) load(ctx context.Context, round int, acknowledged *sync.Map) {
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("m-%d-%d-%d", round, worker, i)
				if i%4 == 3 { // shared between the workers
					id = fmt.Sprintf("s-%d-%d", round, i)
				}
				if internalID := d.create(ctx, id); internalID != "" {
					acknowledged.Store(id, internalID)
				}
			}
		})
	}
	wg.Wait()
}
