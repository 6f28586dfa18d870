package cluster

import (
	"time"

	"b3scale/bbb"
)

// told notes the rooms that answers show.
func (w *world) told(answer *bbb.Answer) {
	if id := internalIDOf(answer); id != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lived[id] = time.Now()
	}
}

// called sees every call that is about to be sent to a node.
func (w *world) called(node bbb.Node, call bbb.Call) {
	i := w.byHost[node.BaseURL]
	id := call.Params.Get("meetingID")
	switch call.Name {
	case "create":
		if key, _ := w.c.keyOf(id); !w.witness.placed(key, w.backends[i]) {
			w.witness.broken("I2", "%s: create sent to node %d, where it never had a place", key.MeetingID, i)
		}
	case "end":
		room, found := w.nodes[i].Room(id)
		if !found {
			return
		}
		key, _ := w.c.keyOf(room.ExternalID)
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

// watch looks at all rooms now and then: one that is being ended, unwanted by
// its frontend, is not what its row calls the meeting.
func (w *world) watch(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(500 * time.Millisecond):
		}
		for i, n := range w.nodes {
			for _, r := range n.Rooms() {
				w.mu.Lock()
				wanted := w.wanted[r.InternalID]
				w.mu.Unlock()
				if !r.Ending || wanted {
					continue
				}
				if key, _ := w.c.keyOf(r.ExternalID); w.witness.isActive(key, w.backends[i], r.InternalID) {
					w.witness.broken("I6", "%s: the room %s on node %d is being ended, its row calls it active", key.MeetingID, r.InternalID, i)
				}
			}
		}
	}
}
