package cluster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// peopled puts rooms with people on all nodes, as many as there are ids.
func (w *world) peopled(meetings int) map[string]bbbtest.Room {
	rooms := map[string]bbbtest.Room{}
	for i := range meetings {
		id := fmt.Sprint("m", 3*i) // the ids whose clients send no passwords
		rooms[id] = w.addRoom(i%len(w.nodes), id, "Ada", "Bob")
	}
	return rooms
}

// kept checks that all rooms live on, and are the meetings.
func (w *world) kept(t *testing.T, rooms map[string]bbbtest.Room) {
	t.Helper()
	for id, r := range rooms {
		m, _ := w.row(id)
		if node := w.nodeOf(m.BackendID); m.State != b3scale.MeetingActive || m.InternalID != r.InternalID || !w.lives(node, id, r.InternalID) {
			t.Errorf("%s is %q on node %d with the room %q; want it active with %q, which lives", id, m.State, node, m.InternalID, r.InternalID)
		}
	}
	for i, n := range w.nodes {
		if ends := n.Calls("end"); len(ends) > 0 {
			t.Errorf("node %d was asked for %d ends", i, len(ends))
		}
	}
}

// An old dump was restored, and nobody emptied its meetings: rows say that
// what runs here is active there, where nothing of the kind is.
func TestOldRowsBesideRunningRooms(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p platform) {
		c := chaos{on: p, nodes: 6}
		for _, line := range c.walked(t, false, func(t *testing.T, w *world) {
			rooms := w.peopled(18)
			for i := range 18 {
				w.witness.exec(`INSERT INTO meetings (frontend_id, meeting_id, generation, backend_id, state, internal_id, create_time, confirmed_at, version)
					VALUES ($1, $2, 1, $3, 'active', $4, $5, 1, 1)`, w.frontend.ID, fmt.Sprint("m", 3*i), w.backends[(i+1)%6], fmt.Sprint("old-", i, "-64"), 64)
			}
			if err := w.c.Load(w.ctx); err != nil {
				t.Fatal(err)
			}
			w.lists(5)
			w.kept(t, rooms)
		}) {
			if of("I5", []string{line}) == nil { // the old rows themselves are wrong
				t.Error(line)
			}
		}
	})
}

// The meetings are forgotten while all instances run and frontends go on
// creating. Each create goes to whichever instance.
func TestEmptiedWhileInstancesRun(t *testing.T) {
	t.Parallel()
	for _, p := range []platform{onShared, onPostgres} {
		for _, pause := range []time.Duration{0, 3 * time.Second} {
			t.Run(fmt.Sprint(p.name, ", creates after ", pause), func(t *testing.T) {
				t.Parallel()
				c := chaos{on: p, nodes: 6}
				for _, line := range c.walked(t, true, func(t *testing.T, w *world) {
					rooms := w.peopled(18)
					time.Sleep(20 * time.Second) // adopted
					w.empty()
					time.Sleep(pause)
					var wg sync.WaitGroup
					for id := range rooms {
						wg.Go(func() { w.create(w.instance(), id) })
					}
					wg.Wait()
					time.Sleep(time.Minute)
					w.kept(t, rooms)
				}) {
					t.Error(line)
				}
			})
		}
	}
}
