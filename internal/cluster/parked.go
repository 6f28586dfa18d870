package cluster

import "time"

// parked is an event of a meeting that is not known yet: it is created at this
// moment, perhaps at another instance.
type parked struct {
	boot  string
	event Event
	at    time.Time
}

// park keeps an event of a meeting that is not known for a moment.
func (c *Cluster) park(backendID, boot string, e *Event, now time.Time) {
	a := c.agentOn(backendID)
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.quiet[e.Meeting]) || len(a.parked) >= mostParked {
		c.events.unknown.Add(1)
		return
	}
	a.parked = append(a.parked, parked{boot, *e, now})
}

// hush says that a room need not be looked for any more.
func (c *Cluster) hush(backendID, internalID string, now time.Time) {
	a := c.agentOn(backendID)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hush(internalID, now)
}

func (a *agent) hush(internalID string, now time.Time) {
	if len(a.quiet) >= mostQuiet {
		clear(a.quiet)
	}
	a.quiet[internalID] = now.Add(quietFor)
}

// unpark tries again with what was parked. What stays unknown is dropped, and
// the backend is listed.
func (c *Cluster) unpark(now time.Time) {
	c.agents.mu.Lock()
	ids := make([]string, 0, len(c.agents.byBackend))
	for id := range c.agents.byBackend {
		ids = append(ids, id)
	}
	c.agents.mu.Unlock()
	for _, id := range ids {
		c.unparkOn(id, now)
	}
}

func (c *Cluster) unparkOn(backendID string, now time.Time) {
	a := c.agentOn(backendID)
	a.mu.Lock()
	waiting := a.parked
	a.parked = nil
	a.mu.Unlock()
	list := false
	for i := range waiting {
		p := &waiting[i]
		switch known := c.table.ByInternalID(backendID, p.event.Meeting) != nil; {
		case known:
			c.apply(backendID, p.boot, []Event{p.event}, p.at)
		case now.Sub(p.at) < parkFor:
			a.mu.Lock()
			a.parked = append(a.parked, *p)
			a.mu.Unlock()
		default:
			c.events.unknown.Add(1)
			a.mu.Lock()
			if !now.Before(a.quiet[p.event.Meeting]) {
				a.hush(p.event.Meeting, now)
				list = true
			}
			a.mu.Unlock()
		}
	}
	if list {
		c.wantList(backendID, false)
	}
}
