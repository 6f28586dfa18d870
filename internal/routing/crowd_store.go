package routing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"b3scale"
)

// What the store and lists make of a crowd; crowd.go has what events make of it.

// All are those in the room, in their order, and who has left.
func (c *Crowd) All() []b3scale.Attendee {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all()
}

func (c *Crowd) all() []b3scale.Attendee {
	all := make([]b3scale.Attendee, 0, len(c.people)+len(c.left))
	ids := slices.SortedFunc(maps.Keys(c.people), func(a, b string) int { return cmp.Compare(c.people[a].order, c.people[b].order) })
	for _, id := range ids {
		p := c.people[id]
		all = append(all, b3scale.Attendee{InternalUserID: id, Boot: p.Boot, Sequence: p.Sequence, SeenAt: p.At, XML: p.XML})
	}
	for id, m := range c.left {
		all = append(all, b3scale.Attendee{InternalUserID: id, Boot: m.boot, Sequence: m.sequence, SeenAt: m.at, XML: b3scale.Farewell(m.who)})
	}
	return all
}

// Merge makes of who was known who is there now. unsaved tells whose fact the
// store does not know yet. dropped are rows that are to go from the store.
type Merge func(before []b3scale.Attendee, unsaved func(id string) bool) (after []b3scale.Attendee, dropped []string)

// Replace makes the crowd what merge makes of it. traits reads the XML of a
// person. What was not stored yet stays marked so; saved says that the rest is
// stored, as it then was. It returns the XML of everybody.
func (c *Crowd) Replace(merge Merge, traits func([]byte) Traits, now b3scale.Micros, saved bool) ([][]byte, b3scale.Headcount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, c.count
	}
	before := c.all()
	after, dropped := merge(before, func(id string) bool {
		_, is := c.unsaved[id]
		if !is && (c.writes > 0 || now < c.savingAt.Add(savedFor)) {
			if _, is = c.saving[id]; !is {
				_, is = c.saved[id]
			}
		}
		return is
	})
	old := c.people
	c.people, c.left = make(map[string]*Person, len(after)), nil
	counted := c.count
	c.count, c.listed, c.newest = b3scale.Headcount{}, nil, 0
	moved, peak, changes, times := c.moved, c.peak, c.changes, c.times
	c.shown = make([][]byte, 0, len(after))
	xml := c.shown
	for _, a := range after {
		c.told = c.told || a.Boot != ""
		if a.Gone() {
			if c.left == nil {
				c.left = map[string]mark{}
			}
			c.left[a.InternalUserID] = mark{boot: a.Boot, sequence: a.Sequence, at: a.SeenAt, who: a.Who()}
			continue
		}
		p := &Person{XML: a.XML, Boot: a.Boot, Sequence: a.Sequence, At: a.SeenAt}
		if known := old[a.InternalUserID]; known != nil && sameBytes(known.XML, a.XML) {
			p.XML, p.flags, p.who = known.XML, known.flags, known.who
		} else {
			t := traits(a.XML)
			if p.flags = t.flags(); p.Boot == "" {
				p.who = t.Who
			}
		}
		c.put(a.InternalUserID, p, now)
		xml = append(xml, p.XML)
	}
	for _, id := range dropped {
		if c.people[id] == nil {
			c.mark(id)
		}
	}
	c.shown = xml
	c.moved, c.peak, c.changes, c.times = moved || saved && c.doubted, max(peak, c.count.People), changes, times
	if saved {
		c.doubted = false
	}
	if !saved && counted != c.count {
		c.moved = true
		for i, n := range [3]int{c.count.People - counted.People, c.count.Voices - counted.Voices, c.count.Videos - counted.Videos} {
			c.changes[i] += int64(n)
			c.times[i] += int64(n) * int64(now)
		}
	}
	return xml, c.count
}

func sameBytes(a, b []byte) bool { return string(a) == string(b) }

// Unsaved is what the store does not know of a crowd.
type Unsaved struct {
	Attendees            []b3scale.Attendee // SeenAt is by our own clock
	Forget               []string
	Arrivals             []string // see Fact
	Headcount            b3scale.Headcount
	Peak                 int
	People, Voice, Video time.Duration // see b3scale.Turnout, Late

	Info bool // the XML of the room, too

	changes, times [3]int64
}

// Unsaved takes what is to be stored; nothing: false. When it was not stored,
// tell Redo, else Done.
func (c *Crowd) Unsaved(now b3scale.Micros) (u Unsaved, news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsaved) == 0 && !c.moved && !c.info {
		return u, false
	}
	for id := range c.unsaved {
		if p := c.people[id]; p != nil {
			u.Attendees = append(u.Attendees, b3scale.Attendee{InternalUserID: id, Boot: p.Boot, Sequence: p.Sequence, SeenAt: p.At, XML: p.XML})
		} else if m, left := c.left[id]; left {
			u.Attendees = append(u.Attendees, b3scale.Attendee{InternalUserID: id, Boot: m.boot, Sequence: m.sequence, SeenAt: m.at, XML: b3scale.Farewell(m.who)})
		} else {
			u.Forget = append(u.Forget, id)
		}
	}
	u.Forget = append(u.Forget, c.longGone(now)...)
	late := func(i int) time.Duration {
		return time.Duration(int64(now)*c.changes[i]-c.times[i]) * time.Microsecond
	}
	u.People, u.Voice, u.Video = late(0), late(1), late(2)
	u.Headcount, u.Peak, u.changes, u.times = c.count, c.peak, c.changes, c.times
	u.Info, u.Arrivals = c.info, c.arrivals
	if c.writes > 0 { // all that may still be on its way
		c.saving = maps.Clone(c.saving)
		maps.Copy(c.saving, c.saved)
	}
	c.saved, c.saving, c.savingAt = c.saving, c.unsaved, now
	c.writes++
	c.unsaved, c.moved, c.info, c.arrivals = nil, false, false, nil
	c.peak, c.changes, c.times = c.count.People, [3]int64{}, [3]int64{}
	return u, true
}

// Reinform says that events have changed the XML of the room.
func (c *Crowd) Reinform() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info, c.told = true, true
}

// Doubt says that the headcount was stored although others had changed what is
// stored. It is stored again when that is known.
func (c *Crowd) Doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubted = true
}

// HasNews reports whether Unsaved would give something.
func (c *Crowd) HasNews() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.unsaved) > 0 || c.moved || c.info
}

// longGone are some of those whose farewells need not be remembered any more,
// once there are many.
func (c *Crowd) longGone(now b3scale.Micros) []string {
	if len(c.left) < 64 {
		return nil
	}
	var ids []string
	for id, m := range c.left {
		if m.at < now.Add(-rememberLeft) {
			ids = append(ids, id)
			delete(c.left, id)
		}
	}
	return ids
}

// Done says that what Unsaved gave is stored since a moment ago.
func (c *Crowd) Done(now b3scale.Micros) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes--
	c.savingAt = max(c.savingAt, now)
}

// Redo says that what Unsaved gave could not be stored.
func (c *Crowd) Redo(u Unsaved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes--
	if c.unsaved == nil {
		c.unsaved = map[string]struct{}{}
	}
	for _, a := range u.Attendees {
		c.unsaved[a.InternalUserID] = struct{}{}
	}
	for _, id := range u.Forget {
		c.unsaved[id] = struct{}{}
	}
	c.moved, c.info = true, c.info || u.Info
	c.arrivals = append(c.arrivals, u.Arrivals...)
	c.peak = max(c.peak, u.Peak)
	for i := range c.changes {
		c.changes[i] += u.changes[i]
		c.times[i] += u.times[i]
	}
}
