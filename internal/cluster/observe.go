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
func (c *Cluster) sighting(o *observation) (b3scale.Sighting, bool) {
	s := b3scale.Sighting{Key: o.known.Key, Generation: o.known.Generation, InternalID: o.known.InternalID}
	if o.known.Unsaved || string(o.known.Info) != string(o.seen.Info) {
		s.Info = o.seen.Info
		if o.known.Origin.Create == "" {
			s.Origin = c.seenOrigin(s.Key, s.Info)
		}
	}
	if o.known.Unsaved || c.othersThere(o) {
		begun := c.storeTime(o.seen.begun)
		s.AttendeesReplaced = true
		reserves := c.reserves(s.Key.FrontendID)
		s.Merge = func(stored []b3scale.Attendee) (_ []b3scale.Attendee, _ b3scale.Headcount, came []string) {
			inOrder(stored)
			o.seen.merged = mergeList(stored, o.seen.Attendees, begun)
			if reserves {
				came = newcomers(s.Key.MeetingID, stored, o.seen.merged)
			}
			return o.seen.merged, headcountOf(o.seen.merged), came
		}
	}
	return s, s.Info != nil || s.AttendeesReplaced
}

// othersThere reports whether somebody is there whom memory does not know, or
// the other way round, or not so.
func (c *Cluster) othersThere(o *observation) bool {
	crowd := o.known.Crowd()
	if !crowd.Told() {
		return !sameAttendees(o.known.Present(), o.seen.Attendees)
	}
	before := crowd.All()
	after := mergeList(before, o.seen.Attendees, b3scale.MicrosOf(o.seen.begun))
	here := make(map[string]*b3scale.Attendee, len(before))
	people := 0
	for i := range before {
		if !before[i].Gone() {
			here[before[i].InternalUserID] = &before[i]
			people++
		}
	}
	for i := range after {
		if after[i].Gone() {
			continue
		}
		people--
		if b := here[after[i].InternalUserID]; b == nil || string(b.XML) != string(after[i].XML) {
			return true
		}
	}
	return people != 0
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
	c.flushFirst(ctx, backendID, rooms)
	var changed []b3scale.Sighting
	position := make([]int, len(rooms)) // in changed, from 1 on; 0: unchanged
	for i := range rooms {
		if s, news := c.sighting(&rooms[i]); news {
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
	for i := range rooms {
		o := &rooms[i]
		var info []byte
		asOf := o.known.AsOf() // newer facts may have come meanwhile
		if n := position[i]; n > 0 {
			if info, asOf = changed[n-1].Info, versions[n-1]; asOf == 0 {
				continue // another room is there by now, or the meeting has moved
			}
		}
		facts := o.seen.Facts
		crowd := o.known.Crowd()
		facts.Attendees, facts.Count = o.known.Present(), crowd.Headcount()
		if o.seen.merged != nil || position[i] > 0 && changed[position[i]-1].AttendeesReplaced {
			for k := range o.seen.merged {
				o.seen.merged[k].SeenAt = c.ourTime(o.seen.merged[k].SeenAt)
			}
			facts.Attendees, facts.Count = crowd.Replace(func(before []b3scale.Attendee, unsaved func(string) bool) ([]b3scale.Attendee, []string) {
				return mergeRows(before, o.seen.merged, unsaved)
			}, traitsOf, b3scale.MicrosOf(now), true)
		}
		c.observed(o.known.Key, o.seen.InternalID, crowd, facts, info, asOf, now)
	}
	return nil
}

// flushFirst stores what events have told of the rooms, or their times would
// count twice.
func (c *Cluster) flushFirst(ctx context.Context, backendID string, rooms []observation) {
	var dirty []dirtyRoom
	for i := range rooms {
		if crowd := rooms[i].known.Crowd(); crowd.HasNews() {
			dirty = append(dirty, dirtyRoom{key: rooms[i].known.Key, crowd: crowd})
		}
	}
	if len(dirty) > 0 {
		c.flushRooms(ctx, backendID, dirty)
	}
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
	for i := range rooms {
		o := &rooms[i]
		facts, now := o.seen.Facts, time.Now()
		facts.Unsaved = true
		facts.Attendees, facts.Count = c.shown(o.known.Crowd(), o.seen, now)
		c.observed(o.known.Key, o.seen.InternalID, o.known.Crowd(), facts, o.seen.Info, o.known.AsOf(), now)
	}
}

// shown brings what a node showed into memory alone.
func (c *Cluster) shown(crowd *routing.Crowd, x *sight, now time.Time) ([][]byte, b3scale.Headcount) {
	return crowd.Replace(func(before []b3scale.Attendee, _ func(string) bool) ([]b3scale.Attendee, []string) {
		return mergeList(before, x.Attendees, b3scale.MicrosOf(x.begun)), nil
	}, traitsOf, b3scale.MicrosOf(now), false)
}
