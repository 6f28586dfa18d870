package cluster

import (
	"slices"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// asked remembers who was reached, and who said so to the store.
type asked struct {
	mu       sync.Mutex
	answered map[[2]int][]time.Time // slot and node: good probes of the last minute
	stored   map[string]time.Time   // backend id: last good probe or heartbeat that is durable
}

func newAsked() *asked {
	return &asked{answered: map[[2]int][]time.Time{}, stored: map[string]time.Time{}}
}

func (a *asked) probe(slot, node int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := [2]int{slot, node}
	a.answered[key] = append(slices.DeleteFunc(a.answered[key], func(t time.Time) bool { return time.Since(t) > time.Minute }), time.Now())
}

func (a *asked) store(backends []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range backends {
		a.stored[id] = time.Now()
	}
}

func (a *asked) storedAt(backendID string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored[backendID]
}

// answeredAt is when the node answered an instance, not longer ago than that
// and long enough for the store to have been told.
func (a *asked) answeredAt(slot, node int, within time.Duration) (at time.Time, found bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.answered[[2]int{slot, node}] {
		if age := time.Since(t); age > 6*time.Second && age < within {
			return t, true
		}
	}
	return at, false
}

// told notes what answers show.
func (w *world) told(s *slot, node bbb.Node, call bbb.Call, answer *bbb.Answer) {
	if call.Name == "isMeetingRunning" && answer.Succeeded() {
		w.asked.probe(s.number, w.byHost[node.BaseURL])
	}
	if id := internalIDOf(answer); id != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lived[id] = time.Now()
	}
}

// held is told of calls to nodes from within the store.
func (w *world) held(place string) { w.witness.broken("I7", "a node is called from %s", place) }

// called sees every call that is about to be sent to a node.
func (w *world) called(node bbb.Node, call bbb.Call) {
	i := w.byHost[node.BaseURL]
	id := call.Params.Get("meetingID")
	switch call.Name {
	case "create":
		if key := w.keyOn(id); !w.witness.placed(key, w.backends[i]) {
			w.witness.broken("I2", "%s: create sent to node %d, where it never had a place", key.MeetingID, i)
		}
	case "end":
		room, found := w.nodes[i].Room(id)
		if !found {
			return
		}
		key := w.keyOn(room.ExternalID)
		w.mu.Lock()
		if w.ending[key] > 0 {
			w.wanted[room.InternalID] = true
		}
		wanted := w.wanted[room.InternalID]
		w.mu.Unlock()
		if !wanted && !w.witness.isEnding(room.InternalID) {
			w.witness.broken("I6", "%s: end of the room %s on node %d with %d people, for no reason", key.MeetingID, room.InternalID, i, len(room.Attendees))
		}
	}
}

// keyOn is the key of a meeting with this id on a node.
func (w *world) keyOn(nodeID string) b3scale.MeetingKey {
	_, id, _ := b3scale.DecodeMeetingID(nodeID)
	return w.key(id)
}

// watch looks at all rooms now and then: one that is being ended, unwanted by
// its frontend, is not what its row calls the meeting.
func (w *world) watch(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(500 * time.Millisecond):
		}
		if w.witness.bookedWhereItLives() {
			w.witness.broken("I4", "a meeting is booked as an orphan where it lives")
		}
		for i, n := range w.nodes {
			for _, r := range n.Rooms() {
				w.mu.Lock()
				wanted := w.wanted[r.InternalID]
				w.mu.Unlock()
				if !r.Ending || wanted {
					continue
				}
				if key := w.keyOn(r.ExternalID); w.witness.isActive(key, w.backends[i], r.InternalID) {
					w.witness.broken("I6", "%s: the room %s on node %d is being ended, its row calls it active", key.MeetingID, r.InternalID, i)
				}
			}
		}
	}
}
