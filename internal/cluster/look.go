package cluster

import (
	"cmp"
	"context"
	"sync"
	"time"

	"b3scale"
)

// A look is a getMeetingInfo that nobody asked for: it tells within seconds
// that people have come, or that a room is gone, where the next list would
// take longer. Looks are few per second; what they cannot do the lists do.
var (
	joinLooks = []time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second}
	endLooks  = []time.Duration{time.Second, 3 * time.Second, 7 * time.Second}
	goneLooks = []time.Duration{0}
	overLooks = []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}
)

const (
	lookEvery = 250 * time.Millisecond
	maxLooks  = 1024
)

type looks struct {
	mu  sync.Mutex
	due map[b3scale.MeetingKey]plannedLooks
}

// plannedLooks are those at one meeting.
type plannedLooks struct {
	times []time.Time
	over  string // the internal id of a room that is over, as its node says
}

// lookSoon plans looks at a meeting, unless some are planned or too many are.
func (c *Cluster) lookSoon(key b3scale.MeetingKey, after []time.Duration) {
	c.lookAtEnd(key, "", after)
}

// lookAtEnd plans looks at a room that is over, as its node says. It need not
// be so: but when it is not there any more, nobody waits for a list.
func (c *Cluster) lookAtEnd(key b3scale.MeetingKey, over string, after []time.Duration) {
	l := &c.looks
	l.mu.Lock()
	defer l.mu.Unlock()
	planned, known := l.due[key]
	if !known && len(l.due) >= maxLooks {
		return
	}
	if l.due == nil {
		l.due = map[b3scale.MeetingKey]plannedLooks{}
	}
	over = cmp.Or(over, planned.over)
	if len(planned.times) >= len(after) {
		l.due[key] = plannedLooks{planned.times, over}
		return
	}
	now := time.Now()
	times := make([]time.Time, 0, len(after))
	for _, d := range after {
		times = append(times, now.Add(d))
	}
	l.due[key] = plannedLooks{times, over}
}

// take returns some keys whose look is due, each with the room that is over.
func (l *looks) take(now time.Time, most int) map[b3scale.MeetingKey]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := map[b3scale.MeetingKey]string{}
	for key, planned := range l.due {
		if len(taken) == most {
			break
		}
		if planned.times[0].After(now) {
			continue
		}
		taken[key] = planned.over
		if planned.times = planned.times[1:]; len(planned.times) == 0 {
			delete(l.due, key)
		} else {
			l.due[key] = planned
		}
	}
	return taken
}

func (c *Cluster) runLooks(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			for key, over := range c.looks.take(now, c.opts.LooksPerTick) {
				wg.Go(func() { c.lookAt(ctx, key, over) })
			}
		}
	}
}

// look compares one active row with its room and stores the difference, fenced
// by what was seen before.
func (c *Cluster) look(ctx context.Context, key b3scale.MeetingKey) { c.lookAt(ctx, key, "") }

// lookAt does the same. over is the room that is over, as its node says.
func (c *Cluster) lookAt(ctx context.Context, key b3scale.MeetingKey, over string) {
	r := c.table.Meeting(key)
	if r == nil || r.State != b3scale.MeetingActive || r.Breakout {
		return
	}
	b := c.table.Backend(r.BackendID)
	if b == nil {
		return
	}
	begun := time.Now()
	x, err := c.info(ctx, b, c.nodeID(key), c.opts.CallTimeout)
	switch {
	case err != nil:
		return // probes and lists tell what is wrong there
	case x == nil && r.People > 0 && !r.EndRequested() && r.InternalID != over:
		// A server that starts shows no rooms for a while: with people in it,
		// that is for two lists to say.
	case x == nil:
		err = c.end(ctx, r.Meeting)
	case x.InternalID == r.InternalID:
		x.begun = begun
		x.InBreakouts = r.InBreakouts // a list counts them
		c.observeOne(ctx, key, x)
	default:
		err = c.confirmSeen(ctx, r.Meeting, x)
	}
	if err != nil {
		c.log.WarnContext(ctx, "look not stored", "meeting", key, "error", err)
	}
}

// confirmSeen stores that another room of the same generation was seen.
func (c *Cluster) confirmSeen(ctx context.Context, m b3scale.Meeting, x *sight) error {
	confirmed, ok, err := c.store.ConfirmMeeting(ctx, m.Key, m.Generation, c.withOrigin(m.Key, x.Incarnation))
	if err != nil || !ok {
		return err
	}
	c.table.Apply(confirmed, time.Now())
	c.observeOne(ctx, m.Key, x)
	return nil
}
