package cluster

import (
	"context"
	"time"

	"b3scale"
)

// Unreserved counts people who were let in without a reservation because the
// store did not answer.
func (c *Cluster) Unreserved() int64 { return c.limits.unreserved.Load() }

const (
	turnsAtATime   = 4
	lookAtStore    = 100 * time.Millisecond // how often who waits looks whether the store is silent
	pauseOfAPlace  = 50 * time.Millisecond  // before the store is asked once more
	rememberPlaces = time.Minute
	crowdFor       = 6 * time.Second // after its last answer the store is taken to be busy with a crowd
)

var (
	errCrowd = b3scale.Errorf(b3scale.NotYet, "many people are coming at the moment, please try again")
	errBusy  = b3scale.Errorf(b3scale.Unavailable, "many meetings are being created at the moment, please try again")
	errAway  = b3scale.Errorf(b3scale.Unavailable, "the database does not answer at the moment")
)

// reserve asks the store for a place. While the store is silent everybody is let
// in and counted: a join must work without it. One that answers others is only
// busy, or somebody holds this frontend's limits: then to let people in would
// open the limit when it is needed most, and they have to come again.
func (c *Cluster) reserve(ctx context.Context, p b3scale.Place) (taken int, ok bool, err error) {
	if c.silent.silent() {
		c.limits.unreserved.Add(1)
		return 0, true, nil
	}
	wait, cancel := context.WithTimeout(ctx, c.opts.PlaceWait)
	defer cancel()
	since := c.silent.answers.Load()
	answers := make(chan placeAnswer, 1)
	go func() { answers <- c.takePlace(wait, &p) }() // a store that hangs may keep it longer than us
	look := time.NewTicker(lookAtStore)
	defer look.Stop()
	for {
		select {
		case a := <-answers:
			return a.taken, a.ok, a.err
		case <-wait.Done():
			return 0, false, errCrowd
		case <-look.C:
		}
		if c.silent.silent() || c.storeSilent() && !c.limits.of(p.Key.FrontendID).heardLately() {
			c.limits.unreserved.Add(1)
			return 0, true, nil
		}
		c.doubt(since)
	}
}

// heardLately reports whether the store has counted lately. In a crowd its other
// writes wait behind those for places, as if it took none.
func (l *frontendLimits) heardLately() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.takenAt) < crowdFor
}

type placeAnswer struct {
	taken int
	ok    bool
	err   error
}

// takePlace asks when it is its turn, until the store answers or ctx ends.
func (c *Cluster) takePlace(ctx context.Context, p *b3scale.Place) placeAnswer {
	l := c.limits.of(p.Key.FrontendID)
	if c.shared() {
		if !l.places.take(ctx) {
			return placeAnswer{err: errCrowd}
		}
		defer l.places.leave()
	}
	for {
		since := c.silent.answers.Load()
		taken, ok, err := c.store.TakePlace(ctx, *p)
		switch {
		case err == nil:
			c.answered(since, nil)
			if ok {
				c.stored()
			}
			l.counted(taken, time.Now())
			return placeAnswer{taken, ok, nil}
		case ctx.Err() != nil:
			return placeAnswer{err: errCrowd}
		case b3scale.CodeOf(err) != b3scale.Unavailable:
			return placeAnswer{err: err}
		}
		c.log.DebugContext(ctx, "no place reserved", "meeting", p.Key, "error", err)
		c.answered(since, err)
		pause(ctx, pauseOfAPlace)
	}
}

// answered takes in how something ended that waits for others, too: to be late
// says nothing, to answer does.
func (c *Cluster) answered(since int64, err error) {
	if b3scale.CodeOf(err) == b3scale.Unavailable {
		c.doubt(since)
	} else {
		c.silent.answers.Add(1)
	}
}

// counted remembers what the store counted.
func (l *frontendLimits) counted(taken int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken, l.takenAt = taken, now
}

// nearlyFull reports whether the store will probably find no room, as far as
// memory knows of people, and of reservations from the last answer.
func (c *Cluster) nearlyFull(f *b3scale.Frontend, limit int) bool {
	taken := c.attendees(f)
	l := c.limits.of(f.ID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.takenAt) < rememberPlaces {
		taken = max(taken, l.taken)
	}
	return taken >= limit-limit/10-turnsAtATime
}

// turns has room for those who may ask the store about the limits of a frontend
// at a time. They would wait there for each other anyway, with a connection each.
type turns chan struct{}

func newTurns() turns { return make(turns, turnsAtATime) }

func (t turns) take(ctx context.Context) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t turns) leave() { <-t }

// turnToClaim waits as long as the store answers, for a place among the claims of
// a frontend: joins must not wait behind them. One instance on a database of its
// own needs no turns: its writes go together.
func (c *Cluster) turnToClaim(ctx context.Context, frontendID string) (leave func(), err error) {
	if !c.shared() {
		return func() {}, nil
	}
	claims := c.limits.of(frontendID).claims
	look := time.NewTicker(lookAtStore)
	defer look.Stop()
	for {
		select {
		case claims <- struct{}{}:
			return claims.leave, nil
		case <-look.C:
			if !c.StoreAnswers() {
				return nil, errAway
			}
		case <-ctx.Done():
			return nil, errBusy
		}
	}
}
