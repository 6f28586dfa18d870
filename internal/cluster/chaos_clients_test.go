package cluster

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// act is what a frontend does with a meeting.
func (w *world) act(id string) {
	i := w.instance()
	if i == nil {
		w.count("nobody there", 1)
		return
	}
	switch w.n(10) {
	case 0, 1:
		w.join(i, id)
	case 2:
		w.end(i.cluster, id)
		if w.chance(2) { // and again, at once
			w.create(i, id)
		}
	case 3:
		_, _ = i.cluster.Forward(w.ctx, w.key(id), bbb.Call{Name: "getMeetingInfo", Params: params("meetingID", nodeID(id))})
	default:
		w.create(i, id)
	}
}

// create opens a meeting; most people who do that join it.
func (w *world) create(i *instance, id string) {
	p := params("name", id, "meetingID", nodeID(id))
	switch number, _ := strconv.Atoi(strings.TrimLeft(id, "m")); number % 3 {
	case 1:
		p.Append(params("attendeePW", "guest-"+id, "moderatorPW", "host-"+id))
	case 2:
		p.Append(params("attendeePW", fmt.Sprint("guest-", w.n(3)), "moderatorPW", "host-"+id))
	}
	answer, err := i.cluster.Create(w.ctx, CreateRequest{Frontend: &w.frontend, MeetingID: id, Params: p})
	switch {
	case err != nil:
		w.count("not created: "+string(codeOf(err)), 1)
		return
	case !answer.Succeeded():
		w.count("not created: "+answer.MessageKey(), 1)
		return
	}
	w.count("creates answered", 1)
	if !w.witness.wasActive(w.key(id), internalIDOf(answer)) {
		w.witness.broken("I3", "%s: answered with the room %s, which was never confirmed", id, internalIDOf(answer))
	}
	if w.chance(4) {
		return
	}
	if other := w.instance(); other != nil { // the balancer sends the next call anywhere
		w.join(other, id)
	}
}

// join takes a person in. What the row says, as long as it says the same, is
// where it leads: nobody may be sent to an old room.
func (w *world) join(i *instance, id string) {
	key, begin := w.key(id), time.Now()
	before, known := w.row(id)
	unvalidated := i.cluster.Unvalidated()
	address, err := i.cluster.Join(w.ctx, key, params("meetingID", nodeID(id)))
	after, stillKnown := w.row(id)
	certain := known == stillKnown && before.Version == after.Version && w.knows(i, before, begin) && i.cluster.Unvalidated() == unvalidated && !i.dead.Load()
	if certain {
		w.count("joins compared", 1)
	}
	if err != nil {
		if certain && before.State == b3scale.MeetingActive && b3scale.CodeOf(err) == b3scale.NotFound {
			w.witness.broken("join", "%s: not found by instance %d, though its row is active", id, i.slot.number)
		}
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		w.witness.broken("join", "%v", err)
		return
	}
	for number, n := range w.nodes {
		if n.PublicURL() != u.Scheme+"://"+u.Host {
			continue
		}
		if certain && (before.State != b3scale.MeetingActive || before.BackendID != w.backends[number]) {
			w.witness.broken("join", "%s: sent to node %d by instance %d, its row is %q on node %d", id, number, i.slot.number, before.State, w.nodeOf(before.BackendID))
		}
		if !n.IsDown() && n.Join(nodeID(id), bbbtest.Attendee{}) {
			w.count("joins", 1)
		}
	}
}

// knows reports whether the instance must know the row as it is. The only
// instance on a database has it in memory, once who wrote it has gone on.
func (w *world) knows(i *instance, m b3scale.Meeting, now time.Time) bool {
	if i.cluster.shared() {
		return true
	}
	since := now.Add(-time.Minute)
	return m.Version < since.UnixMicro() && i.slot.weather.fairSince(since) && !i.slot.weather.hasLost()
}

func (w *world) end(c *Cluster, id string) {
	key := w.key(id)
	w.mu.Lock()
	w.ending[key]++
	w.mu.Unlock()
	if answer, err := c.End(w.ctx, key, params("meetingID", nodeID(id))); err == nil && answer.Succeeded() {
		w.count("ends", 1)
	}
	w.mu.Lock()
	w.ending[key]--
	w.mu.Unlock()
}
