package routing

import (
	"math/rand/v2"
	"time"

	"b3scale"
)

// Among many backends that are nearly equal the lower of two random ones is
// taken, so that instances which do not yet know of each other's claims do not
// all choose the same.
const (
	nearlyEqual = 1.10
	many        = 8
)

// Wanted says what a new meeting needs.
type Wanted struct {
	Tags   b3scale.Tags    // the backend must carry them all
	Wish   b3scale.TagWish // what the meeting asks for besides
	Except map[string]bool // ids of backends that failed in this request
	Booked map[string]bool // ids of those where an earlier room of the meeting may still be
	Size   int             // expected people, reserved until Release
}

// Choice is a backend for a new meeting. The load of the meeting counts there
// until Release, which comes when the claim is in the table or has failed.
type Choice struct {
	*Backend
	Why Decision

	reserved int64
}

// Release ends the reservation.
func (c Choice) Release() {
	c.claims.Add(-1)
	c.Backend.reserved.Add(-c.reserved)
}

// Select chooses the backend for a new meeting. When none may take it the
// error is NoBackend and its cause counts what ruled them out.
//
// One at a time: a choice must see the reservations of all before it, or those
// of a burst would take the same backend.
func (t *Table) Select(want Wanted, now time.Time) (Choice, error) {
	t.selecting.Lock()
	defer t.selecting.Unlock()
	c := t.contest(want, now, t.contenders)
	t.contenders = c.all
	if c.drawn == 0 {
		return Choice{}, c.nobody()
	}
	chosen := c.draw()
	if other := c.draw(); other.score < chosen.score {
		chosen = other
	}
	choice := Choice{chosen.Backend, c.decision(now), int64(want.Size) * thousand}
	chosen.reserved.Add(choice.reserved)
	chosen.claims.Add(1)
	return choice, nil
}

// contest is how all backends stand for one new meeting. Select draws from it
// and Explain tells of it: nobody can be told otherwise than it is done.
type contest struct {
	all   []contender
	out   ruledOut
	drawn int // how many the choice is drawn from
}

// contender is one backend in it.
type contender struct {
	*Backend
	obstacles obstacles
	load      Load
	score     float64
	near      bool // about as good as the best
	drawn     bool // the choice is drawn from these
}

// contest looks at all backends. into is used again.
func (t *Table) contest(want Wanted, now time.Time, into []contender) contest {
	c := contest{all: into[:0], out: ruledOut{want: want}}
	var lowest float64
	least := ^obstacles(0) // of those that may take it
	for _, b := range t.Backends() {
		e := contender{Backend: b, obstacles: b.obstacles(want, now), load: b.Load()}
		e.score = e.load.Score()
		if c.out.passes(e.obstacles) && (e.obstacles < least || e.obstacles == least && e.score < lowest) {
			least, lowest = e.obstacles, e.score
		}
		c.all = append(c.all, e)
	}
	near := 0
	for i := range c.all {
		e := &c.all[i]
		if e.near = e.obstacles == least && e.score <= lowest*nearlyEqual; e.near {
			near++
		}
	}
	for i := range c.all {
		e := &c.all[i]
		if e.drawn = e.near && (near > many || e.score == lowest); e.drawn {
			c.drawn++
		}
	}
	return c
}

// draw takes one of those that are drawn from.
func (c *contest) draw() *contender {
	n := rand.IntN(c.drawn) //nolint:gosec // spreading needs no secrecy
	for i := range c.all {
		if !c.all[i].drawn {
			continue
		}
		if n == 0 {
			return &c.all[i]
		}
		n--
	}
	panic("fewer backends than were counted") // contest counts those that it marks
}

// nobody is the error when no backend remains.
func (c *contest) nobody() error {
	return b3scale.Errorf(b3scale.NoBackend, "no free backend available for meeting").Because(c.out)
}
