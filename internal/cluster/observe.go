package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// observation is a room as memory has it and as a node has just shown it.
type observation struct {
	known *routing.Room
	seen  *sight
}

// sighting is what the store does not know of it yet; false when nothing.
func (o observation) sighting(backendID string) (b3scale.Sighting, bool) {
	s := b3scale.Sighting{Key: o.known.Key, Generation: o.known.Generation, InternalID: o.known.InternalID}
	if o.known.Unsaved || string(o.known.Info) != string(o.seen.Info) {
		s.Info = o.seen.Info
	}
	if o.known.Unsaved || !sameAttendees(o.known.Attendees, o.seen.Attendees) {
		s.Attendees, s.AttendeesReplaced = o.seen.attendees(backendID), true
	}
	return s, s.Info != nil || s.AttendeesReplaced
}

func sameAttendees(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if string(a[i]) != string(b[i]) {
			return false
		}
	}
	return true
}

// observe stores what a backend showed of its rooms, and only then takes it
// into memory: the difference between the two is what is stored next time.
func (c *Cluster) observe(ctx context.Context, backendID string, rooms []observation) error {
	var changed []b3scale.Sighting
	position := make([]int, len(rooms)) // in changed, from 1 on; 0: unchanged
	for i, o := range rooms {
		if s, news := o.sighting(backendID); news {
			changed = append(changed, s)
			position[i] = len(changed)
		}
	}
	var versions []int64
	if len(changed) > 0 {
		var err error
		if versions, err = c.store.SaveSightings(ctx, backendID, changed); err != nil {
			c.remember(rooms)
			return err
		}
	}
	now := time.Now()
	for i, o := range rooms {
		var info []byte
		asOf := o.known.AsOf() // newer facts may have come meanwhile
		if n := position[i]; n > 0 {
			if info, asOf = changed[n-1].Info, versions[n-1]; asOf == 0 {
				continue // another room is there by now, or the meeting has moved
			}
		}
		c.table.Observe(o.known.Key, o.seen.InternalID, o.seen.Facts, info, asOf, now)
	}
	return nil
}

// observeOne takes in one room; what is not stored now the next list brings.
func (c *Cluster) observeOne(ctx context.Context, key b3scale.MeetingKey, x *sight) {
	r := c.table.Meeting(key)
	if r == nil || r.Breakout || r.InternalID != x.InternalID {
		return
	}
	if err := c.observe(ctx, r.BackendID, []observation{{r, x}}); err != nil {
		c.log.WarnContext(ctx, "sighting not stored", "meeting", key, "backend", r.BackendID, "error", err)
	}
}

// remember takes in what could not be stored: people ask whether a meeting runs
// while the store is away, too. It is stored with the next look or list.
func (c *Cluster) remember(rooms []observation) {
	for _, o := range rooms {
		facts := o.seen.Facts
		facts.Unsaved = true
		c.table.Observe(o.known.Key, o.seen.InternalID, facts, o.seen.Info, o.known.AsOf(), time.Now())
	}
}
