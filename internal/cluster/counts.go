package cluster

import (
	"b3scale"
	"b3scale/internal/routing"
)

// Count is what goes on at one frontend or backend. People in breakout rooms
// count there, and not in the meeting that they came from.
type Count struct {
	Meetings int // breakout rooms included
	b3scale.Headcount
}

// Counts are those of all frontends and all backends with meetings, by id, as
// memory has them.
func (c *Cluster) Counts() (frontends, backends map[string]Count) {
	frontends, backends = map[string]Count{}, map[string]Count{}
	c.EachCount(func(r *routing.Room, people b3scale.Headcount) {
		frontends[r.Key.FrontendID] = frontends[r.Key.FrontendID].plus(people)
		backends[r.BackendID] = backends[r.BackendID].plus(people)
	})
	return frontends, backends
}

// EachCount calls yield for every live meeting with the people who count there.
func (c *Cluster) EachCount(yield func(*routing.Room, b3scale.Headcount)) {
	c.table.Each(func(r *routing.Room) {
		people := b3scale.Headcount{}
		if crowd := r.Crowd(); crowd != nil {
			people = crowd.Headcount()
		}
		people.People = max(r.People-r.InBreakouts, 0)
		yield(r, people)
	})
}

func (c Count) plus(h b3scale.Headcount) Count {
	c.Meetings++
	c.People += h.People
	c.Listeners += h.Listeners
	c.Voices += h.Voices
	c.Videos += h.Videos
	c.Moderators += h.Moderators
	return c
}
