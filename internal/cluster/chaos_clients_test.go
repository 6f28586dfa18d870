package cluster

import (
	"fmt"
	"net/url"
	"strconv"

	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// act is what a frontend does with a meeting.
func (w *world) act(id string) {
	i := w.instance()
	if i == nil {
		return
	}
	switch w.n(10) {
	case 0, 1:
		w.join(i.cluster, id)
	case 2:
		w.end(i.cluster, id)
		if w.chance(2) { // and again, at once
			w.create(i.cluster, id)
		}
	case 3:
		_, _ = i.cluster.Forward(w.ctx, w.key(id), bbb.Call{Name: "getMeetingInfo", Params: params("meetingID", nodeID(id))})
	default:
		w.create(i.cluster, id)
	}
}

// create opens a meeting; most people who do that join it.
func (w *world) create(c *Cluster, id string) {
	p := params("name", id, "meetingID", nodeID(id))
	switch number, _ := strconv.Atoi(id[1:]); number % 3 {
	case 1:
		p.Append(params("attendeePW", "guest-"+id, "moderatorPW", "host-"+id))
	case 2:
		p.Append(params("attendeePW", fmt.Sprint("guest-", w.n(3)), "moderatorPW", "host-"+id))
	}
	answer, err := c.Create(w.ctx, CreateRequest{Frontend: &w.frontend, MeetingID: id, Params: p})
	if err != nil || !answer.Succeeded() {
		w.count("creates not answered", true)
		return
	}
	w.count("creates answered", true)
	if !w.witness.wasActive(w.key(id), internalIDOf(answer)) {
		w.witness.broken("I3", "%s: answered with the room %s, which was never confirmed", id, internalIDOf(answer))
	}
	if !w.chance(4) {
		w.join(c, id)
	}
}

func (w *world) join(c *Cluster, id string) {
	address, err := c.Join(w.ctx, w.key(id), params("meetingID", nodeID(id)))
	if err != nil {
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		w.witness.broken("join", "%v", err)
		return
	}
	for _, n := range w.nodes {
		if n.PublicURL() == u.Scheme+"://"+u.Host && !n.IsDown() && n.Join(nodeID(id), bbbtest.Attendee{}) {
			w.count("joins", true)
		}
	}
}

func (w *world) end(c *Cluster, id string) {
	key := w.key(id)
	w.mu.Lock()
	w.ending[key]++
	w.mu.Unlock()
	if answer, err := c.End(w.ctx, key, params("meetingID", nodeID(id))); err == nil && answer.Succeeded() {
		w.count("ends", true)
	}
	w.mu.Lock()
	w.ending[key]--
	w.mu.Unlock()
}
