package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"b3scale/bbb/bbbtest"
)

// crowd are the simulated people of one node. They are only in meetings that
// somebody made, and are gone when these end.
type crowd struct {
	node   *bbbtest.Node
	size   int
	churn  float64 // joins and leaves per second
	open   []room  // as of the last look
	people []person
	number int
}

type person struct{ room, id string }

// How soon people come after a meeting was made, and how old the view of the
// meetings may be.
const lookEvery = 250 * time.Millisecond

// Run lets people come and go until ctx ends.
func (c *crowd) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var change <-chan time.Time
	if c.churn > 0 {
		tick := time.NewTicker(time.Duration(float64(time.Second) / c.churn))
		defer tick.Stop()
		change = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			c.look()
			c.fill()
		case <-change:
			c.step()
		}
	}
}

// fill brings the crowd to its size, a share of it into each meeting. A seat
// that a leave has just freed is left to the next join.
func (c *crowd) fill() {
	enough := c.size
	if c.churn > 0 && len(c.people) == c.size-1 {
		enough--
	}
	for len(c.people) < enough && c.join() {
	}
}

// step is one join or leave, and somebody who switches a device.
func (c *crowd) step() {
	if len(c.people) >= c.size {
		c.leave()
	} else if !c.join() {
		return
	}
	c.switchDevice()
}

// room is a meeting that people can come to.
type room struct {
	id     string
	people int
	free   int
}

// look finds the meetings, and forgets the people of those that are over.
func (c *crowd) look() {
	c.open = c.open[:0]
	there := map[string]bool{}
	for _, r := range c.node.Rooms() {
		for i := range r.Attendees {
			there[r.InternalID+r.Attendees[i].UserID] = true
		}
		free := c.size
		if r.MaxUsers > 0 {
			free = r.MaxUsers - len(r.Attendees)
		}
		if !r.Ending && r.ParentID == "" {
			c.open = append(c.open, room{r.InternalID, len(r.Attendees), free})
		}
	}
	kept := c.people[:0]
	for _, p := range c.people {
		if there[p.room+p.id] {
			kept = append(kept, p)
		}
	}
	c.people = kept
}

// join lets one more person into the emptiest meeting and reports whether
// there is one with a free seat. Every tenth moderates.
func (c *crowd) join() bool {
	best := -1
	for i, r := range c.open {
		if r.free > 0 && (best < 0 || r.people < c.open[best].people) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	r := &c.open[best]
	c.number++
	role := bbbtest.Viewer
	if r.people%10 == 0 {
		role = bbbtest.Moderator
	}
	p := person{r.id, fmt.Sprintf("sim-%d", c.number)}
	r.people++
	r.free--
	if c.node.Join(p.room, bbbtest.Attendee{UserID: p.id, FullName: fmt.Sprintf("Simulated %d", c.number), Role: role}) {
		c.people = append(c.people, p)
		c.node.Voice(p.room, p.id, true, c.number%3 == 0)
		return true
	}
	r.free = 0 // it has ended
	return c.join()
}

func (c *crowd) leave() {
	if len(c.people) == 0 {
		return
	}
	i := rand.IntN(len(c.people)) //nolint:gosec // nobody gains from guessing who leaves
	p := c.people[i]
	c.people = append(c.people[:i], c.people[i+1:]...)
	c.node.Leave(p.room, p.id)
	for i := range c.open {
		if r := &c.open[i]; r.id == p.room {
			r.people--
			r.free++
		}
	}
}

// switchDevice lets somebody join or leave the voice conference, or switch a
// camera.
func (c *crowd) switchDevice() {
	if len(c.people) == 0 {
		return
	}
	p := c.people[rand.IntN(len(c.people))] //nolint:gosec // see leave
	listenOnly := rand.IntN(3) == 0         //nolint:gosec // see leave
	switch rand.IntN(2) {                   //nolint:gosec // see leave
	case 0:
		if !c.node.Voice(p.room, p.id, true, listenOnly) {
			c.node.Voice(p.room, p.id, false, false)
		}
	case 1:
		if !c.node.Camera(p.room, p.id, "", false) {
			c.node.Camera(p.room, p.id, "", true)
		}
	}
}
