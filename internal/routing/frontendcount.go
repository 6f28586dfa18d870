package routing

import "sync/atomic"

// FrontendCount is what a frontend has now. Breakout rooms are no meetings of
// their own, and who is in one counts in its parent: they are counted apart.
type FrontendCount struct {
	Meetings, People, Moderators int
	Breakouts                    BreakoutCount
}

// BreakoutCount is what a frontend has in breakout rooms. Most of those people
// are in a meeting, too.
type BreakoutCount struct{ Rooms, People, Moderators int }

// FrontendCount is kept up to date and not counted: creates and joins ask for it.
func (t *Table) FrontendCount(frontendID string) FrontendCount {
	v, ok := t.counters.Load(frontendID)
	if !ok {
		return FrontendCount{}
	}
	n := v.(*counter)
	rooms, people, moderators := n.meetings.load()
	count := FrontendCount{Meetings: rooms, People: people, Moderators: moderators}
	rooms, people, moderators = n.breakouts.load()
	count.Breakouts = BreakoutCount{rooms, people, moderators}
	return count
}

// counter keeps one FrontendCount.
type counter struct{ meetings, breakouts roomCounter }

type roomCounter struct{ rooms, people, moderators atomic.Int64 }

func (c *roomCounter) load() (rooms, people, moderators int) {
	return int(c.rooms.Load()), int(c.people.Load()), int(c.moderators.Load())
}

func (c *roomCounter) add(rooms, people, moderators int) {
	c.rooms.Add(int64(rooms))
	c.people.Add(int64(people))
	c.moderators.Add(int64(moderators))
}

// countFrontend takes in that a room was replaced. Rooms that do not live count
// nothing; nil neither.
func (t *Table) countFrontend(frontendID string, old, r *Room) {
	was, is := shareOf(old), shareOf(r)
	if was == is {
		return
	}
	v, ok := t.counters.Load(frontendID)
	if !ok {
		v, _ = t.counters.LoadOrStore(frontendID, &counter{})
	}
	n := v.(*counter)
	n.meetings.add(is.Meetings-was.Meetings, is.People-was.People, is.Moderators-was.Moderators)
	before, now := was.Breakouts, is.Breakouts
	n.breakouts.add(now.Rooms-before.Rooms, now.People-before.People, now.Moderators-before.Moderators)
}

func shareOf(r *Room) FrontendCount {
	switch {
	case r == nil || !r.Live():
		return FrontendCount{}
	case r.Breakout:
		return FrontendCount{Breakouts: BreakoutCount{1, r.People, r.Count.Moderators}}
	}
	return FrontendCount{Meetings: 1, People: r.People, Moderators: r.Count.Moderators}
}
