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
	Size   int             // expected people, reserved until Release
}

// Choice is a backend for a new meeting. The load of the meeting counts there
// until Release, which comes when the claim is in the table or has failed.
type Choice struct {
	*Backend
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
	type candidate struct {
		backend *Backend
		score   float64
	}
	var (
		candidates []candidate
		lowest     float64
	)
	out := ruledOut{want: want}
	least := drawbacks // of the candidates
	for _, b := range t.Backends() {
		o := b.obstacles(want, now)
		if !out.passes(o) || o > least {
			continue
		}
		if o < least {
			least, candidates = o, candidates[:0]
		}
		c := candidate{b, b.Score()}
		if len(candidates) == 0 || c.score < lowest {
			lowest = c.score
		}
		candidates = append(candidates, c)
	}
	if len(candidates) == 0 {
		return Choice{}, b3scale.Errorf(b3scale.NoBackend, "no free backend available for meeting").Because(out)
	}
	near, best := candidates[:0], candidates[:0:0]
	for _, c := range candidates {
		if c.score == lowest {
			best = append(best, c)
		}
		if c.score <= lowest*nearlyEqual {
			near = append(near, c)
		}
	}
	chosen := best[rand.IntN(len(best))] //nolint:gosec // spreading needs no secrecy
	if len(near) > many {
		a, b := near[rand.IntN(len(near))], near[rand.IntN(len(near))] //nolint:gosec // as above
		if chosen = a; b.score < a.score {
			chosen = b
		}
	}
	choice := Choice{chosen.backend, int64(want.Size) * thousand}
	chosen.backend.reserved.Add(choice.reserved)
	chosen.backend.claims.Add(1)
	return choice, nil
}
