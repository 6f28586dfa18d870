package cluster

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// The kinds of events.
const (
	EventGap              = "gap"
	EventMeetingCreated   = "meeting_created"
	EventMeetingEnded     = "meeting_ended"
	EventMeetingDestroyed = "meeting_destroyed"
	EventAttendee         = "attendee"
	EventAttendeeLeft     = "attendee_left"
	EventRecording        = "recording"
	EventScreenshare      = "screenshare"
	// What only the agents of old say.
	EventRunning = "running"
	EventReset   = "reset"
)

// Event is one fact that an agent tells.
type Event struct {
	Sequence int64
	Kind     string
	Meeting  string // the node's own id
	UserID   string // the node's own id
	Joined   bool   // it is an arrival
	Person   PersonFacts
	On       *bool // recording, running
}

// Batch is what an agent tells at once.
type Batch struct {
	Boot   string
	Events []Event
	Lost   int64 // events before these that are gone for good
}

// EventStats count what became of events since the start. Gaps are those that
// agents told of.
type EventStats struct{ Taken, Stale, Unknown, Gaps, Batches int64 }

// events is what they have changed and the store does not know yet.
type events struct {
	mu    sync.Mutex
	dirty map[*routing.Crowd]b3scale.MeetingKey
	ends  map[*routing.Crowd]b3scale.Meeting // rooms whose rows are to end
	wake  chan struct{}                      // there are such

	last                        atomic.Int64 // sequence of the last event without a number
	taken, stale, unknown, gaps atomic.Int64
	batches                     atomic.Int64
}

const (
	// flushEvery is how often the store is told, and beatEvery how often of
	// heartbeats. Others poll once a second.
	flushEvery = 500 * time.Millisecond
	beatEvery  = time.Second
	// parkFor is how long an event waits for its meeting to become known, and
	// mostParked how many may.
	parkFor    = 3 * time.Second
	mostParked = 4096
	// quietFor is how long a room that is not ours asks for no other list.
	quietFor  = time.Minute
	mostQuiet = 4096
	// flushRooms bounds the rooms of one transaction.
	flushRooms = 256
)

// EventStats tells what became of events.
func (c *Cluster) EventStats() EventStats {
	e := &c.events
	return EventStats{e.taken.Load(), e.stale.Load(), e.unknown.Load(), e.gaps.Load(), e.batches.Load()}
}

// TakeEvents brings a batch into memory; the store is told soon. It waits for
// nothing. acknowledged is the highest sequence that was taken, reconcile says
// that the backend is being looked at as a whole.
func (c *Cluster) TakeEvents(backendID string, b Batch) (acknowledged int64, reconcile bool) {
	c.events.batches.Add(1)
	a := c.agentOn(backendID)
	a.mu.Lock()
	fresh, current := a.takesBoot(b.Boot)
	// An agent that starts knows nothing of what was before: that is no gap in
	// what it tells. Numbers that are missing here another instance has taken,
	// or else the agent says that they are lost. The list is for the case that
	// the other one has died with them.
	gap, jump, news := false, false, len(b.Events) == 0
	for i := range b.Events {
		e := &b.Events[i]
		acknowledged = max(acknowledged, e.Sequence)
		jump = jump || current && e.Sequence > a.next && (a.next > 0 || e.Sequence > 1)
		if e.Sequence >= a.next { // not sent again because our answer was lost
			news = true
			gap = gap || e.Kind == EventGap && e.Sequence > 1
		}
		if current {
			a.next = max(a.next, e.Sequence+1)
		}
	}
	gap = gap || news && b.Lost > 0
	if current {
		acknowledged = max(acknowledged, a.next-1)
	}
	a.mu.Unlock()
	if !current {
		c.events.stale.Add(int64(len(b.Events)))
		return acknowledged, false
	}
	now := time.Now()
	c.apply(backendID, b.Boot, b.Events, now)
	if gap {
		c.events.gaps.Add(1)
	}
	if gap || fresh || jump {
		reconcile = c.wantList(backendID, !gap)
	}
	return acknowledged, reconcile
}

// TakeUnnumbered does so with an event of an agent that numbers nothing.
func (c *Cluster) TakeUnnumbered(backendID string, e Event) {
	now := time.Now()
	for {
		last := c.events.last.Load()
		e.Sequence = max(int64(c.storeTime(now)), last+1)
		if c.events.last.CompareAndSwap(last, e.Sequence) {
			break
		}
	}
	c.apply(backendID, routing.Unnumbered, []Event{e}, now)
}

// apply takes in events one by one, and counts each room once.
func (c *Cluster) apply(backendID, boot string, all []Event, now time.Time) {
	var lastCrowd *routing.Crowd
	var touched map[*routing.Crowd]b3scale.MeetingKey
	for i := range all {
		e := &all[i]
		if e.Meeting == "" {
			continue
		}
		r := c.table.ByInternalID(backendID, e.Meeting)
		if r == nil {
			c.park(backendID, boot, e, now)
			continue
		}
		c.events.taken.Add(1)
		if !c.tell(r, boot, e, now) {
			continue
		}
		crowd := r.Crowd()
		if len(all) == 1 {
			c.recount(r.Key, crowd, now)
			return
		}
		if crowd == lastCrowd {
			continue
		}
		if touched == nil {
			touched = make(map[*routing.Crowd]b3scale.MeetingKey, min(len(all)-i, 64))
		}
		touched[crowd], lastCrowd = r.Key, crowd
	}
	for crowd, key := range touched {
		c.recount(key, crowd, now)
	}
}

func (c *Cluster) recount(key b3scale.MeetingKey, crowd *routing.Crowd, now time.Time) {
	if r := c.table.Recount(key, crowd, nil, now); r != nil && !r.Breakout {
		c.soil(crowd, key)
	}
}

// soil notes that the store does not know a room as it is.
func (c *Cluster) soil(crowd *routing.Crowd, key b3scale.MeetingKey) {
	c.events.mu.Lock()
	defer c.events.mu.Unlock()
	if c.events.dirty == nil {
		c.events.dirty = map[*routing.Crowd]b3scale.MeetingKey{}
	}
	c.events.dirty[crowd] = key
}

// tell tells a room of an event, and reports whether people are to be counted.
func (c *Cluster) tell(r *routing.Room, boot string, e *Event, now time.Time) bool {
	at := b3scale.MicrosOf(now)
	switch e.Kind {
	case EventAttendee, EventAttendeeLeft:
		return c.tellPerson(r, boot, e, at)
	case EventMeetingEnded, EventMeetingDestroyed:
		c.tellEnd(r, boot, e, now)
	case EventReset:
		r.Crowd().Empty(boot, e.Sequence, at, false)
		return true
	case EventRunning:
		if e.On != nil {
			c.table.SetRunning(r.Key, r.Crowd(), *e.On, now)
		}
	case EventRecording:
		if e.On != nil {
			c.tellRecording(r, *e.On, now)
		}
	}
	return false
}

func (c *Cluster) tellPerson(r *routing.Room, boot string, e *Event, at b3scale.Micros) bool {
	if e.UserID == "" {
		return false
	}
	crowd := r.Crowd()
	fact := routing.Fact{
		ID: e.UserID, Boot: boot, Sequence: e.Sequence, At: at, Left: e.Kind == EventAttendeeLeft, Arrived: e.Joined,
		Draw:  e.Person.draw,
		WhoIs: func(xml []byte) string { return traitsOf(xml).Who },
	}
	if e.Joined {
		fact.Who = e.Person.who()
		if !r.Breakout && c.reserves(r.Key.FrontendID) {
			fact.Arrival = e.arrivalKey(r.Key.MeetingID)
		}
	}
	switch crowd.Take(fact) {
	case routing.Changed:
		return true
	case routing.Unclear:
		if crowd.HasListed() || !fact.Left { // maybe it is one of those
			looks := unclearLooks
			if !fact.Left { // whoever came before the agent did stays unclear for as long as the meeting lasts
				looks = vagueLooks
			}
			c.lookSoon(r.Key, looks)
		}
		return fact.Left // the store is told, should the arrival be on its way through another instance
	}
	c.events.stale.Add(1)
	return false
}

var (
	unclearLooks = []time.Duration{2 * slack}
	vagueLooks   = []time.Duration{15 * time.Second}
)

// tellEnd lets everybody go at once. The row ends as soon as the store has
// time.
func (c *Cluster) tellEnd(r *routing.Room, boot string, e *Event, now time.Time) {
	c.hush(r.BackendID, r.InternalID, now)
	crowd := r.Crowd()
	crowd.Empty(boot, e.Sequence, b3scale.MicrosOf(now), true)
	c.table.Recount(r.Key, crowd, nil, now)
	if r.Breakout {
		if r := c.table.ByInternalID(r.BackendID, r.InternalID); r != nil && r.Breakout {
			c.table.RemoveBreakout(r)
		}
		c.wantList(r.BackendID, false)
		return
	}
	c.events.mu.Lock()
	if c.events.ends == nil {
		c.events.ends = map[*routing.Crowd]b3scale.Meeting{}
	}
	c.events.ends[crowd] = r.Meeting
	c.events.mu.Unlock()
	select {
	case c.events.wake <- struct{}{}:
	default:
	}
}

// tellRecording changes the XML of the room.
func (c *Cluster) tellRecording(r *routing.Room, on bool, now time.Time) {
	info := withText(r.Info, "recording", strconv.FormatBool(on))
	if info == nil {
		return
	}
	if r := c.table.Recount(r.Key, r.Crowd(), info, now); r != nil && !r.Breakout {
		r.Crowd().Reinform()
		c.soil(r.Crowd(), r.Key)
	}
}

// withText gives an element of a room's XML another text; nil when there is
// nothing to change.
func withText(info []byte, name, text string) []byte {
	doc, err := bbb.ParseXML(slices.Concat([]byte("<meeting>"), info, []byte("</meeting>")))
	if err != nil {
		return nil
	}
	e := doc.Root().Child(name)
	if !e.Exists() || e.Text() == text {
		return nil
	}
	edit := doc.Edit()
	edit.SetText(e, text)
	return slices.Clone(edit.Inner(doc.Root()))
}
