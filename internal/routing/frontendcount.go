package routing

import "sync/atomic"

// FrontendCount is what a frontend has now. Breakout rooms are no meetings of
// their own, and who is in one counts in its parent.
type FrontendCount struct{ Meetings, People, Moderators int }

// FrontendCount is kept up to date and not counted: creates and joins ask for it.
func (t *Table) FrontendCount(frontendID string) FrontendCount {
	v, ok := t.counters.Load(frontendID)
	if !ok {
		return FrontendCount{}
	}
	n := v.(*counter)
	return FrontendCount{int(n.meetings.Load()), int(n.people.Load()), int(n.moderators.Load())}
}

// counter keeps one FrontendCount.
type counter struct{ meetings, people, moderators atomic.Int64 }

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
	n.meetings.Add(int64(is.Meetings - was.Meetings))
	n.people.Add(int64(is.People - was.People))
	n.moderators.Add(int64(is.Moderators - was.Moderators))
}

func shareOf(r *Room) FrontendCount {
	if r == nil || r.Breakout || !r.Live() {
		return FrontendCount{}
	}
	return FrontendCount{1, r.People, r.Count.Moderators}
}
